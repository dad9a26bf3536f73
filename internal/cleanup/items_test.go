package cleanup_test

import (
	"context"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// allItems are the items of a plan.
func (r *rig) allItems(p caseload.CleanupPlan) []caseload.CleanupItem {
	r.t.Helper()
	items, err := r.records.Items(context.Background(), p.ID, 0, 100)
	r.must(err)
	return items
}

// count is the number that a query answers.
func (r *rig) count(query string, args ...any) (n int) {
	r.t.Helper()
	r.must(r.records.DB().QueryRowContext(context.Background(), query, args...).Scan(&n))
	return n
}

// Without a word for the plan none of its items is touched, whoever asks for it, and by what call.
func TestNoItemIsTouchedOfAPlanThatIsNotApproved(t *testing.T) {
	for name, bring := range map[string]func(r *rig, p caseload.CleanupPlan){
		"it waits":          func(*rig, caseload.CleanupPlan) {},
		"somebody said no":  func(r *rig, p caseload.CleanupPlan) { r.must(r.cleaner.Dismiss(t.Context(), r.admin, p.ID)) },
		"it has been ended": func(r *rig, p caseload.CleanupPlan) { r.yes(p); r.end(p) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			ctx := t.Context()
			h := r.furnish(0)
			p, err := r.cleaner.Plan(ctx, r.admin, 0)
			r.must(err)
			bring(r, p)
			for _, i := range r.allItems(p) {
				_, carried := r.records.CarryOut(ctx, p, i.N, r.EraseAt())
				for call, err := range map[string]error{"CarryOut": carried, "SettleItem": r.records.SettleItem(ctx, p, i.N, ""), "FinishStray": r.records.FinishStray(ctx, p, i.N)} {
					if caseload.KindOf(err) != caseload.Conflict {
						t.Errorf("%s of a %s: %v, want Conflict", call, i.Kind, err)
					}
				}
			}
			for _, i := range r.allItems(p) {
				if i.State != caseload.ItemWaiting {
					t.Errorf("the item of kind %s is %s", i.Kind, i.State)
				}
			}
			if r.row(h.finished.ID) != caseload.Rejected || r.row(h.abandoned.ID) != caseload.Abandoned ||
				r.count(`SELECT count(*) FROM intents WHERE file_id = $1 AND released_at > 0`, string(h.trash.ID)) != 0 {
				t.Error("something was moved")
			}
		})
	}
}

// end ends a plan, as if it had been carried out.
func (r *rig) end(p caseload.CleanupPlan) {
	r.t.Helper()
	r.must(r.records.EndPlan(context.Background(), r.admin, p.ID, caseload.PlanDone, nil))
}

// A plan is looked for in its organization.
func TestNoItemIsTouchedOfAnotherOrganizationsPlan(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	r.furnish(0)
	p := r.approve()
	foreign := p
	foreign.Organization = r.other.Organization
	for _, i := range r.allItems(p) {
		if _, err := r.records.CarryOut(t.Context(), foreign, i.N, r.EraseAt()); caseload.KindOf(err) != caseload.NotFound {
			t.Errorf("a %s was carried out by another organization: %v", i.Kind, err)
		}
	}
}

// That a stray's parts were thrown away is written only of one that was claimed before, and once.
func TestAStrayIsFinishedAfterItWasClaimed(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	r.furnish(0)
	p := r.approve()
	var stray caseload.CleanupItem
	for _, i := range r.allItems(p) {
		if i.Kind == caseload.ItemStray {
			stray = i
		}
	}
	erased := func() int {
		return r.count(`SELECT count(*) FROM events WHERE action = $1`, string(caseload.PartsErased))
	}
	if err := r.records.FinishStray(ctx, p, stray.N); caseload.KindOf(err) != caseload.Conflict || erased() != 0 {
		t.Fatalf("finished before it was claimed: %v, %d events", err, erased())
	}
	if i, err := r.records.CarryOut(ctx, p, stray.N, r.EraseAt()); err != nil || i.State != caseload.ItemClaimed {
		t.Fatalf("claimed: %+v (%v)", i, err)
	}
	for range 2 {
		r.must(r.records.FinishStray(ctx, p, stray.N))
	}
	if erased() != 1 {
		t.Errorf("%d events, want one", erased())
	}
}

// Trash that is chosen is let go only as what it was chosen for: a deleted file's kept object, still due.
func TestTrashThatIsNoneAnyMoreFalls(t *testing.T) {
	for name, change := range map[string]string{
		"its erasing was called off": `UPDATE intents SET state = 'cancelled' WHERE file_id = $1`,
		"its file is live":           `UPDATE files SET state = 'rejected' WHERE id = $1`,
		"its object is not kept":     `UPDATE intents SET kept = 0 WHERE file_id = $1`,
		"its window is longer now":   `UPDATE intents SET due_at = due_at + 10000000000 WHERE file_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			h := r.furnish(0)
			p := r.approve()
			r.sql(change, string(h.trash.ID))
			r.must(r.cleaner.Tend(t.Context()))
			r.fell(p, caseload.ItemTrash)
			if r.count(`SELECT count(*) FROM intents WHERE file_id = $1 AND released_at > 0`, string(h.trash.ID)) != 0 {
				t.Error("it was let go")
			}
		})
	}
}

// An abandoned upload's row goes only while it is one, and the organization's own.
func TestAnAbandonedUploadThatIsNoneAnyMoreFalls(t *testing.T) {
	for name, change := range map[string]func(r *rig, h house){
		"somebody goes on with it": func(r *rig, h house) {
			r.sql(`UPDATE files SET state = 'planned', deadline = 1 WHERE id = $1`, string(h.abandoned.ID))
		},
		"it is another organization's": func(r *rig, h house) {
			ctx := context.Background()
			c, err := r.records.CreateCase(ctx, r.other, caseload.Case{Number: "1"})
			r.must(err)
			planned, _, err := r.Plan(ctx, r.other, c.ID, "", []transfer.FileSpec{{Name: "theirs", Size: 100}})
			r.must(err)
			_, err = r.Abort(ctx, r.other, planned[0].File.ID)
			r.must(err)
			r.sql(`UPDATE files SET changed_at = 1 WHERE id = $1`, string(planned[0].File.ID))
			r.sql(`UPDATE cleanup_items SET file_id = $2 WHERE file_id = $1`, string(h.abandoned.ID), string(planned[0].File.ID))
		},
		"somebody deleted it": func(r *rig, h house) { r.must(r.DeleteFile(context.Background(), r.admin, h.abandoned.ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			h := r.furnish(0)
			p := r.approve()
			change(r, h)
			const look = `SELECT count(*) FROM files WHERE state = 'deleted'`
			before := r.count(look)
			r.must(r.cleaner.Tend(t.Context()))
			r.fell(p, caseload.ItemAbandoned)
			if r.count(look) != before+1 { // the finished case's
				t.Errorf("%d rows went, want one", r.count(look)-before)
			}
		})
	}
}

// fell asks that the plan came to its end, and that the item of the kind fell out of it.
func (r *rig) fell(p caseload.CleanupPlan, kind caseload.ItemKind) {
	r.t.Helper()
	now, err := r.records.Plan(context.Background(), r.admin, p.ID)
	r.must(err)
	if now.State != caseload.PlanDone || now.Count(caseload.ItemFell, kind) != 1 {
		r.t.Errorf("the plan is %s, %d of kind %s fell", now.State, now.Count(caseload.ItemFell, kind), kind)
	}
}
