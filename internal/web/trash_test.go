package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/web"
)

// carriedOut is a plan that has put a finished case of the member's into the trash.
func (h *house) carriedOut(patient string, n int) caseload.CleanupPlan {
	h.t.Helper()
	ctx := h.t.Context()
	c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("F-%d", n), Patient: patient})
	must(h.t, err)
	must(h.t, h.store.FinishCase(ctx, h.users["member"], c.ID, true))
	admin := h.users["admin"]
	later := h.clock.now().Add(time.Hour)
	p, err := h.store.MakePlan(ctx, caseload.CleanupPlan{Organization: admin.Organization, MadeBy: string(admin.ID), QuietSince: later, FinishedSince: later}, nil)
	must(h.t, err)
	p, err = h.store.ApprovePlan(ctx, admin, p.ID, p.Share(), 0)
	must(h.t, err)
	p, err = h.cleaner.CarryOut(ctx, p)
	must(h.t, err)
	return p
}

func TestTheTrashIsKeptByTheAPIAsByThePages(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	member, admin := h.client("member"), h.client("admin")
	c := h.openCase()
	content := pattern(3000, 't')
	f := h.stored(c.ID, "scan.stl", content)
	must(t, member.DeleteFile(ctx, f.ID))
	trash, err := member.Trash(ctx)
	must(t, err)
	if len(trash.Files) != 1 || trash.Files[0].ID != f.ID || trash.Files[0].DeletedBy != string(h.users["member"].ID) || trash.Files[0].Name != "scan.stl" ||
		trash.Files[0].KeptUntil.Sub(trash.Files[0].DeletedAt).Round(time.Second) != caseload.DefaultLimits().TrashWindow { // two looks at the clock
		t.Fatalf("the trash holds %+v", trash)
	}
	back, err := member.RestoreFile(ctx, f.ID)
	must(t, err)
	if back.State != "stored" || back.ID != f.ID {
		t.Fatalf("it came back as %+v", back)
	}
	h.downloads(f.ID, content)
	if _, err := member.RestoreFile(ctx, f.ID); caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("restored twice: %v", err)
	}

	must(t, member.DeleteCase(ctx, c.ID))
	trash, err = admin.Trash(ctx)
	must(t, err)
	if len(trash.Cases) != 1 || trash.Cases[0].Case.ID != c.ID || trash.Cases[0].Files != 1 || trash.Cases[0].Bytes != 3000 || len(trash.Files) != 0 {
		t.Fatalf("the trash holds %+v", trash)
	}
	if _, err := member.RestoreFile(ctx, f.ID); caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("a file came back without its case: %v", err)
	}
	whole, err := member.RestoreCase(ctx, c.ID)
	must(t, err)
	if whole.Restored != 1 || whole.Lost != 0 || whole.Case.ID != c.ID {
		t.Fatalf("came back: %+v", whole)
	}
	h.downloads(f.ID, content)

	finished, err := member.FinishCase(ctx, c.ID, true)
	must(t, err)
	open, err := member.FinishCase(ctx, c.ID, false)
	must(t, err)
	if finished.FinishedAt.IsZero() || !open.FinishedAt.IsZero() {
		t.Errorf("finished at %v, then %v", finished.FinishedAt, open.FinishedAt)
	}

	must(t, member.DeleteFile(ctx, f.ID))
	if _, err := member.PurgeFile(ctx, f.ID); caseload.KindOf(err) != caseload.Forbidden {
		t.Errorf("a member erased for good: %v", err)
	}
	gone, err := admin.PurgeFile(ctx, f.ID)
	must(t, err)
	if gone.ErasedFrom.After(h.clock.now().Add(caseload.LateWrites)) {
		t.Errorf("it goes at %v only", gone.ErasedFrom)
	}
	g := h.stored(c.ID, "second.stl", content)
	must(t, member.DeleteCase(ctx, c.ID))
	if _, err := admin.PurgeCase(ctx, c.ID); err != nil {
		t.Errorf("the case was not erased: %v", err)
	}
	h.clock.advance(3 * time.Hour)
	if _, err := h.verbs.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.RestoreFile(ctx, g.ID); caseload.KindOf(err) != caseload.Conflict && caseload.KindOf(err) != caseload.Gone {
		t.Errorf("an erased file came back: %v", err)
	}
	allHeldAgainstTheDocument(t, "listTrash", "restoreFile", "restoreCase", "finishCase", "purgeFile", "purgeCase")
}

