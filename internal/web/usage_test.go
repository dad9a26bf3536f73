package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// The page tells what the API tells, figure by figure: over time, by kind and case, what came in last, what is in flight with
// the bytes of its parts, what was abandoned, and what nothing explains.
func TestThePageStorageTellsWhatTheAPITells(t *testing.T) {
	h := open(t)
	c := h.openCase()
	h.stored(c.ID, "scan.bin", pattern(1000, 'a'))
	coming, givenUp := h.plan(c.ID, "coming.bin", 5000), h.plan(c.ID, "given-up.bin", 700)
	_, err := h.client("member").Abort(t.Context(), givenUp.ID)
	must(t, err)
	org := h.users["admin"].Organization
	h.ledgerOf(org)
	for _, statement := range []string{
		`UPDATE files SET state = 'sending', sent_bytes = 2000 WHERE id = '` + coming.ID + `'`,
		`INSERT INTO usage_days (organization_id, day, class, objects, bytes) VALUES ('` + string(org) + `', '` + h.clock.now().AddDate(0, 0, -2).Format(time.DateOnly) + `', 'live', 41, 640000)`,
		`INSERT INTO usage_days (organization_id, day, class, objects, bytes) VALUES ('` + string(org) + `', '` + h.clock.now().AddDate(0, 0, -1).Format(time.DateOnly) + `', 'live', 43, 680000)`,
	} {
		_, err := h.store.DB().ExecContext(t.Context(), statement)
		must(t, err)
	}

	var u api.Usage
	resp, body := h.ask("admin", "GET", "/api/v1/usage", "", "")
	if resp.StatusCode != http.StatusOK || json.Unmarshal([]byte(body), &u) != nil {
		t.Fatalf("answered %d: %s", resp.StatusCode, body)
	}
	classes := map[string]api.UsageCount{}
	for _, count := range u.Classes {
		classes[count.Name] = count
	}
	if live, flying, left := classes["live"], classes["in_flight"], classes["abandoned"]; live.Objects != 1 || live.Bytes != 1000 || flying.Objects != 1 || flying.Bytes != 2000 || left.Objects != 1 {
		t.Errorf("classes %+v", u.Classes)
	}
	if len(u.Days) != 2 || u.Days[1].Objects != 43 || u.Days[1].Bytes != 680_000 {
		t.Errorf("days %+v", u.Days)
	}
	if len(u.Organizations) != 1 || u.Organizations[0].Bytes != 1000 || u.Organizations[0].Arriving != 5000 || len(u.Cases) != 1 || u.Cases[0].Bytes != 1000 || len(u.Kinds) != 1 || u.Kinds[0].Objects != 1 {
		t.Errorf("by organization %+v, case %+v, kind %+v", u.Organizations, u.Cases, u.Kinds)
	}
	if len(u.Recent) != 1 || len(u.Arriving) != 1 || u.Arriving[0].Sent != 2000 || u.Arriving[0].Bytes != 5000 || len(u.Unexplained) != 1 || u.Unexplained[0].Object != "fours" {
		t.Errorf("recent %+v, arriving %+v, unexplained %+v", u.Recent, u.Arriving, u.Unexplained)
	}

	b := h.browser()
	h.signIn(b, h.users["admin"].Email)
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.http.URL+"/storage", nil)
	must(t, err)
	_, page := send(t, b, r)
	for _, want := range []string{
		`<span class="st-size">1.0 kB</span>`, "from 640 kB to 680 kB of received files", "from 41 to 43 received files", // and over time
		`<td class="num">43</td><td class="num">680 kB</td>`, "Not read yet", c.Number, "scan.bin", "coming.bin", "2.0 kB of 5.0 kB", "In flight", "Abandoned",
		"<code>fours</code>", "77 B",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
