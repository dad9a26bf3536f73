package preview_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// box is a text STL of one triangle of 3 × 4 × 5.
const box = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 3 4 0\nvertex 0 4 5\nendloop\nendfacet\nendsolid a\n"

// smile is a JPEG of 40 × 30.
func smile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is a PNG that announces 65536 × 65536 pixels.
func bomb() []byte {
	header := append([]byte("IHDR"), 0, 1, 0, 0, 0, 1, 0, 0, 8, 6, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1A\n\x00\x00\x00\x0D"), header...)
	return append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header)), make([]byte, 64)...)
}

// enclosing makes the order one of the n-th entry of a ZIP, which is of the kind; change may spoil its place.
func enclosing(t *testing.T, stored bool, kind caseload.FileKind, body []byte, change func(*caseload.Enclosed)) *desk {
	t.Helper()
	d := newDesk(dicomtest.ZIP(stored, dicomtest.Named{Name: "before", Body: []byte("something else")}, dicomtest.Named{Name: "it", Body: body}))
	f := d.order.Files["f0"]
	zip, err := archive.Open(t.Context(), bytes.NewReader(d.files["f0"]), f.Size, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	e := zip.Entries[1]
	at, err := zip.DataOffset(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	it := caseload.Enclosed{Kind: kind, EntryRef: caseload.EntryRef{Index: 1, Method: e.Method, DataOffset: at, Compressed: e.Compressed, Size: e.Size}}
	if change != nil {
		change(&it)
	}
	f.Kind, f.Contents.Enclosed = caseload.KindZIP, []caseload.Enclosed{{}, it}
	d.order.Files["f0"], d.order.File, d.order.Entry = f, "f0", 2
	return d
}

// What lies in a ZIP looks as it would by itself, compressed or not.
func TestWhatLiesInAZIPIsDrawnAsBySelf(t *testing.T) {
	for _, stored := range []bool{true, false} {
		mesh := enclosing(t, stored, caseload.KindSTL, []byte(box), nil).draw(t)
		if mesh.State != caseload.PreviewMade || mesh.Facts.Triangles != 1 || mesh.Facts.High != [3]float64{3, 4, 5} || len(mesh.Pictures) != 1 {
			t.Errorf("stored %v: the mesh is %+v", stored, mesh)
		}
		photo := enclosing(t, stored, caseload.KindJPEG, smile(t), nil).draw(t)
		if photo.State != caseload.PreviewMade || photo.Facts.Width != 40 || photo.Facts.Height != 30 || len(photo.Pictures) != 1 {
			t.Errorf("stored %v: the photo is %+v", stored, photo)
		}
		document := enclosing(t, stored, caseload.KindPDF, []byte("%PDF-1.7\n1 0 obj << /Type /Pages /Count 3 >> endobj"), nil).draw(t)
		if document.State != caseload.PreviewMade || document.Facts.Pages != 3 {
			t.Errorf("stored %v: the document is %+v", stored, document)
		}
	}
}

// What is wrong inside a ZIP has its own reason, and nothing is inflated that is too large to be drawn.
func TestWhatIsWrongInAZIPIsNamed(t *testing.T) {
	long := []byte(strings.Repeat(box, 2000))
	for name, c := range map[string]struct {
		desk   *desk
		reason string
		most   int64 // bytes read
	}{
		"a photo that claims 4 thousand million pixels": {enclosing(t, false, caseload.KindPNG, bomb(), nil), "The picture", 1 << 20},
		"a mesh that claims a gigabyte": {
			enclosing(t, false, caseload.KindSTL, long, func(e *caseload.Enclosed) { e.Size = 1 << 30 }),
			"It is too large inside its ZIP for a preview.", 0,
		},
		"a photo that claims a gigabyte": {
			enclosing(t, true, caseload.KindJPEG, smile(t), func(e *caseload.Enclosed) { e.Size = 1 << 30 }),
			"It is too large inside its ZIP for a preview.", 0,
		},
		"a mesh that is shorter than the ZIP says": {
			enclosing(t, false, caseload.KindSTL, long, func(e *caseload.Enclosed) { e.Size += 100 }),
			"It is damaged inside its ZIP.", 1 << 20,
		},
		"a place beyond the file": {
			enclosing(t, true, caseload.KindSTL, long, func(e *caseload.Enclosed) { e.DataOffset = 1 << 40 }),
			"Its place in the ZIP is not known.", 0,
		},
		"a kind that has no preview": {enclosing(t, true, caseload.KindOther, long, nil), "Files of this kind have no preview.", 0},
	} {
		made := c.desk.draw(t)
		if made.State != caseload.PreviewNone || !strings.HasPrefix(made.Reason, c.reason) || c.desk.read > c.most {
			t.Errorf("%s: %+v, %d bytes read", name, made, c.desk.read)
		}
	}
	gone := enclosing(t, true, caseload.KindSTL, []byte(box), nil)
	gone.order.Entry = 3
	if made := gone.draw(t); made.State != caseload.PreviewNone || made.Reason != "It is not in the file any more." {
		t.Errorf("beyond the list: %+v", made)
	}
}
