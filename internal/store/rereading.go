package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Reindex says which files are to be read again, and how fast.
type Reindex struct {
	Case    caseload.CaseID // "": every case of the user's organization
	Current bool            // also those that this program's reader has read already
	Every   time.Duration   // one file is due this long after the one before; 0: all at once
}

// AskRereadings asks for the ready and rejected files to be read again and returns how many were not asked for before.
// What was asked for before and is not being read just now is due anew, at the new pace, and forgets why it failed: asking
// twice is asking once. One FilesReindex event when there are any. NotFound or Gone when the case is not there.
func (s *Store) AskRereadings(ctx context.Context, user caseload.User, ask Reindex) (added int, err error) {
	defer explain("ask for files to be read again", &err)
	err = s.write(ctx, func(t *tx) error {
		if ask.Case != "" {
			if _, err := s.caseOf(ctx, t, user, ask.Case); err != nil {
				return err
			}
		}
		n, err := t.exec(ctx, `INSERT INTO rereadings (file_id, organization_id, case_id, due_at)
			SELECT id, organization_id, case_id, $1 FROM files
			WHERE organization_id = $2 AND ($3 = '' OR case_id = $3) AND state IN ('ready', 'rejected') AND reader < $4
			ON CONFLICT (file_id) DO NOTHING`, toMS(t.now), string(user.Organization), string(ask.Case), readersBelow(ask.Current))
		if err != nil {
			return err
		}
		added = int(n)
		_, err = t.ExecContext(ctx, `UPDATE rereadings SET due_at = $1 + turn.n * $4, tries = 0, failed_at = 0, reason = ''
			FROM (SELECT file_id AS id, row_number() OVER (ORDER BY file_id) - 1 AS n FROM rereadings
				WHERE organization_id = $2 AND ($3 = '' OR case_id = $3) AND lease_until <= $1) AS turn
			WHERE rereadings.file_id = turn.id`, toMS(t.now), string(user.Organization), string(ask.Case), ask.Every.Milliseconds())
		if err != nil || added == 0 {
			return err
		}
		return t.record(ctx, user.Organization, newEvent(string(user.ID), caseload.FilesReindex, ask.Case, "",
			detail{"files": added, "current": ask.Current, "reader": caseload.ReaderVersion, "every_ms": ask.Every.Milliseconds()}))
	})
	if err != nil {
		return 0, err
	}
	return added, nil
}

// readersBelow is the version from which on a file's reader is good enough.
func readersBelow(current bool) int {
	if current {
		return caseload.ReaderVersion + 1
	}
	return caseload.ReaderVersion
}

