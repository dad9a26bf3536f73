package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// claimFor is how long a claimed intent is left to whoever claimed it.
const claimFor = 10 * time.Minute

// givenUp says how files were given up.
type givenUp struct {
	reason   string // for the audit log
	due      caseload.EraseAt
	actor    string // a user's id; "": the system
	withCase bool   // the whole case went
	byRule   bool   // a clean-up chose it, and no person's own hand
}

// insertIntents writes one delete-intent for each file's object and unfinished upload. The files are as they were before
// they were given up: that decides when each is due, and whether it is trash, which waits to be released.
//
// A form that may still be posted has an intent of its own.
func (t *tx) insertIntents(ctx context.Context, files []caseload.File, how givenUp) error {
	for _, f := range files {
		if f.Form() && !f.State.Acknowledged() {
			if err := t.insertFormIntent(ctx, f, how.reason, how.due.Partial); err != nil {
				return err
			}
		}
	}
	if how.actor == "" {
		how.actor = caseload.SystemActor
	}
	return t.insertRows(ctx, `INSERT INTO intents
		(id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at, kept, with_case, actor, by_rule)`, "", len(files), 14,
		func(i int) []any {
			f := files[i]
			return []any{
				string(caseload.NewID[caseload.IntentID](t.now)), string(f.Organization), string(f.ID), string(f.Object),
				f.UploadID, f.VersionID, how.reason, "open", toMS(how.due.Of(f.State)), toMS(t.now),
				flag(f.State.Acknowledged()), flag(how.withCase), how.actor, flag(how.byRule || how.actor == caseload.SystemActor),
			}
		})
}

// insertFormIntent writes the delete-intent for what was, or may yet be, posted for a file as a form.
func (t *tx) insertFormIntent(ctx context.Context, f caseload.File, reason string, due time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO intents
		(id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
		VALUES ($1, $2, $3, $4, '', '', $5, 'open', $6, $7)`,
		string(caseload.NewID[caseload.IntentID](t.now)), string(f.Organization), string(f.ID), string(f.FormKey()),
		reason, toMS(due), toMS(t.now))
	return err
}

// ClaimIntent claims the longest-due delete-intent for ten minutes; trash only when it was released. From here on nothing
// brings the object back. An intent whose object a live file refers to is cancelled and the next one is looked at (I6). ok
// is false when none is due.
func (s *Store) ClaimIntent(ctx context.Context, now time.Time) (in caseload.Intent, ok bool, err error) {
	defer explain("claim a delete-intent", &err)
	for {
		cancelled := false
		err = s.write(ctx, func(t *tx) error {
			row := t.QueryRowContext(ctx, `SELECT id, organization_id, file_id, object, upload_id, version_id, reason, kept, final, marker FROM intents
				WHERE state = 'open' AND due_at <= $1 AND claimed_until <= $1 AND (kept = 0 OR released_at > 0) ORDER BY due_at, id LIMIT 1`+s.on(Postgres, ` FOR UPDATE SKIP LOCKED`), toMS(now))
			var kept, final int
			err := row.Scan(&in.ID, &in.Organization, &in.File, &in.Object, &in.UploadID, &in.VersionID, &in.Reason, &kept, &final, &in.Marker)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			var live string
			err = t.QueryRowContext(ctx, t.locked(`SELECT id FROM files
				WHERE object = $1 AND state IN ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected')`), string(in.Object)).Scan(&live)
			if err == nil {
				cancelled = true
				_, err = t.ExecContext(ctx, `UPDATE intents SET state = 'cancelled', finished_at = $2 WHERE id = $1`, string(in.ID), toMS(t.now))
				return err
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			ok, in.Kept, in.Final = true, kept == 1, final == 1
			_, err = t.ExecContext(ctx, `UPDATE intents SET claimed_until = $2 WHERE id = $1`, string(in.ID), toMS(now.Add(claimFor)))
			return err
		})
		if err != nil {
			return caseload.Intent{}, false, err
		}
		if !cancelled {
			break
		}
		s.log.Error("a delete-intent spoke of a live file's object; it was cancelled", "intent", string(in.ID), "file", string(in.File))
	}
	if !ok {
		return caseload.Intent{}, false, nil
	}
	return in, true, nil
}

// FinishIntent marks a claimed intent done and writes the ObjectErased event, which names the object and, where the bucket
// keeps versions, its version; once more is no error. Conflict when it
// was not claimed or was cancelled, NotFound when there is none.
func (s *Store) FinishIntent(ctx context.Context, id caseload.IntentID) (err error) {
	defer explain("finish a delete-intent", &err)
	return s.write(ctx, func(t *tx) error {
		var org caseload.OrganizationID
		var file caseload.FileID
		var state, reason, object, version string
		var claimed int64
		err := t.QueryRowContext(ctx, t.locked(`SELECT organization_id, file_id, state, claimed_until, reason, object, version_id FROM intents WHERE id = $1`), string(id)).
			Scan(&org, &file, &state, &claimed, &reason, &object, &version)
		if err != nil {
			return noRow(err, "delete-intent")
		}
		switch {
		case state == "done":
			return nil
		case state != "open" || claimed == 0:
			return conflict("The delete-intent is not claimed.")
		}
		if _, err := t.ExecContext(ctx, `UPDATE intents SET state = 'done', finished_at = $2 WHERE id = $1`, string(id), toMS(t.now)); err != nil {
			return err
		}
		var c caseload.CaseID
		if err := t.QueryRowContext(ctx, `SELECT case_id FROM files WHERE id = $1`, string(file)).Scan(&c); err != nil {
			return err
		}
		return t.record(ctx, org, newEvent("", caseload.ObjectErased, c, file, detail{"intent": id, "reason": reason, "object": object, "version": version}))
	})
}

// HideIntent writes that the object of a claimed delete-intent is hidden behind a delete marker, with the ObjectHidden event.
// From here on it can be restored again, until somebody claims it after until. Conflict when it is not claimed, was cancelled
// or is hidden already.
func (s *Store) HideIntent(ctx context.Context, id caseload.IntentID, marker string, until time.Time) (err error) {
	defer explain("hide an object", &err)
	return s.write(ctx, func(t *tx) error {
		var org caseload.OrganizationID
		var file caseload.FileID
		var c caseload.CaseID
		var object, version string
		err := t.QueryRowContext(ctx, `SELECT i.organization_id, i.file_id, f.case_id, i.object, i.version_id FROM intents i JOIN files f ON f.id = i.file_id WHERE i.id = $1`,
			string(id)).Scan(&org, &file, &c, &object, &version)
		if err != nil {
			return noRow(err, "delete-intent")
		}
		n, err := t.exec(ctx, `UPDATE intents SET hidden_at = $2, marker = $3, due_at = $4, claimed_until = 0
			WHERE id = $1 AND state = 'open' AND claimed_until > 0 AND hidden_at = 0`, string(id), toMS(t.now), marker, toMS(until))
		if err != nil {
			return err
		}
		if n != 1 {
			return conflict("The delete-intent is not claimed, or is hidden already.")
		}
		return t.record(ctx, org, newEvent("", caseload.ObjectHidden, c, file, detail{"intent": id, "object": object, "version": version, "marker": marker}))
	})
}

// ErasureDue tells whether any delete-intent is due at now, trash that was not released included.
func (s *Store) ErasureDue(ctx context.Context, now time.Time) (due bool, err error) {
	defer explain("look for due delete-intents", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM intents WHERE state = 'open' AND due_at <= $1)`, toMS(now)).Scan(&due)
	return due, err
}
