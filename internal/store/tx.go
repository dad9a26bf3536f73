package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
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

// maxParameters bounds the parameters of one multi-row statement on SQLite, which takes 32,766: small enough that one
// statement's text stays cheap to parse.
const maxParameters = 12_000

// insertRows inserts n rows in as few statements as the engines take. insert ends before VALUES, after follows the rows.
func (t *tx) insertRows(ctx context.Context, insert, after string, n, columns int, row func(i int) []any) error {
	if n == 0 {
		return nil
	}
	if t.store.engine == Postgres {
		return t.unnest(ctx, insert, after, n, columns, row)
	}
	batch := maxParameters / columns
	for from := 0; from < n; from += batch {
		to := min(from+batch, n)
		args := make([]any, 0, (to-from)*columns)
		for i := from; i < to; i++ {
			args = append(args, row(i)...)
		}
		if _, err := t.ExecContext(ctx, insert+" VALUES "+tuples(to-from, columns)+" "+after, args...); err != nil {
			return err
		}
	}
	return nil
}

// tuples writes (?, ?), (?, ?), …. A numbered parameter is looked up among all others while SQLite parses, which costs
// seconds for 12,000 of them.
func tuples(rows, columns int) string {
	tuple := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	return strings.TrimSuffix(strings.Repeat(tuple+", ", rows), ", ")
}

// unnest inserts n rows as one array a column: for PostgreSQL the text is then the same whatever n, prepared once on each
// connection, where 21,000 parameters of 1,000 rows took longer to parse than the rows to write.
func (t *tx) unnest(ctx context.Context, insert, after string, n, columns int, row func(i int) []any) error {
	arrays := make([]any, columns)
	for i := range n {
		for c, v := range row(i) {
			plain, err := driver.DefaultParameterConverter.ConvertValue(v)
			if err != nil {
				return fmt.Errorf("column %d: %w", c+1, err)
			}
			if arrays[c], err = appended(arrays[c], plain, n); err != nil {
				return fmt.Errorf("column %d: %w", c+1, err)
			}
		}
	}
	list := make([]string, columns)
	for c, array := range arrays {
		list[c] = fmt.Sprintf("$%d::%s", c+1, arrayType(array))
	}
	_, err := t.ExecContext(ctx, insert+" SELECT * FROM unnest("+strings.Join(list, ", ")+") "+after, arrays...)
	return err
}

// appended adds a value to an array of its type, which nil begins, with room for n.
func appended(array, value any, n int) (any, error) {
	switch v := value.(type) {
	case string:
		return grown(array, v, n)
	case int64:
		return grown(array, v, n)
	case float64:
		return grown(array, v, n)
	}
	return nil, fmt.Errorf("a %T cannot be in an array of rows", value)
}

func grown[T any](array any, value T, n int) (any, error) {
	if array == nil {
		return append(make([]T, 0, n), value), nil
	}
	list, same := array.([]T)
	if !same {
		return nil, fmt.Errorf("a %T among %T", value, array)
	}
	return append(list, value), nil
}

func arrayType(array any) string {
	switch array.(type) {
	case []int64:
		return "bigint[]"
	case []float64:
		return "double precision[]"
	}
	return "text[]"
}

// among writes that a column is one of the values, and returns the arguments, which follow the first `before` ones. On
// PostgreSQL they are one array, so that the text is the same for any number of them.
func among[T ~string](s *Store, of []T, before int) (condition string, args []any) {
	if s.engine == SQLite {
		return "IN (" + s.list(len(of), before) + ")", values(of)
	}
	plain := make([]string, len(of))
	for i, v := range of {
		plain[i] = string(v)
	}
	return fmt.Sprintf("= ANY($%d)", before+1), []any{plain}
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
