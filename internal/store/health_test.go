package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dcdentals.com/caseload/internal/caseload"
)

// A step may come after a later one: two programs were built side by side, and the first to be installed had the higher
// number.
func TestAStepThatWasPassedOverIsNamedAndApplied(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			s := unmigrated(t, e.url(t))
			s.migrations = with(t, map[string]string{"9003_later.sql": `CREATE TABLE later (id TEXT)`})
			must(t, s.Migrate(t.Context()))
			s.migrations = with(t, map[string]string{
				"9002_between.sql": `CREATE TABLE between_them (id TEXT)`, "9003_later.sql": `CREATE TABLE later (id TEXT)`,
			})
			missing, unknown, err := s.Schema(t.Context())
			if want := []string{"9002_between"}; err != nil || !reflect.DeepEqual(missing, want) || unknown != nil {
				t.Errorf("missing %q, unknown %q, %v", missing, unknown, err)
			}
			err = s.CheckSchema(t.Context())
			wantKind(t, err, caseload.Conflict)
			if !strings.Contains(err.Error(), "9002_between") {
				t.Errorf("CheckSchema says %q", err)
			}
			before := tables(t, s)
			must(t, s.Migrate(t.Context()))
			must(t, s.CheckSchema(t.Context()))
			if got := tables(t, s); got != before+1 {
				t.Errorf("%d tables, want %d", got, before+1)
			}
			s.migrations = embeddedMigrations()
			_, unknown, err = s.Schema(t.Context())
			if want := []string{"9002_between", "9003_later"}; err != nil || !reflect.DeepEqual(unknown, want) {
				t.Errorf("unknown %q, %v", unknown, err)
			}
		})
	}
}

func TestTheOperatorsQuestionsAreAnswered(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := t.Context()
			s := unmigrated(t, e.url(t))
			missing, unknown, err := s.Schema(ctx)
			if err != nil || len(missing) == 0 || unknown != nil {
				t.Errorf("an empty database: missing %q, unknown %q, %v", missing, unknown, err)
			}
			must(t, s.Migrate(ctx))
			if version, err := s.Version(ctx); err != nil || version == "" || strings.ContainsAny(version, " \n") {
				t.Errorf("version %q, %v", version, err)
			}
			if found, err := s.Obstacles(ctx); err != nil || found != nil {
				t.Errorf("obstacles %q, %v", found, err)
			}
			now, most, err := s.Connections(ctx)
			if err != nil || e.name == Postgres && (now < 1 || most < now) || e.name == SQLite && most != 0 {
				t.Errorf("%d of %d connections, %v", now, most, err)
			}
			if files, since, err := s.Overdue(ctx); err != nil || files != 0 || !since.IsZero() {
				t.Errorf("%d overdue since %s, %v", files, since, err)
			}
		})
	}
}

// Of PostgreSQL a role may have too few rights, the whole database may only answer reads, or know no letters but ASCII's.
func TestWhatKeepsFromWritingIsNamed(t *testing.T) {
	for _, e := range engines {
		if e.name != Postgres {
			continue
		}
		url := e.url(t)
		s := unmigrated(t, url)
		ctx := t.Context()
		run := func(statements ...string) {
			t.Helper()
			for _, statement := range statements {
				_, err := s.db.ExecContext(ctx, statement)
				must(t, err)
			}
		}
		as := func(option string) (found []caseload.Obstacle, says, mends string) {
			t.Helper()
			separator := "?"
			if strings.Contains(url, "?") {
				separator = "&"
			}
			found, err := unmigrated(t, url+separator+option).Obstacles(ctx)
			must(t, err)
			for _, o := range found {
				says, mends = says+o.Says, mends+o.Mend
			}
			return found, says, mends
		}
		role := fmt.Sprintf("reader_%d", time.Now().UnixNano())
		run(`CREATE ROLE ` + role)
		t.Cleanup(func() { _, _ = s.db.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role) })

		found, says, mends := as("role=" + role) // since PostgreSQL 15 nobody but the owner may create in public
		if len(found) != 1 || !strings.Contains(says, "may not create tables") {
			t.Fatalf("an empty database and a role without CREATE: %+v", found)
		}
		run(mends)
		if found, _, _ := as("role=" + role); len(found) > 0 {
			t.Errorf("after %s: %+v", mends, found)
		}
		run(`REVOKE CREATE ON SCHEMA public FROM ` + role)

		must(t, s.Migrate(ctx))
		run(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + role)
		found, says, mends = as("role=" + role)
		if len(found) != 3 || !strings.Contains(says, "lacks the right to INSERT") {
			t.Errorf("a role that may only read: %+v", found)
		}
		run(strings.SplitAfter(strings.TrimSuffix(mends, ";"), ";")...)
		if found, _, _ := as("role=" + role); len(found) > 0 {
			t.Errorf("after %s: %+v", mends, found)
		}
		if found, says, _ := as("default_transaction_read_only=on"); len(found) != 1 || !strings.Contains(says, "read-only") {
			t.Errorf("a database that is set to read-only: %+v", found)
		}

		ascii := fmt.Sprintf("ascii_%d", time.Now().UnixNano())
		run(`CREATE DATABASE ` + ascii + ` ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'`)
		t.Cleanup(func() { _, _ = s.db.Exec(`DROP DATABASE ` + ascii + ` WITH (FORCE)`) })
		config, err := pgx.ParseConfig(url)
		must(t, err)
		if found, err = unmigrated(t, strings.Replace(url, "/"+config.Database, "/"+ascii, 1)).Obstacles(ctx); err != nil || len(found) != 1 || !strings.Contains(found[0].Says, "SQL_ASCII") {
			t.Errorf("a database of SQL_ASCII: %+v, %v", found, err)
		}
	}
}
