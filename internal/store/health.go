package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"dcdentals.com/caseload/internal/caseload"
)

// What the operator's questions are answered from (`caseload doctor`). None of these changes anything, and none needs the
// schema to be there, except Overdue.

// Version returns the database's own version: "3.50.4", "17.2".
func (s *Store) Version(ctx context.Context) (version string, err error) {
	defer explain("ask the database's version", &err)
	query := `SELECT sqlite_version()`
	if s.engine == Postgres {
		query = `SELECT split_part(current_setting('server_version'), ' ', 1)`
	}
	err = s.reader.QueryRowContext(ctx, query).Scan(&version)
	return version, err
}

// Schema compares the steps that the database has with those of this program, by name: missing ones are to be applied,
// unknown ones are a newer program's.
func (s *Store) Schema(ctx context.Context) (missing, unknown []string, err error) {
	defer explain("compare the schema", &err)
	steps, err := s.steps()
	if err != nil {
		return nil, nil, err
	}
	has, err := s.applied(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, step := range steps {
		if _, ok := has[step.version]; !ok {
			missing = append(missing, step.name)
		}
		delete(has, step.version)
	}
	for _, name := range has {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	return missing, unknown, nil
}

// applied returns the steps that the database has: version → name. None when it has no schema yet.
func (s *Store) applied(ctx context.Context) (map[int64]string, error) {
	version, err := s.schemaVersion(ctx)
	if err != nil || version == 0 {
		return map[int64]string{}, err
	}
	type row struct {
		version int64
		name    string
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT version, name FROM schema_migrations ORDER BY version`)
	steps, err := collect(rows, err, func(scan func(...any) error) (r row, err error) { return r, scan(&r.version, &r.name) })
	if err != nil {
		return nil, err
	}
	has := map[int64]string{}
	for _, r := range steps {
		has[r.version] = r.name
	}
	return has, nil
}

// Obstacles returns what keeps this program from working with the database although it answers.
func (s *Store) Obstacles(ctx context.Context) (found []caseload.Obstacle, err error) {
	defer explain("look for what keeps us from writing", &err)
	if s.engine == SQLite {
		return nil, s.write(ctx, func(*tx) error { return nil })
	}
	var standby, readOnly, mayCreate bool
	var encoding, database, schema, role string
	err = s.reader.QueryRowContext(ctx, `SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on',
		current_setting('server_encoding'), COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false),
		quote_ident(current_database()), quote_ident(COALESCE(current_schema(), 'public')), quote_ident(current_user)`).
		Scan(&standby, &readOnly, &encoding, &mayCreate, &database, &schema, &role)
	if err != nil {
		return nil, err
	}
	if standby {
		found = append(found, caseload.Obstacle{Says: "The server is a standby that only answers reads."})
	} else if readOnly {
		found = append(found, caseload.Obstacle{Says: "The database is set to read-only transactions.", Mend: "ALTER DATABASE " + database + " RESET default_transaction_read_only;"})
	}
	if encoding != "UTF8" {
		found = append(found, caseload.Obstacle{
			Says: fmt.Sprintf("The database's encoding is %s, not UTF8.", encoding),
			Mend: "CREATE DATABASE caseload_utf8 ENCODING 'UTF8' TEMPLATE template0 OWNER " + role + ";",
		})
	}
	missing, _, err := s.Schema(ctx)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 && !mayCreate {
		found = append(found, caseload.Obstacle{
			Says: "The role may not create tables in its schema, and the schema is not up to date.",
			Mend: "GRANT USAGE, CREATE ON SCHEMA " + schema + " TO " + role + ";",
		})
	}
	rights, err := s.missingRights(ctx)
	return append(found, rights...), err
}

// missingRights returns which of the four rights the role lacks on some table of ours.
func (s *Store) missingRights(ctx context.Context) ([]caseload.Obstacle, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT p, min(t.tablename), quote_ident(current_schema()), quote_ident(current_user)
		FROM pg_tables t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
		WHERE t.schemaname = current_schema() AND t.tablename IN ('files', 'cases', 'users', 'events', 'river_job')
		AND NOT has_table_privilege(quote_ident(t.schemaname) || '.' || quote_ident(t.tablename), p) GROUP BY p ORDER BY p`)
	return collect(rows, err, func(scan func(...any) error) (caseload.Obstacle, error) {
		var right, table, schema, role string
		err := scan(&right, &table, &schema, &role)
		return caseload.Obstacle{
			Says: fmt.Sprintf("The role lacks the right to %s on the table %s.", right, table),
			Mend: fmt.Sprintf("GRANT %s ON ALL TABLES IN SCHEMA %s TO %s;", right, schema, role),
		}, err
	})
}

// Empty tells whether nothing of ours was ever made in the database.
func (s *Store) Empty(ctx context.Context) (empty bool, err error) {
	defer explain("look for the schema", &err)
	version, err := s.schemaVersion(ctx)
	return err == nil && version == 0, err
}

// rounds is how often two connections are compared: a pooler may serve them by two processes once by chance.
const rounds = 3

// Pooled tells whether something between gives one process of PostgreSQL to several connections in turn: while the second is
// in a transaction, and so has a process to itself, the first, which is open still, was served by that process, or is served
// by another than before. Nothing is prepared on the way, which such poolers refuse.
func (s *Store) Pooled(ctx context.Context) (pooled bool, err error) {
	if s.engine == SQLite {
		return false, nil
	}
	defer explain("look for a pooler", &err)
	for range rounds {
		if pooled, err = s.sharesProcess(ctx); pooled || err != nil {
			return pooled, err
		}
	}
	return false, nil
}

func (s *Store) sharesProcess(ctx context.Context) (shares bool, err error) {
	first, err := s.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer first.Close()
	second, err := s.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer second.Close()
	process := func(c interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	},
	) (pid int, err error) {
		err = c.QueryRowContext(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
		return pid, err
	}
	before, err := process(first)
	if err != nil {
		return false, err
	}
	t, err := second.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = t.Rollback() }()
	held, err := process(t)
	if err != nil || held == before {
		return err == nil, err
	}
	after, err := process(first)
	return err == nil && after != before, err
}

// Encrypted tells whether our connections to PostgreSQL are; true on SQLite, which has none.
func (s *Store) Encrypted(ctx context.Context) (encrypted bool, err error) {
	if s.engine == SQLite {
		return true, nil
	}
	defer explain("ask whether the connection is encrypted", &err)
	err = s.db.QueryRowContext(ctx, `SELECT COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).Scan(&encrypted)
	return encrypted, err
}

// Connections returns how many connections PostgreSQL has now and how many it takes; 0, 0 on SQLite, which has no such limit.
func (s *Store) Connections(ctx context.Context) (now, most int, err error) {
	if s.engine == SQLite {
		return 0, 0, nil
	}
	defer explain("count connections", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int`).Scan(&now, &most)
	return now, most, err
}

// Overdue returns how many files are past their deadline and not looked at, and since when the first of them is. The sweep
// looks every few seconds, so there should be none that is late by minutes.
func (s *Store) Overdue(ctx context.Context) (files int64, since time.Time, err error) {
	defer explain("count what is overdue", &err)
	var first int64
	err = s.reader.QueryRowContext(ctx, `SELECT count(*), COALESCE(min(deadline), 0) FROM files
		WHERE state IN ('planned', 'sending', 'stored', 'reading') AND deadline <= $1`, toMS(s.now())).Scan(&files, &first)
	if files == 0 {
		return 0, time.Time{}, err
	}
	return files, fromMS(first), err
}
