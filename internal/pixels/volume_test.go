package pixels

import (
	"bytes"
	"testing"
)

// corner is a volume of 8 × 8 × 8 voxels of 1 mm that is bright where the patient's left, back and head meet.
func corner(t *testing.T, along, down, normal [3]float64) (Job, []byte) {
	t.Helper()
	v := Volume{Count: 8, Middle: 4, Along: along, Down: down, Normal: normal, Spacing: 1}
	var b bytes.Buffer
	for n := range 8 {
		f := grey(8, 8, 8, 8)
		f.Size, f.RowSpacing, f.ColumnSpacing, f.Center, f.Width = 64, 1, 1, 128, 256
		data := make([]byte, 64)
		for y := range 8 {
			for x := range 8 {
				far := [3]float64{}
				for i := range far { // where the voxel lies, from the middle
					far[i] = along[i]*(float64(x)-3.5) + down[i]*(float64(y)-3.5) + normal[i]*(float64(n)-3.5)
				}
				bright := 0
				for _, c := range far {
					if c > 0 {
						bright += 80
					}
				}
				data[8*y+x] = byte(bright)
			}
		}
		if err := WriteFrame(&b, f); err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return Job{Volume: &v}, b.Bytes()
}

// However a volume was acquired, its planes are shown as radiologists look at them: left on the right, head up.
func TestPlanesLieAsTheyAreLookedAt(t *testing.T) {
	x, y, z := [3]float64{1, 0, 0}, [3]float64{0, 1, 0}, [3]float64{0, 0, 1}
	minus := func(v [3]float64) [3]float64 { return [3]float64{-v[0], -v[1], -v[2]} }
	for name, c := range map[string][3][3]float64{
		"axial slices upwards":    {x, y, z},
		"axial, feet first prone": {minus(x), minus(y), z},
		"coronal slices":          {x, minus(z), y},
		"sagittal slices":         {y, minus(z), minus(x)},
		"axial slices downwards":  {x, y, minus(z)},
	} {
		t.Run(name, func(t *testing.T) {
			job, data := corner(t, c[0], c[1], c[2])
			result, err := Run(job, bytes.NewReader(data))
			if err != nil || result.Refused != nil {
				t.Fatal(err, result.Refused)
			}
			seen := map[View]bool{}
			for _, p := range result.Pictures {
				seen[p.View] = true
				img := pictureOf(t, p)
				if p.Width != 8 || p.Height != 8 {
					t.Fatalf("%s is %d × %d", p.View, p.Width, p.Height)
				}
				// The acquired plane is shown as it was acquired; in all of them the bright corner is where it belongs.
				right, bottom := 7, 0
				if p.View == Axial {
					bottom = 7
				}
				bright, dark := greyAt(img, right, bottom), greyAt(img, 7-right, 7-bottom)
				if bright-dark < 100 {
					t.Errorf("%s: the corner that is left, back or up is %d, its opposite %d", p.View, bright, dark)
				}
			}
			if len(seen) != 3 || !seen[Axial] || !seen[Coronal] || !seen[Sagittal] {
				t.Fatalf("planes: %v", seen)
			}
		})
	}
}

// A slice that cannot be decoded is replaced by its neighbour; a volume of little else is refused.
func TestADamagedSliceDoesNotSpoilTheVolume(t *testing.T) {
	write := func(damaged int) (Job, []byte) {
		var b bytes.Buffer
		for n := range 8 {
			f := grey(8, 8, 8, 8)
			data := rleOf(noise(64, 8, uint64(n)), 8, 1, 8)
			if n > 0 && n <= damaged {
				data = data[:66]
			}
			f.Coding, f.Size = RLE, int64(len(data))
			if err := WriteFrame(&b, f); err != nil {
				t.Fatal(err)
			}
			b.Write(data)
		}
		return Job{Volume: &Volume{Count: 8, Middle: 7, Along: [3]float64{1}, Down: [3]float64{0, 1}, Normal: [3]float64{0, 0, 1}, Spacing: 1}}, b.Bytes()
	}
	job, data := write(2)
	if result, err := Run(job, bytes.NewReader(data)); err != nil || len(result.Pictures) != 3 || !result.Facts.Cut {
		t.Fatalf("two slices of eight: %+v %v", result, err)
	}
	job, data = write(6)
	if code := codeOf(t, job, bytes.NewReader(data)); code != Damaged {
		t.Fatalf("six slices of eight: %q", code)
	}
}

// Every plane of every volume fits a preview, also where its pixels are as wide as high or nobody knows, and is of the size that
// Planes says.
func TestPlanesAreAsLargeAsTheySayAndFit(t *testing.T) {
	for name, v := range map[string]Volume{
		"cubic":   {Count: 8, Middle: 4, Along: [3]float64{1, 0, 0}, Down: [3]float64{0, 1, 0}, Normal: [3]float64{0, 0, 1}, Spacing: 0.2},
		"turned":  {Count: 8, Middle: 4, Along: [3]float64{0, 0, -1}, Down: [3]float64{1, 0, 0}, Normal: [3]float64{0, -1, 0}, Spacing: 1.1},
		"unknown": {Count: 8, Middle: 4, Along: [3]float64{1, 0, 0}, Down: [3]float64{0, 1, 0}, Normal: [3]float64{0, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			f := grey(20, 700, 8, 8)
			f.Size = 20 * 700
			if v.Spacing > 0 {
				f.RowSpacing, f.ColumnSpacing = 0.2, 0.2
			}
			var stream bytes.Buffer
			for range v.Count {
				if err := WriteFrame(&stream, f); err != nil {
					t.Fatal(err)
				}
				stream.Write(nativeOf(noise(20*700, 8, 3), 8))
			}
			result, err := Run(Job{Volume: &v}, &stream)
			if err != nil || len(result.Pictures) != 3 {
				t.Fatalf("%+v, %v", result.Refused, err)
			}
			for i, p := range v.Planes(f) {
				got := result.Pictures[i]
				if got.View != p.View || got.Width != p.Width || got.Height != p.Height || p.Width > MaxSide || p.Height > MaxSide {
					t.Errorf("%s: drawn %d × %d, said %d × %d", p.View, got.Width, got.Height, p.Width, p.Height)
				}
			}
		})
	}
}
