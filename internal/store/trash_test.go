package store

import (
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// trashed makes a file of the case that was received and deleted.
func (b *bench) trashed(c caseload.CaseID, was caseload.State) caseload.File {
	b.t.Helper()
	f := b.as(c, was)
	must(b.t, b.s.DeleteFile(b.t.Context(), b.admin, f.ID, b.inAnHour()))
	return f
}

// colleague is a member of the clinic, who opened no case.
func (b *bench) colleague(email string, role caseload.Role) caseload.User {
	b.t.Helper()
	u, err := b.s.CreateUser(b.t.Context(), "", caseload.User{Organization: b.admin.Organization, Email: email, Role: role}, "hash")
	must(b.t, err)
	return u
}

func TestARestoredFileIsStoredAgainAndRead(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		for _, was := range []caseload.State{caseload.Stored, caseload.Reading, caseload.Ready, caseload.Rejected} {
			f := b.trashed(c.ID, was)
			before, asked := b.row(f), b.enqueued()
			back, err := b.s.RestoreFile(ctx, b.admin, f.ID)
			must(t, err)
			now := b.row(f).file
			if back.State != caseload.Stored || now.State != caseload.Stored || now.Deadline.IsZero() || now.Tries != 0 || now.Object != f.Object ||
				now.CRC64NVME != f.CRC64NVME || !now.StoredAt.Equal(f.StoredAt) || now.Name != f.Name || now.Attempt != before.file.Attempt {
				t.Errorf("%s came back as %+v", was, now)
			}
			if b.enqueued() != asked+1 {
				t.Errorf("%s: %d readings asked for, want one", was, b.enqueued()-asked)
			}
			b.pass(2 * time.Hour)
			if _, err := b.s.ReleaseTrash(ctx, b.admin.Organization, b.now()); err != nil {
				t.Fatal(err)
			}
			if in, ok := b.claim(); ok {
				t.Errorf("the object of a restored file would be erased: %+v", in)
			}
			_, err = b.s.RestoreFile(ctx, b.admin, f.ID)
			wantKind(t, err, caseload.Conflict)
		}
		for _, was := range []caseload.State{caseload.Planned, caseload.Sending, caseload.Abandoned} { // nothing was ever kept of these
			_, err := b.s.RestoreFile(ctx, b.admin, b.trashed(c.ID, was).ID)
			wantKind(t, err, caseload.Gone)
		}
	})
}

func TestWhatWasClaimedNeverComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.trashed(b.newCase("1", "").ID, caseload.Ready)
		_, err := b.s.PurgeFile(ctx, b.admin, f.ID)
		must(t, err)
		b.pass(3 * time.Hour)
		in, ok := b.claim()
		if !ok || in.File != f.ID {
			t.Fatal("the purged file is not claimed")
		}
		_, err = b.s.RestoreFile(ctx, b.admin, f.ID)
		wantKind(t, err, caseload.Conflict)
		b.pass(24 * time.Hour) // the claim lapsed: whoever had it may have erased the object all the same
		_, err = b.s.RestoreFile(ctx, b.admin, f.ID)
		wantKind(t, err, caseload.Conflict)
		must(t, b.s.FinishIntent(ctx, in.ID))
		_, err = b.s.RestoreFile(ctx, b.admin, f.ID)
		wantKind(t, err, caseload.Gone)
		if got := b.row(f).file.State; got != caseload.Deleted {
			t.Errorf("it is %s", got)
		}
	})
}

// Of a claim and a restore at the same moment exactly one has its way, whichever it is.
func TestClaimAndRestoreNeverBothSucceed(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		for range 12 {
			f := b.trashed(c.ID, caseload.Ready)
			_, err := b.s.PurgeFile(ctx, b.admin, f.ID)
			must(t, err)
			b.pass(3 * time.Hour)
			var claimed bool
			var restoring error
			var both sync.WaitGroup
			begin := make(chan struct{})
			both.Go(func() {
				<-begin
				in, ok, err := b.s.ClaimIntent(ctx, b.now())
				if err != nil {
					t.Error(err)
				}
				claimed = ok && in.File == f.ID
			})
			both.Go(func() { <-begin; _, restoring = b.s.RestoreFile(ctx, b.admin, f.ID) })
			close(begin)
			both.Wait()
			state := b.row(f).file.State
			if claimed == (restoring == nil) || (state == caseload.Stored) != (restoring == nil) {
				t.Fatalf("claimed %v, restored %v, the file is %s", claimed, restoring, state)
			}
		}
	})
}

func TestACaseComesBackWithWhatWentWithIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-0007", "Kim")
		alone, with := b.trashed(c.ID, caseload.Ready), b.as(c.ID, caseload.Ready)
		arriving := b.as(c.ID, caseload.Sending)
		must(t, b.s.FinishCase(ctx, b.admin, c.ID, true))
		must(t, b.s.DeleteCase(ctx, b.admin, c.ID, b.inAnHour()))
		_, err := b.s.RestoreFile(ctx, b.admin, with.ID)
		wantKind(t, err, caseload.Conflict) // its case first
		trash, err := b.s.Trash(ctx, b.admin, b.now())
		must(t, err)
		if len(trash.Cases) != 1 || trash.Cases[0].Files != 1 || trash.Cases[0].Bytes != 1000 || len(trash.Files) != 1 || trash.Files[0].ID != alone.ID {
			t.Fatalf("the trash holds %+v", trash)
		}
		files, err := b.s.TrashedFiles(ctx, b.admin, c.ID)
		must(t, err)
		if len(files) != 1 || files[0].ID != with.ID {
			t.Fatalf("with the case went %+v", files)
		}
		must(t, b.s.RestoreCase(ctx, b.admin, c.ID, []caseload.FileID{with.ID}))
		wantKind(t, b.s.RestoreCase(ctx, b.admin, c.ID, nil), caseload.Conflict)
		for f, want := range map[caseload.FileID]caseload.State{alone.ID: caseload.Deleted, with.ID: caseload.Stored, arriving.ID: caseload.Deleted} {
			if got := b.row(caseload.File{ID: f, Organization: b.admin.Organization}).file.State; got != want {
				t.Errorf("a file is %s, want %s", got, want)
			}
		}
		back, err := b.s.Case(ctx, b.admin, c.ID)
		must(t, err)
		if !back.FinishedAt.IsZero() {
			t.Error("a finished case came back finished: the next clean-up would take it again")
		}
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{Text: "kim"})
		must(t, err)
		if len(page.Cases) != 1 {
			t.Error("the case that came back is not found by its patient")
		}
	})
}

// An older version that comes back takes its old place; the latest stays the latest.
func TestARestoredVersionTakesItsOldPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		first := b.as(c.ID, caseload.Stored)
		b.pass(time.Hour)
		second := b.plan(c.ID, "scan.zip")[0]
		_, err := b.s.db.ExecContext(ctx, `UPDATE files SET family = $1 WHERE id = $2`, string(first.ID), string(second.ID))
		must(t, err)
		_, err = b.s.BeginSending(ctx, second.ID, "", "", b.now().Add(time.Hour))
		must(t, err)
		b.stored(second)
		for _, gone := range []caseload.File{first, second} {
			must(t, b.s.DeleteFile(ctx, b.admin, gone.ID, b.inAnHour()))
			_, err = b.s.RestoreFile(ctx, b.admin, gone.ID)
			must(t, err)
			if !b.row(first).file.Superseded || b.row(second).file.Superseded {
				t.Errorf("after %s came back: the first is superseded %v, the second %v", gone.ID, b.row(first).file.Superseded, b.row(second).file.Superseded)
			}
		}
	})
}

func TestPurgingIsForAdministratorsAndKeepsTheTwoHours(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.trashed(b.newCase("1", "").ID, caseload.Ready)
		_, err := b.s.PurgeFile(ctx, b.colleague("m@clinic.example", caseload.Member), f.ID)
		wantKind(t, err, caseload.Forbidden)
		_, err = b.s.db.ExecContext(ctx, `UPDATE intents SET due_at = $1`, toMS(b.now().Add(720*time.Hour)))
		must(t, err)
		at, err := b.s.PurgeFile(ctx, b.admin, f.ID)
		must(t, err)
		if want := b.now().Add(caseload.LateWrites); !at.Equal(want) {
			t.Errorf("it goes at %v, want %v", at, want)
		}
		if _, ok := b.claim(); ok {
			t.Error("it was claimed while an address signed before may be good")
		}
	})
}

