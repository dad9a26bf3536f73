package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
)

// doubtful is a database that says of itself what a test wants.
type doubtful struct {
	*records
	change func(*caseload.DatabaseFacts)
}

func (d doubtful) Facts(ctx context.Context, gap time.Duration) (caseload.DatabaseFacts, error) {
	facts, err := d.records.Facts(ctx, gap)
	d.change(&facts)
	return facts, err
}

// lateBucket is a store whose clock is another.
type lateBucket struct {
	*bucket
	by time.Duration
}

func (l lateBucket) Marker(ctx context.Context) (*caseload.Marker, time.Time, error) {
	m, at, err := l.bucket.Marker(ctx)
	return m, at.Add(l.by), err
}

// oddBucket is a store that tells no time, or holds a marker that nobody can read.
type oddBucket struct {
	*bucket
	err error
}

func (o oddBucket) Marker(ctx context.Context) (*caseload.Marker, time.Time, error) {
	m, _, _ := o.bucket.Marker(ctx)
	return m, time.Time{}, o.err
}

// Each doubt alone stops the plan, the carrying out of one that was approved before, and every erasing.
func TestNothingGoesWhileSomethingLooksWrong(t *testing.T) {
	nothing := func(*caseload.DatabaseFacts) {}
	for name, c := range map[string]struct {
		want   caseload.Doubt
		change func(*caseload.DatabaseFacts)
		bucket func(b *bucket) cleanup.Objects
	}{
		"the clock is behind the newest event": {caseload.DoubtClockBack, func(f *caseload.DatabaseFacts) { f.Newest = f.Now.Add(2 * time.Minute) }, nil},
		"the store's clock is another":         {caseload.DoubtClockStore, nothing, func(b *bucket) cleanup.Objects { return lateBucket{b, -6 * time.Minute} }},
		"the store's clock is ahead":           {caseload.DoubtClockStore, nothing, func(b *bucket) cleanup.Objects { return lateBucket{b, 6 * time.Minute} }},
		"the database's clock is behind":       {caseload.DoubtClockDatabase, func(f *caseload.DatabaseFacts) { f.Now = f.Now.Add(-6 * time.Minute) }, nil},
		"files in the bucket of an empty database": {caseload.DoubtYoungerDatabase, func(f *caseload.DatabaseFacts) { f.Begun = time.Time{} }, func(b *bucket) cleanup.Objects {
			b.marker, b.oldest = nil, b.now()
			return b
		}},
		"the store tells no time":    {caseload.DoubtClockStore, nothing, func(b *bucket) cleanup.Objects { return oddBucket{bucket: b} }},
		"the database tells no time": {caseload.DoubtClockDatabase, func(f *caseload.DatabaseFacts) { f.Now = time.Time{} }, nil},
		"nobody can read the marker": {caseload.DoubtUntold, nothing, func(b *bucket) cleanup.Objects {
			return oddBucket{b, caseload.Errorf(caseload.Invalid, "no marker of ours")}
		}},
		"the newest event is older than before": {caseload.DoubtFewerRows, func(f *caseload.DatabaseFacts) { f.Newest = f.Newest.Add(-90 * 24 * time.Hour) }, nil},
		"the database's clock is another":       {caseload.DoubtClockDatabase, func(f *caseload.DatabaseFacts) { f.Now = f.Now.Add(6 * time.Minute) }, nil},
		"nobody looked for long":                {caseload.DoubtClockJump, func(f *caseload.DatabaseFacts) { f.AwakeFrom = f.Now.Add(-23 * time.Hour) }, nil},
		"another database":                      {caseload.DoubtOtherDatabase, func(f *caseload.DatabaseFacts) { f.Database = "another" }, nil},
		"fewer events than before":              {caseload.DoubtFewerRows, func(f *caseload.DatabaseFacts) { f.Events = 1 }, nil},
		"fewer files than before":               {caseload.DoubtFewerRows, func(f *caseload.DatabaseFacts) { f.Files-- }, nil},
		"a bucket older than the database": {caseload.DoubtYoungerDatabase, nothing, func(b *bucket) cleanup.Objects {
			b.marker, b.oldest = nil, b.now().Add(-1000*24*time.Hour)
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			ctx := t.Context()
			h := r.furnish(0)
			p := r.approve() // while all is well: the bucket now knows its database
			r.cleaner.Records = doubtful{r.records, c.change}
			if c.bucket != nil {
				r.cleaner.Objects = c.bucket(r.bucket)
			}
			doubts, err := r.cleaner.Doubts(ctx)
			r.must(err)
			if len(doubts) != 1 || doubts[0] != c.want {
				t.Fatalf("doubts %v, want %s", doubts, c.want)
			}
			if means, hint := cleanup.Say(c.want); means == "" || hint == "" {
				t.Error("nobody is told what that means")
			}
			if _, err := r.cleaner.Plan(ctx, r.admin, 0); caseload.KindOf(err) != caseload.Conflict {
				t.Errorf("a plan was made: %v", err)
			}
			_, _ = r.PurgeNow(h.trash.ID), r.cleaner.Tend(ctx)
			if _, err := r.Sweep(ctx); err != nil {
				t.Error(err)
			}
			now, err := r.records.Plan(ctx, r.admin, p.ID)
			r.must(err)
			if now.State != caseload.PlanRefused || len(now.Doubts) == 0 || now.Count(caseload.ItemDone) != 0 {
				t.Errorf("the plan is %s with %d items done", now.State, now.Count(caseload.ItemDone))
			}
			if len(r.bucket.erased)+len(r.bucket.aborted) > 0 || !r.held(h.trash.Object) {
				t.Error("something was erased")
			}
		})
	}
}

