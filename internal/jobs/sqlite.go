package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// sqlite drives River through the store's one writer connection.
type sqlite struct {
	runner[*sql.Tx]
	db *sql.DB
}

func newSQLite(db *sql.DB, config *river.Config) (*sqlite, error) {
	r, err := newRunner(riversqlite.New(db), config)
	return &sqlite{runner: r, db: db}, err
}

func (s *sqlite) insert(ctx context.Context, _ *sql.Conn, tx *sql.Tx, all []river.InsertManyParams) error {
	_, err := s.client.InsertManyTx(ctx, tx, all)
	return err
}

// migrate tries again when it lost against another process that migrates at the same moment: SQLite has no lock that
// would span River's transactions.
func (s *sqlite) migrate(ctx context.Context) error {
	var err error
	for try := range 10 {
		if err = s.migrateUp(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try+1) * 20 * time.Millisecond):
		}
	}
	return err
}

// prepare makes the jobs of a killed process available again, without counting the delivery, and forgets the leader it
// was: a new one would otherwise be elected only when the old one's term has run out (15 s). One process owns the
// data folder, so nothing can really be running now.
func (s *sqlite) prepare(ctx context.Context) error {
	const rescue = `UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0) WHERE state = 'running'`
	if _, err := s.db.ExecContext(ctx, rescue); err != nil {
		return fmt.Errorf("make interrupted jobs available: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `DELETE FROM river_leader`); err != nil {
		return fmt.Errorf("forget the last leader: %w", err)
	}
	return nil
}

func (s *sqlite) waiting(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, countWaiting).Scan(&n)
	return n, err
}

func (s *sqlite) backlog(ctx context.Context) (ready int64, oldest float64, leaders int64, err error) {
	err = s.db.QueryRowContext(ctx, askBacklogSQLite).Scan(&ready, &oldest, &leaders)
	return ready, oldest, leaders, err
}

func (s *sqlite) close() {} // the database is the store's
