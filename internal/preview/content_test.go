package preview

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// shelf is one object.
type shelf []byte

func (s shelf) ReadRange(_ context.Context, _ caseload.Object, p []byte, off int64) (int, error) {
	return bytes.NewReader(s).ReadAt(p, off)
}

func (s shelf) Stream(context.Context, caseload.Object) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s)), nil
}

// packed returns a ZIP of one entry and where its compressed bytes lie.
func packed(t *testing.T, body []byte) ([]byte, caseload.Packing) {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	e, err := w.Create("one")
	if err == nil {
		_, err = e.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	at, err := r.File[0].DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), caseload.Packing{Method: r.File[0].Method, DataOffset: at, Compressed: int64(r.File[0].CompressedSize64), Size: int64(len(body))}
}

func TestAnImageInACompressedZIPInTheZIPIsReached(t *testing.T) {
	image := []byte(strings.Repeat("an image of some length; ", 20_000))
	inner, entry := packed(t, image)
	whole, within := packed(t, append(inner, make([]byte, 100_000)...)) // compressible, so that it is compressed
	w := &work{ctx: t.Context(), Service: &Service{Objects: shelf(whole)}, order: caseload.PreviewOrder{Files: map[caseload.FileID]caseload.File{"f": {ID: "f", Size: int64(len(whole))}}}}
	m := caseload.Instance{File: "f", Entry: caseload.EntryRef{
		Method: entry.Method, DataOffset: entry.DataOffset, Compressed: entry.Compressed, Size: entry.Size, Within: within,
	}}
	c, err := w.openContent(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(image))
	if n, err := c.ReadAt(got, 0); n != len(image) || err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(got, image) {
		t.Errorf("%d bytes, %v", n, err)
	}
	for name, change := range map[string]func(*caseload.Packing){
		"too large":         func(p *caseload.Packing) { p.Size = maxInflatedTwice + 1 },
		"beyond the object": func(p *caseload.Packing) { p.Compressed = int64(len(whole)) },
		"before it":         func(p *caseload.Packing) { p.DataOffset = -1 },
	} {
		wrong := m
		change(&wrong.Entry.Within)
		if _, err := w.openContent(wrong, 0); err == nil {
			t.Errorf("%s: was opened", name)
		}
	}
}
