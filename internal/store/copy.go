package store

import (
	"context"
	"database/sql"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// CopyTo writes the whole database as it stands at one moment into a new file, while it is read and written by others
// (https://www.sqlite.org/lang_vacuum.html#vacuuminto), and forces it to the disk. SQLite only; Conflict when the file
// exists.
func (s *Store) CopyTo(ctx context.Context, path string) (err error) {
	defer explain("copy the database", &err)
	if s.engine != SQLite {
		return caseload.Errorf(caseload.Invalid, "Only the embedded database can be copied.").WithHint("For PostgreSQL there is pg_dump: docs/operate.md.")
	}
	if _, err := os.Lstat(path); err == nil {
		return conflict("The copy's file exists already.")
	}
	if _, err := s.db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Chmod(0o600); err != nil {
		return err
	}
	return file.Sync()
}

// OpenCopy opens a file that CopyTo wrote, for reading only; the file and its folder stay as they are. Conflict when its
// schema is not this program's, Invalid when it is damaged.
func OpenCopy(ctx context.Context, path string) (*Store, error) {
	s := &Store{engine: SQLite, now: time.Now, log: slog.New(slog.DiscardHandler), migrations: embeddedMigrations()}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := sqliteDSN(absolute, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"query_only(ON)", "cache_size(-16384)"}})
	s.db = sql.OpenDB(sqliteConnector{dsn})
	s.db.SetMaxOpenConns(readers())
	s.reader = s.db
	var verdict string
	err = s.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict)
	if err == nil && verdict == "ok" {
		if err = s.CheckSchema(ctx); err == nil {
			return s, nil
		}
	}
	_ = s.Close()
	if err == nil {
		return nil, caseload.Errorf(caseload.Invalid, "The copy of the database is damaged: %s", verdict)
	}
	explain("open a copy of the database", &err)
	return nil, err
}

// EndAllSessions signs everybody out, and returns how many sessions there were: those of a restored database may have
// ended since it was copied.
func (s *Store) EndAllSessions(ctx context.Context) (n int64, err error) {
	defer explain("end all sessions", &err)
	err = s.write(ctx, func(t *tx) error {
		var err error
		n, err = t.exec(ctx, `DELETE FROM sessions`)
		return err
	})
	return n, err
}
