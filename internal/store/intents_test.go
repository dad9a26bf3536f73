package store

import (
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func (b *bench) claim() (caseload.Intent, bool) {
	b.t.Helper()
	in, ok, err := b.s.ClaimIntent(b.t.Context(), b.now())
	must(b.t, err)
	return in, ok
}

func TestADeleteIntentIsDueClaimedAndFinishedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Ready)
		must(t, b.s.DeleteFile(ctx, b.admin, f.ID, b.inAnHour()))
		if _, ok := b.claim(); ok {
			t.Fatal("claimed before it is due")
		}
		b.pass(time.Hour)
		if _, ok := b.claim(); ok {
			t.Fatal("trash was claimed that nobody released")
		}
		_, err := b.s.ReleaseTrash(ctx, b.admin.Organization, b.now())
		must(t, err)
		in, ok := b.claim()
		if !ok || in.Object != f.Object || in.File != f.ID || in.Organization != b.admin.Organization || in.Reason == "" {
			t.Fatalf("claimed %+v, %v", in, ok)
		}
		if _, ok := b.claim(); ok {
			t.Fatal("claimed twice")
		}
		b.pass(10 * time.Minute)
		again, ok := b.claim() // whoever claimed it died
		if !ok || again.ID != in.ID {
			t.Fatalf("after ten minutes: %+v, %v", again, ok)
		}
		before := b.row(f)
		must(t, b.s.FinishIntent(ctx, in.ID))
		must(t, b.s.FinishIntent(ctx, in.ID))
		if got := b.row(f).head - before.head; got != 1 {
			t.Errorf("%d events, want one", got)
		}
		b.pass(24 * time.Hour)
		if _, ok := b.claim(); ok {
			t.Error("a finished intent was claimed")
		}
		wantKind(t, b.s.FinishIntent(ctx, "nobody"), caseload.NotFound)
	})
}

// Trash is let go when it is due, and only the organization's that is named.
func TestTrashIsReleasedWhenItIsDueAndOfOneOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		due := b.trashed(c.ID, caseload.Ready)
		b.pass(30 * time.Minute)
		young := b.trashed(c.ID, caseload.Ready)
		b.pass(30 * time.Minute)
		if n, err := b.s.ReleaseTrash(ctx, b.other.Organization, b.now()); err != nil || n != 0 {
			t.Errorf("a stranger's word let %d go (%v)", n, err)
		}
		if n, err := b.s.ReleaseTrash(ctx, b.admin.Organization, b.now()); err != nil || n != 1 {
			t.Errorf("%d were let go, want the one that is due (%v)", n, err)
		}
		if in, ok := b.claim(); !ok || in.File != due.ID {
			t.Errorf("claimed %+v, %v", in, ok)
		}
		if in, ok := b.claim(); ok {
			t.Errorf("claimed %s, which is not due (%s)", in.File, young.ID)
		}
	})
}

// What is let go, but not due yet, is claimed by nobody.
func TestAReleasedIntentIsNotClaimedBeforeItIsDue(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		f := b.trashed(b.newCase("1", "").ID, caseload.Ready)
		_, err := b.s.db.ExecContext(t.Context(), `UPDATE intents SET released_at = 1`)
		must(t, err)
		if in, ok := b.claim(); ok {
			t.Errorf("claimed %s an hour before its time", in.File)
		}
		b.pass(time.Hour)
		if in, ok := b.claim(); !ok || in.File != f.ID {
			t.Errorf("when it is due: %+v, %v", in, ok)
		}
	})
}

func TestAnIntentThatIsNotClaimedCannotBeFinished(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		f := b.as(b.newCase("1", "").ID, caseload.Deleted)
		var id caseload.IntentID
		must(t, b.s.reader.QueryRowContext(t.Context(), `SELECT id FROM intents WHERE file_id = $1`, string(f.ID)).Scan(&id))
		wantKind(t, b.s.FinishIntent(t.Context(), id), caseload.Conflict)
	})
}

// I6: an intent that speaks of a live file's object, by whatever fault it came to be, is cancelled in every live state.
func TestIntentsAgainstLiveFilesAreCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		for _, state := range caseload.States() {
			f := b.as(c.ID, state)
			_, err := b.s.db.ExecContext(ctx, `DELETE FROM intents`)
			must(t, err)
			must(t, b.s.write(ctx, func(t *tx) error {
				return t.insertIntents(ctx, []caseload.File{f}, givenUp{reason: "a fault", due: caseload.EraseAt{Kept: b.now(), Partial: b.now()}})
			}))
			_, err = b.s.db.ExecContext(ctx, `UPDATE intents SET released_at = 1`)
			must(t, err)
			_, ok := b.claim()
			var stands string
			must(t, b.s.reader.QueryRowContext(ctx, `SELECT state FROM intents`).Scan(&stands))
			if live := state != caseload.Abandoned && state != caseload.Deleted; live && (ok || stands != "cancelled") {
				t.Errorf("the object of a file that is %s would be erased (claimed %v, intent %s)", state, ok, stands)
			} else if !live && !ok {
				t.Errorf("the object of a file that is %s is never erased", state)
			}
		}
	})
}

func TestConcurrentClaimsNeverShareAnIntent(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "")
		const n = 12
		for range n {
			b.as(c.ID, caseload.Deleted)
		}
		b.pass(2 * time.Hour)
		var mu sync.Mutex
		var wg sync.WaitGroup
		claimed := map[caseload.IntentID]int{}
		for range 8 {
			wg.Go(func() {
				for {
					in, ok, err := b.s.ClaimIntent(t.Context(), b.now())
					if err != nil {
						t.Error(err)
					}
					if !ok {
						return
					}
					mu.Lock()
					claimed[in.ID]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("intent %s was claimed %d times", id, times)
			}
		}
		for range n { // a claimer may have given up while another held the row it would have taken next
			in, ok := b.claim()
			if !ok {
				break
			}
			claimed[in.ID]++
		}
		if len(claimed) != n {
			t.Errorf("%d intents claimed, want %d", len(claimed), n)
		}
	})
}
