package store

import (
	"context"
	"errors"
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
)

// errFell is an item's own refusal; it never leaves this file.
type errFell struct{ why string }

func (e errFell) Error() string { return "the item fell: " + e.why }

// CarryOut does one item of an approved plan, after looking again, under the locks of what it is about, whether the plan's
// rules still choose it; if they do not, it falls. due is when the objects of a case that goes may be erased. A stray is only
// claimed: whoever called throws its parts away and says FinishStray. An item that is done or fell is left alone. Unfinished
// uploads are not for this method (SettleItem). Conflict when the plan is not approved.
func (s *Store) CarryOut(ctx context.Context, p caseload.CleanupPlan, n int, due caseload.EraseAt) (i caseload.CleanupItem, err error) {
	defer explain("carry out a clean-up", &err)
	var fell errFell
	err = s.write(ctx, func(t *tx) error {
		if i, err = t.lockItem(ctx, p, n); err != nil || i.State != caseload.ItemWaiting {
			return err
		}
		switch i.Kind {
		case caseload.ItemTrash:
			err = t.releaseItem(ctx, i)
		case caseload.ItemAbandoned:
			err = t.removeAbandoned(ctx, p, i, due)
		case caseload.ItemCase:
			err = t.trashCase(ctx, p, i, due)
		case caseload.ItemStray:
			return t.claimStray(ctx, &i)
		default:
			return fmt.Errorf("item of kind %s", i.Kind)
		}
		if err != nil {
			return err // the transaction goes, and with it what the item had done so far
		}
		return t.settleItem(ctx, &i, caseload.ItemDone, "")
	})
	if errors.As(err, &fell) {
		i.State, i.Why = caseload.ItemFell, fell.why
		return i, s.SettleItem(ctx, p, n, fell.why)
	}
	return i, err
}

// SettleItem writes that an item is done, or with a reason that it fell. Once more changes nothing.
func (s *Store) SettleItem(ctx context.Context, p caseload.CleanupPlan, n int, why string) (err error) {
	defer explain("settle an item of a clean-up", &err)
	return s.write(ctx, func(t *tx) error {
		i, err := t.lockItem(ctx, p, n)
		if err != nil || i.State == caseload.ItemDone || i.State == caseload.ItemFell {
			return err
		}
		state := caseload.ItemDone
		if why != "" {
			state = caseload.ItemFell
		}
		return t.settleItem(ctx, &i, state, why)
	})
}

// FinishStray writes that a claimed stray's parts were thrown away, with its event. Once more changes nothing.
func (s *Store) FinishStray(ctx context.Context, p caseload.CleanupPlan, n int) (err error) {
	defer explain("finish a stray upload", &err)
	return s.write(ctx, func(t *tx) error {
		i, err := t.lockItem(ctx, p, n)
		if err != nil || i.State == caseload.ItemDone {
			return err
		}
		if i.State != caseload.ItemClaimed {
			return conflict("The upload is not claimed.")
		}
		if err := t.settleItem(ctx, &i, caseload.ItemDone, ""); err != nil {
			return err
		}
		return t.record(ctx, p.Organization, newEvent(p.ApprovedBy, caseload.PartsErased, "", "", detail{"plan": p.ID, "object": i.Object, "upload": i.UploadID}))
	})
}

// lockItem reads an item under lock, of a plan that is approved.
func (t *tx) lockItem(ctx context.Context, p caseload.CleanupPlan, n int) (i caseload.CleanupItem, err error) {
	var state caseload.PlanState
	if err := t.QueryRowContext(ctx, t.locked(`SELECT state FROM cleanup_plans WHERE id = $1 AND organization_id = $2`),
		string(p.ID), string(p.Organization)).Scan(&state); err != nil {
		return i, noRow(err, "clean-up plan")
	}
	if state != caseload.PlanApproved {
		return i, conflict("The plan is %s.", state)
	}
	err = t.QueryRowContext(ctx, `SELECT n, kind, case_id, file_id, object, upload_id, state, why FROM cleanup_items WHERE plan_id = $1 AND n = $2`, string(p.ID), n).
		Scan(&i.N, &i.Kind, &i.Case, &i.File, &i.Object, &i.UploadID, &i.State, &i.Why)
	i.Plan = p.ID
	return i, noRow(err, "item")
}

