package jobs

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// openTx is a pgx.Tx over a connection on which database/sql has already begun a transaction. Whoever began it ends it:
// Begin, Commit and Rollback are refused.
type openTx struct{ conn *pgx.Conn }

var errNotOurs = errors.New("jobs: the transaction belongs to the caller")

func (openTx) Begin(context.Context) (pgx.Tx, error) { return nil, errNotOurs }
func (openTx) Commit(context.Context) error          { return errNotOurs }
func (openTx) Rollback(context.Context) error        { return errNotOurs }

func (t openTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return t.conn.CopyFrom(ctx, table, columns, rows)
}

func (t openTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.conn.SendBatch(ctx, b)
}

func (t openTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

func (t openTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.conn.Prepare(ctx, name, sql)
}

func (t openTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.conn.Exec(ctx, sql, args...)
}

func (t openTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.conn.Query(ctx, sql, args...)
}

func (t openTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.conn.QueryRow(ctx, sql, args...)
}

func (t openTx) Conn() *pgx.Conn { return t.conn }
