package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// MaxTrash is how many files, and how many cases, Trash tells of at most.
const MaxTrash = 500

// Trash returns what the user may have back (caseload.User.MayRestore): files that were deleted by themselves and cases,
// the newest first. A case without a kept file is told of while it was deleted after since.
func (s *Store) Trash(ctx context.Context, user caseload.User, since time.Time) (trash caseload.Trash, err error) {
	defer explain("list the trash", &err)
	if !user.Role.CanWrite() {
		return trash, nil
	}
	owner := ""
	if !user.Role.CanAdminister() {
		owner = string(user.ID)
	}
	if trash.Files, err = s.trashedFiles(ctx, s.reader, `i.organization_id = $1 AND i.with_case = 0 AND ($2 = '' OR c.created_by = $2)
		ORDER BY i.created_at DESC, i.id DESC LIMIT `+strconv.Itoa(MaxTrash+1), string(user.Organization), owner); err != nil {
		return trash, err
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+caseColumns+`, c.deleted_by, count(i.id), COALESCE(sum(f.size), 0), COALESCE(max(i.due_at), 0)
		FROM cases c
		LEFT JOIN intents i ON i.organization_id = c.organization_id AND i.state = 'open' AND i.kept = 1 AND i.with_case = 1 AND i.claimed_until = 0
			AND i.file_id IN (SELECT x.id FROM files x WHERE x.case_id = c.id)
		LEFT JOIN files f ON f.id = i.file_id
		WHERE c.organization_id = $1 AND c.deleted_at > 0 AND ($2 = '' OR c.created_by = $2)
		GROUP BY `+caseColumns+`, c.deleted_by HAVING count(i.id) > 0 OR c.deleted_at > $3
		ORDER BY c.deleted_at DESC, c.id DESC LIMIT `+strconv.Itoa(MaxTrash+1), string(user.Organization), owner, toMS(since))
	trash.Cases, err = collect(rows, err, scanTrashedCase)
	if err != nil {
		return trash, err
	}
	if len(trash.Files) > MaxTrash {
		trash.Files, trash.More = trash.Files[:MaxTrash], true
	}
	if len(trash.Cases) > MaxTrash {
		trash.Cases, trash.More = trash.Cases[:MaxTrash], true
	}
	return trash, nil
}

func scanTrashedCase(scan func(...any) error) (c caseload.TrashedCase, err error) {
	var until int64
	c.Case, err = scanCase(func(into ...any) error { return scan(append(into, &c.By, &c.Files, &c.Bytes, &until)...) })
	c.Until = fromMS(until)
	return c, err
}

// TrashedFiles returns what is in the trash of one case that the user may restore: its files deleted by themselves, or all
// that went with it when it is deleted. NotFound when the case is not the organization's, Forbidden when he may not.
func (s *Store) TrashedFiles(ctx context.Context, user caseload.User, id caseload.CaseID) (files []caseload.Trashed, err error) {
	defer explain("list a case's trash", &err)
	c, err := s.caseOf(ctx, s.reader, user, id)
	if err != nil && caseload.KindOf(err) != caseload.Gone {
		return nil, err
	}
	if !user.MayRestore(c.CreatedBy) {
		return nil, mayNotRestore()
	}
	return s.trashedFiles(ctx, s.reader, `f.case_id = $1 AND i.with_case = $2 ORDER BY f.id`, string(id), flag(!c.DeletedAt.IsZero()))
}

// TrashedFile returns one deleted file of the user's organization that he may restore. NotFound, Forbidden as above;
// Conflict when it is not deleted, Gone when its object is kept no longer.
func (s *Store) TrashedFile(ctx context.Context, user caseload.User, id caseload.FileID) (f caseload.Trashed, err error) {
	defer explain("read a file of the trash", &err)
	row, err := s.fileOf(ctx, s.reader, user, id)
	if err == nil {
		return f, notInTrash()
	}
	if caseload.KindOf(err) != caseload.Gone {
		return f, err
	}
	c, err := s.caseOf(ctx, s.reader, user, row.Case)
	if err != nil && caseload.KindOf(err) != caseload.Gone {
		return f, err
	}
	if !user.MayRestore(c.CreatedBy) {
		return f, mayNotRestore()
	}
	found, err := s.trashedFiles(ctx, s.reader, `f.id = $1`, string(id))
	if err != nil {
		return f, err
	}
	if len(found) == 0 {
		return f, erased()
	}
	return found[0], nil
}

