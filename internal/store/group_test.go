package store

import (
	"slices"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// A group changes in one transaction; whoever is refused in it keeps nobody else.
func TestFilesOfAGroupAreChangedTogetherAndRefusedAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c, other := b.newCase("1", ""), b.newCase("2", "")
		files := []caseload.File{
			b.as(c.ID, caseload.Planned), b.as(c.ID, caseload.Abandoned), b.as(other.ID, caseload.Planned),
			b.as(c.ID, caseload.Sending), b.as(c.ID, caseload.Stored), b.as(c.ID, caseload.Planned),
		}
		unknown := files[0]
		unknown.ID = caseload.NewID[caseload.FileID](b.now())
		files = append(files, unknown, files[0]) // the same one twice
		var declared []caseload.Declared
		for _, f := range files {
			declared = append(declared, caseload.Declared{File: f.ID, Part: caseload.Part{Number: 1, Size: f.Size, CRC64NVME: "AAAAAAAAAAA="}})
		}
		before := b.row(files[0])
		deadline := b.now().Add(time.Hour)
		begun, held, err := b.s.BeginReceiving(ctx, "", declared, deadline)
		must(t, err)
		wantOutcomes(t, "BeginReceiving", begun, []caseload.Kind{fine, caseload.Conflict, fine, fine, caseload.Conflict, fine, caseload.NotFound, fine},
			[]bool{true, false, true, false, false, true, false, false})
		if after := b.row(files[0]); after.head != before.head+3 {
			t.Errorf("%d events for three files that moved", after.head-before.head)
		}
		for i, f := range files {
			if begun[i].Err != nil {
				continue
			}
			parts, err := b.s.Parts(ctx, f.ID)
			must(t, err)
			if len(parts) != 1 || parts[0] != declared[i].Part || held[i] != declared[i].Part {
				t.Errorf("file %d: manifest %v, told %v", i, parts, held[i])
			}
			if now, err := b.s.File(ctx, b.admin, f.ID); err != nil || now.State != caseload.Sending || !now.Deadline.Equal(deadline) {
				t.Errorf("file %d is %s until %s (%v)", i, now.State, now.Deadline, err)
			}
		}

		var all []caseload.Seen
		for _, f := range files {
			all = append(all, caseload.Seen{File: f.ID, Object: seen(f)})
		}
		all[2].Object.Size++ // not what was planned
		before = b.row(files[0])
		stored, err := b.s.MarkStored(ctx, "", all)
		must(t, err)
		wantOutcomes(t, "MarkStored", stored, []caseload.Kind{fine, caseload.Conflict, caseload.Conflict, fine, fine, fine, caseload.NotFound, fine},
			[]bool{true, false, false, true, false, true, false, false})
		after := b.row(files[0])
		if after.head != before.head+3 || after.queued != before.queued+3 {
			t.Errorf("%d events, %d jobs for three files that moved", after.head-before.head, after.queued-before.queued)
		}
		if report, err := b.s.VerifyAudit(ctx, b.admin.Organization); err != nil || report.BrokenAt != 0 {
			t.Errorf("the audit log is broken at %d (%v)", report.BrokenAt, err)
		}
	})
}

// A thousand uploads that nobody wants any more go in one transaction: each with its event, its intent and without its parts.
func TestFilesOfAGroupAreAbandonedTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c, other := b.newCase("1", ""), b.newCase("2", "")
		files := []caseload.File{
			b.as(c.ID, caseload.Planned), b.as(c.ID, caseload.Sending), b.as(c.ID, caseload.Stored), b.as(c.ID, caseload.Abandoned), b.as(other.ID, caseload.Planned),
		}
		must(t, b.s.RecordParts(ctx, files[1].ID, []caseload.Part{{Number: 1, Size: 1, CRC64NVME: "AAAAAAAAAAA="}}, b.now().Add(time.Hour)))
		ids := []caseload.FileID{caseload.NewID[caseload.FileID](b.now())}
		for _, f := range files {
			ids = append(ids, f.ID)
		}
		arriving, err := b.s.ArrivingIn(ctx, b.admin, c.ID, ids)
		must(t, err)
		slices.Sort(arriving)
		if want := []caseload.FileID{files[0].ID, files[1].ID}; !slices.Equal(arriving, slices.Sorted(slices.Values(want))) {
			t.Errorf("arriving in the case are %v", arriving)
		}
		_, err = b.s.ArrivingIn(ctx, b.other, c.ID, ids)
		wantKind(t, err, caseload.NotFound)

		before := b.row(files[0])
		outcomes, err := b.s.MarkAbandoned(ctx, ids, "", "The upload was cancelled.", b.now().Add(time.Hour))
		must(t, err)
		wantOutcomes(t, "MarkAbandoned", outcomes, []caseload.Kind{caseload.NotFound, fine, fine, caseload.Conflict, fine, fine},
			[]bool{false, true, true, false, false, true})
		if after := b.row(files[0]); after.head != before.head+3 {
			t.Errorf("%d events for three files that were abandoned", after.head-before.head)
		}
		if parts, err := b.s.Parts(ctx, files[1].ID); err != nil || len(parts) != 0 {
			t.Errorf("an abandoned file's manifest is %v (%v)", parts, err)
		}
		if report, err := b.s.VerifyAudit(ctx, b.admin.Organization); err != nil || report.BrokenAt != 0 {
			t.Errorf("the audit log is broken at %d (%v)", report.BrokenAt, err)
		}
	})
}

const fine caseload.Kind = -1

func wantOutcomes(t *testing.T, what string, got []caseload.Outcome, kinds []caseload.Kind, won []bool) {
	t.Helper()
	for i, o := range got {
		if (o.Err == nil) != (kinds[i] == fine) || o.Err != nil && caseload.KindOf(o.Err) != kinds[i] || o.Won != won[i] {
			t.Errorf("%s of file %d: error %v, won %v", what, i, o.Err, o.Won)
		}
	}
}

// What an earlier try declared is told, not replaced: its bytes may have arrived.
func TestADeclarationIsNotReplacedByBeginningAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Planned)
		first := caseload.Part{Number: 1, Size: f.Size, CRC64NVME: "AAAAAAAAAAA="}
		second := caseload.Part{Number: 1, Size: f.Size, CRC64NVME: "AAAAAAAAAAE="}
		for _, p := range []caseload.Part{first, second} {
			outcomes, held, err := b.s.BeginReceiving(ctx, "", []caseload.Declared{{File: f.ID, Part: p}}, b.now().Add(time.Hour))
			must(t, err)
			if outcomes[0].Err != nil || held[0] != first {
				t.Errorf("declaring %v: %v, held %v", p, outcomes[0].Err, held[0])
			}
		}
		parts, err := b.s.Parts(ctx, f.ID)
		must(t, err)
		if !slices.Equal(parts, []caseload.Part{first}) {
			t.Errorf("the manifest is %v", parts)
		}
	})
}
