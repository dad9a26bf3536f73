package store

import (
	"context"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// SQLite compiles a statement's text each time it is carried out, which for our short statements costs more than
// carrying them out. PostgreSQL's driver keeps what is compiled with the connection; this does the same for SQLite, below
// database/sql, so that the queue's statements profit too.

// keepStatements is how many statements a connection keeps, keepText how long their text may be: multi-row inserts come
// in too many lengths to be worth it.
const (
	keepStatements = 256
	keepText       = 4 << 10
)

// sqliteConnector opens connections that keep their compiled statements.
type sqliteConnector struct{ dsn string }

func (c sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(sqliteConn)
	if !ok {
		_ = opened.Close()
		return nil, errors.New("store: the SQLite driver has changed; keepingConn must be looked at")
	}
	return &keepingConn{sqliteConn: conn, kept: map[string]*keptStatement{}}, nil
}

// sqliteConn is what modernc.org/sqlite's connections can do and database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn is a connection with its compiled statements. database/sql lets one goroutine at a time use it.
type keepingConn struct {
	sqliteConn
	kept map[string]*keptStatement
}

type sqliteStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keptStatement is one compiled statement; while its rows are being read it cannot be used for others.
type keptStatement struct {
	sqliteStatement
	busy bool
}

// statement returns the compiled statement of the text; nil when it is to be carried out without.
func (c *keepingConn) statement(ctx context.Context, query string) (*keptStatement, error) {
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(query) > keepText || len(c.kept) >= keepStatements {
		return nil, nil
	}
	compiled, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := compiled.(sqliteStatement)
	if !ok {
		return nil, compiled.Close()
	}
	c.kept[query] = &keptStatement{sqliteStatement: s}
	return c.kept[query], nil
}

// ExecContext implements driver.ExecerContext.
func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 { // schema changes and scripts come without arguments, and once
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows, s}, nil
}

// keptRows frees the statement when they are closed.
type keptRows struct {
	driver.Rows
	statement *keptStatement
}

func (r *keptRows) Close() error {
	err := r.Rows.Close()
	r.statement.busy = false
	return err
}

// Close ends the statements, then the connection.
func (c *keepingConn) Close() error {
	var failures []error
	for _, s := range c.kept {
		failures = append(failures, s.Close())
	}
	return errors.Join(append(failures, c.sqliteConn.Close())...)
}