// trashedFiles reads files of which an open delete-intent keeps the object.
func (s *Store) trashedFiles(ctx context.Context, q querier, where string, args ...any) ([]caseload.Trashed, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+fileColumns+`, i.id, c.number, c.patient, i.with_case, i.actor, i.created_at, i.due_at, i.released_at, i.claimed_until, i.hidden_at,
			EXISTS (SELECT 1 FROM files o WHERE o.case_id = f.case_id AND o.name = f.name AND o.path = f.path AND o.state NOT IN ('deleted', 'abandoned'))
		FROM intents i JOIN files f ON f.id = i.file_id AND f.object = i.object JOIN cases c ON c.id = f.case_id
		WHERE i.state = 'open' AND i.kept = 1 AND f.state = 'deleted' AND `+where, args...)
	return collect(rows, err, func(scan func(...any) error) (t caseload.Trashed, err error) {
		var withCase, at, until, released, claimed, hidden int64
		t.File, err = scanFile(func(into ...any) error {
			return scan(append(into, &t.Intent, &t.Number, &t.Patient, &withCase, &t.By, &at, &until, &released, &claimed, &hidden, &t.SameName)...)
		})
		t.WithCase, t.At, t.Until, t.Released, t.Claimed, t.Hidden = withCase == 1, fromMS(at), fromMS(until), released > 0, claimed > 0, hidden > 0
		return t, err
	})
}

func mayNotRestore() error {
	return caseload.Errorf(caseload.Forbidden, "You cannot bring this back.").WithHint("An administrator, or whoever opened the case, can.")
}

func notInTrash() error { return conflict("This file is not in the trash.") }

func erased() error { return caseload.Errorf(caseload.Gone, "This file was erased for good.") }

// RestoreFile takes a deleted file out of the trash: it is stored again, and read anew. Its place among versions is that of
// the moment it was received. Whoever calls has seen its object in the store. NotFound when it is not the organization's,
// Forbidden when the user may not, Conflict when it is not in the trash, its case is deleted or it is being erased, Gone
// when its object was erased.
func (s *Store) RestoreFile(ctx context.Context, user caseload.User, id caseload.FileID) (f caseload.File, err error) {
	defer explain("restore a file", &err)
	err = s.write(ctx, func(t *tx) error {
		if f, err = s.fileOf(ctx, t, user, id); err == nil {
			return notInTrash()
		} else if caseload.KindOf(err) != caseload.Gone {
			return err
		}
		c, err := t.lockCase(ctx, user, f.Case)
		switch {
		case caseload.KindOf(err) == caseload.Gone:
			return conflict("The case of this file is in the trash, too.").WithHint("Restore the case; its files come back with it.")
		case err != nil:
			return err
		case !user.MayRestore(c.CreatedBy):
			return mayNotRestore()
		}
		back, err := t.restoreFiles(ctx, user, []caseload.FileID{id})
		if err != nil {
			return err
		}
		f = back[0]
		return t.touchCase(ctx, c.ID)
	})
	return f, err
}

// RestoreCase takes a deleted case out of the trash with those of the files that went with it, each as by RestoreFile. Files
// that were deleted before stay deleted. A case that was finished is open again. Errors as above; one file that cannot come
// back refuses all.
func (s *Store) RestoreCase(ctx context.Context, user caseload.User, id caseload.CaseID, files []caseload.FileID) (err error) {
	defer explain("restore a case", &err)
	return s.write(ctx, func(t *tx) error {
		c, err := t.lockCase(ctx, user, id)
		switch {
		case err == nil:
			return conflict("This case is not in the trash.")
		case caseload.KindOf(err) != caseload.Gone:
			return err
		case !user.MayRestore(c.CreatedBy):
			return mayNotRestore()
		}
		if _, err := t.ExecContext(ctx, `UPDATE cases SET deleted_at = 0, deleted_by = '', finished_at = 0 WHERE id = $1`, string(id)); err != nil {
			return err
		}
		if err := t.touchCase(ctx, id); err != nil {
			return err
		}
		if err := t.rewriteTerms(ctx, c); err != nil {
			return err
		}
		back, err := t.restoreFiles(ctx, user, files)
		if err != nil {
			return err
		}
		for _, f := range back {
			if f.Case != id {
				return conflict("A file is of another case.")
			}
		}
		return t.record(ctx, c.Organization, newEvent(string(user.ID), caseload.CaseRestored, id, "", detail{"files": len(back)}))
	})
}

