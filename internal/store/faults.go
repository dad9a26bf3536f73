package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"dcdentals.com/caseload/internal/caseload"
)

// explain turns what a driver answered into what the rest of Caseload understands. Deferred by every exported method:
// nouns' own errors and the context's pass through; a locked or unreachable database is Unavailable, a full disk Full.
func explain(operation string, err *error) {
	if *err == nil {
		return
	}
	var known *caseload.Error
	switch {
	case errors.As(*err, &known):
	case errors.Is(*err, context.Canceled), errors.Is(*err, context.DeadlineExceeded):
		*err = fmt.Errorf("store: %s: %w", operation, *err)
	case full(*err):
		*err = caseload.Errorf(caseload.Full, "The database has no room left.").
			WithHint("Free some disk space, then try again.").WithCause(fmt.Errorf("store: %s: %w", operation, *err))
	case unavailable(*err):
		*err = caseload.Errorf(caseload.Unavailable, "The database cannot answer now.").
			WithHint("Try again in a moment.").WithCause(fmt.Errorf("store: %s: %w", operation, *err))
	default:
		*err = fmt.Errorf("store: %s: %w", operation, *err)
	}
}

func full(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() {
		case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_TRUNCATE:
			return true // how ENOSPC shows itself where SQLite has no SQLITE_FULL for it
		}
		return lite.Code()&0xff == sqlite3.SQLITE_FULL
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "53100" // disk_full
}

func unavailable(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "53"), // connection, resources
			strings.HasPrefix(pg.Code, "57P"), pg.Code == "57014", // shutdown, cancelled
			pg.Code == "40001", pg.Code == "40P01", pg.Code == "55P03", // serialization, deadlock, lock not available
			pg.Code == "25006": // read-only: a standby
			return true
		}
		return false
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "conn closed")
}

// duplicate tells whether a unique index refused the row.
func duplicate(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "23505"
}

func notFound(what string) error {
	return caseload.Errorf(caseload.NotFound, "There is no such %s.", what)
}

func gone(what string) error {
	return caseload.Errorf(caseload.Gone, "This %s was deleted.", what)
}

func conflict(format string, args ...any) *caseload.Error {
	return caseload.Errorf(caseload.Conflict, format, args...)
}
