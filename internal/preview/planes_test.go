package preview_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/pixels"
)

// codedVolume is n slices of 40 × 30, each with its number for its bytes, that only browsers decode.
func codedVolume(n int) (files [][]byte) {
	for k := 1; k <= n; k++ {
		files = append(files, dicomtest.CT(dicomtest.CTOptions{
			Syntax: lossless2000, Number: k, Rows: 30, Cols: 40, Fragments: [][]byte{[]byte(strings.Repeat(string(rune('A'+k)), 6))},
		}))
	}
	return files
}

// seen is what a browser is sent of a volume.
func seen(t *testing.T, d *desk) (volume *caseload.CodedVolume, sizes []int64, bytesOf string) {
	t.Helper()
	f, err := d.Frame(t.Context(), d.order)
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	err = d.Slices(t.Context(), d.order, func(f caseload.CodedFrame) error {
		if sizes = append(sizes, f.Size); f.Size == 0 {
			return nil
		}
		return f.Write(&sent)
	})
	if err != nil {
		t.Fatal(err)
	}
	return f.Volume, sizes, sent.String()
}

// A browser is told how the planes of a volume lie, and gets some of its slices in order; one that cannot be read is left out.
func TestABrowserGetsTheSlicesOfAVolume(t *testing.T) {
	d := newDesk(codedVolume(12)...).series(t, false)
	volume, sizes, sent := seen(t, d)
	if volume == nil || volume.Count != 12 || volume.Middle != 6 || len(sizes) != 12 || len(sent) != 72 {
		t.Fatalf("%+v, sizes %v, %q", volume, sizes, sent)
	}
	if !strings.HasPrefix(sent, "BBBBBBCCCCCC") || !strings.HasSuffix(sent, "MMMMMM") {
		t.Errorf("the slices came as %q", sent)
	}
	var views []string
	for _, p := range volume.Planes {
		views = append(views, p.View)
	}
	if !slices.Equal(views, []string{"axial", "coronal", "sagittal"}) {
		t.Errorf("the planes are %v", views)
	}

	d = newDesk(codedVolume(12)...).series(t, false)
	d.files["f3"] = d.files["f3"][:200]
	if _, sizes, _ := seen(t, d); len(sizes) != 12 || slices.Index(sizes, 0) != 3 {
		t.Errorf("with a slice cut off the sizes are %v", sizes)
	}

	d = newDesk(codedVolume(200)...).series(t, false)
	if volume, sizes, _ := seen(t, d); volume.Count != 64 || len(sizes) != 64 {
		t.Errorf("of 200 slices %d are sent, %d announced", len(sizes), volume.Count)
	}
	for name, d := range map[string]*desk{
		"few slices": newDesk(codedVolume(3)...).series(t, false),
		"native":     newDesk(dicomtest.CT(dicomtest.CTOptions{})).series(t, false),
	} {
		err := d.Slices(t.Context(), d.order, func(caseload.CodedFrame) error { return nil })
		if caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Planes that a browser hands in are drawn anew, and only if all have the shapes that the headers give. The image alone will do.
func TestOfferedPlanesAreDrawnAnewIfAllHaveTheirShape(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, offers map[string][]byte)
		want   []string
	}{
		"all three":        {func(*testing.T, map[string][]byte) {}, []string{"axial", "coronal", "sagittal"}},
		"one is missing":   {func(_ *testing.T, o map[string][]byte) { delete(o, "coronal") }, nil},
		"one of nonsense":  {func(_ *testing.T, o map[string][]byte) { o["axial"] = []byte("nonsense") }, nil},
		"one of 1 × 1":     {func(t *testing.T, o map[string][]byte) { o["sagittal"] = grey(t, 2, 2) }, nil},
		"two are the same": {func(_ *testing.T, o map[string][]byte) { o["coronal"] = o["axial"] }, nil},
		"the image and one": {func(t *testing.T, o map[string][]byte) {
			clear(o)
			width, height := pixels.PictureSize(40, 30, 0.3, 0.25)
			o["axial"], o["image"] = grey(t, 9, 9), grey(t, width, height)
		}, []string{"image"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(codedVolume(12)...).series(t, false)
			volume, _, _ := seen(t, d)
			d.order.Offers = map[string][]byte{}
			for _, p := range volume.Planes {
				d.order.Offers[p.View] = grey(t, p.Width, p.Height)
			}
			c.change(t, d.order.Offers)
			made := d.draw(t)
			var views []string
			for _, p := range made.Pictures {
				views = append(views, p.View)
				if bytes.Contains(p.Bytes, []byte("script")) {
					t.Error("what stands behind a picture was kept too")
				}
			}
			if !slices.Equal(views, c.want) || (made.State == caseload.PreviewMade) != (c.want != nil) {
				t.Errorf("%s with %v", made.State, views)
			}
		})
	}
}
