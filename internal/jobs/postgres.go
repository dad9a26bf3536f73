package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// postgres drives River through a pool of its own; only inserts go through the caller's transaction.
type postgres struct {
	runner[pgx.Tx]
	pool *pgxpool.Pool
}

func newPostgres(url string, workers int, config *river.Config) (*postgres, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the PostgreSQL address cannot be read") // pgx would quote it, password and all
	}
	pc.MaxConns = int32(workers + 4)
	pc.MinConns = 0
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, err
	}
	r, err := newRunner(riverpgxv5.New(pool), config)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &postgres{runner: r, pool: pool}, nil
}

// insert reaches through database/sql to the connection under the caller's transaction (sql.Conn.Raw).
func (p *postgres) insert(ctx context.Context, conn *sql.Conn, _ *sql.Tx, all []river.InsertManyParams) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T, not one of pgx", driverConn)
		}
		_, err := p.client.InsertManyTx(ctx, openTx{c.Conn()}, all)
		return err
	})
}

// migrationLock is the advisory lock that lets one process migrate at a time.
var migrationLock = func() int64 {
	h := fnv.New64a()
	h.Write([]byte("caseload/jobs/migrate"))
	return int64(h.Sum64())
}()

func (p *postgres) migrate(ctx context.Context) error {
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if _, err := c.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return err
	}
	defer func() { _, _ = c.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock) }()
	return p.migrateUp(ctx)
}

func (*postgres) prepare(context.Context) error { return nil } // other processes may be at work; leases decide

func (p *postgres) waiting(ctx context.Context) (n int64, err error) {
	err = p.pool.QueryRow(ctx, countWaiting).Scan(&n)
	return n, err
}

func (p *postgres) backlog(ctx context.Context) (ready int64, oldest float64, leaders int64, err error) {
	err = p.pool.QueryRow(ctx, askBacklogPostgres).Scan(&ready, &oldest, &leaders)
	return ready, oldest, leaders, err
}

func (p *postgres) close() { p.pool.Close() }