func (t *tx) settleItem(ctx context.Context, i *caseload.CleanupItem, state caseload.ItemState, why string) error {
	i.State, i.Why = state, why
	_, err := t.ExecContext(ctx, `UPDATE cleanup_items SET state = $3, why = $4 WHERE plan_id = $1 AND n = $2`, string(i.Plan), i.N, string(state), why)
	return err
}

// releaseItem lets the object of one file of the trash go, if it is still there and its window is over.
func (t *tx) releaseItem(ctx context.Context, i caseload.CleanupItem) error {
	n, err := t.exec(ctx, `UPDATE intents SET released_at = $2 WHERE file_id = $1 AND state = 'open' AND kept = 1 AND due_at <= $2
		AND EXISTS (SELECT 1 FROM files f WHERE f.id = intents.file_id AND f.state = 'deleted')`, string(i.File), toMS(t.now))
	if err == nil && n == 0 {
		return errFell{caseload.FellRestored}
	}
	return err
}

// removeAbandoned takes the row of a given-up upload out of sight, if nothing has happened to it since.
func (t *tx) removeAbandoned(ctx context.Context, p caseload.CleanupPlan, i caseload.CleanupItem, due caseload.EraseAt) error {
	_, err := t.deleteFile(ctx, i.File, givenUp{reason: "the clean-up removed an abandoned upload", due: due, actor: p.ApprovedBy, byRule: true}, detail{"plan": p.ID},
		func(f caseload.File) error {
			switch {
			case f.Organization != p.Organization:
				return errFell{caseload.FellGone}
			case f.State != caseload.Abandoned || f.ChangedAt.After(p.QuietSince):
				return errFell{caseload.FellChanged}
			}
			return nil
		})
	if kind := caseload.KindOf(err); kind == caseload.NotFound || kind == caseload.Gone {
		return errFell{caseload.FellGone}
	}
	return err
}

// trashCase puts a finished case into the trash, if it is still finished and nothing has happened in it since.
func (t *tx) trashCase(ctx context.Context, p caseload.CleanupPlan, i caseload.CleanupItem, due caseload.EraseAt) error {
	c, err := t.lockCase(ctx, caseload.User{Organization: p.Organization}, i.Case)
	if kind := caseload.KindOf(err); err != nil && (kind == caseload.NotFound || kind == caseload.Gone) {
		return errFell{caseload.FellGone}
	}
	if err != nil {
		return err
	}
	if p.FinishedSince.IsZero() || c.FinishedAt.IsZero() || c.FinishedAt.After(p.FinishedSince) || c.ChangedAt.After(p.FinishedSince) {
		return errFell{caseload.FellChanged}
	}
	var busy bool
	if err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM files WHERE case_id = $1 AND state IN ('planned', 'sending', 'stored', 'reading'))`, string(c.ID)).
		Scan(&busy); err != nil {
		return err
	}
	if busy {
		return errFell{caseload.FellBusy}
	}
	return t.deleteCase(ctx, c, givenUp{reason: "the clean-up moved a finished case", due: due, actor: p.ApprovedBy, withCase: true, byRule: true}, detail{"plan": p.ID})
}

// claimStray claims an upload of the store if still no row knows it. From here on no row comes to know it: the store gives
// every upload an id of its own, and this one is old.
func (t *tx) claimStray(ctx context.Context, i *caseload.CleanupItem) error {
	known, err := t.knowsUpload(ctx, i.Object, i.UploadID)
	if err != nil {
		return err
	}
	if known || !caseload.OwnKey(i.Object) {
		return errFell{caseload.FellKnown}
	}
	return t.settleItem(ctx, i, caseload.ItemClaimed, "")
}
