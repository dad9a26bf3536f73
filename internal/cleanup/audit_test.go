package cleanup_test

import (
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// TestEachThingAPlanDoesIsInTheAuditLog: who looked, who said yes, what became of each thing, how the plan ended, and who
// took it back; in a chain that holds.
func TestEachThingAPlanDoesIsInTheAuditLog(t *testing.T) {
	r := newRig(t, sqliteURL(t))
	ctx := t.Context()
	h := r.furnish(0)
	org := string(r.admin.Organization)
	before := r.count(`SELECT max(seq) FROM events WHERE organization_id = $1`, org)
	p := r.approve()
	r.must(r.cleaner.Tend(ctx))
	r.sweep()
	_, _, err := r.cleaner.Undo(ctx, r.admin, p.ID)
	r.must(err)
	person := string(r.admin.ID)
	for _, want := range []struct {
		action caseload.Action
		actor  string // "": whoever
		c      caseload.CaseID
		file   caseload.FileID
	}{
		{caseload.CleanupPlanned, person, "", ""},
		{caseload.CleanupApproved, person, "", ""},
		{caseload.FileAbandoned, "", h.unfinished.Case, h.unfinished.ID},
		{caseload.FileDeleted, person, h.abandoned.Case, h.abandoned.ID},
		{caseload.CaseDeleted, person, h.finishedCase, ""},
		{caseload.PartsErased, person, "", ""},
		{caseload.CleanupEnded, "", "", ""},
		{caseload.ObjectErased, "", h.trash.Case, h.trash.ID},
		{caseload.CaseRestored, person, h.finishedCase, ""},
		{caseload.CleanupUndone, person, "", ""},
	} {
		if n := r.count(`SELECT count(*) FROM events WHERE organization_id = $6 AND seq > $1 AND action = $2 AND ($3 = '' OR actor = $3) AND case_id = $4 AND file_id = $5`,
			before, string(want.action), want.actor, string(want.c), string(want.file), org); n != 1 {
			t.Errorf("%d events %s by %q of file %q, want one", n, want.action, want.actor, want.file)
		}
	}
	_, err = r.records.VerifyAudit(ctx, r.admin.Organization)
	r.must(err)
}
