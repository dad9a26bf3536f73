package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// querier is what reads run on: the reading pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is one writing transaction, on a connection of its own so that the queue's hook can reach the driver underneath.
type tx struct {
	*sql.Tx
	store *Store
	conn  *sql.Conn
	now   time.Time // one moment for everything the transaction writes
}

// turnWithin is how long a change waits for a connection. Behind SQLite's one writer, which itself waits 5 s for a lock
// that another process holds, everybody in line would otherwise wait 5 s longer than the one before.
const turnWithin = 10 * time.Second

// write runs do in a transaction: committed when do returns nil, rolled back otherwise. Unavailable when its turn does
// not come in time.
func (s *Store) write(ctx context.Context, do func(t *tx) error) error {
	waiting, cancel := context.WithTimeout(ctx, turnWithin)
	conn, err := s.db.Conn(waiting)
	cancel()
	if err != nil && ctx.Err() == nil && waiting.Err() == context.DeadlineExceeded {
		return caseload.Errorf(caseload.Unavailable, "The database is busy with other changes.").WithHint("Try again in a moment.").WithCause(err)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer begun.Rollback() // no effect after Commit
	if err := do(&tx{Tx: begun, store: s, conn: conn, now: s.now().UTC().Truncate(time.Millisecond)}); err != nil {
		return err
	}
	return begun.Commit()
}

// A note is not worth waiting for, nor worth refusing a request: that somebody was here at this minute.
const (
	noteWithin = 250 * time.Millisecond // what a request spends on it
	mostNotes  = 8                      // being written at once; who comes on top is noted by his next request
)

// note writes in a transaction of its own that outlives the request. A failure is only logged: while the database cannot
// be written to, people can still look.
func (s *Store) note(ctx context.Context, do func(ctx context.Context, t *tx) error) {
	if s.notes.Add(1) > mostNotes {
		s.notes.Add(-1)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.notes.Add(-1)
		ctx := context.WithoutCancel(ctx)
		if err := s.write(ctx, func(t *tx) error { return do(ctx, t) }); err != nil {
			s.log.WarnContext(ctx, "the use of a session or token was not noted", "error", err)
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(noteWithin):
	}
}

// locked appends the engine's way to keep the rows of a SELECT until the transaction ends. SQLite's single writer
// needs none.
func (t *tx) locked(query string) string { return query + t.store.on(Postgres, " FOR UPDATE") }

// on returns text on that engine and "" on the other.
func (s *Store) on(engine, text string) string {
	if s.engine == engine {
		return text
	}
	return ""
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// maxParameters bounds the parameters of one multi-row statement: under SQLite's 32,766 and PostgreSQL's 65,535, and
// small enough that one statement's text stays cheap to parse.
const maxParameters = 12_000

// insertRows inserts n rows in as few statements as the engines take. insert ends before VALUES, after follows the rows.
func (t *tx) insertRows(ctx context.Context, insert, after string, n, columns int, row func(i int) []any) error {
	batch := maxParameters / columns
	for from := 0; from < n; from += batch {
		to := min(from+batch, n)
		args := make([]any, 0, (to-from)*columns)
		for i := from; i < to; i++ {
			args = append(args, row(i)...)
		}
		if _, err := t.ExecContext(ctx, insert+" VALUES "+t.store.tuples(to-from, columns)+" "+after, args...); err != nil {
			return err
		}
	}
	return nil
}

// tuples writes ($1, $2), ($3, $4), …. On SQLite it writes (?, ?), …: there a named parameter is looked up among all
// others while parsing, which costs seconds for 12,000 of them.
func (s *Store) tuples(rows, columns int) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + s.list(columns, i*columns) + ")")
	}
	return b.String()
}

// list writes n placeholders that follow the first `before` parameters.
func (s *Store) list(n, before int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.engine == SQLite {
			b.WriteByte('?')
		} else {
			fmt.Fprintf(&b, "$%d", before+i+1)
		}
	}
	return b.String()
}

// collect reads every row with scan and closes rows.
func collect[T any](rows *sql.Rows, err error, scan func(scan func(...any) error) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// values turns typed strings into arguments.
func values[T ~string](ids []T) []any {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	return args
}

// noRow turns "no row" into NotFound.
func noRow(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound(what)
	}
	return err
}

// toMS and fromMS are the database's times: milliseconds since 1970 UTC, 0 for the zero time.
func toMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text is s as both engines can keep it: valid UTF-8 without NUL (PostgreSQL refuses both, and headers can hold either).
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func texts(all []string) []string {
	kept := make([]string, len(all))
	for i, s := range all {
		kept[i] = text(s)
	}
	return kept
}

// askAgain enqueues the reading of those files that do not wait for it already, and returns of how many.
func (t *tx) askAgain(ctx context.Context, ids []caseload.FileID) (int, error) {
	if t.store.requeue == nil {
		return len(ids), t.ask(ctx, ids)
	}
	n, err := t.store.requeue(ctx, t.conn, t.Tx, ids)
	if err != nil {
		return 0, fmt.Errorf("enqueue lapsed readings: %w", err)
	}
	return n, nil
}

// ask enqueues the readings of files within the transaction.
func (t *tx) ask(ctx context.Context, ids []caseload.FileID) error {
	if len(ids) == 0 {
		return nil
	}
	if t.store.enqueue == nil {
		return errors.New("no queue is wired: call SetEnqueue first")
	}
	if err := t.store.enqueue(ctx, t.conn, t.Tx, ids); err != nil {
		return fmt.Errorf("enqueue the readings of %d files: %w", len(ids), err)
	}
	return nil
}