// RereadingsLeft counts what has been asked for and still waits or is being read, and what failed: of one case of the
// user's organization, or of all.
func (s *Store) RereadingsLeft(ctx context.Context, user caseload.User, c caseload.CaseID) (left, failed int, err error) {
	defer explain("count what is to be read again", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(sum(CASE WHEN failed_at = 0 THEN 1 ELSE 0 END), 0), COALESCE(sum(CASE WHEN failed_at = 0 THEN 0 ELSE 1 END), 0)
		FROM rereadings WHERE organization_id = $1 AND ($2 = '' OR case_id = $2)`, string(user.Organization), string(c)).Scan(&left, &failed)
	return left, failed, err
}

// StartRereading takes the lease on the file whose turn has come, the one due longest, with its attempt one higher; Tries
// are those of being read again. NotFound when none is due. The file's state stays, and so does what was read of it.
func (s *Store) StartRereading(ctx context.Context, now, until time.Time) (f caseload.File, err error) {
	defer explain("start reading again", &err)
	none := false
	err = s.write(ctx, func(t *tx) error {
		for { // ends: every round takes a row away, loses it to another process, or returns
			var id caseload.FileID
			err := t.QueryRowContext(ctx, `SELECT file_id FROM rereadings WHERE failed_at = 0 AND due_at <= $1 AND lease_until <= $1
				ORDER BY due_at, file_id LIMIT 1`, toMS(now)).Scan(&id)
			if errors.Is(err, sql.ErrNoRows) {
				none = true
				return nil // what was removed on the way stays removed
			}
			if err != nil {
				return err
			}
			rows, err := t.lockFiles(ctx, []caseload.FileID{id})
			if err != nil {
				return err
			}
			f = rows[id]
			if f.State != caseload.Ready && f.State != caseload.Rejected {
				if _, err := t.ExecContext(ctx, `DELETE FROM rereadings WHERE file_id = $1`, string(id)); err != nil {
					return err
				}
				continue
			}
			f.Attempt++
			err = t.QueryRowContext(ctx, `UPDATE rereadings SET attempt = $3, tries = tries + 1, lease_until = $4
				WHERE file_id = $1 AND failed_at = 0 AND lease_until <= $2 RETURNING tries`,
				string(id), toMS(now), f.Attempt, toMS(until)).Scan(&f.Tries)
			if errors.Is(err, sql.ErrNoRows) {
				continue // another process was faster
			}
			if err != nil {
				return err
			}
			_, err = t.ExecContext(ctx, `UPDATE files SET attempt = $2 WHERE id = $1`, string(id), f.Attempt)
			return err
		}
	})
	if none && err == nil {
		err = notFound("file to be read again")
	}
	if err != nil {
		return caseload.File{}, err
	}
	return f, nil
}

// RenewRereading extends the lease, or ends it.
func (s *Store) RenewRereading(ctx context.Context, id caseload.FileID, attempt int, until time.Time) (err error) {
	defer explain("renew a lease", &err)
	return s.write(ctx, func(t *tx) error {
		return t.onRereading(ctx, `UPDATE rereadings SET lease_until = $3 WHERE file_id = $1 AND attempt = $2 AND failed_at = 0`,
			string(id), attempt, toMS(until))
	})
}

// ReleaseRereading ends the lease and gives the try back: an orderly stop.
func (s *Store) ReleaseRereading(ctx context.Context, id caseload.FileID, attempt int) (err error) {
	defer explain("release a file", &err)
	return s.write(ctx, func(t *tx) error {
		return t.onRereading(ctx, `UPDATE rereadings SET lease_until = $3, tries = tries - 1
			WHERE file_id = $1 AND attempt = $2 AND failed_at = 0 AND tries > 0`, string(id), attempt, toMS(t.now))
	})
}

// FailRereading ends the reading without a result: what was read before stands. The reason, in plain words and without
// patient text, is kept until the file is asked for again.
func (s *Store) FailRereading(ctx context.Context, id caseload.FileID, attempt int, reason string) (err error) {
	defer explain("give up reading again", &err)
	return s.write(ctx, func(t *tx) error {
		return t.onRereading(ctx, `UPDATE rereadings SET failed_at = $3, reason = $4, lease_until = 0
			WHERE file_id = $1 AND attempt = $2 AND failed_at = 0`, string(id), attempt, toMS(t.now), text(reason))
	})
}

// onRereading changes the row of one reading: Conflict when the attempt has no say any more.
func (t *tx) onRereading(ctx context.Context, statement string, args ...any) error {
	n, err := t.exec(ctx, statement, args...)
	if err == nil && n == 0 {
		err = conflict("The file is read again by another attempt or not at all.")
	}
	return err
}

// FinishRereading replaces everything that was read of the file before, in one transaction: whoever looks sees the old
// results until it commits and the new ones from then on. A rejected file that could be read is ready. One FileReindexed
// event. Conflict when another attempt has the say or the file was deleted.
func (s *Store) FinishRereading(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) (err error) {
	defer explain("replace what was read", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if err := t.onRereading(ctx, `DELETE FROM rereadings WHERE file_id = $1 AND attempt = $2 AND failed_at = 0`, string(id), attempt); err != nil {
				return nil, err
			}
			if f.State != caseload.Ready && f.State != caseload.Rejected || found.Kind == caseload.KindUnknown || len(r.SHA256) != 64 {
				return nil, conflict("The file is %s; there is nothing to replace.", f.State)
			}
			from, had, visible, ready := f.State, f.Reader, f.MetadataAt, f.ReadyAt
			if err := t.keepFound(ctx, f, found); err != nil {
				return nil, err
			}
			t.keepReceipt(f, r)
			f.State, f.Reason, f.Reader = caseload.Ready, "", caseload.ReaderVersion
			if !visible.IsZero() {
				f.MetadataAt = visible // people were told when the file became readable, and it did
			}
			if !ready.IsZero() {
				f.ReadyAt = ready
			}
			return moved("", caseload.FileReindexed, from, detail{
				"attempt": attempt, "kind": found.Kind, "instances": len(found.Found), "from_reader": had, "reader": f.Reader,
			}), nil
		})
		return err
	})
}
