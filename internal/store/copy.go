package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
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
	if err := s.vacuumInto(ctx, path); err != nil {
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

// vacuumInto copies with a small cache: SQLite keeps as much of the copy as of the database itself, and goes through both from
// one end to the other.
func (s *Store) vacuumInto(ctx context.Context, path string) (err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var cache int
	if err := conn.QueryRowContext(ctx, `PRAGMA cache_size`).Scan(&cache); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `PRAGMA cache_size = -2048`); err != nil { // KiB
		return err
	}
	_, err = conn.ExecContext(ctx, `VACUUM INTO $1`, path)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf(`PRAGMA cache_size = %d`, cache))
	return errors.Join(err, back)
}

// OpenCopy opens a file that CopyTo wrote, for reading only; the file and its folder stay as they are. What an older program
// wrote is copied once more into the system's temporary folder and brought up to date there, until it is closed. Conflict
// when a newer program wrote it, Invalid when it is damaged.
func OpenCopy(ctx context.Context, path string) (_ *Store, err error) {
	defer explain("open a copy of the database", &err)
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := openImmutable(absolute)
	if err := s.checkPages(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	missing, err := s.lacks(ctx)
	if err == nil && len(missing) == 0 {
		return s, nil
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return openUpToDate(ctx, absolute)
}

// openImmutable opens a database file that nobody writes (https://www.sqlite.org/uri.html#uriimmutable).
func openImmutable(path string) *Store {
	s := &Store{engine: SQLite, now: time.Now, log: slog.New(slog.DiscardHandler), migrations: embeddedMigrations()}
	dsn := sqliteDSN(path, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"query_only(ON)", "cache_size(-2048)", "mmap_size(268435456)"}})
	s.db = sql.OpenDB(sqliteConnector{dsn})
	s.db.SetMaxOpenConns(readers())
	s.reader = s.db
	return s
}

// checkPages returns Invalid when the file is damaged.
func (s *Store) checkPages(ctx context.Context) error {
	var verdict string
	err := s.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = caseload.Errorf(caseload.Invalid, "The copy of the database is damaged: %s", verdict)
	}
	return err
}

// openUpToDate opens a copy of an older program's database in a temporary folder, with today's schema. The folder goes
// when it is closed.
func openUpToDate(ctx context.Context, path string) (s *Store, err error) {
	dir, err := os.MkdirTemp("", "caseload-copy-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	to := filepath.Join(dir, "caseload.db")
	if err := copyBytes(path, to); err != nil {
		return nil, err
	}
	if s, err = Open(ctx, Config{URL: "sqlite:" + to}); err != nil {
		return nil, err
	}
	s.scratch = dir
	if err := s.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func copyBytes(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
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
