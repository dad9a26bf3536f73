package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"dcdentals.com/caseload/internal/caseload"
)

func unmigrated(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{URL: url})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// with returns the embedded migrations and these.
func with(t *testing.T, more map[string]string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(embeddedMigrations(), "*.sql")
	must(t, err)
	for _, name := range names {
		body, err := fs.ReadFile(embeddedMigrations(), name)
		must(t, err)
		all[name] = &fstest.MapFile{Data: body}
	}
	for name, body := range more {
		all[name] = &fstest.MapFile{Data: []byte(body)}
	}
	return all
}

func tables(t *testing.T, s *Store) int {
	t.Helper()
	query := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if s.Engine() == Postgres {
		query = `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()`
	}
	var n int
	must(t, s.db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func TestSeveralProcessesMigrateOnce(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			url := e.url(t)
			var wg sync.WaitGroup
			processes := make([]*Store, 4)
			for i := range processes {
				processes[i] = unmigrated(t, url)
				wantKind(t, processes[i].CheckSchema(t.Context()), caseload.Conflict)
			}
			for _, s := range processes {
				wg.Go(func() {
					if err := s.Migrate(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			s := unmigrated(t, url)
			must(t, s.Migrate(t.Context()))
			must(t, s.CheckSchema(t.Context()))
			var n int
			must(t, s.db.QueryRowContext(t.Context(), `SELECT count(*) FROM schema_migrations`).Scan(&n))
			steps, err := s.steps()
			must(t, err)
			if n != len(steps) {
				t.Errorf("%d steps are noted, want %d", n, len(steps))
			}
		})
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			url := e.url(t)
			newer := unmigrated(t, url)
			newer.migrations = with(t, map[string]string{"9002_more.sql": `CREATE TABLE more (id TEXT)`})
			must(t, newer.Migrate(t.Context()))
			older := unmigrated(t, url)
			for name, err := range map[string]error{"Migrate": older.Migrate(t.Context()), "CheckSchema": older.CheckSchema(t.Context())} {
				wantKind(t, err, caseload.Conflict)
				if e, ok := errors.AsType[*caseload.Error](err); !ok || !strings.Contains(e.Message, "version 9002") || e.Hint == "" {
					t.Errorf("%s says %q", name, err)
				}
			}
		})
	}
}

func TestAFailingStepChangesNothing(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			s := unmigrated(t, e.url(t))
			must(t, s.Migrate(t.Context()))
			before := tables(t, s)
			s.migrations = with(t, map[string]string{"9002_half.sql": `CREATE TABLE half (id TEXT); INSERT INTO nowhere VALUES (1);`})
			if s.Migrate(t.Context()) == nil {
				t.Fatal("a broken step succeeded")
			}
			s.migrations = embeddedMigrations()
			must(t, s.CheckSchema(t.Context()))
			if got := tables(t, s); got != before {
				t.Errorf("%d tables, want %d", got, before)
			}
		})
	}
}

// slow takes minutes in the middle of a step, so that a kill always meets it there.
var slow = map[string]string{
	SQLite: `CREATE TABLE half (id TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000)
		INSERT INTO half SELECT count(*) FROM n;`,
	Postgres: `CREATE TABLE half (id TEXT); SELECT pg_sleep(600);`,
}

// A process is killed in the middle of a step: the schema is as it was, and the next process migrates it.
func TestAKilledMigrationLeavesAWholeSchema(t *testing.T) {
	if url := os.Getenv("STORE_MIGRATE_CHILD"); url != "" {
		go func() { // the parent is gone: go, too
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		s := unmigrated(t, url)
		must(t, s.Migrate(t.Context()))
		s.migrations = with(t, map[string]string{"9002_slow.sql": slow[s.Engine()]})
		fmt.Println("\nmigrating")
		t.Fatal(s.Migrate(t.Context()))
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			url := e.url(t)
			child := exec.Command(os.Args[0], "-test.run=^TestAKilledMigrationLeavesAWholeSchema$")
			child.Env = append(os.Environ(), "STORE_MIGRATE_CHILD="+url)
			_, err := child.StdinPipe()
			must(t, err)
			out, err := child.StdoutPipe()
			must(t, err)
			s := unmigrated(t, url)
			if e.name == Postgres { // or the server finishes a dead client's statement first
				_, err := s.db.ExecContext(t.Context(), `DO $$ BEGIN
					EXECUTE format('ALTER DATABASE %I SET client_connection_check_interval = 100', current_database()); END $$`)
				must(t, err)
			}
			must(t, child.Start())
			for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "migrating"; {
			}
			waitUntilMigrating(t, s)
			must(t, child.Process.Kill())
			_ = child.Wait()
			must(t, s.CheckSchema(t.Context()))
			must(t, s.Migrate(t.Context()))
			s.migrations = with(t, map[string]string{"9002_quick.sql": `CREATE TABLE half (id TEXT)`})
			must(t, s.Migrate(t.Context())) // the half table is not there: it can be made
		})
	}
}

// waitUntilMigrating returns once another process holds the schema's lock.
func waitUntilMigrating(t *testing.T, s *Store) {
	t.Helper()
	if s.Engine() == SQLite {
		if _, err := s.db.ExecContext(t.Context(), `PRAGMA busy_timeout = 0`); err != nil {
			t.Fatal(err)
		}
		defer s.db.ExecContext(context.Background(), `PRAGMA busy_timeout = 5000`)
		for t.Context().Err() == nil {
			if err := s.write(t.Context(), func(*tx) error { return nil }); err != nil {
				return
			}
		}
	}
	for n := 0; n == 0 && t.Context().Err() == nil; {
		must(t, s.db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%'
			AND pid <> pg_backend_pid() AND state = 'active'`).Scan(&n))
	}
}
