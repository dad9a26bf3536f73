package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/archive/archivetest"
)

// item is one line of a directory made by hand.
type item struct {
	name             string
	method           uint16
	compressed, size uint32
	offset           uint32
}

// forge joins a body, a directory of these items and an end record that claims entries entries.
func forge(body []byte, entries int, items ...item) []byte {
	b := bytes.Clone(body)
	start := len(b)
	for _, it := range items {
		h := make([]byte, 46)
		copy(h, "PK\x01\x02")
		binary.LittleEndian.PutUint16(h[10:], it.method)
		binary.LittleEndian.PutUint32(h[20:], it.compressed)
		binary.LittleEndian.PutUint32(h[24:], it.size)
		binary.LittleEndian.PutUint16(h[28:], uint16(len(it.name)))
		binary.LittleEndian.PutUint32(h[42:], it.offset)
		b = append(append(b, h...), it.name...)
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(entries))
	binary.LittleEndian.PutUint16(end[10:], uint16(entries))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(b)-start))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	return append(b, end...)
}

// hang is far above any honest reading, even under the race detector on a busy machine; figures are for benchmarks.
const hang = time.Minute

func TestHostileArchivesAreRefusedBeforeAnythingIsInflated(t *testing.T) {
	var many, quoted, total []item
	for i := range 60_000 {
		many = append(many, item{fmt.Sprint(i), 0, 0, 0, 0})
	}
	for i := range 100 { // each entry's data are all the following headers and the kernel, as in Fifield's quoted bomb
		quoted = append(quoted, item{"x", 8, uint32(20_000 - 31*i), 1 << 20, uint32(31 * i)})
		total = append(total, item{"x", 0, 0, 0xF0000000, uint32(31 * i)})
	}
	body := make([]byte, 30_000)
	zip64 := forge(body, 0xFFFF)
	locator := append([]byte("PK\x06\x07\x00\x00\x00\x00"), binary.LittleEndian.AppendUint64(nil, uint64(len(body)))...)
	record := make([]byte, 56)
	copy(record, "PK\x06\x06")
	binary.LittleEndian.PutUint64(record[32:], 1<<40)
	binary.LittleEndian.PutUint64(record[40:], 1<<62)
	binary.LittleEndian.PutUint64(record[48:], 1<<62)
	zip64 = append(append(append(bytes.Clone(body), record...), append(locator, 1, 0, 0, 0)...), zip64[len(zip64)-22:]...)

	cases := []struct {
		name string
		b    []byte
		want archive.Code
	}{
		{"60,000 entries", forge(body, 60_000, many...), archive.TooManyEntries},
		{"60,000 entries that claim to be 10", forge(body, 10, many...), archive.TooManyEntries},
		{"quoted overlap", forge(body, 100, quoted...), archive.Overlap},
		{"the same entry twice", forge(body, 2, item{"a", 8, 900, 9000, 0}, item{"b", 8, 900, 9000, 0}), archive.Overlap},
		{"an entry that reaches into the directory", forge(body, 1, item{"a", 8, 29_999, 40_000, 100}), archive.Overlap},
		{"an entry beyond the end", forge(body, 1, item{"a", 8, 10, 10, 40_000_000}), archive.DirectoryDamaged},
		{"4 GB out of 20 KB", forge(body, 1, item{"a", 8, 20_000, 0xFFFFFFF0, 0}), archive.RatioTooHigh},
		{"400 GB declared", forge(body, 100, total...), archive.TooLarge},
		{"2^40 entries in Zip64", zip64, archive.TooManyEntries},
		{"a directory cut in the middle", append(forge(body, 2, item{"a", 0, 1, 1, 0}, item{"b", 0, 1, 1, 100})[:30_047], forge(nil, 2)...), archive.DirectoryDamaged},
		{"one of several disks", func() []byte { b := forge(body, 1, item{"a", 0, 1, 1, 0}); b[len(b)-18] = 1; return b }(), archive.MultiDisk},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			a, err := archive.Open(context.Background(), bytes.NewReader(c.b), int64(len(c.b)), archive.Limits{})
			if code(err) != c.want {
				t.Errorf("%v, %v", a, err)
			}
			if took := time.Since(start); took > hang {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestABombWithinTheLimitsIsReadOnlyAsFarAsAsked(t *testing.T) {
	b := pack(t, zip.Deflate, named{"bomb", make([]byte, 200<<20)})
	a := open(t, b)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := a.Heads(context.Background(), archive.HeadOptions{}, func(h *archive.Head) error {
		if h.Ready() != 4<<10 {
			t.Errorf("%d bytes inflated at first", h.Ready())
		}
		_, err := h.ReadAt(make([]byte, 10), 100<<20)
		if code(err) != archive.HeadTooLarge {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := verify(context.Background(), bytes.NewReader(b), a, func(_ archive.Entry, err error) {
		if err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 4 {
		t.Errorf("%d MB allocated", used)
	}
}

func FuzzZipDirectory(f *testing.F) {
	f.Add(pack(f, zip.Deflate, named{"IM01", noise(1, 3000)}, named{"a/b.zip", []byte("PK")}, named{"d/", nil}))
	f.Add(pack(f, zip.Store, named{"IM01", noise(1, 300)}))
	f.Add(archivetest.Pack(archivetest.File{Name: "in.zip", Body: archivetest.Pack(archivetest.File{Name: "IM1", Body: noise(1, 900)}), Store: true}))
	f.Add(archivetest.Pack(archivetest.File{Name: "in.zip", Body: archivetest.Pack(archivetest.File{Name: "IM1", Body: noise(1, 900)})}))
	f.Add(archivetest.Quoted(3, 500))
	f.Add(archivetest.Overlapping(3, 500))
	f.Add(archivetest.Sizes(2000, false))
	f.Add(forge(make([]byte, 100), 2, item{"a", 9, 10, 20, 0}, item{"b", 8, 5, 7, 50}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		ctx := context.Background()
		a, err := archive.Open(ctx, bytes.NewReader(b), int64(len(b)), archive.Limits{Entries: 1000, Total: 16 << 20})
		if err != nil {
			if !errors.Is(err, archive.ErrNotZip) && code(err) == "" {
				t.Fatal(err)
			}
			return
		}
		_ = a.Heads(ctx, archive.HeadOptions{Workers: 2, Compressed: 64, Only: func(archive.Entry) bool { return true }}, func(h *archive.Head) error {
			p := make([]byte, 100)
			for _, at := range []int64{0, 70, 5000, h.Size() - 1} {
				if n, _ := h.ReadAt(p, at); n > 0 && at+int64(n) > h.Size() {
					t.Errorf("read beyond the size")
				}
			}
			return nil
		})
		verified := map[int]error{}
		if err := verify(ctx, bytes.NewReader(b), a, func(e archive.Entry, err error) { verified[e.Index] = err }); err != nil {
			t.Fatal(err)
		}
		for _, e := range a.Entries {
			if e.Dir {
				continue
			}
			inner, err := a.Inside(ctx, e, archive.Limits{Entries: 100, Total: 1 << 20})
			if err == nil {
				_ = inner.Heads(ctx, archive.HeadOptions{Workers: 1, Compressed: 64}, func(*archive.Head) error { return nil })
				inside := archive.Check{Archive: inner, Each: func(archive.Entry, error) {}}
				check := archive.Check{Archive: a, Each: func(archive.Entry, error) {}, Inside: map[int]archive.Check{e.Index: inside}}
				err = archive.Verify(ctx, bytes.NewReader(b), check)
			}
			if err != nil && !errors.Is(err, archive.ErrNotZip) && code(err) == "" {
				t.Fatalf("inside: %v", err)
			}
			r, err := a.Content(ctx, e)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if verdict, ok := verified[e.Index]; !ok || (err == nil) != (verdict == nil) {
				t.Errorf("%+v: content %v, verify %v", e, err, verdict)
			}
		}
	})
}
