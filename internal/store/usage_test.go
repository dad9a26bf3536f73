package store

import (
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// keep makes a ledger of one step with these sums and lines.
func (b *bench) keep(t *testing.T, sums []caseload.LedgerSum, lines ...caseload.LedgerLine) caseload.Ledger {
	t.Helper()
	l, err := b.s.OpenLedger(t.Context(), false)
	must(t, err)
	l.Phase, l.Keys = caseload.LedgerDone, int64(len(sums))
	must(t, b.s.SaveLedger(t.Context(), caseload.LedgerStep{Ledger: l, Sums: sums, Lines: lines}))
	return l
}

func TestUsageIsTheOrganizationsOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-7", "Secret")
		b.as(c.ID, caseload.Ready)
		b.as(c.ID, caseload.Sending)
		trash := b.as(c.ID, caseload.Ready)
		must(t, b.s.DeleteFile(ctx, b.admin, trash.ID, b.inAnHour()))
		b.keep(t, []caseload.LedgerSum{
			{Organization: b.admin.Organization, Class: caseload.ClassLive, Source: caseload.SourceObject, Objects: 1, Bytes: 1000},
			{Organization: b.other.Organization, Class: caseload.ClassLive, Source: caseload.SourceObject, Objects: 5, Bytes: 5},
			{Class: caseload.ClassUnexplained, Source: caseload.SourceObject, Objects: 1, Bytes: 9},
		},
			caseload.LedgerLine{Class: caseload.ClassUnexplained, Object: "nobody", Bytes: 9, Why: "x"},
			caseload.LedgerLine{Class: caseload.ClassUnexplained, Object: "theirs", Organization: b.other.Organization, Bytes: 9, Why: "x"},
			caseload.LedgerLine{Class: caseload.ClassMissing, Object: "ours", Organization: b.admin.Organization, Bytes: 9, Why: "x"})
		must(t, b.s.NoteUsage(ctx))
		must(t, b.s.NoteUsage(ctx)) // once more, the same rows

		ours, err := b.s.Usage(ctx, b.admin)
		must(t, err)
		classes := map[caseload.Class]caseload.ClassUsage{}
		for _, k := range ours.Classes {
			classes[k.Class] = k
		}
		if k := classes[caseload.ClassLive]; k.Objects != 1 || k.Bytes != 1000 {
			t.Errorf("live: %+v", k)
		}
		if k := classes[caseload.ClassTrash]; k.Objects != 1 || k.Bytes != 1000 {
			t.Errorf("trash: %+v", k)
		}
		if classes[caseload.ClassInFlight].Objects != 1 {
			t.Errorf("in flight: %+v", classes)
		}
		if len(ours.Organizations) != 1 || ours.Organizations[0].Bytes != 1000 || ours.Organizations[0].Due != 1000 ||
			len(ours.Cases) != 1 || ours.Cases[0].Number != "2026-7" || len(ours.Recent) != 1 || len(ours.Arriving) != 1 || len(ours.Kinds) != 1 {
			t.Errorf("ours: %+v", ours)
		}
		if len(ours.Sums) != 1 || len(ours.Lines) != 1 || ours.Lines[0].Object != "ours" {
			t.Errorf("of the ledger we see %+v, %+v", ours.Sums, ours.Lines)
		}
		if len(ours.Days) != 3 {
			t.Errorf("of the day we see %+v", ours.Days)
		}

		theirs, err := b.s.Usage(ctx, b.other)
		must(t, err)
		if len(theirs.Organizations) != 1 || theirs.Organizations[0].Bytes != 0 || len(theirs.Cases)+len(theirs.Recent)+len(theirs.Arriving)+len(theirs.Kinds)+len(theirs.Days) != 0 {
			t.Errorf("theirs: %+v", theirs)
		}
		if len(theirs.Lines) != 1 || theirs.Lines[0].Object != "theirs" || len(theirs.Sums) != 1 || theirs.Sums[0].Bytes != 5 {
			t.Errorf("of the ledger they see %+v, %+v", theirs.Sums, theirs.Lines)
		}
		nobody, err := b.s.Usage(ctx, caseload.User{})
		must(t, err)
		if len(nobody.Organizations)+len(nobody.Cases)+len(nobody.Recent) != 0 {
			t.Errorf("a user without an organization sees %+v", nobody)
		}

		all, err := b.s.UsageOfAll(ctx)
		must(t, err)
		if len(all.Organizations) != 2 || len(all.Sums) != 3 || len(all.Lines) != 3 {
			t.Errorf("all: %+v", all)
		}
	})
}

// A step that another process was faster with is not counted, lines are bounded, and a finished ledger removes the older.
func TestALedgersStepsAreCountedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		first := b.keep(t, []caseload.LedgerSum{{Class: caseload.ClassTrial, Source: caseload.SourceObject, Objects: 1, Bytes: 1}})
		l, err := b.s.OpenLedger(ctx, true)
		must(t, err)
		if l.ID == first.ID || !l.Versions {
			t.Fatalf("the second ledger is %+v", l)
		}
		if same, err := b.s.OpenLedger(ctx, false); err != nil || same.ID != l.ID {
			t.Fatalf("a second one was begun beside it: %+v, %v", same, err)
		}
		step := caseload.LedgerStep{Ledger: l, Sums: []caseload.LedgerSum{{Class: caseload.ClassUnexplained, Source: caseload.SourceObject, Objects: 600, Bytes: 600}}}
		for i := range 600 {
			step.Lines = append(step.Lines, caseload.LedgerLine{Class: caseload.ClassUnexplained, Object: caseload.ObjectKey(strings.Repeat("k", i+1)), Bytes: 1, Why: "x"})
		}
		step.Ledger.After = caseload.Mark{Key: "k", ID: "v"}
		must(t, b.s.SaveLedger(ctx, step))
		wantKind(t, b.s.SaveLedger(ctx, step), caseload.Conflict)
		open, err := b.s.UnfinishedLedger(ctx)
		must(t, err)
		if open == nil || open.Step != 1 || open.After != step.Ledger.After {
			t.Fatalf("it stands at %+v", open)
		}
		step.Ledger, step.Ledger.Phase = *open, caseload.LedgerDone
		for i := range step.Lines {
			step.Lines[i].Object += "2"
		}
		must(t, b.s.SaveLedger(ctx, step))
		wantKind(t, b.s.SaveLedger(ctx, step), caseload.Conflict)
		u, err := b.s.UsageOfAll(ctx)
		must(t, err)
		if len(u.Sums) != 1 || u.Sums[0].Objects != 1200 || len(u.Lines) != caseload.MaxLedgerLines || u.Ledger.ID != l.ID {
			t.Errorf("%d sums, %d lines: %+v", len(u.Sums), len(u.Lines), u.Sums)
		}
	})
}