// PurgeNow lets a deleted file's object go, so that only the doubts are in its way.
func (r *rig) PurgeNow(id caseload.FileID) error {
	_, err := r.records.PurgeFile(context.Background(), r.admin, id)
	return err
}

func TestMoreThanTheShareGoesOnlyAtAPersonsWord(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.furnish(0)
		r.cleaner.Rules.Share = 50 // 5 %
		p, err := r.cleaner.Plan(ctx, r.admin, 0)
		r.must(err)
		if p.Share() != 667 || p.Goes.Objects != 2 || p.Total.Objects != 3 { // trash and the finished case, of three
			t.Fatalf("share %s: %+v of %+v", p.Share(), p.Goes, p.Total)
		}
		for _, typed := range []caseload.Share{0, 50, 666, 1000} {
			if _, err := r.cleaner.Approve(ctx, r.admin, p.ID, typed); caseload.KindOf(err) != caseload.Invalid {
				t.Errorf("typed %s: %v, want Invalid", typed, err)
			}
		}
		member := r.admin
		member.Role = caseload.Member
		if _, err := r.cleaner.Approve(ctx, member, p.ID, 667); caseload.KindOf(err) != caseload.Forbidden {
			t.Errorf("a member approved: %v", err)
		}
		_, err = r.cleaner.Approve(ctx, r.admin, p.ID, 667)
		r.must(err)
		r.must(r.cleaner.Tend(ctx))
		_, err = r.Sweep(ctx)
		r.must(err)
		if faults := r.check(h); len(faults) > 0 {
			t.Error(faults)
		}
	})
}

// What changed between the plan and its carrying out stays.
func TestWhatChangedSinceFallsOutOfThePlan(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		h := r.furnish(0)
		p := r.approve()
		_, err := r.RestoreFile(ctx, r.admin, h.trash.ID)
		r.must(err)
		r.resume(h.live.Case, "unfinished")
		r.must(r.records.FinishCase(ctx, r.admin, h.finishedCase, false))
		r.must(r.cleaner.Tend(ctx))
		_, err = r.Sweep(ctx)
		r.must(err)
		for id, want := range map[caseload.FileID]caseload.State{h.trash.ID: caseload.Stored, h.unfinished.ID: caseload.Planned, h.finished.ID: caseload.Rejected} {
			if got := r.row(id); got != want {
				t.Errorf("a file is %s, want %s", got, want)
			}
		}
		now, err := r.records.Plan(ctx, r.admin, p.ID)
		r.must(err)
		if now.State != caseload.PlanDone || now.Count(caseload.ItemFell) != 3 || !r.held(h.trash.Object) {
			t.Errorf("the plan is %s, %d fell", now.State, now.Count(caseload.ItemFell))
		}
	})
}

