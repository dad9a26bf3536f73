package objectstore_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

func ranged(t *testing.T, w world) {
	data := randomBytes(100_000)
	o := put(t, w, data)
	for _, c := range []struct {
		off, length, want int
		err               error
	}{
		{0, 10, 10, nil},
		{99_990, 10, 10, nil},
		{99_991, 10, 9, io.EOF},
		{100_000, 1, 0, io.EOF},
		{200_000, 1, 0, io.EOF},
		{0, 100_000, 100_000, nil},
		{0, 100_001, 100_000, io.EOF},
		{50, 0, 0, nil},
	} {
		p := make([]byte, c.length)
		n, err := w.store.ReadRange(t.Context(), o, p, int64(c.off))
		if n != c.want || !errors.Is(err, c.err) {
			t.Fatalf("ReadRange(%d bytes at %d) = %d, %v; want %d, %v", c.length, c.off, n, err, c.want, c.err)
		}
		if n > 0 && !bytes.Equal(p[:n], data[c.off:c.off+n]) {
			t.Fatalf("ReadRange at %d gave other bytes", c.off)
		}
	}
	if _, err := w.store.ReadRange(t.Context(), o, make([]byte, 1), -1); err == nil {
		t.Fatal("a negative offset was read")
	}
}

func pinned(t *testing.T, w world) {
	o := put(t, w, randomBytes(5000))
	must(t, w.store.Delete(t.Context(), o.Key, "")) // behind the back
	other := append([]byte{1}, randomBytes(5000)[1:]...)
	must(t, w.store.Put(t.Context(), o.Key, bytes.NewReader(other), 5000, crc(other)))
	_, err := w.store.ReadRange(t.Context(), o, make([]byte, 10), 0)
	wantKind(t, err, caseload.Conflict)
	_, err = w.store.Stream(t.Context(), o)
	wantKind(t, err, caseload.Conflict)
}

func notFound(t *testing.T, w world) {
	_, err := w.store.Head(t.Context(), caseload.NewObjectKey(), "")
	wantKind(t, err, caseload.NotFound)
	_, err = w.store.Stream(t.Context(), caseload.Object{Key: caseload.NewObjectKey(), Size: 5, ETag: "x"})
	wantKind(t, err, caseload.NotFound)
	_, err = w.store.ListParts(t.Context(), caseload.NewObjectKey(), "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	wantKind(t, err, caseload.NotFound)
}
