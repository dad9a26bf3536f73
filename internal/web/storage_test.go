package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// ledgerOf makes a finished ledger with a stranger of ours and one of nobody.
func (h *house) ledgerOf(org caseload.OrganizationID) {
	h.t.Helper()
	l, err := h.store.OpenLedger(h.t.Context(), false)
	must(h.t, err)
	l.Phase, l.Keys = caseload.LedgerDone, 3
	must(h.t, h.store.SaveLedger(h.t.Context(), caseload.LedgerStep{
		Ledger: l,
		Sums: []caseload.LedgerSum{
			{Organization: org, Class: caseload.ClassLive, Source: caseload.SourceObject, Objects: 1, Bytes: 1000},
			{Organization: org, Class: caseload.ClassUnexplained, Source: caseload.SourceObject, Objects: 1, Bytes: 77},
			{Class: caseload.ClassUnexplained, Source: caseload.SourceUpload, Objects: 1, Bytes: 5},
		},
		Lines: []caseload.LedgerLine{
			{Class: caseload.ClassUnexplained, Object: "fours", Organization: org, Bytes: 77, Why: "The file under this key does not need this upload any more."},
			{Class: caseload.ClassUnexplained, Object: "fnobodys", UploadID: "u", Bytes: 5, Why: "No file of the database has this upload."},
		},
	}))
}

