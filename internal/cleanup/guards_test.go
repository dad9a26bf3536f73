package cleanup_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

var errAway = caseload.Errorf(caseload.Unavailable, "It does not answer.")

// awayRecords is a database that does not say how it stands.
type awayRecords struct{ *records }

func (awayRecords) Facts(context.Context, time.Duration) (caseload.DatabaseFacts, error) {
	return caseload.DatabaseFacts{}, errAway
}

// awayListing is a store that does not list.
type awayListing struct{ *bucket }

func (awayListing) OldestObject(context.Context) (time.Time, error) { return time.Time{}, errAway }

// Who cannot look erases nothing, and the plan waits for the next time.
func TestNothingGoesWhileNobodyCanLook(t *testing.T) {
	for name, away := range map[string]func(r *rig){
		"the marker cannot be read": func(r *rig) { r.cleaner.Objects = oddBucket{r.bucket, errAway} },
		"the database does not say": func(r *rig) { r.cleaner.Records = awayRecords{r.records} },
		"without a marker, the store does not list": func(r *rig) {
			r.bucket.marker = nil
			r.cleaner.Objects = awayListing{r.bucket}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			ctx := t.Context()
			h := r.furnish(0)
			p := r.approve()
			away(r)
			if _, err := r.cleaner.Plan(ctx, r.admin, 0); caseload.KindOf(err) != caseload.Unavailable {
				t.Errorf("a plan was made: %v", err)
			}
			r.must(r.PurgeNow(h.trash.ID))
			if err := r.cleaner.Tend(ctx); caseload.KindOf(err) != caseload.Unavailable {
				t.Errorf("tended: %v", err)
			}
			r.sweep()
			now, err := r.records.Plan(ctx, r.admin, p.ID)
			r.must(err)
			if now.State != caseload.PlanApproved || now.Count(caseload.ItemDone) != 0 || len(r.bucket.erased)+len(r.bucket.aborted) > 0 {
				t.Errorf("the plan is %s, %d items are done; erased %v, aborted %v", now.State, now.Count(caseload.ItemDone), r.bucket.erased, r.bucket.aborted)
			}
		})
	}
}

// A share that was narrowed after the word was given holds.
func TestASmallerShareHoldsForAnApprovedPlan(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	h := r.furnish(0)
	p, err := r.cleaner.Plan(ctx, r.admin, 0)
	r.must(err)
	_, err = r.cleaner.Approve(ctx, r.admin, p.ID, 0)
	r.must(err)
	r.cleaner.Rules.Share = 50
	r.must(r.cleaner.Tend(ctx))
	now, err := r.records.Plan(ctx, r.admin, p.ID)
	r.must(err)
	if now.State != caseload.PlanRefused || !slices.Equal(now.Doubts, []caseload.Doubt{caseload.DoubtShare}) || r.row(h.finished.ID) != caseload.Rejected {
		t.Errorf("the plan is %s, for %v", now.State, now.Doubts)
	}
}

// A word is for a plan that waits, and was made within the last seven days.
func TestAWordIsForAFreshPlanThatWaits(t *testing.T) {
	for name, change := range map[string]func(r *rig, p caseload.CleanupPlan){
		"it is too old":           func(r *rig, _ caseload.CleanupPlan) { r.advance(caseload.PlanGoodFor + time.Minute) },
		"it is of the future":     func(r *rig, _ caseload.CleanupPlan) { r.advance(-time.Minute) },
		"somebody has said no":    func(r *rig, p caseload.CleanupPlan) { r.must(r.cleaner.Dismiss(t.Context(), r.admin, p.ID)) },
		"it is being carried out": func(r *rig, p caseload.CleanupPlan) { r.yes(p) },
		"it has been carried out": func(r *rig, p caseload.CleanupPlan) { r.yes(p); r.must(r.cleaner.Tend(t.Context())) },
		"a newer plan has been made": func(r *rig, _ caseload.CleanupPlan) {
			_, err := r.cleaner.Plan(t.Context(), r.admin, 0)
			r.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			r.furnish(0)
			p, err := r.cleaner.Plan(t.Context(), r.admin, 0)
			r.must(err)
			change(r, p)
			if _, err := r.cleaner.Approve(t.Context(), r.admin, p.ID, p.Share()); caseload.KindOf(err) != caseload.Conflict {
				t.Errorf("approved: %v, want Conflict", err)
			}
		})
	}
}

