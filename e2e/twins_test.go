package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// computer is one of two that send from folders of their own.
type computer struct {
	*api.Uploader
	sources []api.Source
}

// computer writes the files with the date of a scanner that stamps them all alike, and returns who sends them to that address.
func (p person) computer(t *testing.T, base, caseID string, files map[string][]byte) computer {
	t.Helper()
	dir, day := t.TempDir(), time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	c := computer{Uploader: &api.Uploader{Client: &api.Client{Base: base, Token: p.token, Pause: time.Millisecond}, Case: caseID, Most: 2}}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, day, day); err != nil {
			t.Fatal(err)
		}
		s, err := api.FileSource(path, "")
		if err != nil {
			t.Fatal(err)
		}
		c.sources = append(c.sources, s)
	}
	return c
}

// TestTwoComputersUnderOneRow send files that are alike in name, size, time and first MiB, and differ in the last byte. The
// one that comes to its end first has its bytes there; the other is told that its own are not, and what it sent beside goes on.
// Large files are told so by Complete, small ones by the answer to the batch.
func TestTwoComputersUnderOneRow(t *testing.T) {
	for name, size := range map[string]int{"in parts": 22 * mib, "in a batch": 2 * mib} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, smallParts...)
			s.serve([]string{"serve"})
			admin, line := s.newAdmin(), newLine(t, s)
			caseID := admin.newCase(t, "2026-1", "Phantom")
			mine := map[string][]byte{"volume.dcm": noise(size, 3), "beside.dcm": noise(2*mib, 4)}
			twin := bytes.Clone(mine["volume.dcm"])
			twin[size-1] ^= 1
			slow, quick := admin.computer(t, line.URL, caseID, mine), admin.computer(t, admin.base, caseID, map[string][]byte{"volume.dcm": twin})
			var once sync.Once
			line.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
				last := strings.HasSuffix(r.URL.Path, "/complete") || size < 6*mib && r.Method == http.MethodPut
				if last {
					once.Do(func() {
						if outcome, err := quick.Run(t.Context(), quick.sources); err != nil || outcome.Stored != 1 {
							t.Errorf("the quick one: %+v %v", outcome, err)
						}
					})
				}
				return false
			})
			failed := map[string]error{}
			slow.Tell = func(n api.Notice) {
				if n.Stage == api.StageFailed {
					failed[slow.sources[n.Index].Name] = n.Err
				}
			}
			outcome, err := slow.Run(t.Context(), slow.sources)
			if err != nil || outcome.Stored != 1 || outcome.Failed != 1 {
				t.Errorf("the slow one: %+v %v", outcome, err)
			}
			told := failed["volume.dcm"]
			if caseload.KindOf(told) != caseload.Conflict || !strings.Contains(told.Error(), "another file of this name") {
				t.Errorf("it was told: %v", told)
			}
			there := map[string][]byte{"/volume.dcm": twin, "/beside.dcm": mine["beside.dcm"]}
			admin.arrived(t, caseID, there)
		})
	}
}
