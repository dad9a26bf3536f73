package pixels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

func grey(rows, columns, allocated, stored int) Frame {
	return Frame{Coding: Native, Rows: rows, Columns: columns, Samples: 1, Photometric: "MONOCHROME2", BitsAllocated: allocated, BitsStored: stored, HighBit: stored - 1}
}

func colour(rows, columns int, photometric string) Frame {
	return Frame{Coding: Native, Rows: rows, Columns: columns, Samples: 3, Photometric: photometric, BitsAllocated: 8, BitsStored: 8, HighBit: 7}
}

func same(t *testing.T, got []float32, want []uint32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != float32(want[i]) {
			t.Fatalf("number %d is %v, want %d", i, got[i], want[i])
		}
	}
}

func TestNativePixelsAreReadAsTheyLie(t *testing.T) {
	twelve := grey(1, 3, 16, 12)
	signed := twelve
	signed.Signed = true
	high := twelve
	high.HighBit = 15
	big := grey(1, 2, 16, 16)
	big.BigEndian = true
	scaled := grey(1, 2, 8, 8)
	scaled.Slope, scaled.Intercept = 2, -1000
	bits := grey(2, 5, 1, 1)
	planes := colour(1, 2, "RGB")
	planes.Planar = true
	ybr := colour(1, 2, "YBR_FULL_422")
	palette := grey(1, 3, 8, 8)
	palette.Photometric, palette.Palette, palette.First = "PALETTE COLOR", []byte{1, 2, 3, 4, 5, 6}, 7
	for name, c := range map[string]struct {
		frame Frame
		data  []byte
		want  []float32
	}{
		"8 bits":                      {grey(2, 2, 8, 8), []byte{0, 1, 2, 255}, []float32{0, 1, 2, 255}},
		"12 of 16 bits, rest ignored": {twelve, []byte{1, 0xF0, 0xFF, 0x0F, 0, 0}, []float32{1, 4095, 0}},
		"12 of 16 bits, signed":       {signed, []byte{1, 0, 0xFF, 0x0F, 0, 0x08}, []float32{1, -1, -2048}},
		"12 of 16 bits, the upper":    {high, []byte{0x10, 0, 0xFF, 0xFF, 0x0F, 0}, []float32{1, 4095, 0}},
		"big endian":                  {big, []byte{1, 0, 0, 2}, []float32{256, 2}},
		"rescaled":                    {scaled, []byte{0, 10}, []float32{-1000, -980}},
		"one bit":                     {bits, []byte{0b10100101, 0b01}, []float32{1, 0, 1, 0, 0, 1, 0, 1, 1, 0}},
		"colour by pixel":             {colour(1, 2, "RGB"), []byte{1, 2, 3, 4, 5, 6}, []float32{1, 2, 3, 4, 5, 6}},
		"colour by plane":             {planes, []byte{1, 4, 2, 5, 3, 6}, []float32{1, 2, 3, 4, 5, 6}},
		"YBR_FULL of grey":            {colour(1, 1, "YBR_FULL"), []byte{77, 128, 128}, []float32{77, 77, 77}},
		"YBR_FULL_422 of grey":        {ybr, []byte{10, 20, 128, 128}, []float32{10, 10, 10, 20, 20, 20}},
		"palette, beyond its ends":    {palette, []byte{0, 8, 99}, []float32{1, 2, 3, 4, 5, 6, 4, 5, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decoded(t, c.frame, c.data)
			if err != nil || !slices.Equal(got, c.want) {
				t.Fatalf("%v %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestRunLengthsAreDecodedExactly(t *testing.T) {
	for _, c := range []struct{ rows, columns, samples, bits int }{{1, 1, 1, 8}, {7, 300, 1, 8}, {33, 65, 1, 16}, {9, 5, 1, 32}, {16, 31, 3, 8}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			want := noise(c.rows*c.columns*c.samples, min(c.bits, 16), 7)
			f := grey(c.rows, c.columns, c.bits, min(c.bits, 16))
			if c.samples == 3 {
				f = colour(c.rows, c.columns, "RGB")
			}
			f.Coding = RLE
			got, err := decoded(t, f, rleOf(want, c.columns, c.samples, c.bits))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

func TestLosslessJPEGIsDecodedExactly(t *testing.T) {
	var all []losslessOptions
	for predictor := 1; predictor <= 7; predictor++ {
		all = append(all, losslessOptions{rows: 23, columns: 37, components: 1, precision: 16, predictor: predictor})
	}
	for precision := 2; precision <= 16; precision++ {
		all = append(all, losslessOptions{rows: 9, columns: 11, components: 1, precision: precision, predictor: 1, long: precision%2 == 0})
	}
	all = append(all,
		losslessOptions{rows: 12, columns: 17, components: 3, precision: 8, predictor: 1},
		losslessOptions{rows: 12, columns: 17, components: 3, precision: 8, predictor: 6, restart: 3, long: true},
		losslessOptions{rows: 30, columns: 8, components: 1, precision: 12, predictor: 4, restart: 1},
		losslessOptions{rows: 10, columns: 8, components: 1, precision: 12, predictor: 7, shift: 3},
		losslessOptions{rows: 1, columns: 1, components: 1, precision: 16, predictor: 1},
	)
	for _, o := range all {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			want := noise(o.rows*o.columns*o.components, o.precision, uint64(o.precision))
			if o.precision == 16 {
				want[len(want)/2], want[0] = 0, 0xFFFF // differences of the whole range
			}
			f := grey(o.rows, o.columns, 16, o.precision)
			if o.precision <= 8 {
				f.BitsAllocated = 8
			}
			if o.components == 3 {
				f = colour(o.rows, o.columns, "RGB")
			}
			f.Coding = Lossless
			data := losslessOf(want, o)
			for i := range want {
				want[i] = want[i] >> o.shift << o.shift
			}
			got, err := decoded(t, f, data)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		})
	}
}

func TestLossyJPEGIsDecoded(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 40, 24))
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 40 * 6)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	f := grey(24, 40, 8, 8)
	f.Coding = Lossy
	got, err := decoded(t, f, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if d := got[i] - float32(img.Pix[i]); d > 3 || d < -3 {
			t.Fatalf("pixel %d is %v, want %d", i, got[i], img.Pix[i])
		}
	}
}

// A frame that ends within its second half is shown as far as it goes; one that ends earlier is refused.
func TestATruncatedFrameIsShownAsFarAsItGoes(t *testing.T) {
	for size, want := range map[int]Code{100: "", 60: "", 50: Truncated, 49: SizeMismatch} {
		f := grey(10, 10, 8, 8)
		f.Size = int64(size)
		result, err := Run(Job{Frame: &f}, bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && (len(result.Pictures) != 1 || result.Facts.Cut != (size < 100)) || want != "" && (result.Refused == nil || result.Refused.Code != want) {
			t.Errorf("%d bytes of 100: %+v", size, result)
		}
	}
}

// pictureOf decodes a preview.
func pictureOf(t *testing.T, p Picture) image.Image {
	t.Helper()
	decode := png.Decode
	if p.Media == "image/jpeg" {
		decode = jpeg.Decode
	}
	img, err := decode(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != p.Width || s.Y != p.Height || max(s.X, s.Y) > MaxSide || len(p.Bytes) > MaxPicture {
		t.Fatalf("a picture of %v in %d bytes says %d × %d", s, len(p.Bytes), p.Width, p.Height)
	}
	return img
}

func greyAt(img image.Image, x, y int) int {
	return int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
}

func TestTheWindowMakesTheImageSeen(t *testing.T) {
	ramp := make([]uint32, 256)
	for i := range ramp {
		ramp[i] = uint32(i * 16)
	}
	data := nativeOf(ramp, 16)
	for name, c := range map[string]struct {
		change         func(f *Frame)
		left, mid, end int
	}{
		"none given":                  {func(*Frame) {}, 0, 127, 255},
		"the header's":                {func(f *Frame) { f.Center, f.Width = 1024, 512 }, 0, 255, 255},
		"one that would show nothing": {func(f *Frame) { f.Center, f.Width = 90000, 100 }, 0, 127, 255},
		"MONOCHROME1 is inverted":     {func(f *Frame) { f.Photometric = "MONOCHROME1" }, 255, 127, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := grey(1, 256, 16, 12)
			f.Size = int64(len(data))
			c.change(&f)
			result, err := Run(Job{Frame: &f}, bytes.NewReader(data))
			if err != nil || result.Refused != nil {
				t.Fatal(err, result.Refused)
			}
			img := pictureOf(t, result.Pictures[0])
			for x, want := range map[int]int{0: c.left, 128: c.mid, 255: c.end} {
				if got := greyAt(img, x, 0); got < want-3 || got > want+3 {
					t.Errorf("column %d is %d, want %d", x, got, want)
				}
			}
		})
	}
}

// A large image is averaged into the bounds, and pixels that are not square are made so.
func TestAPreviewKeepsTheShape(t *testing.T) {
	for _, c := range []struct {
		rows, columns int
		row, column   float64
		w, h          int
	}{{3000, 1500, 0, 0, 256, 512}, {100, 100, 2, 1, 100, 200}, {400, 400, 1, 4, 512, 128}, {1, 2000, 0, 0, 512, 1}, {65535, 3, 0, 0, 1, 512}} {
		f := grey(c.rows, c.columns, 8, 8)
		f.Size, f.RowSpacing, f.ColumnSpacing = int64(c.rows*c.columns), c.row, c.column
		data := bytes.Repeat([]byte{3, 200, 9, 77}, c.rows*c.columns/4+1)
		result, err := Run(Job{Frame: &f}, bytes.NewReader(data))
		if err != nil || result.Refused != nil {
			t.Fatal(err, result.Refused)
		}
		if p := result.Pictures[0]; p.Width != c.w || p.Height != c.h {
			t.Errorf("%+v became %d × %d", c, p.Width, p.Height)
		} else {
			pictureOf(t, p)
		}
	}
}

// Noise does not fit a PNG of 64 KiB: it becomes a JPEG that does.
func TestAPreviewIsSmallWhateverItShows(t *testing.T) {
	f := grey(1024, 1024, 16, 16)
	data := nativeOf(noise(1024*1024, 16, 3), 16)
	for i := 0; i < len(data); i += 2 {
		binary.LittleEndian.PutUint16(data[i:], uint16(i*40503))
	}
	f.Size = int64(len(data))
	result, err := Run(Job{Frame: &f}, bytes.NewReader(data))
	if err != nil || result.Refused != nil {
		t.Fatal(err, result.Refused)
	}
	pictureOf(t, result.Pictures[0])
}
