package store

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

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

// Of PostgreSQL a role may have too few rights, and the whole database may only answer reads.
func TestWhatKeepsFromWritingIsNamed(t *testing.T) {
	for _, e := range engines {
		if e.name != Postgres {
			continue
		}
		url := e.url(t)
		s := unmigrated(t, url)
		ctx := t.Context()
		must(t, s.Migrate(ctx))
		role := fmt.Sprintf("reader_%d", time.Now().UnixNano())
		for _, statement := range []string{
			`CREATE ROLE ` + role, `GRANT USAGE ON SCHEMA public TO ` + role, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + role,
		} {
			_, err := s.db.ExecContext(ctx, statement)
			must(t, err)
		}
		t.Cleanup(func() { _, _ = s.db.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role) })
		for option, want := range map[string]string{
			"role=" + role:                     "lacks the right to INSERT",
			"default_transaction_read_only=on": "read-only",
		} {
			separator := "?"
			if strings.Contains(url, "?") {
				separator = "&"
			}
			limited := unmigrated(t, url+separator+option)
			found, err := limited.Obstacles(ctx)
			if err != nil || !strings.Contains(strings.Join(found, " "), want) {
				t.Errorf("%s: %q, %v; want %q", option, found, err, want)
			}
		}
	}
}
