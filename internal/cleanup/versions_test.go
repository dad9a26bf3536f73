package cleanup_test

import (
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// onVersions runs the test over a bucket that keeps versions, with each engine.
func onVersions(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	onBothEngines(t, func(t *testing.T, r *rig) {
		server := s3test.StartWith(t, s3test.Options{Versions: t.TempDir()})
		s, err := objectstore.New(t.Context(), server.Config())
		r.must(err)
		r.must(s.SetSetting(t.Context(), caseload.BucketVersioning, doctor.Versioning()))
		r.bucket.Store = s
		test(t, r)
	})
}

// seen tells whether the key has a current version, and whether the very version is still there.
func (r *rig) seen(f caseload.File) (current, version bool) {
	r.t.Helper()
	_, err := r.bucket.Head(r.t.Context(), f.Object, "")
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		r.t.Fatal(err)
	}
	_, gone := r.bucket.Head(r.t.Context(), f.Object, f.VersionID)
	if gone != nil && caseload.KindOf(gone) != caseload.NotFound {
		r.t.Fatal(gone)
	}
	return err == nil, gone == nil
}

func (r *rig) sweep() {
	r.t.Helper()
	report, err := r.Sweep(r.t.Context())
	r.must(err)
	if report.Failed > 0 {
		r.t.Fatalf("%d could not be erased", report.Failed)
	}
}

// Where the bucket keeps versions an object that went after its window is hidden first: until the undo window is over its file
// can be restored, and then its version goes, and the marker with it.
func TestWhatTheTrashLetGoComesBackFromABucketWithVersions(t *testing.T) {
	onVersions(t, whatWasLetGoComesBack)
}

func whatWasLetGoComesBack(t *testing.T, r *rig) {
	ctx := t.Context()
	c := r.newCase("1")
	back, gone, live, now := r.received(c, "back", true), r.received(c, "gone", true), r.received(c, "live", true), r.received(c, "now", true)
	if back.VersionID == "" {
		t.Fatal("the bucket keeps no versions")
	}
	for _, f := range []caseload.File{back, gone, now} {
		r.must(r.DeleteFile(ctx, r.admin, f.ID))
	}
	r.must(r.PurgeNow(now.ID))
	r.advance(r.Limits.TrashWindow + time.Hour)
	r.sweep()
	for f, want := range map[*caseload.File][2]bool{&back: {false, true}, &gone: {false, true}, &live: {true, true}, &now: {false, false}} {
		if current, version := r.seen(*f); [2]bool{current, version} != want {
			t.Errorf("%s: current %v, its version there %v, want %v", f.Name, current, version, want)
		}
	}
	trash, err := r.records.Trash(ctx, r.admin, time.Time{})
	r.must(err)
	if len(trash.Files) != 2 || !trash.Files[0].Hidden || trash.Files[0].Claimed {
		t.Fatalf("the trash holds %+v", trash.Files)
	}
	_, err = r.RestoreFile(ctx, r.admin, back.ID)
	r.must(err)
	if current, version := r.seen(back); !current || !version || r.row(back.ID) != caseload.Stored {
		t.Errorf("restored: current %v, version %v, %s", current, version, r.row(back.ID))
	}
	r.advance(r.Limits.UndoWindow + time.Hour)
	r.sweep()
	if _, version := r.seen(gone); version {
		t.Error("its version was never erased")
	}
	if current, version := r.seen(back); !current || !version {
		t.Error("a restored file lost its object")
	}
	if _, err := r.RestoreFile(ctx, r.admin, gone.ID); caseload.KindOf(err) != caseload.Gone {
		t.Errorf("erased, and restored: %v", err)
	}
	listed, _, err := r.bucket.List(ctx, caseload.Mark{}, true, 100)
	r.must(err)
	for _, l := range listed {
		if l.Key == gone.Object || l.Key == now.Object {
			t.Errorf("left behind: %+v", l)
		}
	}
}

// A kill after the marker was put and before that was noted leaves one marker, which the next claim finds; and an undone
// clean-up brings what it had hidden back into the trash, whole.
func TestAKilledHidingGoesOnAndAnUndoneCleanUpBringsItBack(t *testing.T) {
	onVersions(t, aKilledHidingGoesOn)
}

func aKilledHidingGoesOn(t *testing.T, r *rig) {
	ctx := t.Context()
	r.cleaner.Rules.Share = 0 // all waits for a word
	c := r.newCase("1")
	f := r.received(c, "file", true)
	r.received(c, "live", true)
	for range caseload.DeedsAtOnce {
		r.must(r.DeleteFile(ctx, r.admin, r.received(c, "other", true).ID))
	}
	r.must(r.DeleteFile(ctx, r.admin, f.ID))
	r.advance(r.Limits.TrashWindow + time.Hour)
	p := r.approve()
	r.must(r.cleaner.Tend(ctx))
	marker, err := r.bucket.Hide(ctx, f.Object) // what a process did that was killed then
	r.must(err)
	r.sweep()
	trashed, err := r.records.TrashedFile(ctx, r.admin, f.ID)
	r.must(err)
	if again, err := r.bucket.Hide(ctx, f.Object); err != nil || again != marker || !trashed.Hidden {
		t.Errorf("the marker is %q, was %q; hidden: %v, %v", again, marker, trashed.Hidden, err)
	}
	u, _, err := r.cleaner.Undo(ctx, r.admin, p.ID)
	r.must(err)
	if u.Files != caseload.DeedsAtOnce+1 || u.Lost != 0 {
		t.Errorf("undone: %+v", u)
	}
	trashed, err = r.records.TrashedFile(ctx, r.admin, f.ID)
	r.must(err)
	if current, version := r.seen(f); !current || !version || trashed.Hidden || trashed.Released || !trashed.Until.After(r.now().Add(r.Limits.TrashWindow-time.Minute)) {
		t.Errorf("current %v, version %v: %+v", current, version, trashed)
	}
	r.sweep()
	if _, version := r.seen(f); !version {
		t.Error("what was undone went all the same")
	}
}
