package fsck_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
)

// TestAFlippedBitIsFound: only reading finds it, and only in the file it is in.
func TestAFlippedBitIsFound(t *testing.T) {
	onBoth(t, func(b *bench) {
		for _, state := range caseload.States() {
			b.as(state)
		}
		var found []fsck.Finding
		s := b.service(&found)
		r, err := s.ReadAgain(b.Context(), "", fsck.Report{})
		if b.must(err); len(found) > 0 || r.Files != 4 || r.Bytes == 0 {
			b.Fatalf("found %q in %+v, want 4 files read and nothing found", marks(found), r)
		}
		bad, gone := b.as(caseload.Ready), b.as(caseload.Stored)
		b.damage(bad, 11)
		if seen, _ := b.run(false); len(seen) > 0 {
			b.Errorf("fsck reads no bytes, but found %q", seen)
		}
		b.must(os.Remove(b.path(gone)))
		s.Repair = true
		for range 2 { // a second look leaves no second warning
			found = nil
			r, err = s.ReadAgain(b.Context(), "", fsck.Report{})
			b.must(err)
		}
		if len(found) != 2 || found[0].File != bad.ID || found[0].Kind != fsck.Checksum || found[0].Case != "2026-0009" || found[1].Kind != fsck.Missing || r.Losses != 2 {
			b.Errorf("found %+v (%+v)", found, r)
		}
		if warned := b.stands(bad).Warnings; len(warned) != 1 {
			b.Errorf("the damaged file's page warns %d times: %q", len(warned), warned)
		}
	})
}

// TestSHA256IsCompared: bytes with the same CRC-64 are not the same bytes.
func TestSHA256IsCompared(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	f := b.as(caseload.Ready)
	b.meddle(`UPDATE files SET sha256 = '`+fmt.Sprintf("%064d", 7)+`' WHERE id = $1`, string(f.ID))
	var found []fsck.Finding
	if _, err := b.service(&found).ReadAgain(t.Context(), "", fsck.Report{}); err != nil || len(found) != 1 {
		t.Errorf("found %q (%v)", marks(found), err)
	}
}

// TestTenSubsetsReadEverythingOnce, whatever is added between the runs.
func TestTenSubsetsReadEverythingOnce(t *testing.T) {
	times := map[caseload.FileID]int{}
	sizes := make([]int, 10)
	for i := range 5000 {
		id := caseload.NewID[caseload.FileID](time.UnixMilli(int64(i) * 1e6))
		for n := range 10 {
			part, err := fsck.ParseSubset(fmt.Sprintf("%d/10", n+1))
			if err != nil {
				t.Fatal(err)
			}
			if part.Has(id) {
				times[id]++
				sizes[n]++
			}
		}
		if times[id] != 1 {
			t.Fatalf("%s is in %d subsets", id, times[id])
		}
	}
	if slices.Min(sizes) < 350 || slices.Max(sizes) > 650 {
		t.Errorf("the subsets of 5,000 files have %v", sizes)
	}
	for _, wrong := range []string{"", "1", "0/10", "11/10", "1/0", "-1/10", "1/10/2", "a/b", "1/10001"} {
		if _, err := fsck.ParseSubset(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestASubsetReadsItsFilesAndNoOthers: ten runs open every object once, and a flipped byte is found by the run that has its file
// and by none other, in the middle of it and at both ends.
func TestASubsetReadsItsFilesAndNoOthers(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	const files, parts = 40, 10
	bad := map[caseload.FileID]bool{}
	for i := range files {
		f := b.as(caseload.Ready)
		if i%13 == 5 {
			b.damage(f, []int64{0, f.Size / 2, f.Size - 1}[len(bad)])
			bad[f.ID] = true
		}
	}
	opened, reported, holding := map[caseload.ObjectKey]int{}, map[caseload.FileID]int{}, 0
	var total fsck.Report
	for n := range parts {
		part := fsck.Subset{Which: n + 1, Of: parts}
		var found []fsck.Finding
		s := b.service(&found)
		s.Objects, s.Part = counted{b.folder, opened}, part
		r, err := s.ReadAgain(t.Context(), "", fsck.Report{})
		b.must(err)
		if r.Files > 0 {
			holding++
		}
		for _, f := range found {
			if reported[f.File]++; !part.Has(f.File) || !bad[f.File] || f.Kind != fsck.Checksum {
				t.Errorf("subset %s reports %+v", part, f)
			}
		}
		total.Files, total.Bytes, total.Losses = total.Files+r.Files, total.Bytes+r.Bytes, total.Losses+r.Losses
	}
	var found []fsck.Finding
	whole, err := b.service(&found).ReadAgain(t.Context(), "", fsck.Report{})
	b.must(err)
	if len(opened) != files || total.Files != files || total.Bytes != whole.Bytes || total.Losses != len(bad) || len(reported) != len(bad) || holding < 2 {
		t.Errorf("%d objects opened, %+v in %d subsets; all at once: %+v", len(opened), total, holding, whole)
	}
	for key, times := range opened {
		if times != 1 {
			t.Errorf("object %s was read %d times", key, times)
		}
	}
	for id, times := range reported {
		if times != 1 {
			t.Errorf("file %s was reported %d times", id, times)
		}
	}
}

// counted notes which objects are read.
type counted struct {
	fsck.Objects
	opened map[caseload.ObjectKey]int
}

func (c counted) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	c.opened[o.Key]++
	return c.Objects.Stream(ctx, o)
}

// TestReadingGoesOnWhereItStood: interrupted after any file, the two runs together read each file once.
func TestReadingGoesOnWhereItStood(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	for range 7 {
		b.as(caseload.Ready)
	}
	for stop := int64(1); stop < 7; stop++ {
		var found []fsck.Finding
		s := b.service(&found)
		ctx, cancel := context.WithCancel(t.Context())
		var last caseload.FileID
		var kept fsck.Report
		s.Kept = func(id caseload.FileID, r fsck.Report) {
			if last, kept = id, r; r.Files == stop {
				cancel()
			}
		}
		s.Limit = func(ctx context.Context, _ int) error { return ctx.Err() }
		if _, err := s.ReadAgain(ctx, "", fsck.Report{}); err == nil || kept.Files != stop {
			t.Fatalf("stopped after %d: %d files, %v", stop, kept.Files, err)
		}
		s.Kept, s.Limit = nil, nil
		if r, err := s.ReadAgain(t.Context(), last, kept); err != nil || r.Files != 7 || len(found) > 0 {
			t.Errorf("stopped after %d: %d files in both runs (%v), found %q", stop, r.Files, err, marks(found))
		}
	}
}