// A deleted case without files says who deleted it, by the API and on the page.
func TestADeletedCaseWithoutFilesSaysWhoDeletedIt(t *testing.T) {
	h := open(t)
	c := h.openCase()
	must(t, h.client("member").DeleteCase(t.Context(), c.ID))
	trash, err := h.client("admin").Trash(t.Context())
	must(t, err)
	if len(trash.Cases) != 1 || trash.Cases[0].DeletedBy != string(h.users["member"].ID) {
		t.Errorf("the API says %+v", trash.Cases)
	}
	b := h.browser()
	h.signIn(b, "admin@clinic.example")
	resp, err := b.Get(h.http.URL + "/trash")
	must(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	must(t, err)
	if !strings.Contains(string(page), "Deleted by Member") {
		t.Error("the page does not name who deleted it")
	}
}

func TestACleanUpIsPlannedApprovedAndUndoneByTheAPI(t *testing.T) {
	h := open(t, func(c *web.Config) { c.Cleanup.Rules.FinishedAfter = 30 * 24 * time.Hour })
	h.cleaner.Records = oneClock{h.store, h.clock.now}
	ctx := t.Context()
	member, admin := h.client("member"), h.client("admin")
	c := h.openCase()
	f := h.stored(c.ID, "report.pdf", pattern(2000, 'p'))
	reads, err := h.store.StartReading(ctx, caseload.FileID(f.ID), "w", h.clock.now(), h.clock.now().Add(time.Minute))
	must(t, err)
	must(t, h.store.Reject(ctx, reads.ID, reads.Attempt, "It cannot be read."))
	h.stored(h.openCase().ID, "live.txt", pattern(2000, 'l'))
	_, err = member.FinishCase(ctx, c.ID, true)
	must(t, err)
	h.clock.advance(31 * 24 * time.Hour)

	rules, err := admin.Cleanup(ctx)
	must(t, err)
	if rules.Policy != "off" || rules.FinishedAfter != 30*86400 || rules.Share != "5" || len(rules.Plans) != 0 {
		t.Fatalf("rules %+v", rules)
	}
	first, err := admin.PlanCleanup(ctx, api.NewPlan{})
	must(t, err)
	p, err := admin.PlanCleanup(ctx, api.NewPlan{OlderThan: 40 * 86400})
	must(t, err)
	if p.State != "waiting" || p.Share != "50" || len(p.Items) != 1 || p.Items[0].Kind != "case" || p.Items[0].Case != c.ID || p.Items[0].Bytes != 2000 {
		t.Fatalf("the plan is %+v", p)
	}
	if _, err := member.Case(ctx, c.ID); err != nil {
		t.Fatalf("a plan changed something: %v", err)
	}
	if old, err := admin.CleanupPlan(ctx, first.ID, 0); err != nil || old.State != "dismissed" {
		t.Errorf("the plan before is %+v, %v", old.State, err)
	}
	for _, typed := range []string{"", "5", "49.9", "100"} {
		if _, err := admin.ApproveCleanup(ctx, p.ID, typed); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("approved with %q: %v", typed, err)
		}
	}
	if _, err := admin.UndoCleanup(ctx, p.ID); caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("undone before it was carried out: %v", err)
	}
	if p, err = admin.ApproveCleanup(ctx, p.ID, "50"); err != nil || p.State != "approved" || p.ApprovedBy != string(h.users["admin"].ID) {
		t.Fatalf("approved: %+v, %v", p, err)
	}
	must(t, h.cleaner.Tend(ctx))
	if _, err := member.Case(ctx, c.ID); caseload.KindOf(err) != caseload.Gone {
		t.Fatalf("the case is still there: %v", err)
	}
	undone, err := admin.UndoCleanup(ctx, p.ID)
	must(t, err)
	if undone.Cases != 1 || undone.Lost != 0 || undone.Plan.UndoneAt.IsZero() || undone.Plan.UndoneBy != string(h.users["admin"].ID) {
		t.Fatalf("undone: %+v", undone)
	}
	if back, err := member.Case(ctx, c.ID); err != nil || !back.FinishedAt.IsZero() {
		t.Errorf("the case came back as %+v, %v", back, err)
	}
	h.downloads(f.ID, pattern(2000, 'p'))
	if _, err := admin.UndoCleanup(ctx, p.ID); caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("undone twice: %v", err)
	}
	h.openCase()
	_, err = member.FinishCase(ctx, c.ID, true)
	must(t, err)
	h.clock.advance(31 * 24 * time.Hour)
	more, err := admin.PlanCleanup(ctx, api.NewPlan{})
	must(t, err)
	if no, err := admin.DismissCleanup(ctx, more.ID); err != nil || no.State != "dismissed" {
		t.Errorf("dismissed: %+v, %v", no, err)
	}
	if _, err := admin.PlanCleanup(ctx, api.NewPlan{OlderThan: 60}); caseload.KindOf(err) != caseload.Invalid {
		t.Errorf("a minute is an age: %v", err)
	}
	allHeldAgainstTheDocument(t, "showCleanup", "planCleanup", "showPlan", "approvePlan", "dismissPlan", "undoPlan")
}

// While something looks wrong a plan is refused by the API in the doubt's own words.
func TestACleanUpIsRefusedByTheAPIWhileSomethingLooksWrong(t *testing.T) {
	h := open(t)
	bucket := h.cleaner.Objects.(*ownBucket)
	must(t, bucket.WriteMarker(t.Context(), caseload.Marker{Database: "another"}))
	resp, body := h.ask("admin", http.MethodPost, "/api/v1/cleanup/plans", "", "")
	if resp.StatusCode != http.StatusConflict || !strings.Contains(body, "another database") || !strings.Contains(body, "CASELOAD_DATABASE_URL") {
		t.Errorf("answered %d %s", resp.StatusCode, body)
	}
}

func allHeldAgainstTheDocument(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, ok := covered.Load(id); !ok {
			t.Errorf("%s was never held against the document", id)
		}
	}
}

// oneClock is the database under the tests' clock, which leaps.
type oneClock struct {
	*store.Store
	now func() time.Time
}

func (o oneClock) Facts(ctx context.Context, gap time.Duration) (caseload.DatabaseFacts, error) {
	facts, err := o.Store.Facts(ctx, gap)
	facts.Now, facts.AwakeFrom = o.now(), time.Time{}
	return facts, err
}