// restoreFiles moves files from deleted to stored, each with the cancelling of its delete-intent under that intent's lock:
// whoever has claimed it may be erasing the object at this moment, or have done so. It is the only move against the table of
// caseload.CanMove, and no other statement makes it. The case's lock is held.
func (t *tx) restoreFiles(ctx context.Context, user caseload.User, ids []caseload.FileID) ([]caseload.File, error) {
	rows, err := t.lockFiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	back := make([]caseload.File, 0, len(ids))
	var events []caseload.Event
	for _, id := range ids {
		f, found := rows[id]
		if !found || f.Organization != user.Organization {
			return nil, notFound("file")
		}
		if f.State != caseload.Deleted {
			return nil, notInTrash()
		}
		intent, err := t.keepObject(ctx, f)
		if err != nil {
			return nil, err
		}
		n, err := t.exec(ctx, `UPDATE files SET state = 'stored', reason = '', deadline = $3, tries = 0, owner = '', reading_until = 0, changed_at = $4
			WHERE id = $1 AND state = 'deleted' AND attempt = $2`, string(id), f.Attempt, toMS(t.now.Add(queueWithin)), toMS(t.now))
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, conflict("The file was changed by someone else meanwhile.").WithHint("Look again, then try again.")
		}
		f.State, f.Reason = caseload.Stored, ""
		events = append(events, newEvent(string(user.ID), caseload.FileRestored, f.Case, id, detail{"intent": intent, "from": caseload.Deleted}))
		back = append(back, f)
	}
	if err := t.record(ctx, user.Organization, events...); err != nil {
		return nil, err
	}
	for _, f := range back {
		if err := t.sortFamily(ctx, f, string(user.ID)); err != nil {
			return nil, err
		}
	}
	return back, t.ask(ctx, ids)
}

// keepObject cancels the delete-intent that stands over a deleted file's object.
func (t *tx) keepObject(ctx context.Context, f caseload.File) (id caseload.IntentID, err error) {
	var claimed int64
	err = t.QueryRowContext(ctx, t.locked(`SELECT id, claimed_until FROM intents
		WHERE file_id = $1 AND object = $2 AND kept = 1 AND state = 'open'`), string(f.ID), string(f.Object)).Scan(&id, &claimed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", erased()
	case err != nil:
		return "", err
	case claimed > 0:
		return "", conflict("This file is being erased.").WithHint("It cannot come back any more.")
	}
	n, err := t.exec(ctx, `UPDATE intents SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state = 'open' AND claimed_until = 0`, string(id), toMS(t.now))
	if err == nil && n != 1 {
		err = conflict("This file is being erased.")
	}
	return id, err
}

// PurgeFile lets a deleted file's object go now: at the next sweep, but never within caseload.LateWrites of its deletion. It
// answers when. Forbidden for all but administrators; otherwise like RestoreFile.
func (s *Store) PurgeFile(ctx context.Context, user caseload.User, id caseload.FileID) (at time.Time, err error) {
	defer explain("purge a file", &err)
	err = s.write(ctx, func(t *tx) error {
		f, err := s.fileOf(ctx, t, user, id)
		if err == nil {
			return notInTrash()
		}
		if caseload.KindOf(err) != caseload.Gone {
			return err
		}
		at, err = t.purge(ctx, user, f.Case, []caseload.FileID{id})
		return err
	})
	return at, err
}

// PurgeCase is PurgeFile for everything that went with a deleted case.
func (s *Store) PurgeCase(ctx context.Context, user caseload.User, id caseload.CaseID) (at time.Time, err error) {
	defer explain("purge a case", &err)
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.lockCase(ctx, user, id); err == nil {
			return conflict("This case is not in the trash.")
		} else if caseload.KindOf(err) != caseload.Gone {
			return err
		}
		found, err := s.trashedFiles(ctx, t, `f.case_id = $1 ORDER BY f.id`, string(id))
		if err != nil {
			return err
		}
		var ids []caseload.FileID
		for _, f := range found {
			ids = append(ids, f.ID)
		}
		if len(ids) == 0 {
			return erased()
		}
		at, err = t.purge(ctx, user, id, ids)
		return err
	})
	return at, err
}

func (t *tx) purge(ctx context.Context, user caseload.User, c caseload.CaseID, ids []caseload.FileID) (at time.Time, err error) {
	if !user.Role.CanAdminister() {
		return at, caseload.Errorf(caseload.Forbidden, "Only an administrator can erase for good before the time.")
	}
	var events []caseload.Event
	for _, id := range ids {
		var intent string
		var created, due int64
		err := t.QueryRowContext(ctx, t.locked(`SELECT id, created_at, due_at FROM intents WHERE file_id = $1 AND kept = 1 AND state = 'open'`), string(id)).
			Scan(&intent, &created, &due)
		if errors.Is(err, sql.ErrNoRows) {
			return at, erased()
		}
		if err != nil {
			return at, err
		}
		due = min(due, max(toMS(t.now), toMS(fromMS(created).Add(caseload.LateWrites))))
		if _, err := t.ExecContext(ctx, `UPDATE intents SET due_at = $2, released_at = $3, final = 1 WHERE id = $1 AND state = 'open'`, intent, due, toMS(t.now)); err != nil {
			return at, err
		}
		if at.Before(fromMS(due)) {
			at = fromMS(due)
		}
		events = append(events, newEvent(string(user.ID), caseload.FilePurged, c, id, detail{"intent": intent}))
	}
	return at, t.record(ctx, user.Organization, events...)
}

