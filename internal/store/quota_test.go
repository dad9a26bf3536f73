package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Plans at once, in different cases, never pass together: what is granted fits.
func TestPlansAtOnceNeverExceedTheQuota(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 10_500))
		var cases []caseload.Case
		for i := range 8 {
			cases = append(cases, b.newCase(fmt.Sprint(i), ""))
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		granted, refused := 0, 0
		for i := range 24 {
			all.Go(func() {
				f := caseload.File{
					ID: caseload.NewID[caseload.FileID](b.now()), Name: fmt.Sprint(i), Size: 1000, Route: caseload.Small,
					Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
				}
				placed, _, err := b.s.PlanFiles(ctx, b.admin, cases[i%8].ID, "", []caseload.Proposal{{File: f}})
				mu.Lock()
				defer mu.Unlock()
				var e *caseload.Error
				switch {
				case err != nil:
					t.Error(err)
				case placed[0].Err == nil:
					granted++
				case errors.As(placed[0].Err, &e) && e.Kind == caseload.TooLarge && e.Code == caseload.CodeQuota:
					refused++
				default:
					t.Error(placed[0].Err)
				}
			})
		}
		all.Wait()
		if granted != 10 || refused != 14 {
			t.Errorf("%d were granted and %d refused, want 10 and 14", granted, refused)
		}
		q, err := b.s.Quota(ctx, b.admin)
		must(t, err)
		if q != (caseload.Quota{Limit: 10_500, Ceiling: 10_500, Used: 10_000}) || q.Free() != 500 {
			t.Errorf("the quota says %+v", q)
		}
	})
}

// A batch that does not fit gets none of its new files, and says what there is; what goes on needs no more room.
func TestABatchFitsWholeOrNotAtAll(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		begun := caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Case: c.ID, Name: "begun", Size: 1000, Route: caseload.Small, Fingerprint: "f",
			State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		}
		b.propose(c.ID, "", begun)
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 2_500))
		events := len(b.events(t))
		again, a, z := begun, begun, begun
		again.ID, again.Object = caseload.NewID[caseload.FileID](b.now()), caseload.NewObjectKey()
		a.ID, a.Object, a.Name, a.Fingerprint = caseload.NewID[caseload.FileID](b.now()), caseload.NewObjectKey(), "a", ""
		z.ID, z.Object, z.Name, z.Fingerprint = caseload.NewID[caseload.FileID](b.now()), caseload.NewObjectKey(), "z", ""
		placed := b.propose(c.ID, "", again, a, z)
		if placed[0].Err != nil || placed[0].Match != caseload.MatchUnfinished {
			t.Errorf("the upload that goes on: %+v", placed[0])
		}
		const want = "Your organization may keep 2.5 kB, of which 1.5 kB are free; these 2 files need 2 kB."
		for _, p := range placed[1:] {
			var e *caseload.Error
			if !errors.As(p.Err, &e) || e.Message != want {
				t.Errorf("refused with %v, want %q", p.Err, want)
			}
		}
		if n := b.files(t); n != 1 {
			t.Errorf("there are %d rows, want 1", n)
		}
		if got := len(b.events(t)); got > events+1 { // the upload that goes on has one
			t.Errorf("%d events for what was refused", got-events)
		}
		if placed := b.propose(c.ID, "", a); placed[0].Err != nil {
			t.Errorf("one alone fits: %v", placed[0].Err)
		}
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 0))
		if placed := b.propose(c.ID, "", z); placed[0].Err != nil {
			t.Errorf("without a quota: %v", placed[0].Err)
		}
		wantKind(t, b.s.SetQuota(ctx, "", "nobody", 1), caseload.NotFound)
		wantKind(t, b.s.SetQuota(ctx, "", b.admin.Organization, -1), caseload.Invalid)
	})
}

// What was given up or deleted makes room; what arrived takes its own.
func TestWhatIsDeletedMakesRoom(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		ready, abandoned := b.as(c.ID, caseload.Ready), b.as(c.ID, caseload.Sending)
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 2_000))
		used := func(want int64) {
			t.Helper()
			q, err := b.s.Quota(ctx, b.admin)
			must(t, err)
			if q.Used != want {
				t.Errorf("%d bytes are used, want %d", q.Used, want)
			}
		}
		used(2000)
		if q, err := b.s.Quota(ctx, b.other); err != nil || q != (caseload.Quota{}) {
			t.Errorf("another organization is told %+v (%v), want no limit and nothing used", q, err)
		}
		must(t, b.abandon(abandoned).Err)
		used(1000)
		must(t, b.s.DeleteFile(ctx, b.admin, ready.ID, b.inAnHour()))
		used(0)
	})
}

func (b *bench) files(t *testing.T) (n int) {
	t.Helper()
	must(t, b.s.reader.QueryRowContext(t.Context(), `SELECT count(*) FROM files`).Scan(&n))
	return n
}

func (b *bench) events(t *testing.T) []int64 {
	t.Helper()
	rows, err := b.s.reader.QueryContext(t.Context(), `SELECT seq FROM events WHERE organization_id = $1`, string(b.admin.Organization))
	seqs, err := collect(rows, err, func(scan func(...any) error) (n int64, err error) { return n, scan(&n) })
	must(t, err)
	return seqs
}

// Administrators set a limit beneath the operator's, of their own organization alone; the smaller counts, and each change is
// in the audit log.
func TestAdministratorsSetALowerLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx, before := t.Context(), len(b.events(t))
		set := func(bytes, limit int64) {
			t.Helper()
			q, err := b.s.SetOwnQuota(ctx, b.admin, bytes)
			must(t, err)
			o, err := b.s.Organization(ctx, b.admin.Organization)
			if must(t, err); q.Limit != limit || o.Quota != limit {
				t.Errorf("%d of its own: the limit is %d and shown as %d, want %d", bytes, q.Limit, o.Quota, limit)
			}
		}
		set(3_000, 3_000)
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 2_000)) // the operator's is smaller now
		if q, err := b.s.Quota(ctx, b.admin); err != nil || q.Limit != 2_000 || q.Own != 3_000 {
			t.Errorf("under a smaller ceiling: %+v (%v)", q, err)
		}
		set(2_000, 2_000)
		set(1_000, 1_000)
		for bytes, kind := range map[int64]caseload.Kind{2_001: caseload.Invalid, -1: caseload.Invalid} {
			if _, err := b.s.SetOwnQuota(ctx, b.admin, bytes); caseload.KindOf(err) != kind {
				t.Errorf("%d: %v", bytes, err)
			}
		}
		member := b.admin
		member.Role = caseload.Member
		if _, err := b.s.SetOwnQuota(ctx, member, 1); caseload.KindOf(err) != caseload.Forbidden {
			t.Errorf("a member: %v", err)
		}
		c := b.newCase("1", "")
		placed := b.propose(c.ID, "", caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Case: c.ID, Name: "a", Size: 1001, Route: caseload.Small, State: caseload.Planned,
			Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		})
		if placed[0].Err == nil {
			t.Error("its own limit refuses nothing")
		}
		set(0, 2_000)
		must(t, b.s.SetQuota(ctx, "", b.admin.Organization, 0))
		set(5, 5)
		set(0, 0)
		if events := len(b.events(t)) - before; events != 9 { // eight changes and the case
			t.Errorf("%d events were written down, want 9", events)
		}
	})
}
