package ingest_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// A bit flipped between the store and the worker must not become the file's SHA-256: the next try reads it right.
func TestABitFlippedOnTheWayIsReadAgain(t *testing.T) {
	b := newBench(t, caseZIP(t, 3))
	sound := b.shelf.objects["key00"]
	b.shelf.objects["key00"] = flipped(t, sound, b.ledger.row(b.ids[0]).Size)
	if err := b.Ingest(t.Context(), b.ids[0]); err == nil {
		t.Fatal("damaged bytes were accepted")
	}
	if r := b.ledger.row(b.ids[0]); r.State != caseload.Reading || r.SHA256 != "" {
		t.Fatalf("after the flip: %s, SHA-256 %q", r.State, r.SHA256)
	}
	b.shelf.objects["key00"] = sound
	if r := b.read(t); r.State != caseload.Ready {
		t.Fatalf("sound bytes ended %s: %s", r.State, r.Reason)
	}
}

// One at rest stays: the file ends rejected with the reason, and whoever watches over security is told.
func TestABitFlippedAtRestIsFound(t *testing.T) {
	b := newBench(t, caseZIP(t, 3))
	b.shelf.objects["key00"] = flipped(t, b.shelf.objects["key00"], b.ledger.row(b.ids[0]).Size)
	for range b.Tries {
		_ = b.Ingest(t.Context(), b.ids[0])
	}
	r := b.ledger.row(b.ids[0])
	if r.State != caseload.Rejected || !strings.Contains(r.Reason, "no longer those that were received") {
		t.Fatalf("ended %s: %s", r.State, r.Reason)
	}
	if !strings.Contains(b.log.String(), "object_damaged") {
		t.Error("nobody was told")
	}
}

// flipped is a copy with one bit in its middle turned.
func flipped(t *testing.T, r io.ReaderAt, size int64) *bytes.Reader {
	t.Helper()
	all := make([]byte, size)
	if n, err := r.ReadAt(all, 0); int64(n) != size {
		t.Fatal(err)
	}
	all[size/2] ^= 0x10
	return bytes.NewReader(all)
}
