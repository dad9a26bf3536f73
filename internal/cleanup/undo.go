package cleanup

import (
	"context"
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
)

// Undone is what came back of a clean-up.
type Undone struct {
	Cases int // out of the trash, with their files
	Files int // that were let go: into the trash, for a window from now on
	Lost  int // cases and files that could not come back: erased, or somebody has moved them since
}

// Undoable tells whether anything of a plan may still come back: finished cases lie in the trash for its window, and what was
// let go out of the trash is there until it is erased, which a bucket that keeps versions puts off. Uploads that were given up had never been whole.
func (s *Service) Undoable(p caseload.CleanupPlan) bool {
	return p.State == caseload.PlanDone && p.UndoneAt.IsZero() && p.Count(caseload.ItemDone, caseload.ItemCase, caseload.ItemTrash) > 0 &&
		s.Now().Before(p.EndedAt.Add(s.Rules.TrashWindow))
}

// Undo takes back what a plan did: its cases come out of the trash, and files it let go for good go back into the trash, each
// as if alone. After a failure or a kill it goes on when asked again. Conflict when nothing of the plan can come back, NotFound
// when it is not the organization's, Forbidden for all but administrators.
func (s *Service) Undo(ctx context.Context, user caseload.User, id caseload.PlanID) (u Undone, p caseload.CleanupPlan, err error) {
	if !user.Role.CanAdminister() {
		return u, p, caseload.Errorf(caseload.Forbidden, "Only an administrator can undo a clean-up.")
	}
	if p, err = s.Records.Plan(ctx, user, id); err != nil {
		return u, p, err
	}
	if !s.Undoable(p) {
		return u, p, caseload.Errorf(caseload.Conflict, "Nothing of this clean-up can come back.").WithHint("Look into the trash.")
	}
	for after := 0; ; {
		items, err := s.Records.Items(ctx, id, after, itemsAtOnce)
		if err != nil {
			return u, p, err
		}
		if len(items) == 0 {
			break
		}
		for _, i := range items {
			after = i.N
			if i.State != caseload.ItemDone {
				continue
			}
			if err := s.undoItem(ctx, user, p, i, &u); err != nil {
				return u, p, fmt.Errorf("undo item %d: %w", i.N, err)
			}
		}
	}
	if u.Cases+u.Files == 0 {
		return u, p, caseload.Errorf(caseload.Conflict, "Nothing of this clean-up can come back any more.").WithHint("Look into the trash.")
	}
	p, err = s.Records.UndonePlan(ctx, user, id, u.Cases, u.Files)
	return u, p, err
}

// undoItem takes one item back. What cannot come back is counted, and stops nothing.
func (s *Service) undoItem(ctx context.Context, user caseload.User, p caseload.CleanupPlan, i caseload.CleanupItem, u *Undone) error {
	var err error
	switch i.Kind {
	case caseload.ItemCase:
		if err = s.undoCase(ctx, user, p, i.Case); err == nil {
			u.Cases++
		}
	case caseload.ItemTrash:
		if err = s.Uploads.ReturnToTrash(ctx, user, i.File); err == nil {
			u.Files++
		}
	default:
		return nil
	}
	switch caseload.KindOf(err) {
	case caseload.Gone, caseload.Conflict, caseload.NotFound:
		if err != nil {
			u.Lost++
		}
		return nil
	}
	return err
}

// undoCase brings back a case if it was this plan that deleted it.
func (s *Service) undoCase(ctx context.Context, user caseload.User, p caseload.CleanupPlan, id caseload.CaseID) error {
	at, err := s.Records.TrashedCaseAt(ctx, user, id)
	if err != nil {
		return err
	}
	if at.Before(p.ApprovedAt) || at.After(p.EndedAt) {
		return caseload.Errorf(caseload.Conflict, "Somebody has deleted this case since.")
	}
	_, _, err = s.Uploads.RestoreCase(ctx, user, id)
	return err
}