// The page and the API tell administrators of their own organization, and of nobody else's.
func TestStorageIsTheOrganizationsOwn(t *testing.T) {
	h := open(t)
	c := h.openCase()
	h.stored(c.ID, "scan.bin", pattern(1000, 'a'))
	org := h.users["admin"].Organization
	h.ledgerOf(org)
	must(t, h.store.SetQuota(t.Context(), "", org, 1_000_000))
	for name, want := range map[string]struct {
		status int
		holds  []string
		lacks  []string
	}{
		"admin":         {200, []string{"scan.bin", "fours", "% of 1 MB used", "The store and the database do not agree"}, []string{"fnobodys"}},
		"foreign-admin": {200, []string{"Nothing was received yet"}, []string{"scan.bin", "fours", "fnobodys", c.Number}},
		"member":        {403, nil, []string{"scan.bin", "fours"}},
		"viewer":        {403, nil, []string{"scan.bin", "fours"}},
	} {
		b := h.browser()
		h.signIn(b, h.users[name].Email)
		r, err := http.NewRequestWithContext(t.Context(), "GET", h.http.URL+"/storage", nil)
		must(t, err)
		resp, body := send(t, b, r)
		if resp.StatusCode != want.status {
			t.Errorf("%s: answered %d, want %d", name, resp.StatusCode, want.status)
		}
		for _, text := range want.holds {
			if !strings.Contains(body, text) {
				t.Errorf("%s: the page lacks %q", name, text)
			}
		}
		for _, text := range want.lacks {
			if strings.Contains(body, text) {
				t.Errorf("%s: the page shows %q", name, text)
			}
		}
		resp, body = h.ask(name, "GET", "/api/v1/usage", "", "")
		if resp.StatusCode != want.status || (name == "foreign-admin" || want.status != 200) && strings.Contains(body, string(org)) {
			t.Errorf("%s: /usage answered %d: %s", name, resp.StatusCode, body)
		}
	}
	text := httpGet(t, h.server.Monitor().Handler(), "/metrics")
	for _, want := range []string{
		`caseload_bucket_bytes{class="live",source="object"} 1000`, `caseload_ledger_unexplained 2`,
		`caseload_quota_used_ratio{organization="` + string(org) + `"} 0.001`, `caseload_last_ledger_timestamp_seconds `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// Whatever way a file comes in, the plan is where the quota refuses it: with a stable code, in the words of both languages.
func TestTheQuotaRefusesBeforeTheFirstByte(t *testing.T) {
	h := open(t)
	c := h.openCase()
	first := h.stored(c.ID, "first.bin", pattern(1000, 'a'))
	must(t, h.store.SetQuota(t.Context(), "", h.users["admin"].Organization, 5_000))
	client := h.client("member")
	me, err := client.Me(t.Context())
	must(t, err)
	if me.Quota == nil || *me.Quota != (api.Quota{Limit: 5_000, Used: 1_000, Free: 4_000}) {
		t.Errorf("me says %+v", me.Quota)
	}
	for name, spec := range map[string]api.FileSpec{
		"small":   {Name: "a.bin", Size: 4_001},
		"direct":  {Name: "b.bin", Size: 7 << 20},
		"version": {Name: "c.bin", Size: 4_001, Replaces: first.ID},
	} {
		planned, err := client.Plan(t.Context(), c.ID, "", []api.FileSpec{spec})
		must(t, err)
		if p := planned.Files[0].Error; p == nil || p.Code != caseload.CodeQuota || p.Kind != "too_large" || p.Status != 413 || !strings.Contains(p.Detail, "may keep 5 kB, of which 4 kB are free") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for path, body := range map[string]string{
		"/companion/cases/" + c.ID + "/s3/multipart": `{"filename":"u.bin","type":"","metadata":{"size":"9000000"}}`,
	} {
		if resp, answer := h.ask("member", "POST", path, "application/json", body); resp.StatusCode != 413 || !strings.Contains(answer, "of which 4 kB are free") {
			t.Errorf("%s: answered %d: %s", path, resp.StatusCode, answer)
		}
	}
	if resp, answer := h.ask("member", "GET", "/companion/cases/"+c.ID+"/s3/params?filename=u.bin&type=&metadata[size]=9000000", "", ""); resp.StatusCode != 413 || !strings.Contains(answer, "of which 4 kB are free") {
		t.Errorf("a form: answered %d: %s", resp.StatusCode, answer)
	}
	if fits := h.plan(c.ID, "fits.bin", 4_000); fits.ID == "" {
		t.Error("what fits is refused")
	}
}

// Administrators set their organization's own limit, on the page and by the API, beneath the operator's; what they typed
// wrongly stays in the form, with what to do about it, in their language.
func TestAdministratorsSetTheirOwnLimit(t *testing.T) {
	h := open(t)
	org := h.users["admin"].Organization
	must(t, h.store.SetQuota(t.Context(), "", org, 2_000_000_000))
	b := h.browser()
	h.signIn(b, h.users["admin"].Email)
	for typed, want := range map[string]struct {
		status int
		says   string
	}{
		"lots": {400, "한도가 기가바이트 단위의 숫자가 아닙니다"},
		"-1":   {400, "한도가 기가바이트 단위의 숫자가 아닙니다"},
		"NaN":  {400, "한도가 기가바이트 단위의 숫자가 아닙니다"},
		"3":    {400, "서버 운영자가 이 기관에 허용한 최대 크기는 2 GB입니다"},
		"1,5":  {303, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.http.URL+"/storage/limit", strings.NewReader(url.Values{"gigabytes": {typed}}.Encode()))
		must(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept-Language", "ko")
		resp, body := send(t, b, r)
		if resp.StatusCode != want.status || !strings.Contains(body, want.says) || want.says != "" && !strings.Contains(body, `value="`+typed+`"`) {
			t.Errorf("%q: answered %d, want %d with %q", typed, resp.StatusCode, want.status, want.says)
		}
	}
	if resp, body := h.ask("admin", "GET", "/api/v1/quota", "", ""); resp.StatusCode != 200 || strings.TrimSpace(body) != `{"limit":1500000000,"ceiling":2000000000,"own":1500000000,"used":0}` {
		t.Errorf("/quota says %d %s", resp.StatusCode, body)
	}
	if resp, body := h.ask("admin", "PUT", "/api/v1/quota", "application/json", `{"own":2000000001}`); resp.StatusCode != 400 || !strings.Contains(body, "2 GB at most") {
		t.Errorf("over the ceiling: %d %s", resp.StatusCode, body)
	}
	if resp, body := h.ask("foreign-admin", "PUT", "/api/v1/quota", "application/json", `{"own":7}`); resp.StatusCode != 200 || !strings.Contains(body, `"limit":7,"ceiling":0`) {
		t.Errorf("another organization's: %d %s", resp.StatusCode, body)
	}
	if q, err := h.store.Quota(t.Context(), h.users["admin"]); err != nil || q.Own != 1_500_000_000 {
		t.Errorf("after another organization set its own: %+v (%v)", q, err)
	}
}