func (r *rig) yes(p caseload.CleanupPlan) {
	r.t.Helper()
	_, err := r.cleaner.Approve(context.Background(), r.admin, p.ID, p.Share())
	r.must(err)
}

// told keeps what the clean-up tells the database of the store's unfinished uploads.
type told struct {
	*records
	strays []caseload.OpenUpload
}

func (o *told) MakePlan(ctx context.Context, p caseload.CleanupPlan, strays []caseload.OpenUpload) (caseload.CleanupPlan, error) {
	o.strays = strays
	return o.records.MakePlan(ctx, p, strays)
}

// Of the store's unfinished uploads only what is ours by its key, surely old, and known to no row is chosen. The clean-up and
// the database each look, and neither relies on the other.
func TestOnlyOldUploadsOfOurOwnThatNobodyKnowsAreChosen(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	h := r.furnish(0)
	old := r.now().Add(-60 * 24 * time.Hour)
	young := r.stray(caseload.NewObjectKey(), r.now().Add(-6*24*time.Hour))
	r.stray(caseload.NewObjectKey(), time.Time{}) // the store does not say when it was begun
	foreign := r.stray("somebody-elses-backup", old)
	known := r.stray(h.unfinished.Object, old)

	listens := &told{records: r.records}
	r.cleaner.Records = listens
	p, err := r.cleaner.Plan(ctx, r.admin, 0)
	r.must(err)
	if !slices.Equal(listens.strays, []caseload.OpenUpload{h.stray, known}) {
		t.Errorf("the database is told of %+v", listens.strays)
	}
	r.onlyStray(p, h.stray)

	p, err = r.records.MakePlan(ctx, r.cleaner.Draft(r.admin, 0), []caseload.OpenUpload{young, foreign, known, h.stray})
	r.must(err)
	r.onlyStray(p, h.stray)
}

func (r *rig) onlyStray(p caseload.CleanupPlan, want caseload.OpenUpload) {
	r.t.Helper()
	items, err := r.records.Items(context.Background(), p.ID, 0, 100)
	r.must(err)
	var found []string
	for _, i := range items {
		if i.Kind == caseload.ItemStray {
			found = append(found, i.UploadID)
		}
	}
	if !slices.Equal(found, []string{want.UploadID}) {
		r.t.Errorf("chosen: %v, want %s", found, want.UploadID)
	}
}

// What was chosen as a stray, and turns out to be somebody's when its turn comes, stays.
func TestAnUploadThatIsSomebodysAfterAllStays(t *testing.T) {
	for name, change := range map[string]func(r *rig, h house){
		"a planned file has its key, and no upload yet": func(r *rig, h house) {
			f := r.plan(h.live.Case, "planned", 100)
			r.sql(`UPDATE files SET object = $2 WHERE id = $1`, string(f.ID), string(h.stray.Key))
		},
		"a delete-intent will see to it": func(r *rig, h house) {
			r.sql(`INSERT INTO intents (id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
				VALUES ($1, $2, $3, $4, $5, '', 'test', 'open', $6, 1)`, strings.Repeat("i", 26), string(h.live.Organization), string(h.live.ID),
				string(h.stray.Key), h.stray.UploadID, r.now().Add(24*time.Hour).UnixMilli())
		},
		"its key is not ours": func(r *rig, _ house) {
			r.sql(`UPDATE cleanup_items SET object = 'somebody-elses-backup' WHERE kind = 'stray'`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			h := r.furnish(0)
			p := r.approve()
			change(r, h)
			r.must(r.cleaner.Tend(t.Context()))
			now, err := r.records.Plan(t.Context(), r.admin, p.ID)
			r.must(err)
			if now.State != caseload.PlanDone || now.Count(caseload.ItemFell, caseload.ItemStray) != 1 || len(r.bucket.aborted) > 0 {
				t.Errorf("the plan is %s, %d strays fell, aborted %v", now.State, now.Count(caseload.ItemFell, caseload.ItemStray), r.bucket.aborted)
			}
		})
	}
}