// DueTrash returns for each organization what of its trash is past its window and not released.
func (s *Store) DueTrash(ctx context.Context, now time.Time) (due map[caseload.OrganizationID]caseload.DueTrash, err error) {
	defer explain("count due trash", &err)
	due = map[caseload.OrganizationID]caseload.DueTrash{}
	rows, err := s.reader.QueryContext(ctx, `SELECT i.organization_id, count(*), sum(f.size), sum(i.by_rule), sum(f.size * i.by_rule),
			count(DISTINCT CASE WHEN i.by_rule = 1 THEN NULL WHEN i.with_case = 1 THEN f.case_id ELSE f.id END)
		FROM intents i JOIN files f ON f.id = i.file_id
		WHERE i.state = 'open' AND i.kept = 1 AND i.released_at = 0 AND i.due_at <= $1 GROUP BY i.organization_id`, toMS(now))
	type line struct {
		org caseload.OrganizationID
		caseload.DueTrash
	}
	lines, err := collect(rows, err, func(scan func(...any) error) (l line, err error) {
		return l, scan(&l.org, &l.All.Objects, &l.All.Bytes, &l.Rules.Objects, &l.Rules.Bytes, &l.Deeds)
	})
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if l.Whole, err = s.everything(ctx, s.reader, l.org); err != nil {
			return nil, err
		}
		due[l.org] = l.DueTrash
	}
	return due, nil
}

// everything counts what the store keeps of an organization: received files, those in the trash included.
func (s *Store) everything(ctx context.Context, q querier, org caseload.OrganizationID) (all caseload.Tally, err error) {
	for _, query := range []string{
		`SELECT count(*), COALESCE(sum(size), 0) FROM files WHERE organization_id = $1 AND state IN ('stored', 'reading', 'ready', 'rejected')`,
		`SELECT count(*), COALESCE(sum(f.size), 0) FROM intents i JOIN files f ON f.id = i.file_id
			WHERE i.organization_id = $1 AND i.state = 'open' AND i.kept = 1`,
	} {
		var t caseload.Tally
		if err := q.QueryRowContext(ctx, query, string(org)).Scan(&t.Objects, &t.Bytes); err != nil {
			return all, err
		}
		all = all.Add(t)
	}
	return all, nil
}

// ReleaseTrash lets the organization's trash that is past its window go, and returns how many files that are.
func (s *Store) ReleaseTrash(ctx context.Context, org caseload.OrganizationID, now time.Time) (n int64, err error) {
	defer explain("release trash", &err)
	err = s.write(ctx, func(t *tx) error {
		n, err = t.exec(ctx, `UPDATE intents SET released_at = $2 WHERE organization_id = $1 AND state = 'open' AND kept = 1 AND released_at = 0 AND due_at <= $3`,
			string(org), toMS(t.now), toMS(now))
		return err
	})
	return n, err
}

// FinishCase says that the work on a case is finished, or that it is not. Once more is no error. NotFound or Gone like Case.
func (s *Store) FinishCase(ctx context.Context, user caseload.User, id caseload.CaseID, finished bool) (err error) {
	defer explain("finish a case", &err)
	return s.write(ctx, func(t *tx) error {
		c, err := t.lockCase(ctx, user, id)
		if err != nil || finished == !c.FinishedAt.IsZero() {
			return err
		}
		return t.setFinished(ctx, c, string(user.ID), finished)
	})
}

// setFinished writes whether a case is finished; its lock is held.
func (t *tx) setFinished(ctx context.Context, c caseload.Case, actor string, finished bool) error {
	at, action := time.Time{}, caseload.CaseReopened
	if finished {
		at, action = t.now, caseload.CaseFinished
	}
	if _, err := t.ExecContext(ctx, `UPDATE cases SET finished_at = $2 WHERE id = $1`, string(c.ID), toMS(at)); err != nil {
		return err
	}
	if err := t.touchCase(ctx, c.ID); err != nil {
		return err
	}
	return t.record(ctx, c.Organization, newEvent(actor, action, c.ID, "", nil))
}
