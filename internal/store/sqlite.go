package store

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"

	"dcdentals.com/caseload/internal/caseload"
)

// openSQLite opens the file, made with mode 0600 when it is not there: SQLite gives its -wal and -shm the same mode.
func (s *Store) openSQLite(path string) error {
	if !filepath.IsAbs(path) {
		return caseload.Errorf(caseload.Invalid, "The SQLite database needs an absolute path.").
			WithHint(`Use "sqlite:/absolute/path/caseload.db".`)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return caseload.Errorf(caseload.Unavailable, "The database file cannot be opened.").
			WithHint("Check that its folder exists and may be written.").WithCause(err)
	}
	if err := file.Chmod(0o600); err != nil {
		s.log.Warn("the database file's mode stays as it is", "err", err)
	}
	if err := file.Close(); err != nil {
		return caseload.Errorf(caseload.Unavailable, "The database file cannot be opened.").WithCause(err)
	}

	s.engine = SQLite
	writing := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", // first: switching to WAL may have to wait, too
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "cache_size(-16384)", "journal_size_limit(67108864)",
	}}
	s.db = sql.OpenDB(sqliteConnector{sqliteDSN(path, writing)})
	s.db.SetMaxOpenConns(1)
	reading := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(ON)", "cache_size(-16384)", "mmap_size(268435456)"}}
	s.reader = sql.OpenDB(sqliteConnector{sqliteDSN(path, reading)})
	s.reader.SetMaxOpenConns(readers())
	s.reader.SetMaxIdleConns(readers())
	if err := s.db.Ping(); err != nil { // the writer goes first: it switches the file to WAL
		_ = s.Close()
		explain("open the database", &err)
		return err
	}
	return nil
}

// sqliteDSN escapes the path, so that "?", "#" and "%" in it stay part of it (https://www.sqlite.org/uri.html).
func sqliteDSN(path string, query url.Values) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}