// Each thing that the plan's rules would not choose any more, looked at again under its lock, falls out of it, and stays.
func TestWhatTheRulesNoLongerChooseFalls(t *testing.T) {
	for name, c := range map[string]struct {
		kind   caseload.ItemKind
		change func(r *rig, h house)
		kept   func(r *rig, h house) bool
	}{
		"an abandoned upload that somebody touched": {caseload.ItemAbandoned, func(r *rig, h house) {
			r.sql(`UPDATE files SET changed_at = $2 WHERE id = $1`, string(h.abandoned.ID), r.now().UnixMilli())
		}, func(r *rig, h house) bool { return r.row(h.abandoned.ID) == caseload.Abandoned }},
		"a finished case that somebody changed": {caseload.ItemCase, func(r *rig, h house) {
			r.sql(`UPDATE cases SET changed_at = $2 WHERE id = $1`, string(h.finishedCase), r.now().UnixMilli())
		}, func(r *rig, h house) bool { return r.row(h.finished.ID) == caseload.Rejected }},
		"a case that was finished anew": {caseload.ItemCase, func(r *rig, h house) {
			r.sql(`UPDATE cases SET finished_at = $2 WHERE id = $1`, string(h.finishedCase), r.now().UnixMilli())
		}, func(r *rig, h house) bool { return r.row(h.finished.ID) == caseload.Rejected }},
		"a case that is not finished": {caseload.ItemCase, func(r *rig, h house) {
			r.sql(`UPDATE cases SET finished_at = 0 WHERE id = $1`, string(h.finishedCase))
		}, func(r *rig, h house) bool { return r.row(h.finished.ID) == caseload.Rejected }},
		"a finished case in which a file is being read": {caseload.ItemCase, func(r *rig, h house) {
			r.sql(`UPDATE files SET state = 'stored', deadline = 1 WHERE id = $1`, string(h.finished.ID))
		}, func(r *rig, h house) bool { return r.row(h.finished.ID) == caseload.Stored }},
		"trash whose window is longer now": {caseload.ItemTrash, func(r *rig, h house) {
			r.sql(`UPDATE intents SET due_at = $2 WHERE file_id = $1`, string(h.trash.ID), r.now().Add(time.Hour).UnixMilli())
		}, func(r *rig, h house) bool { return r.held(h.trash.Object) }},
		"an upload of the store that a row knows": {caseload.ItemStray, func(r *rig, h house) {
			r.sql(`UPDATE files SET object = $2, upload_id = $3, route = 'direct', part_size = 5242880 WHERE id = $1`, string(h.live.ID), string(h.stray.Key), h.stray.UploadID)
		}, func(r *rig, h house) bool { return len(r.bucket.aborted) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			h := r.furnish(0)
			p := r.approve()
			c.change(r, h)
			r.must(r.cleaner.Tend(t.Context()))
			r.sweep()
			now, err := r.records.Plan(t.Context(), r.admin, p.ID)
			r.must(err)
			if now.State != caseload.PlanDone || now.Count(caseload.ItemFell, c.kind) != 1 || !c.kept(r, h) {
				t.Errorf("the plan is %s, %d of the kind fell; kept: %v", now.State, now.Count(caseload.ItemFell, c.kind), c.kept(r, h))
			}
		})
	}
}

// sql changes the database past every rule of the program.
func (r *rig) sql(statement string, args ...any) {
	r.t.Helper()
	_, err := r.records.DB().ExecContext(context.Background(), statement, args...)
	r.must(err)
}

