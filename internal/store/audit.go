package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"dcdentals.com/caseload/internal/caseload"
)

// EventQuery asks for part of an organization's audit log, the newest event first.
type EventQuery struct {
	Case   caseload.CaseID // "": any
	File   caseload.FileID // "": any
	Limit  int             // 50 when not positive, at most 500
	Before int64           // only events with a smaller Seq; 0: from the newest
}

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Events   int64  // verified in order, from the first
	Head     string // hash of the last one verified; keep it elsewhere to prove later that nothing was cut off
	BrokenAt int64  // Seq of the first event that is missing or not what was written; 0: none
}

// detail is the body of an event: ids, numbers and states, no patient text.
type detail map[string]any

// newEvent makes an event about a case or a file of it.
func newEvent(actor string, action caseload.Action, c caseload.CaseID, f caseload.FileID, d detail) caseload.Event {
	body := "{}"
	if len(d) > 0 {
		encoded, err := json.Marshal(d) // keys in order
		if err != nil {
			panic("store: an event's detail cannot be encoded: " + err.Error()) // numbers and strings always can
		}
		body = string(encoded)
	}
	if actor == "" {
		actor = caseload.SystemActor
	}
	return caseload.Event{Actor: actor, Action: action, Case: c, File: f, Detail: body}
}

// record appends events to the organization's log. It takes the lock on the log's head, which orders all changes of an
// organization: call it last.
func (t *tx) record(ctx context.Context, org caseload.OrganizationID, events ...caseload.Event) error {
	var seq int64
	var hash string
	err := t.QueryRowContext(ctx, t.locked(`SELECT seq, hash FROM audit_heads WHERE organization_id = $1`), string(org)).
		Scan(&seq, &hash)
	if err != nil {
		return fmt.Errorf("audit head: %w", err)
	}
	for i := range events {
		e := &events[i]
		seq++
		e.Organization, e.Seq, e.At = org, seq, fromMS(toMS(t.now))
		e.Hash = chain(hash, *e)
		hash = e.Hash
	}
	err = t.insertRows(ctx, `INSERT INTO events
		(organization_id, seq, at, actor, action, case_id, file_id, detail, hash)`, "", len(events), 9,
		func(i int) []any {
			e := events[i]
			return []any{string(org), e.Seq, toMS(e.At), e.Actor, string(e.Action), string(e.Case), string(e.File), e.Detail, e.Hash}
		})
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE audit_heads SET seq = $2, hash = $3 WHERE organization_id = $1`, string(org), seq, hash)
	return err
}

// chain returns the hash of an event: SHA-256 over the previous event's hash ("" before the first) and the event's
// fields in the order below, each written as its length in bytes in decimal, a colon, and its bytes. Times are
// milliseconds since 1970 UTC, numbers decimal. Lower-case hex.
func chain(previous string, e caseload.Event) string {
	sum := sha256.New()
	for _, field := range []string{
		previous, string(e.Organization), strconv.FormatInt(e.Seq, 10), strconv.FormatInt(toMS(e.At), 10),
		e.Actor, string(e.Action), string(e.Case), string(e.File), e.Detail,
	} {
		sum.Write([]byte(strconv.Itoa(len(field)) + ":" + field)) // a hash never fails to write
	}
	return hex.EncodeToString(sum.Sum(nil))
}

const eventColumns = `organization_id, seq, at, actor, action, case_id, file_id, detail, hash`

func scanEvent(scan func(...any) error) (e caseload.Event, err error) {
	var at int64
	err = scan(&e.Organization, &e.Seq, &at, &e.Actor, &e.Action, &e.Case, &e.File, &e.Detail, &e.Hash)
	e.At = fromMS(at)
	return e, err
}

// Events returns events of the user's organization, the newest first. The log outlives what it tells of: a deleted
// case's or file's events are still there. NotFound when the case or file is not the organization's.
func (s *Store) Events(ctx context.Context, user caseload.User, q EventQuery) (events []caseload.Event, err error) {
	defer explain("read the audit log", &err)
	if q.Case != "" {
		if _, err := s.caseOf(ctx, s.reader, user, q.Case); err != nil && caseload.KindOf(err) != caseload.Gone {
			return nil, err
		}
	}
	if q.File != "" {
		if _, err := s.fileOf(ctx, s.reader, user, q.File); err != nil && caseload.KindOf(err) != caseload.Gone {
			return nil, err
		}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	query := `SELECT ` + eventColumns + ` FROM events WHERE organization_id = $1`
	args := []any{string(user.Organization)}
	for _, part := range []struct {
		wanted bool
		where  string
		value  any
	}{
		{q.Case != "", ` AND case_id <> '' AND case_id = `, string(q.Case)},
		{q.File != "", ` AND file_id <> '' AND file_id = `, string(q.File)},
		{q.Before > 0, ` AND seq < `, q.Before},
	} {
		if part.wanted {
			args = append(args, part.value)
			query += part.where + "$" + strconv.Itoa(len(args))
		}
	}
	args = append(args, min(limit, 500))
	query += ` ORDER BY seq DESC LIMIT $` + strconv.Itoa(len(args))
	rows, err := s.reader.QueryContext(ctx, query, args...)
	return collect(rows, err, scanEvent)
}

// VerifyAudit walks the organization's log from its first event, in constant memory, and names the first one that is
// missing or is not what was written. NotFound when there is no such organization.
func (s *Store) VerifyAudit(ctx context.Context, org caseload.OrganizationID) (report AuditReport, err error) {
	defer explain("verify the audit log", &err)
	snapshot, err := s.reader.BeginTx(ctx, s.snapshotOptions())
	if err != nil {
		return report, err
	}
	defer snapshot.Rollback() // it has written nothing
	var last int64
	var head string
	err = snapshot.QueryRowContext(ctx, `SELECT seq, hash FROM audit_heads WHERE organization_id = $1`, string(org)).Scan(&last, &head)
	if errors.Is(err, sql.ErrNoRows) {
		return report, notFound("organization")
	}
	if err != nil {
		return report, err
	}
	rows, err := snapshot.QueryContext(ctx, `SELECT `+eventColumns+` FROM events WHERE organization_id = $1 ORDER BY seq`, string(org))
	if err != nil {
		return report, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvent(rows.Scan)
		if err != nil {
			return report, err
		}
		if e.Seq != report.Events+1 || e.Hash != chain(report.Head, e) {
			report.BrokenAt = report.Events + 1
			return report, nil
		}
		report.Events, report.Head = e.Seq, e.Hash
	}
	if err := rows.Err(); err != nil {
		return report, err
	}
	if report.Events < last {
		report.BrokenAt = report.Events + 1
	} else if report.Events > last || report.Head != head {
		report.BrokenAt = report.Events
	}
	return report, nil
}

func (s *Store) snapshotOptions() *sql.TxOptions {
	if s.engine == SQLite {
		return nil // a read transaction is a snapshot
	}
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}
