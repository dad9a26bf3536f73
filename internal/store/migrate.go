package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

func embeddedMigrations() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// migration is one step of the schema: NNNN_name.sql for both engines, then NNNN_name.<engine>.sql.
type migration struct {
	version int64
	name    string
	sql     []string
}

// migrationLock is the key of PostgreSQL's advisory lock around migrations.
const migrationLock = 0x63617365_6c6f6164 // "caseload"

// Migrate brings the schema up to this program's. Each step is one transaction that also holds a lock, so that several
// processes starting at once apply it once, and a process killed in the middle leaves the schema as it was. Conflict
// when the schema is newer than this program.
func (s *Store) Migrate(ctx context.Context) (err error) {
	defer explain("migrate the schema", &err)
	steps, err := s.steps()
	if err != nil {
		return err
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.lockSchema(ctx); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
			version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`)
		return err
	})
	if err != nil {
		return err
	}
	for _, step := range steps {
		if err := s.write(ctx, func(t *tx) error { return t.apply(ctx, step, steps) }); err != nil {
			return err
		}
	}
	return nil
}

// apply runs one step unless the schema already has that very step: a later one may have come first, from a program that
// was built beside this one.
func (t *tx) apply(ctx context.Context, step migration, steps []migration) error {
	if err := t.lockSchema(ctx); err != nil {
		return err
	}
	var newest, same int64
	err := t.QueryRowContext(ctx, `SELECT COALESCE(max(version), 0), count(CASE WHEN version = $1 THEN 1 END) FROM schema_migrations`, step.version).
		Scan(&newest, &same)
	if err != nil {
		return err
	}
	if err := refuseNewer(newest, steps); err != nil || same > 0 {
		return err
	}
	for _, statements := range step.sql {
		if _, err := t.ExecContext(ctx, statements); err != nil {
			return fmt.Errorf("step %d %s: %w", step.version, step.name, err)
		}
	}
	_, err = t.ExecContext(ctx, `INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)`,
		step.version, step.name, toMS(t.now))
	if err == nil {
		t.store.log.Info("schema migrated", "version", step.version, "name", step.name)
	}
	return err
}

// lockSchema waits until no other process migrates. On SQLite the transaction itself (BEGIN IMMEDIATE) is that lock.
func (t *tx) lockSchema(ctx context.Context) error {
	if t.store.engine == SQLite {
		return nil
	}
	_, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock))
	return err
}

// CheckSchema answers nil when the schema is exactly this program's; Conflict when it is newer or lacks a step.
func (s *Store) CheckSchema(ctx context.Context) (err error) {
	defer explain("check the schema", &err)
	missing, err := s.lacks(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	has, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	return conflict("The database's schema is version %d and lacks %s; this caseload needs it.", has, strings.Join(missing, ", ")).
		WithHint("Make a backup with the version that was here before, then run `caseload migrate`.")
}

// lacks returns the steps of this program that the schema does not have. Conflict when it is newer.
func (s *Store) lacks(ctx context.Context) (missing []string, err error) {
	steps, err := s.steps()
	if err != nil {
		return nil, err
	}
	has, err := s.schemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	if err := refuseNewer(has, steps); err != nil {
		return nil, err
	}
	missing, _, err = s.Schema(ctx)
	return missing, err
}

func (s *Store) schemaVersion(ctx context.Context) (int64, error) {
	exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'`
	if s.engine == Postgres {
		exists = `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations'`
	}
	var n, version int64
	if err := s.reader.QueryRowContext(ctx, exists).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err := s.reader.QueryRowContext(ctx, `SELECT COALESCE(max(version), 0) FROM schema_migrations`).Scan(&version)
	return version, err
}

func refuseNewer(has int64, steps []migration) error {
	if knows := steps[len(steps)-1].version; has > knows {
		return caseload.Errorf(caseload.Conflict,
			"The database's schema is version %d, made by a newer caseload; this one knows version %d.", has, knows).
			WithHint("Start the newer caseload, or restore the backup made before it was installed.")
	}
	return nil
}

// steps reads the migrations for this engine, in order.
func (s *Store) steps() ([]migration, error) {
	names, err := fs.Glob(s.migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	sort.Slice(names, func(i, j int) bool { // the common text before the engine's own
		a, b := strings.TrimSuffix(names[i], ".sql"), strings.TrimSuffix(names[j], ".sql")
		return a < b
	})
	var steps []migration
	for _, file := range names {
		name, engine, _ := strings.Cut(strings.TrimSuffix(file, ".sql"), ".")
		if engine != "" && engine != s.engine {
			continue
		}
		digits, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || version < 1 {
			return nil, fmt.Errorf("migration %s has no number", file)
		}
		body, err := fs.ReadFile(s.migrations, file)
		if err != nil {
			return nil, err
		}
		if n := len(steps); n > 0 && steps[n-1].version == version {
			steps[n-1].sql = append(steps[n-1].sql, string(body))
			continue
		}
		steps = append(steps, migration{version: version, name: name, sql: []string{string(body)}})
	}
	if len(steps) == 0 {
		return nil, sql.ErrNoRows
	}
	return steps, nil
}
