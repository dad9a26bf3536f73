package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pgtest"
)

// engine is one database to run a site on.
type engine struct {
	name     string
	settings func(t testing.TB) []string
}

func engines() []engine {
	return []engine{
		{"sqlite", func(testing.TB) []string { return nil }},
		{"postgres", func(t testing.TB) []string { return []string{"CASELOAD_DATABASE_URL=" + pgtest.URL(t)} }},
	}
}

// database opens the site's database beside the running process.
func (s *site) database() *sql.DB {
	s.t.Helper()
	driver, address := "sqlite", "file:"+filepath.Join(s.data(), "caseload.db")+"?_pragma=busy_timeout(5000)&_pragma=query_only(ON)"
	for _, setting := range s.env {
		if url, ok := strings.CutPrefix(setting, "CASELOAD_DATABASE_URL="); ok {
			driver, address = "pgx", url
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

// oracle compares what was acknowledged to clients, the database, the store's listing, re-read SHA-256s and the audit
// chain: 0 lost, 0 phantom, 0 stuck.
func (k *killRun) oracle(t *testing.T) {
	t.Helper()
	db := k.site.database()
	k.nothingStuck(t, db)
	for _, fault := range k.faults(t, db) {
		t.Error(fault)
	}
	if k.acknowledged() == 0 {
		t.Error("nothing was acknowledged: the run proves nothing")
	}
	k.site.run("", "audit", "verify") // fails the test unless the chain holds
}

// faults returns everything that does not fit.
func (k *killRun) faults(t *testing.T, db *sql.DB) (found []string) {
	t.Helper()
	wrong := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if n := k.wrongBytes.Load(); n > 0 {
		wrong("%d downloads under fire gave other bytes", n)
	}
	k.nothingLost(t, wrong)
	k.noPhantom(t, db, wrong)
	k.oneEventEach(t, db, wrong)
	return found
}

// nothingStuck waits until no file is stored or being read any more, and looks at the deadlines of the rest (I5).
func (k *killRun) nothingStuck(t *testing.T, db *sql.DB) {
	t.Helper()
	await(t, 3*time.Minute, "every stored file read", func() (bool, error) {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state IN ('stored', 'reading')`)
		return err == nil && n == 0, fmt.Errorf("%d left, %w", n, err)
	})
	late := time.Now().Add(2 * time.Hour).UnixMilli()
	if n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state IN ('planned', 'sending') AND deadline > `+fmt.Sprint(late)); err != nil || n > 0 {
		t.Errorf("%d arriving files have no deadline within two hours (%v)", n, err)
	}
	if n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state = 'rejected'`); err != nil || n > 0 {
		t.Errorf("%d good files were rejected (%v)", n, err)
	}
}

// nothingLost reads every acknowledged file back (I1, I3).
func (k *killRun) nothingLost(t *testing.T, wrong func(string, ...any)) {
	t.Helper()
	lost := 0
	for id, want := range k.sent {
		if !want.acknowledged {
			continue
		}
		f, err := k.admin.file(t.Context(), id)
		if err != nil || f.State != "ready" || f.SHA256 != want.sum || f.Size != int64(want.size) {
			wrong("acknowledged file %s: state %q, size %d of %d, SHA-256 %q of %q (%v)", id, f.State, f.Size, want.size, f.SHA256, want.sum, err)
			lost++
			continue
		}
		if content, _, err := k.admin.download(t.Context(), id); err != nil || sha256hex(content) != want.sum {
			wrong("acknowledged file %s gives other bytes or none (%v)", id, err)
			lost++
		}
	}
	t.Logf("oracle: %d acknowledged, %d lost", k.acknowledged(), lost)
}

// noPhantom holds the rows from stored on against the store's listing, both ways (I2, I6).
func (k *killRun) noPhantom(t *testing.T, db *sql.DB, wrong func(string, ...any)) {
	t.Helper()
	held := map[string]int64{}
	objects := filepath.Join(k.site.data(), "store", "objects", "caseload-files")
	entries, err := os.ReadDir(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			held[e.Name()] = info.Size()
		}
	}
	rows, err := db.QueryContext(t.Context(), `SELECT id, object, size, state, sha256 FROM files`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var id, object, state, sum string
		var size int64
		if err := rows.Scan(&id, &object, &size, &state, &sum); err != nil {
			t.Fatal(err)
		}
		known[object] = true
		if state == "ready" {
			if got, ok := held[object]; !ok || got != size {
				wrong("phantom: file %s is %s, but the store holds %d bytes of %d (there: %v)", id, state, got, size, ok)
			}
			if want, ok := k.sent[id]; ok && want.sum != sum {
				wrong("file %s was read as %s, sent as %s", id, sum, want.sum)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for object := range held {
		if !known[object] && object != string(caseload.MarkerKey) {
			wrong("the store holds %s, which no row knows", object)
		}
	}
}

// oneEventEach: being stored and becoming ready happened exactly once to each file that is ready (I7, I8).
func (k *killRun) oneEventEach(t *testing.T, db *sql.DB, wrong func(string, ...any)) {
	t.Helper()
	for _, action := range []string{"file.stored", "file.ready"} {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files f WHERE f.state = 'ready' AND
			(SELECT count(*) FROM events e WHERE e.organization_id = f.organization_id AND e.file_id = f.id AND e.action = '`+action+`') <> 1`)
		if err != nil || n > 0 {
			wrong("%d ready files do not have exactly one %s event (%v)", n, action, err)
		}
	}
}

// TestTheOracleSeesLossPhantomsAndOrphans does to an untouched installation what must never happen, and looks whether the
// oracle says so.
func TestTheOracleSeesLossPhantomsAndOrphans(t *testing.T) {
	s := newSite(t)
	k := &killRun{site: s, sent: map[string]sentFile{}, admin: s.newAdmin()}
	s.serve([]string{"serve"})
	k.caseID = k.admin.newCase(t, "2026-0001", "Oracle")
	for seed := range uint64(3) {
		k.sendOne(t.Context(), seed, phantom.Noise(seed, 50_000))
	}
	for id := range k.sent {
		k.admin.ready(t, id, 30*time.Second)
	}
	db := s.database()
	if found := k.faults(t, db); k.acknowledged() != 3 || len(found) > 0 {
		t.Fatalf("%d acknowledged; faults before anything was done: %q", k.acknowledged(), found)
	}

	objects := filepath.Join(s.data(), "store", "objects", "caseload-files")
	var kept []string
	for _, key := range objectsIn(t, objects) {
		kept = append(kept, filepath.Join(objects, key))
	}
	for what, do := range map[string]struct{ do, undo func() error }{
		"an object is gone": {
			func() error { return os.Rename(kept[0], filepath.Join(s.dir, "taken")) },
			func() error { return os.Rename(filepath.Join(s.dir, "taken"), kept[0]) },
		},
		"an object is cut short": {
			func() error { return os.Truncate(kept[1], 49_999) }, nil,
		},
		"an object nobody knows": {
			func() error { return os.WriteFile(filepath.Join(objects, "stranger"), []byte("x"), 0o600) },
			func() error { return os.Remove(filepath.Join(objects, "stranger")) },
		},
	} {
		before := len(k.faults(t, db))
		if err := do.do(); err != nil {
			t.Fatal(err)
		}
		if after := len(k.faults(t, db)); after <= before {
			t.Errorf("%s: the oracle saw nothing", what)
		}
		if do.undo != nil {
			if err := do.undo(); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.wrongBytes.Add(1)
	if !strings.Contains(strings.Join(k.faults(t, db), "\n"), "under fire") {
		t.Error("wrong bytes under fire: the oracle saw nothing")
	}
}

func number(ctx context.Context, db *sql.DB, query string) (n int64, err error) {
	return n, db.QueryRowContext(ctx, query).Scan(&n)
}
