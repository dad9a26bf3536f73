//go:build bench

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// TestFigureReindex reads 10,000 small slices again (CASELOAD_BENCH_FILES says how many) beside a running server with store and
// SQLite inside, and reports when the first was read and when the last.
func TestFigureReindex(t *testing.T) {
	n := 10_000
	if set, err := strconv.Atoi(os.Getenv("CASELOAD_BENCH_FILES")); err == nil {
		n = set
	}
	s := newSite(t)
	p := s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "BENCH-R", "Phantom")
	const size = 100
	for from := 0; from < n; from += size {
		var specs []api.FileSpec
		var files []api.SmallFile
		for i := from; i < min(from+size, n); i++ {
			b := dicomtest.CT(dicomtest.CTOptions{Number: i + 1})
			specs = append(specs, api.FileSpec{Name: fmt.Sprintf("IM%05d", i+1), Size: int64(len(b))})
			files = append(files, api.SmallFile{Body: bytes.NewReader(b), Size: int64(len(b))})
		}
		planned, err := admin.client().Plan(t.Context(), caseID, "", specs)
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i].ID = planned.Files[i].File.ID
		}
		answers, err := admin.client().SendBatch(t.Context(), caseID, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if a.Error != nil {
				t.Fatal(a.Error)
			}
		}
	}
	db := s.database()
	await(t, 5*time.Minute, "all read", func() (bool, error) {
		waiting, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state <> 'ready'`)
		return err == nil && waiting == 0, err
	})
	before, begun := p.processorTime(t), time.Now()
	s.run("", "reindex", "--stale=false", "--no-wait")
	asked := time.Since(begun)
	await(t, time.Minute, "the first read again", func() (bool, error) {
		done, err := number(t.Context(), db, `SELECT count(*) FROM events WHERE action = 'file.reindexed'`)
		return done > 0, err
	})
	first := time.Since(begun)
	await(t, 15*time.Minute, "all read again", func() (bool, error) {
		left, err := number(t.Context(), db, `SELECT count(*) FROM rereadings`)
		return left == 0, err
	})
	took := time.Since(begun)
	t.Logf("%d files: asked for after %v, the first read again after %v, all after %.1f s (%.0f a second); %.1f ms of processor time a file, peak %.1f MiB", n,
		asked.Round(time.Millisecond), first.Round(time.Millisecond), took.Seconds(), float64(n)/took.Seconds(),
		float64((p.processorTime(t)-before).Milliseconds())/float64(n), float64(p.memory(t, "VmHWM"))/mib)
}
