package fsck_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
	"dcdentals.com/caseload/internal/store"
)

// TestASoundInstallationHasNoFindings: files in every state, with trash, give no alarm.
func TestASoundInstallationHasNoFindings(t *testing.T) {
	onBoth(t, func(b *bench) {
		for range 2 {
			for _, state := range caseload.States() {
				b.as(state)
			}
		}
		b.place(caseload.MarkerKey, []byte("{}"))
		b.place(caseload.TrialPrefix+"of-doctor", []byte("x"))
		found, r := b.run(false)
		if len(found) > 0 || r.Files != 16 || r.Objects != 12 {
			b.Errorf("found %q in %d files and %d objects, want nothing in 16 and 12", found, r.Files, r.Objects)
		}
	})
}

// fault is one way to damage a sound installation.
type fault struct {
	damage         func(b *bench, f caseload.File)
	state          caseload.State // of the file it is done to; "": ready
	found, mended  string         // without and with --repair
	stillThere     bool           // a repair cannot help
	rememberedWith string         // the event of the repair
}

func (c fault) do(b *bench) {
	state := c.state
	if state == "" {
		state = caseload.Ready
	}
	c.damage(b, b.as(state))
}

func faults() map[string]fault {
	return map[string]fault{
		"an object is gone": {
			damage: func(b *bench, f caseload.File) { b.must(os.Remove(b.path(f))) },
			found:  "object_missing!", mended: "object_missing!", stillThere: true,
		},
		"an object is cut short": {
			damage: func(b *bench, f caseload.File) { b.must(os.Truncate(b.path(f), f.Size-1)) },
			found:  "size_differs!", mended: "size_differs!", stillThere: true,
		},
		"an object has another checksum": {
			damage: func(b *bench, f caseload.File) {
				b.must(os.Remove(b.path(f)))
				b.place(f.Object, bytes.Repeat([]byte("x"), int(f.Size)))
			},
			found: "checksum_differs!", mended: "checksum_differs!", stillThere: true,
		},
		"an object was copied": {
			damage: func(b *bench, f caseload.File) {
				content, err := os.ReadFile(b.path(f))
				b.must(err)
				b.must(os.Remove(b.path(f)))
				b.sent += 1000 // for another ETag
				b.place(f.Object, content)
			},
			found: "object_replaced!", mended: "object_replaced+", rememberedWith: "file.repinned",
		},
		"an object was copied with a bit flipped": {
			damage: func(b *bench, f caseload.File) {
				content, err := os.ReadFile(b.path(f))
				b.must(err)
				b.must(os.Remove(b.path(f)))
				b.sent += 1000
				b.place(f.Object, content)
				b.damage(f, 7)
			},
			found: "object_replaced!", mended: "object_replaced!", stillThere: true,
		},
		"a file nobody knows": {
			damage: func(b *bench, _ caseload.File) { b.place("fstranger", []byte("x")) },
			found:  "object_unknown", mended: "object_unknown", stillThere: true,
		},
		"a deleted file's object, and no delete-intent": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE intents SET state = 'done' WHERE file_id = $1`, string(f.ID))
			},
			state: caseload.Deleted, found: "object_leftover", mended: "object_leftover+", rememberedWith: "object.leftover",
		},
		"an abandoned file's object, and no delete-intent": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE intents SET state = 'cancelled' WHERE file_id = $1`, string(f.ID))
			},
			state: caseload.Abandoned, found: "object_leftover", mended: "object_leftover+", rememberedWith: "object.leftover",
		},
		"a delete-intent for a live file": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`INSERT INTO intents (id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
					VALUES ($1, $2, $3, $4, '', '', 'forged', 'open', $5, 1)`, strings.Repeat("i", 26), string(f.Organization), string(f.ID), string(f.Object), b.at.Add(time.Hour).UnixMilli())
			},
			found: "intent_of_live_file", mended: "intent_of_live_file+", rememberedWith: "oddity.mended",
		},
		"a preview of nothing": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`INSERT INTO previews (id, organization_id, case_id, series_id, state, revision, due_at)
					VALUES ($1, $2, $3, $4, 'made', 1, 0)`, strings.Repeat("p", 26), string(f.Organization), string(f.Case), strings.Repeat("s", 26))
			},
			found: "preview_incomplete preview_of_nothing", mended: "preview_of_nothing+", rememberedWith: "oddity.mended",
		},
		"a preview without a picture": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE previews SET state = 'made', due_at = 0 WHERE file_id = $1`, string(f.ID))
			},
			found: "preview_incomplete", mended: "preview_incomplete+", stillThere: true, rememberedWith: "oddity.mended", // until it was made again
		},
		"a preview with a bit flipped": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE previews SET state = 'made', due_at = 0 WHERE file_id = $1`, string(f.ID))
				b.meddle(`INSERT INTO preview_pictures (preview_id, view, media, width, height, sha256, bytes)
					SELECT id, 'image', 'image/png', 1, 1, $2, $3 FROM previews WHERE file_id = $1`, string(f.ID), strings.Repeat("0", 64), []byte("picture"))
			},
			found: "preview_damaged", mended: "preview_damaged+", stillThere: true, rememberedWith: "oddity.mended",
		},
		"two versions, neither the latest": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE files SET family = $1, superseded = 1 WHERE id = $1`, string(f.ID))
			},
			found: "versions_out_of_order", mended: "versions_out_of_order+", rememberedWith: "oddity.mended",
		},
		"a version of nothing": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE files SET family = $2 WHERE id = $1`, string(f.ID), strings.Repeat("n", 26))
			},
			found: "version_of_nothing", mended: "version_of_nothing", stillThere: true,
		},
		"a live file in a deleted case": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE cases SET deleted_at = 1 WHERE id = $1`, string(f.Case))
			},
			found: "file_of_deleted_case", mended: "file_of_deleted_case", stillThere: true,
		},
		"an upload nobody sweeps": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE files SET deadline = $2 WHERE id = $1`, string(f.ID), b.at.Add(-25*time.Hour).UnixMilli())
			},
			state: caseload.Sending, found: "upload_overdue", mended: "upload_overdue", stillThere: true,
		},
		"a stored file nobody reads": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE files SET deadline = $2 WHERE id = $1`, string(f.ID), b.at.Add(-25*time.Hour).UnixMilli())
			},
			state: caseload.Stored, found: "reading_overdue", mended: "reading_overdue", stillThere: true,
		},
		"a delete-intent nobody carries out": {
			damage: func(b *bench, f caseload.File) {
				b.meddle(`UPDATE intents SET released_at = 1, due_at = $2 WHERE file_id = $1`, string(f.ID), b.at.Add(-25*time.Hour).UnixMilli())
			},
			state: caseload.Deleted, found: "intent_overdue", mended: "intent_overdue", stillThere: true,
		},
	}
}

// TestEachFaultIsNamed damages a sound installation in one way each, and looks what is said, what is repaired, and that a
// repair leaves nothing to be found.
func TestEachFaultIsNamed(t *testing.T) {
	for name, c := range faults() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
			c.do(b)
			found, r := b.run(false)
			if got := strings.Join(found, " "); got != c.found || r.Found != len(found) || r.Repaired != 0 {
				b.Fatalf("found %q (%+v), want %q", got, r, c.found)
			}
			if again, _ := b.run(false); !slices.Equal(found, again) {
				b.Fatalf("looking changed something: %q, then %q", found, again)
			}
			mended, r := b.run(true)
			if got := strings.Join(mended, " "); got != c.mended || strings.Contains(c.mended, "!") != (r.Losses > 0) {
				b.Fatalf("with --repair %q (%+v), want %q", got, r, c.mended)
			}
			if after, _ := b.run(false); (len(after) > 0) != c.stillThere {
				b.Errorf("after the repair: %q", after)
			}
			if c.rememberedWith != "" && b.remembered()[c.rememberedWith] != 1 {
				b.Errorf("events: %v", b.remembered())
			}
		})
	}
}

// TestAllFaultsAtOnce does all of it to one installation of each engine.
func TestAllFaultsAtOnce(t *testing.T) {
	onBoth(t, func(b *bench) {
		var found, mended []string
		events := map[string]int{}
		for _, c := range faults() {
			c.do(b)
			b.as(caseload.Ready)
			found = append(found, strings.Fields(c.found)...)
			mended = append(mended, strings.Fields(c.mended)...)
			if c.rememberedWith != "" {
				events[c.rememberedWith]++
			}
		}
		slices.Sort(found)
		slices.Sort(mended)
		if got, _ := b.run(false); !slices.Equal(got, found) {
			b.Errorf("found\n%q, want\n%q", got, found)
		}
		if got, _ := b.run(true); !slices.Equal(got, mended) {
			b.Errorf("with --repair\n%q, want\n%q", got, mended)
		}
		for action, n := range events {
			if got := b.remembered()[action]; got != n {
				b.Errorf("%d events %s, want %d", got, action, n)
			}
		}
	})
}

// remembered counts the audit log's events by action, and fails unless the chain holds.
func (b *bench) remembered() map[string]int {
	b.Helper()
	events, err := b.db.Events(b.Context(), b.admin, store.EventQuery{Limit: 500})
	b.must(err)
	actions := map[string]int{}
	for _, e := range events {
		actions[string(e.Action)]++
	}
	report, err := b.db.VerifyAudit(b.Context(), b.admin.Organization)
	if b.must(err); report.BrokenAt != 0 {
		b.Errorf("the audit chain breaks at %d", report.BrokenAt)
	}
	return actions
}

// TestALeftoverIsErasedByTheSweepAlone: what --repair asks for goes through a delete-intent, a day later.
func TestALeftoverIsErasedByTheSweepAlone(t *testing.T) {
	onBoth(t, func(b *bench) {
		f := b.as(caseload.Deleted)
		b.meddle(`UPDATE intents SET state = 'done'`)
		b.run(true)
		if _, err := os.Stat(b.path(f)); err != nil {
			b.Fatalf("fsck erased an object itself: %v", err)
		}
		if _, ok, err := b.db.ClaimIntent(b.Context(), b.at.Add(23*time.Hour)); ok || err != nil {
			b.Fatalf("due before a day has passed (%v)", err)
		}
		in, ok, err := b.db.ClaimIntent(b.Context(), b.at.Add(25*time.Hour))
		if err != nil || !ok || in.Object != f.Object {
			b.Fatalf("the intent is %+v, due %v (%v)", in, ok, err)
		}
		live := b.as(caseload.Ready)
		if err := b.db.EraseLeftover(b.Context(), live.ID, live.Object, b.at); caseload.KindOf(err) != caseload.Conflict {
			b.Errorf("a live file's object may be erased: %v", err)
		}
	})
}

// moving does something to the installation at the moment when fsck has seen one half of it.
type moving struct {
	fsck.Objects
	before, after func()
}

func (m moving) Walk(ctx context.Context, after caseload.ObjectKey, visit func(caseload.Object, time.Time) error) error {
	first := true
	err := m.Objects.Walk(ctx, after, func(o caseload.Object, at time.Time) error {
		err := visit(o, at)
		if first {
			first = false
			m.before()
		}
		return err
	})
	m.after()
	return err
}

// TestUploadsAndDeletionsMeanwhileAreNoFindings: rows and listing are never of one moment.
func TestUploadsAndDeletionsMeanwhileAreNoFindings(t *testing.T) {
	onBoth(t, func(b *bench) {
		var old []caseload.File
		for range 20 {
			old = append(old, b.as(caseload.Ready))
		}
		now := caseload.EraseAt{Kept: b.at, Partial: b.at}
		var found []fsck.Finding
		s := b.service(&found)
		s.Objects = moving{b.folder, func() { // rows are read, the listing goes on
			for range 20 {
				b.as(caseload.Stored)
			}
			for _, f := range old[:10] { // deleted and erased
				b.must(b.db.DeleteFile(b.Context(), b.admin, f.ID, now))
				b.must(os.Remove(b.path(f)))
				b.meddle(`UPDATE intents SET state = 'done'`)
			}
		}, func() { // the listing is read, rows are left
			for range 20 {
				b.as(caseload.Stored)
			}
		}}
		if _, err := s.Run(b.Context()); err != nil || len(found) > 0 {
			b.Errorf("found %q (%v)", marks(found), err)
		}
	})
}

// TestAStoreThatFailsIsNoFinding: what could not be looked at is an error.
func TestAStoreThatFailsIsNoFinding(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	b.as(caseload.Ready)
	down := caseload.Errorf(caseload.Unavailable, "The store cannot be reached.")
	for name, objects := range map[string]fsck.Objects{
		"the listing": failing{b.folder, down, nil}, "the second look": failing{empty{b.folder}, nil, down},
	} {
		var found []fsck.Finding
		s := b.service(&found)
		s.Objects = objects
		if _, err := s.Run(t.Context()); !errors.Is(err, error(down)) || len(found) > 0 {
			t.Errorf("%s: %v, found %q", name, err, marks(found))
		}
	}
}

type failing struct {
	fsck.Objects
	walk, head error
}

func (f failing) Walk(ctx context.Context, after caseload.ObjectKey, visit func(caseload.Object, time.Time) error) error {
	if f.walk != nil {
		return f.walk
	}
	return f.Objects.Walk(ctx, after, visit)
}

func (f failing) Head(context.Context, caseload.ObjectKey, string) (caseload.Object, error) {
	return caseload.Object{}, f.head
}

// empty lists nothing.
type empty struct{ fsck.Objects }

func (empty) Walk(context.Context, caseload.ObjectKey, func(caseload.Object, time.Time) error) error {
	return nil
}
