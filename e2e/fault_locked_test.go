package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

const (
	lockedFor     = 17 * time.Second // more than three times SQLite's busy timeout of 5 s
	lockedWithin  = 17 * time.Second // every answer, however many wait
	lockedWriters = 20
	lookedWithin  = 4 * time.Second // less than that busy timeout: no lock was waited for
)

// TestADatabaseLockedByAnotherProcessIsSaidAndSurvived holds SQLite's write lock from outside, as a backup tool gone
// wrong does: looking goes on, every change is refused within a bounded time however many ask at once, nothing
// acknowledged is lost, and when the lock is gone everything goes on by itself.
func TestADatabaseLockedByAnotherProcessIsSaidAndSurvived(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin, l, ctx := s.newAdmin(), newLedger(), t.Context()
	s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Locked Database")
	before := phantom.Noise(1, 100_000)
	kept := mustUpload(t, admin, l, caseID, "before.bin", before)
	admin.ready(t, kept.ID, 30*time.Second)
	direct, small := phantom.Noise(2, 7<<20), phantom.Noise(3, 100_000)
	directFile, smallFile := mustPlan(t, admin, caseID, "direct.bin", direct), mustPlan(t, admin, caseID, "small.bin", small)
	if err := admin.sendParts(ctx, directFile, direct); err != nil {
		t.Fatal(err)
	}
	release, locked := func() {}, time.Time{}
	_, scans := caughtReading(t, admin, l, caseID, func() { release, locked = s.lockDatabase(t), time.Now() }, func() { release() })
	var asked sync.WaitGroup
	answeredIn := make(chan time.Duration, 2*lockedWriters)
	try := func(what string, call func() (answered, error)) {
		asked.Go(func() {
			a, err := call()
			answeredIn <- a.took
			refused(t, what, a, err, http.StatusServiceUnavailable, "unavailable", lockedWithin)
		})
	}
	for n := range lockedWriters {
		try("plan", func() (answered, error) {
			return admin.askJSON(ctx, "POST", "/api/v1/cases/"+caseID+"/files", api.Plan{Files: []api.FileSpec{{Name: fmt.Sprintf("%d.bin", n), Size: 10}}})
		})
	}
	try("small upload", func() (answered, error) {
		return admin.askPut(ctx, smallFile.ID, small, strings.NewReader(string(small)))
	})
	try("complete", func() (answered, error) {
		return admin.askJSON(ctx, "POST", "/api/v1/files/"+directFile.ID+"/complete", nil)
	})
	try("new case", func() (answered, error) {
		return admin.askJSON(ctx, "POST", "/api/v1/cases", api.NewCase{Number: "2026-0002"})
	})
	for time.Since(locked) < 4*time.Second { // looking needs no lock
		a, err := admin.askJSON(ctx, "GET", "/api/v1/cases/"+caseID+"/files", nil)
		if err != nil || a.status != http.StatusOK || a.took > lookedWithin {
			t.Fatalf("looking while the database is locked: %d after %s (%v)", a.status, a.took, err)
		}
		rest(ctx)
	}
	asked.Wait()
	close(answeredIn)
	slowest := time.Duration(0)
	for took := range answeredIn {
		slowest = max(slowest, took)
	}
	time.Sleep(time.Until(locked.Add(lockedFor))) // the fault itself: the lock is held this long
	release()
	released := time.Now()

	await(t, 10*time.Second, "writing again", func() (bool, error) {
		f, err := admin.put(ctx, smallFile.ID, small)
		return err == nil && f.ID == smallFile.ID, err
	})
	l.keep(smallFile.ID, small)
	if _, err := admin.complete(ctx, directFile.ID); err != nil {
		t.Errorf("complete does not go on: %v", err)
	}
	l.keep(directFile.ID, direct)
	l.check(t, s, admin, s.embeddedObjects())
	if n, err := number(ctx, s.database(), `SELECT count(*) FROM files`); err != nil || n != int64(3+len(scans)) {
		t.Errorf("%d files (%v), want %d: what was refused left nothing", n, err, 3+len(scans))
	}
	t.Logf("locked for %s: slowest refusal of %d after %s; everything read %s after the release",
		released.Sub(locked).Round(time.Millisecond), lockedWriters+3, slowest.Round(time.Millisecond), time.Since(released).Round(time.Millisecond))
}

// TestALockedDatabaseDoesNotEndSessions: whoever only looks is let in although the use of his token cannot be noted.
func TestALockedDatabaseDoesNotEndSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_LOG_LEVEL=warn")
	admin := s.newAdmin()
	s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Locked Token")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "caseload.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE tokens SET last_used_at = 0`); err != nil { // its use is due to be noted
		t.Fatal(err)
	}
	release := s.lockDatabase(t)
	a, err := admin.askJSON(t.Context(), "GET", "/api/v1/cases/"+caseID, nil)
	if err != nil || a.status != http.StatusOK || a.took > lookedWithin {
		t.Errorf("looking at a case: %d after %s: %s (%v); want 200 soon: noting the use of a token can wait", a.status, a.took.Round(time.Millisecond), a.body, err)
	}
	release()
	await(t, 10*time.Second, "use of the token noted", func() (bool, error) {
		if _, err := admin.askJSON(t.Context(), "GET", "/api/v1/cases/"+caseID, nil); err != nil {
			return false, err
		}
		n, err := number(t.Context(), s.database(), `SELECT count(*) FROM tokens WHERE last_used_at > 0`)
		return n == 1, err
	})
}

// lockDatabase takes SQLite's write lock as another process would; the returned function gives it back.
func (s *site) lockDatabase(t *testing.T) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "caseload.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
}
