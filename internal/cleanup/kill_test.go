package cleanup_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// house is one of everything a clean-up meets, with a live neighbour for each.
type house struct {
	live, trash, abandoned, unfinished, finished caseload.File
	finishedCase                                 caseload.CaseID
	stray                                        caseload.OpenUpload
}

func (r *rig) furnish(n int) (h house) {
	ctx := context.Background()
	c := r.newCase(fmt.Sprintf("K-%d", n))
	h.live = r.received(c, "live", true)
	h.trash = r.received(c, "trash", true)
	r.must(r.DeleteFile(ctx, r.admin, h.trash.ID))
	h.abandoned = r.plan(c, "abandoned", 100)
	_, err := r.Abort(ctx, r.admin, h.abandoned.ID)
	r.must(err)
	h.unfinished = r.plan(c, "unfinished", 100)
	h.finishedCase = r.newCase(fmt.Sprintf("F-%d", n))
	h.finished = r.received(h.finishedCase, "finished", true)
	r.must(r.records.FinishCase(ctx, r.admin, h.finishedCase, true))
	r.bucket.open = nil
	h.stray = r.stray(caseload.NewObjectKey(), r.now())
	r.advance(61 * 24 * time.Hour)
	return h
}

// check says what must be so of the house after a clean-up that came to its end.
func (r *rig) check(h house) (faults []string) {
	for name, want := range map[caseload.FileID]caseload.State{
		h.live.ID: caseload.Rejected, h.trash.ID: caseload.Deleted, h.abandoned.ID: caseload.Deleted, h.unfinished.ID: caseload.Abandoned, h.finished.ID: caseload.Deleted,
	} {
		if got := r.row(name); got != want {
			faults = append(faults, fmt.Sprintf("a file is %s, want %s", got, want))
		}
	}
	for what, held := range map[string]bool{
		"live": r.held(h.live.Object) == true, "trash": r.held(h.trash.Object) == false, "finished": r.held(h.finished.Object) == true, // in the trash
	} {
		if !held {
			faults = append(faults, "the object of "+what+" is not as it must be")
		}
	}
	if _, err := theStore.ListParts(context.Background(), h.stray.Key, h.stray.UploadID); caseload.KindOf(err) != caseload.NotFound {
		faults = append(faults, "the stray upload is still there")
	}
	return faults
}

// TestAKillInEveryStepLosesNothingAndTheNextRunEndsIt ends the clean-up before and after each call it makes, one run for
// each, and lets the next process go on.
func TestAKillInEveryStepLosesNothingAndTheNextRunEndsIt(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	run := func() { _ = r.cleaner.Tend(ctx); _, _ = r.Sweep(ctx) }
	steps := 1
	for at := 0; at <= steps; at++ {
		h := r.furnish(at)
		r.approve()
		r.faults.set(at)
		run()
		if at == 0 {
			steps = r.faults.steps
		}
		calls := r.faults.calls
		r.faults.set(0)
		if !r.held(h.live.Object) || r.row(h.live.ID) != caseload.Rejected {
			t.Fatalf("killed at %v: the live file is gone", calls)
		}
		r.advance(11 * time.Minute) // claims lapse
		run()
		if faults := r.check(h); len(faults) > 0 {
			t.Fatalf("killed at step %d of %d, after %v: %v", at, steps, calls[:min(len(calls), max(at, 1))], faults)
		}
		if _, err := r.records.VerifyAudit(ctx, r.admin.Organization); err != nil {
			t.Fatal(err)
		}
	}
	if steps < 14 {
		t.Errorf("only %d steps were met", steps)
	}
	t.Logf("%d steps", steps)
}

// TestRacesWithCompleteResumeAndRestore lets clean-up and sweep run beside people who save what is about to go. Whoever
// wins: a file that is live has its object.
func TestRacesWithCompleteResumeAndRestore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		for n := range 8 {
			c := r.newCase(fmt.Sprintf("R-%d", n))
			trashed, finished := r.received(c, "trashed", true), r.newCase(fmt.Sprintf("RF-%d", n))
			inFinished := r.received(finished, "kept", true)
			r.must(r.records.FinishCase(ctx, r.admin, finished, true))
			r.must(r.DeleteFile(ctx, r.admin, trashed.ID))
			late, resumed := r.plan(c, "late", 100), r.plan(c, "resumed", 100)
			r.advance(61 * 24 * time.Hour)
			r.approve()
			begin := make(chan struct{})
			var all sync.WaitGroup
			race := func(do func()) { all.Go(func() { <-begin; do() }) }
			var restoring, completing error
			race(func() { _ = r.cleaner.Tend(ctx); _, _ = r.Sweep(ctx) })
			race(func() { _, _ = r.Sweep(ctx) })
			race(func() { _, restoring = r.RestoreFile(ctx, r.admin, trashed.ID) })
			race(func() { completing = r.complete(late) })
			race(func() { r.resume(c, resumed.Name) })
			race(func() { _ = r.records.FinishCase(ctx, r.admin, finished, false) })
			close(begin)
			all.Wait()
			r.advance(11 * time.Minute)
			_, err := r.Sweep(ctx)
			r.must(err)
			if state := r.row(trashed.ID); state.Acknowledged() != (restoring == nil) || state.Acknowledged() && !r.held(trashed.Object) {
				t.Fatalf("restored: %v, the file is %s, its object there: %v", restoring, state, r.held(trashed.Object))
			}
			if state := r.row(late.ID); completing == nil && (!state.Acknowledged() || !r.held(late.Object)) {
				t.Fatalf("acknowledged, and now %s, its object there: %v", state, r.held(late.Object))
			}
			if state := r.row(inFinished.ID); !r.held(inFinished.Object) || state != caseload.Rejected && state != caseload.Deleted {
				t.Fatalf("a file of a finished case is %s, its object there: %v", state, r.held(inFinished.Object))
			}
		}
	})
}