func TestOnlyAdministratorsAndOwnersRestore(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		owner, other, viewer := b.colleague("o@clinic.example", caseload.Member), b.colleague("x@clinic.example", caseload.Member), b.colleague("v@clinic.example", caseload.Viewer)
		c, err := b.s.CreateCase(ctx, owner, caseload.Case{Number: "1"})
		must(t, err)
		f := b.trashed(c.ID, caseload.Ready)
		for _, user := range []caseload.User{other, viewer} {
			_, err := b.s.RestoreFile(ctx, user, f.ID)
			wantKind(t, err, caseload.Forbidden)
			trash, err := b.s.Trash(ctx, user, time.Time{})
			must(t, err)
			if len(trash.Files) != 0 {
				t.Error("somebody sees the trash of another's case")
			}
		}
		trash, err := b.s.Trash(ctx, owner, time.Time{})
		must(t, err)
		if len(trash.Files) != 1 || trash.Files[0].By != string(b.admin.ID) {
			t.Errorf("the owner sees %+v", trash.Files)
		}
		_, err = b.s.RestoreFile(ctx, owner, f.ID)
		must(t, err)
	})
}

func TestTrashAndPlansAreOfOneOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c, doomed := b.newCase("1", ""), b.newCase("2", "")
		f := b.trashed(c.ID, caseload.Ready)
		b.as(doomed.ID, caseload.Ready)
		must(t, b.s.DeleteCase(ctx, b.admin, doomed.ID, b.inAnHour()))
		b.pass(2 * time.Hour)
		p, err := b.s.MakePlan(ctx, caseload.CleanupPlan{Organization: b.admin.Organization, MadeBy: "system", QuietSince: b.now()}, nil)
		must(t, err)
		before := b.row(f)
		trash, err := b.s.Trash(ctx, b.other, time.Time{})
		must(t, err)
		plans, err := b.s.Plans(ctx, b.other, 10)
		must(t, err)
		if len(trash.Files)+len(trash.Cases)+len(plans) != 0 {
			t.Errorf("another organization sees %+v %+v", trash, plans)
		}
		for name, call := range map[string]func() error{
			"TrashedFile":   func() error { _, err := b.s.TrashedFile(ctx, b.other, f.ID); return err },
			"TrashedFiles":  func() error { _, err := b.s.TrashedFiles(ctx, b.other, doomed.ID); return err },
			"RestoreFile":   func() error { _, err := b.s.RestoreFile(ctx, b.other, f.ID); return err },
			"RestoreCase":   func() error { return b.s.RestoreCase(ctx, b.other, doomed.ID, nil) },
			"PurgeFile":     func() error { _, err := b.s.PurgeFile(ctx, b.other, f.ID); return err },
			"PurgeCase":     func() error { _, err := b.s.PurgeCase(ctx, b.other, doomed.ID); return err },
			"Plan":          func() error { _, err := b.s.Plan(ctx, b.other, p.ID); return err },
			"ApprovePlan":   func() error { _, err := b.s.ApprovePlan(ctx, b.other, p.ID, 1000, 1000); return err },
			"TrashedCaseAt": func() error { _, err := b.s.TrashedCaseAt(ctx, b.other, doomed.ID); return err },
			"ReturnToTrash": func() error { return b.s.ReturnToTrash(ctx, b.other, f.ID, b.now()) },
			"UndonePlan":    func() error { _, err := b.s.UndonePlan(ctx, b.other, p.ID, 0, 0); return err },
			"EndPlan":       func() error { return b.s.EndPlan(ctx, b.other, p.ID, caseload.PlanDismissed, nil) },
		} {
			if err := call(); caseload.KindOf(err) != caseload.NotFound {
				t.Errorf("%s: %v, want NotFound", name, err)
			}
		}
		if !same(before, b.row(f)) {
			t.Error("something changed")
		}
		if now, err := b.s.Plan(ctx, b.admin, p.ID); err != nil || now.State != caseload.PlanWaiting {
			t.Errorf("the plan is %s, %v", now.State, err)
		}
		// A file of another organization, named in the restore of a case of one's own, does not come back.
		own, err := b.s.CreateCase(ctx, b.other, caseload.Case{Number: "1"})
		must(t, err)
		must(t, b.s.DeleteCase(ctx, b.other, own.ID, b.inAnHour()))
		if err := b.s.RestoreCase(ctx, b.other, own.ID, []caseload.FileID{f.ID}); err == nil {
			t.Error("a stranger's file came back through a case of one's own")
		}
		if now := b.row(f).file.State; now != caseload.Deleted {
			t.Errorf("the file is %s", now)
		}
	})
}
