package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"dcdentals.com/caseload/internal/caseload"
)

// The two engines, as Store.Engine names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Config says where the records are kept.
type Config struct {
	URL string           // "sqlite:/abs/path/caseload.db" or "postgres://…" (any form pgx takes)
	Now func() time.Time // the server's clock; nil means time.Now
	Log *slog.Logger     // nil discards
}

// Enqueue asks the queue for one reading of each file, inside the transaction that makes it necessary. conn is the
// connection tx runs on; the hook must not end tx nor keep either.
type Enqueue = func(ctx context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) error

// Requeue asks the queue for a reading of each of the files that is not waiting in it already, and returns of how many;
// otherwise like Enqueue.
type Requeue = func(ctx context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) (int, error)

// Store is one database. It is safe for concurrent use.
type Store struct {
	engine     string
	db         *sql.DB // SQLite: the one writing connection
	reader     *sql.DB // SQLite: a pool that cannot write; PostgreSQL: the same pool
	now        func() time.Time
	log        *slog.Logger
	enqueue    Enqueue
	requeue    Requeue
	migrations fs.FS
	notes      atomic.Int32 // being written
	scratch    string       // a folder that goes with it; "": none
}

// Open opens the database and checks that it answers; it does not migrate. Invalid when the URL is not understood,
// Unavailable when the database does not answer.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{now: cfg.Now, log: cfg.Log, migrations: embeddedMigrations()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	switch {
	case strings.HasPrefix(cfg.URL, "sqlite:"):
		err = s.openSQLite(strings.TrimPrefix(cfg.URL, "sqlite:"))
	case strings.HasPrefix(cfg.URL, "postgres://"), strings.HasPrefix(cfg.URL, "postgresql://"):
		err = s.openPostgres(cfg.URL)
	default:
		err = caseload.Errorf(caseload.Invalid, "The database address is not understood.").
			WithHint(`Use "sqlite:/absolute/path/caseload.db" or "postgres://user@host/database".`)
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.Ping(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) openPostgres(url string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // pgx redacts the password in this message
		return caseload.Errorf(caseload.Invalid, "The PostgreSQL address is not understood.").WithCause(err)
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "caseload"
	}
	s.engine = Postgres
	s.db = stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		if cfg.RuntimeParams["jit"] != "" {
			return nil
		}
		// It takes longer to compile our short queries than to run them. A parameter of the start would be refused by poolers.
		_, err := c.Exec(ctx, `SET jit = off`)
		return err
	}))
	s.db.SetMaxOpenConns(16)
	s.db.SetMaxIdleConns(8)
	s.db.SetConnMaxIdleTime(5 * time.Minute)
	s.reader = s.db
	return nil
}

// SetEnqueue wires the queue; call it before the first MarkStored, RequeueLapsed or Release.
func (s *Store) SetEnqueue(enqueue Enqueue) { s.enqueue = enqueue }

// SetRequeue wires what RequeueLapsed asks; without it, each file is asked for through SetEnqueue's hook, waiting or not.
func (s *Store) SetRequeue(requeue Requeue) { s.requeue = requeue }

// Engine returns "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine }

// DB returns the writing pool, for the queue. On SQLite it has exactly one connection: whoever holds it stops every write.
func (s *Store) DB() *sql.DB { return s.db }

// Ping asks the database for its own clock.
func (s *Store) Ping(ctx context.Context) (at time.Time, err error) {
	defer explain("ask the database's clock", &err)
	query := `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`
	if s.engine == SQLite {
		query = `SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)`
	}
	var ms int64
	err = s.reader.QueryRowContext(ctx, query).Scan(&ms)
	return fromMS(ms), err
}

// Close closes the database. Transactions under way end first.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.reader != s.db {
		if readerErr := s.reader.Close(); err == nil {
			err = readerErr
		}
	}
	if s.scratch != "" {
		err = errors.Join(err, os.RemoveAll(s.scratch))
	}
	return err
}

// readers is how many connections SQLite's reading pool has.
func readers() int { return max(4, runtime.GOMAXPROCS(0)) }
