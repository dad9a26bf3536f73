//go:build bench

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// TestFigureBatch sends slices of 0.5 MB one by one, three at once, and in batches of 16, two at once, to one process with
// store and SQLite inside, and reports files a second and, which other work on the machine disturbs less, what a file cost
// the process in processor time, its reading included. CASELOAD_BENCH_SLICES says how many; 600 unless set.
func TestFigureBatch(t *testing.T) {
	slices := 600
	if n, err := strconv.Atoi(os.Getenv("CASELOAD_BENCH_SLICES")); err == nil {
		slices = n
	}
	for _, way := range []string{"one by one", "in batches"} {
		s := newSite(t)
		p := s.serve([]string{"serve"})
		admin := s.newAdmin()
		caseID := admin.newCase(t, "BENCH-B", "Phantom")
		scan := phantom.Scan{Seed: 5, Patient: "Batch^Many", ID: "B", Slices: slices, Size: 512}
		var specs []api.FileSpec
		var contents [][]byte
		for i := range slices {
			contents = append(contents, scan.Slice(i+1))
			specs = append(specs, api.FileSpec{Name: fmt.Sprintf("slice-%04d.dcm", i), Size: int64(len(contents[i]))})
		}
		planned, err := admin.client().Plan(t.Context(), caseID, "", specs)
		if err != nil {
			t.Fatal(err)
		}
		before, begun := p.processorTime(t), time.Now()
		var group errgroup.Group
		size := 1
		group.SetLimit(3)
		if way == "in batches" {
			size = 16
			group.SetLimit(2)
		}
		for from := 0; from < slices; from += size {
			group.Go(func() error {
				if size == 1 {
					_, err := admin.put(t.Context(), planned.Files[from].File.ID, contents[from])
					return err
				}
				var files []api.SmallFile
				for i := from; i < min(from+size, slices); i++ {
					files = append(files, api.SmallFile{ID: planned.Files[i].File.ID, Body: bytes.NewReader(contents[i]), Size: int64(len(contents[i]))})
				}
				answers, err := admin.client().SendBatch(t.Context(), caseID, files, nil)
				for _, a := range answers {
					if a.Error != nil {
						return a.Error
					}
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begun)
		db := s.database()
		await(t, time.Minute, "all read", func() (bool, error) {
			n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state <> 'ready'`)
			return err == nil && n == 0, err
		})
		cost := p.processorTime(t) - before
		t.Logf("%d slices %s: received in %.1f s (%.0f a second), all read %.1f s later; %.1f ms of processor time a file",
			slices, way, took.Seconds(), float64(slices)/took.Seconds(), (time.Since(begun) - took).Seconds(), float64(cost.Milliseconds())/float64(slices))
		p.kill()
	}
}

// processorTime is what the process has used so far, of both kinds (proc(5), stat, fields 14 and 15 in ticks of 10 ms).
func (p *process) processorTime(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