func TestThePolicyPlansOnceADayAndOnlyAsMuchAsItMay(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	h := r.furnish(0)
	for _, c := range []struct {
		policy cleanup.Policy
		share  caseload.Share
		want   caseload.PlanState
	}{{cleanup.Propose, 1000, caseload.PlanWaiting}, {cleanup.On, 50, caseload.PlanWaiting}, {cleanup.On, 1000, caseload.PlanDone}} {
		r.cleaner.Policy, r.cleaner.Rules.Share = c.policy, c.share
		r.advance(25 * time.Hour)
		for range 3 {
			r.must(r.cleaner.Tend(ctx))
		}
		plans, err := r.records.Plans(ctx, r.admin, 10)
		r.must(err)
		waits := 0
		for _, p := range plans {
			if p.State == caseload.PlanWaiting {
				waits++
			}
		}
		if plans[0].State != c.want || waits > 1 {
			t.Errorf("%s with %s %%: the newest plan is %s, %d wait", c.policy, c.share, plans[0].State, waits)
		}
	}
	if r.row(h.finished.ID) != caseload.Deleted {
		t.Error("the policy carried nothing out")
	}
}

func TestADatabaseIsAcceptedByItsId(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	r.bucket.marker = &caseload.Marker{Database: "another"}
	err := r.cleaner.Accept(ctx, "wrong")
	var known *caseload.Error
	if !errors.As(err, &known) || known.Kind != caseload.Invalid || known.Hint == "" {
		t.Fatalf("accepted by a wrong id: %v", err)
	}
	facts, err := r.records.Facts(ctx, time.Hour)
	r.must(err)
	r.must(r.cleaner.Accept(ctx, facts.Database))
	if doubts, err := r.cleaner.Doubts(ctx); err != nil || len(doubts) > 0 {
		t.Errorf("still in doubt: %v %v", doubts, err)
	}
}

// More than the share goes by itself only when people have deleted it by hand, and few things at a time. What a rule has put
// into the trash, or what is much, waits for a word.
func TestFewThingsDeletedByHandGoByThemselves(t *testing.T) {
	few := caseload.DeedsAtOnce
	for name, c := range map[string]struct {
		files  int  // deleted one by one by a person
		inCase int  // files of one case that a person deleted
		byRule int  // files that the system deleted
		goes   bool // of twice as many that stay live
	}{
		"one file":                      {files: 1, goes: true},
		"as many as go at once":         {files: few, goes: true},
		"one more":                      {files: few + 1},
		"a case of many files":          {inCase: 3 * few, goes: true},
		"a case and one file too many":  {files: few, inCase: 2},
		"one by a rule":                 {byRule: 1},
		"a few by hand beside a rule's": {files: 1, byRule: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqliteURL(t))
			ctx := t.Context()
			r.cleaner.Rules.Share = 50
			house, doomed := r.newCase("live"), r.newCase("doomed")
			var gone []caseload.File
			for n := range c.files + c.byRule {
				gone = append(gone, r.received(house, fmt.Sprint("gone", n), true))
				r.received(house, fmt.Sprint("live", n), true)
			}
			for n := range c.inCase {
				gone = append(gone, r.received(doomed, fmt.Sprint("gone", n), true))
			}
			for n, f := range gone[:c.files+c.byRule] {
				user := r.admin
				if n >= c.files {
					user.ID = ""
				}
				r.must(r.DeleteFile(ctx, user, f.ID))
			}
			if c.inCase > 0 {
				r.must(r.DeleteCase(ctx, r.admin, doomed))
			}
			r.advance(r.Limits.TrashWindow + time.Hour)
			_, err := r.Sweep(ctx)
			r.must(err)
			for _, f := range gone {
				if r.held(f.Object) == c.goes {
					t.Fatalf("an object of %d is there: %v", len(gone), !c.goes)
				}
			}
		})
	}
}

// What little a rule has put into the trash goes by itself, as ever.
func TestALittleOfWhatARuleChoseGoesByItself(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	r.cleaner.Rules.Share = 50
	c := r.newCase("live")
	for n := range 19 {
		r.received(c, fmt.Sprint("live", n), true)
	}
	f := r.received(c, "gone", true)
	r.must(r.DeleteFile(ctx, caseload.User{Organization: r.admin.Organization, Role: caseload.Admin}, f.ID))
	r.advance(r.Limits.TrashWindow + time.Hour)
	_, err := r.Sweep(ctx)
	r.must(err)
	if r.held(f.Object) {
		t.Error("a twentieth waits for a word")
	}
}
