package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// TrashedCaseAt returns when a case that is in the trash was deleted. NotFound when it is not the organization's, Conflict when
// it is not deleted.
func (s *Store) TrashedCaseAt(ctx context.Context, user caseload.User, id caseload.CaseID) (at time.Time, err error) {
	defer explain("look when a case was deleted", &err)
	c, err := s.caseOf(ctx, s.reader, user, id)
	switch {
	case err == nil:
		return at, conflict("This case is not in the trash.")
	case caseload.KindOf(err) != caseload.Gone:
		return at, err
	}
	return c.DeletedAt, nil
}

// ReturnToTrash takes a deleted file whose object was released back into the trash, until the moment given. One that was not
// released is left as it is. Forbidden for all but administrators; Conflict when it is not deleted or is being erased, Gone
// when it was erased, NotFound when it is not the organization's.
func (s *Store) ReturnToTrash(ctx context.Context, user caseload.User, id caseload.FileID, until time.Time) (err error) {
	defer explain("take a file back into the trash", &err)
	return s.write(ctx, func(t *tx) error {
		f, err := s.fileOf(ctx, t, user, id)
		switch {
		case err == nil:
			return notInTrash()
		case caseload.KindOf(err) != caseload.Gone:
			return err
		case !user.Role.CanAdminister():
			return caseload.Errorf(caseload.Forbidden, "Only an administrator can undo a clean-up.")
		}
		var intent string
		var claimed, released int64
		err = t.QueryRowContext(ctx, t.locked(`SELECT id, claimed_until, released_at FROM intents WHERE file_id = $1 AND object = $2 AND kept = 1 AND state = 'open'`),
			string(id), string(f.Object)).Scan(&intent, &claimed, &released)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return erased()
		case err != nil:
			return err
		case claimed > 0:
			return conflict("This file is being erased.")
		case released == 0:
			return nil
		}
		if _, err := t.ExecContext(ctx, `UPDATE intents SET released_at = 0, final = 0, hidden_at = 0, marker = '', due_at = $2 WHERE id = $1`, intent, toMS(until)); err != nil {
			return err
		}
		return t.record(ctx, f.Organization, newEvent(string(user.ID), caseload.FileReturned, f.Case, id, detail{"intent": intent}))
	})
}

// UndonePlan writes that a person took back what a plan had done, and how many cases and files came back. Once more changes
// nothing. NotFound when it is not the organization's, Conflict when it was not carried out, Forbidden for all but
// administrators.
func (s *Store) UndonePlan(ctx context.Context, user caseload.User, id caseload.PlanID, cases, files int) (p caseload.CleanupPlan, err error) {
	defer explain("undo a clean-up", &err)
	err = s.write(ctx, func(t *tx) error {
		p, err := t.lockPlan(ctx, user.Organization, id)
		switch {
		case err != nil:
			return err
		case !user.Role.CanAdminister():
			return caseload.Errorf(caseload.Forbidden, "Only an administrator can undo a clean-up.")
		case p.State != caseload.PlanDone:
			return conflict("This plan is %s.", p.State)
		case !p.UndoneAt.IsZero():
			return nil
		}
		if _, err := t.ExecContext(ctx, `UPDATE cleanup_plans SET undone_at = $2, undone_by = $3 WHERE id = $1`, string(id), toMS(t.now), string(user.ID)); err != nil {
			return err
		}
		return t.record(ctx, p.Organization, newEvent(string(user.ID), caseload.CleanupUndone, "", "", detail{"plan": id, "cases": cases, "files": files}))
	})
	if err != nil {
		return p, err
	}
	return s.Plan(ctx, user, id)
}
