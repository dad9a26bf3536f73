package preview_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/pixels"
)

const lossless2000 = "1.2.840.10008.1.2.4.90"

// The frame that a browser is to decode is the middle image, its fragments put together, wherever the object lies.
func TestTheFrameForABrowserIsFoundWhereverItLies(t *testing.T) {
	slice := func(number int, fragments ...[]byte) []byte {
		return dicomtest.CT(dicomtest.CTOptions{
			Syntax: lossless2000, Instance: "1.2.3." + string(rune('0'+number)), Number: number, Position: []float64{0, 0, float64(number)},
			Fragments: fragments, Rows: 20, Cols: 30,
		})
	}
	first, middle, last := slice(1, []byte("first!")), slice(2, []byte("the middle "), []byte("in "), []byte("pieces")), slice(3, []byte("last"))
	const want = "the middle in pieces"
	zip := func(deflated bool) []byte {
		return dicomtest.ZIP(deflated, dicomtest.Named{Name: "a/1", Body: first}, dicomtest.Named{Name: "a/2", Body: middle}, dicomtest.Named{Name: "a/3", Body: last})
	}
	for name, d := range map[string]*desk{
		"files":          newDesk(first, middle, last).series(t, false),
		"a ZIP":          newDesk(zip(false)).series(t, true),
		"a deflated ZIP": newDesk(zip(true)).series(t, true),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := d.Frame(t.Context(), d.order)
			if err != nil {
				t.Fatal(err)
			}
			var sent bytes.Buffer
			if err := f.Write(&sent); err != nil || sent.String() != want || f.Size != int64(len(want)) {
				t.Errorf("%q of %d bytes: %v", sent.String(), f.Size, err)
			}
			if f.TransferSyntax != lossless2000 || f.Rows != 20 || f.Columns != 30 || f.Samples != 1 || f.BitsStored != 12 || f.RowSpacing != 0.25 || f.ColumnSpacing != 0.3 {
				t.Errorf("%+v", f)
			}
		})
	}
}

// What the server decodes by itself, and what is no image, is no frame for a browser.
func TestThereIsNoFrameForABrowserOfOtherThings(t *testing.T) {
	for name, d := range map[string]*desk{
		"native":           newDesk(dicomtest.CT(dicomtest.CTOptions{})).series(t, false),
		"no fragments":     newDesk(dicomtest.CT(dicomtest.CTOptions{Syntax: lossless2000, Fragments: [][]byte{}})).series(t, false),
		"nothing":          newDesk(),
		"the file is gone": func() *desk { d := newDesk(coded(6, 4)).series(t, false); clear(d.order.Files); return d }(),
		"cut in the header": func() *desk {
			d := newDesk(coded(6, 4)).series(t, false)
			d.files["f0"] = d.files["f0"][:200]
			return d
		}(),
	} {
		if f, err := d.Frame(t.Context(), d.order); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// coded is an object of that shape, with pixels as wide as high, which only a browser decodes.
func coded(columns, rows int) []byte {
	return dicomtest.CT(dicomtest.CTOptions{Syntax: lossless2000, Fragments: [][]byte{{1, 2}}, Rows: rows, Cols: columns})
}

// grey is a picture of that shape as a PNG, with something behind it that is no picture.
func grey(t *testing.T, columns, rows int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, columns, rows))
	img.SetGray(1, 1, color.Gray{Y: 200})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), "<script>alert(1)</script>"...)
}

// What a browser hands in is drawn anew: nothing of it is kept but the pixels, and only if it has the image's shape.
// Else the next browser has its turn.
func TestAnOfferIsDrawnAnewIfItHasTheImagesShape(t *testing.T) {
	const columns, rows = 40, 30
	width, height := pixels.PictureSize(columns, rows, 0.3, 0.25) // dicomtest's distances
	if width == columns && height == rows {
		t.Fatal("the pixels are square: the shape is not told from the matrix")
	}
	for name, c := range map[string]struct {
		view  string
		offer []byte
		made  bool
	}{
		"the image's shape":  {"image", grey(t, width, height), true},
		"the matrix's shape": {"image", grey(t, columns, rows), false},
		"turned":             {"image", grey(t, height, width), false},
		"nonsense":           {"image", []byte("nonsense"), false},
		"a plane":            {"axial", grey(t, width, height), false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(coded(columns, rows)).series(t, false)
			d.order.Offers = map[string][]byte{c.view: c.offer}
			made := d.draw(t)
			switch {
			case !c.made && (made.State != caseload.PreviewBrowser || len(made.Pictures) > 0):
				t.Errorf("it was kept: %+v", made)
			case c.made && (made.State != caseload.PreviewMade || len(made.Pictures) != 1 || made.Pictures[0].View != "image"):
				t.Errorf("it was not kept: %+v", made)
			case c.made && bytes.Contains(made.Pictures[0].Bytes, []byte("script")):
				t.Error("what stands behind the picture was kept too")
			}
		})
	}
}
