package store

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dcdentals.com/caseload/internal/caseload"
)

// Random verbs on three files of one case, in any order and at any moment. After each one: every file's state is one
// that CanMove allows from the one before (or the same), the log grew by exactly one event per changed file or moved case, a case's
// revision grew whenever its files changed, what is not at an end has a deadline, the queue was asked exactly when a
// reading became necessary, and at the end the audit chain holds.
func TestAnySequenceOfVerbsKeepsTheInvariants(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		rapid.Check(t, func(rt *rapid.T) { b.randomLife(t, rt) })
	})
}

type world struct {
	files    map[caseload.FileID]caseload.File
	head     int64
	revision int64
	queued   int
}

func (b *bench) world(t *testing.T, c caseload.CaseID) world {
	t.Helper()
	w := world{files: map[caseload.FileID]caseload.File{}, queued: b.enqueued()}
	rows, err := b.s.reader.QueryContext(t.Context(), `SELECT `+fileColumns+` FROM files f WHERE f.case_id = $1`, string(c))
	files, err := collect(rows, err, scanFile)
	must(t, err)
	for _, f := range files {
		w.files[f.ID] = f
	}
	heads, err := b.s.OrganizationRevision(t.Context(), []caseload.OrganizationID{b.admin.Organization})
	must(t, err)
	w.head = heads[b.admin.Organization]
	revisions, err := b.s.Revisions(t.Context(), []caseload.CaseID{c})
	must(t, err)
	w.revision = revisions[c]
	return w
}

func (b *bench) randomLife(t *testing.T, rt *rapid.T) {
	ctx := t.Context()
	c, err := b.s.CreateCase(ctx, b.admin, caseload.Case{Number: "n" + string(caseload.NewObjectKey())})
	must(t, err)
	files := make([]caseload.File, 3)
	for i := range files {
		files[i] = caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Name: "a", Size: 100, Route: caseload.Small,
			Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		}
	}
	b.propose(c.ID, "", files...)
	pick := rapid.IntRange(0, len(files)-1)
	attempts := rapid.IntRange(1, 3)
	verbs := map[string]func(f caseload.File, attempt int) error{
		"BeginSending": func(f caseload.File, _ int) error {
			_, err := b.s.BeginSending(ctx, f.ID, "", "", b.now().Add(time.Hour))
			return err
		},
		"MarkStored": func(f caseload.File, _ int) error { _, _, err := b.markStored(f, seen(f)); return err },
		"MarkAbandoned": func(f caseload.File, _ int) error {
			return b.abandon(f).Err
		},
		"StartReading": func(f caseload.File, _ int) error {
			_, err := b.s.StartReading(ctx, f.ID, "w", b.now(), b.now().Add(30*time.Second))
			return err
		},
		"Renew":        func(f caseload.File, n int) error { return b.s.Renew(ctx, f.ID, n, b.now().Add(30*time.Second), 1, 2) },
		"SaveMetadata": func(f caseload.File, n int) error { return b.s.SaveMetadata(ctx, f.ID, n, slicesOf(n)) },
		"FinishReading": func(f caseload.File, n int) error {
			return b.s.FinishReading(ctx, f.ID, n, caseload.Receipt{SHA256: strings.Repeat("c", 64)})
		},
		"SaveRead": func(f caseload.File, n int) error {
			return b.s.SaveRead(ctx, f.ID, n, slicesOf(n), caseload.Receipt{SHA256: strings.Repeat("c", 64)})
		},
		"Reject":          func(f caseload.File, n int) error { return b.s.Reject(ctx, f.ID, n, "odd") },
		"Release":         func(f caseload.File, n int) error { return b.s.Release(ctx, f.ID, n) },
		"DeleteFile":      func(f caseload.File, _ int) error { return b.s.DeleteFile(ctx, b.admin, f.ID, b.inAnHour()) },
		"RequeueLapsed":   func(caseload.File, int) error { _, err := b.s.RequeueLapsed(ctx, b.now(), 2); return err },
		"a minute passes": func(caseload.File, int) error { b.pass(time.Minute); return nil },
	}
	names := []string{ // the forward moves more often, or few lives get far
		"BeginSending", "BeginSending", "MarkStored", "MarkStored", "StartReading", "StartReading", "SaveMetadata", "SaveMetadata",
		"FinishReading", "FinishReading", "SaveRead", "Reject", "Release", "Renew", "MarkAbandoned", "DeleteFile", "RequeueLapsed", "a minute passes",
	}
	verb := rapid.SampledFrom(names)
	before := b.world(t, c.ID)
	for range rapid.IntRange(1, 25).Draw(rt, "steps") {
		name, f, n := verb.Draw(rt, "verb"), files[pick.Draw(rt, "file")], attempts.Draw(rt, "attempt")
		b.pass(time.Millisecond)
		err := verbs[name](f, n)
		switch caseload.KindOf(err) {
		case caseload.Conflict, caseload.Gone:
		default:
			if err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
		}
		after := b.world(t, c.ID)
		changed := int64(0)
		for id, now := range after.files {
			old := before.files[id]
			if old.State != now.State && !caseload.CanMove(old.State, now.State) {
				rt.Fatalf("%s moved a file from %s to %s", name, old.State, now.State)
			}
			if now.Attempt < old.Attempt || now.Tries > now.Attempt {
				rt.Fatalf("%s: attempt %d after %d, tries %d", name, now.Attempt, old.Attempt, now.Tries)
			}
			if !now.State.Terminal() && now.Deadline.IsZero() {
				rt.Fatalf("%s left a file in %s without a deadline", name, now.State)
			}
			if !now.ChangedAt.Equal(old.ChangedAt) {
				changed++
			}
		}
		if err != nil && (changed != 0 || after.head != before.head || after.revision != before.revision || after.queued != before.queued) {
			rt.Fatalf("%s was refused (%v) and changed something", name, err)
		}
		events := changed
		if name == "SaveRead" && changed > 0 {
			events++ // what was found, and that it is ready
		}
		if got := after.head - before.head; got != events {
			rt.Fatalf("%s changed %d files and wrote %d events, want %d", name, changed, got, events)
		}
		if changed > 0 && after.revision <= before.revision {
			rt.Fatalf("%s changed a file and not the case's revision", name)
		}
		before = after
	}
	report, err := b.s.VerifyAudit(ctx, b.admin.Organization)
	must(t, err)
	if report.BrokenAt != 0 || report.Events != before.head {
		rt.Fatalf("the audit chain: %+v with head %d", report, before.head)
	}
}
