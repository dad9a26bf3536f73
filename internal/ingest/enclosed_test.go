package ingest_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// oneTriangle is a binary STL.
func oneTriangle() []byte {
	b := append(make([]byte, 80), 1, 0, 0, 0)
	for _, v := range [12]float32{0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0} {
		b, _ = binary.Append(b, binary.LittleEndian, v)
	}
	return append(b, 0, 0)
}

// What a clinic packs beside its scan is found where it lies, in a ZIP in the ZIP too.
func TestMeshesPhotosAndDocumentsInAZIPAreFoundWhereTheyLie(t *testing.T) {
	photo := append([]byte("\xFF\xD8\xFF\xE0"), bytes.Repeat([]byte("photo "), 50)...)
	document := []byte("%PDF-1.7\n1 0 obj << /Type /Pages /Count 3 >> endobj")
	inner := zipOf(t, packed{name: "late.stl", body: oneTriangle()})
	whole := zipOf(t,
		packed{name: "CT/IM1", body: slice(1).bytes(), store: true},
		packed{name: "scan/upper.stl", body: oneTriangle(), store: true},
		packed{name: "smile.jpg", body: photo},
		packed{name: "order.pdf", body: document},
		packed{name: "notes.txt", body: []byte("nothing to look at")},
		packed{name: "stored.zip", body: inner, store: true},
		packed{name: "packed.zip", body: inner},
	)
	c := newBench(t, whole).read(t).found.Contents
	want := []struct {
		name string
		kind caseload.FileKind
		body []byte
	}{
		{"scan/upper.stl", caseload.KindSTL, oneTriangle()},
		{"smile.jpg", caseload.KindJPEG, photo},
		{"order.pdf", caseload.KindPDF, document},
		{"stored.zip/late.stl", caseload.KindSTL, oneTriangle()},
		{"packed.zip/late.stl", caseload.KindSTL, oneTriangle()},
	}
	if len(c.Enclosed) != len(want) || c.Meshes != 3 || c.Photos != 1 || c.Documents != 1 || c.Others != 1 {
		t.Fatalf("%+v", c)
	}
	for i, w := range want {
		e := c.Enclosed[i]
		source := whole
		if e.Within.Size > 0 {
			source = inflated(t, whole[e.Within.DataOffset:e.Within.DataOffset+e.Within.Compressed])
		}
		body := source[e.DataOffset : e.DataOffset+e.Compressed]
		if e.Method != 0 {
			body = inflated(t, body)
		}
		if e.Name != w.name || e.Kind != w.kind || e.Size != int64(len(w.body)) || !bytes.Equal(body, w.body) {
			t.Errorf("%+v leads to %d bytes, want %s", e, len(body), w.name)
		}
	}
}

func inflated(t *testing.T, b []byte) []byte {
	t.Helper()
	out, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// However many photos a ZIP holds, the places of the first are kept, and a mesh behind them still has its own.
func TestWhatAZIPHoldsIsKeptWithinBounds(t *testing.T) {
	var entries []packed
	for i := range caseload.MaxEnclosed + 5 {
		entries = append(entries, packed{name: fmt.Sprintf("%02d.jpg", i), body: []byte("\xFF\xD8\xFF\xE0 a photo"), store: true})
	}
	c := newBench(t, zipOf(t, append(entries, packed{name: "last.stl", body: oneTriangle()})...)).read(t).found.Contents
	if n := len(c.Enclosed); n != caseload.MaxEnclosed+1 || c.Enclosed[n-1].Kind != caseload.KindSTL || c.Photos != caseload.MaxEnclosed+5 {
		t.Errorf("%d are kept of %d photos", n, c.Photos)
	}
}
