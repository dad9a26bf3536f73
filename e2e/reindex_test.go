package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// reindexSite is a site with files that were read, on one engine.
func reindexSite(t *testing.T, e engine, files int) *site {
	t.Helper()
	s := newSite(t, append(e.settings(t), "CASELOAD_LOG_LEVEL=warn")...)
	admin := s.newAdmin()
	p := s.serve([]string{"serve"})
	c := admin.newCase(t, "2026-0001", "Reindex")
	for n := range files {
		f, err := admin.plan(t.Context(), c, fmt.Sprintf("a%d.pdf", n), 9)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.put(t.Context(), f.ID, fmt.Appendf(nil, "%%PDF-%04d", n)); err != nil {
			t.Fatal(err)
		}
	}
	db := s.database()
	await(t, time.Minute, "every file read", func() (bool, error) {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state = 'ready'`)
		return n == int64(files), err
	})
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) reindexed() int {
	s.t.Helper()
	n, err := number(s.t.Context(), s.database(), `SELECT count(*) FROM events WHERE action = 'file.reindexed'`)
	if err != nil {
		s.t.Fatal(err)
	}
	return int(n)
}

// TestReindexGoesOnAfterKills kills the command while it reads and calls it again until nothing is left: every file is read
// again exactly once, none is lost and the chain holds.
func TestReindexGoesOnAfterKills(t *testing.T) {
	t.Parallel() // it waits for leases and rounds most of the time
	const files = 60
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := reindexSite(t, e, files)
			s.run("", "reindex", "--stale=false", "--no-wait")
			for kill := range 4 {
				cmd := s.command("reindex", "--here", "--json")
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := begin(cmd); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(out)
				for lines.Scan() && !strings.Contains(lines.Text(), `"progress"`) {
				}
				<-time.After(time.Duration(rand.IntN(60)) * time.Millisecond) // the random moment
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				t.Logf("kill %d: %d of %d read again", kill+1, s.reindexed(), files)
			}
			out := s.run("", "reindex", "--here", "--json")
			var last struct {
				Event  string `json:"event"`
				Failed *int   `json:"failed"`
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Event != "done" || last.Failed == nil || *last.Failed != 0 {
				t.Errorf("the last line is %s (%v)", lines[len(lines)-1], err)
			}
			if n := s.reindexed(); n != files {
				t.Errorf("%d events for %d files", n, files)
			}
			db := s.database()
			for query, want := range map[string]int{
				`SELECT count(*) FROM rereadings`: 0, `SELECT count(*) FROM files WHERE state = 'ready' AND kind = 'pdf'`: files,
				`SELECT count(DISTINCT file_id) FROM events WHERE action = 'file.reindexed'`: files,
			} {
				if n, err := number(t.Context(), db, query); err != nil || n != int64(want) {
					t.Errorf("%s: %d, want %d (%v)", query, n, want, err)
				}
			}
			s.run("", "audit", "verify")
		})
	}
}

// TestARunningServerReadsAgain asks beside a running server, which does the work.
func TestARunningServerReadsAgain(t *testing.T) {
	t.Parallel() // it waits for leases and rounds most of the time
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := reindexSite(t, e, 5)
			p := s.serve([]string{"serve"})
			if out := s.run("", "reindex", "--case", "2026-0001", "--stale=false"); !strings.Contains(out, "its workers read") || !strings.Contains(out, "done: 5 read again, 0 could not be") {
				t.Error(out)
			}
			if n := s.reindexed(); n != 5 {
				t.Errorf("%d read again", n)
			}
			if out := s.run("", "reindex"); !strings.Contains(out, "0 to be read again") {
				t.Errorf("nothing is stale, but: %s", out)
			}
			if err := p.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
