package web_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func TestStoreTestReachesTheStoreAndLeavesNothingBehind(t *testing.T) {
	h := open(t)
	var test api.StoreTest
	_, text := h.ask("member", "GET", "/api/v1/store-test", "", "")
	must(t, json.Unmarshal([]byte(text), &test))
	if !test.SameOrigin || test.Endpoint != h.http.URL {
		t.Errorf("same origin %v, endpoint %q", test.SameOrigin, test.Endpoint)
	}
	before := objectsIn(t)
	r, err := http.NewRequestWithContext(t.Context(), test.Request.Method, test.Request.URL, http.NoBody)
	must(t, err)
	for name, value := range test.Request.Headers {
		r.Header.Set(name, value)
	}
	resp, body := send(t, noRedirects, r)
	if resp.StatusCode != 404 || !strings.Contains(body, "<Code>NoSuchUpload</Code>") {
		t.Errorf("a healthy store answers %d %s", resp.StatusCode, body)
	}
	if after := objectsIn(t); after != before {
		t.Errorf("the probe left something: %s", after)
	}
	if trouble, err := h.client("member").TestStore(t.Context()); trouble != nil || err != nil {
		t.Errorf("our own client: %v, %v", trouble, err)
	}
}

// objectsIn lists everything in the folder of this process's store.
func objectsIn(t *testing.T) string {
	t.Helper()
	root, err := os.Getwd() // the gateway lives there
	must(t, err)
	var all []string
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return strings.Join(all, "\n")
}

func TestReportsAboutTheStoreAreKeptOnceAnHourAndToldToAdministrators(t *testing.T) {
	h := open(t)
	c := h.openCase()
	report := func(code string) {
		t.Helper()
		must(t, h.client("member").ReportStore(t.Context(), api.StoreReport{Code: code, Detail: "HTTP 200", Case: c.ID}))
	}
	report("STORE-CORS")
	report("STORE-CORS")
	report("STORE-INTERCEPTED")
	if got := h.unreached(c.ID); got != 2 {
		t.Errorf("%d events of two codes within the hour", got)
	}
	h.clock.advance(61 * time.Minute)
	report("STORE-CORS")
	if got := h.unreached(c.ID); got != 3 {
		t.Errorf("%d events an hour later, want one more", got)
	}
	if !strings.Contains(h.log.String(), `"detail":"HTTP 200"`) {
		t.Error("the log does not tell the detail")
	}
	member := h.browser()
	h.signIn(member, "member@clinic.example")
	if page := h.page(member, "/cases/"+c.ID); !strings.Contains(page, "could not reach the store") {
		t.Error("the case's activity does not tell of it")
	}
	for email, told := range map[string]bool{"admin@clinic.example": true, "member@clinic.example": false, "admin@other.example": false} {
		b := h.browser()
		h.signIn(b, email)
		page := h.page(b, "/cases")
		if strings.Contains(page, "<code>STORE-CORS</code> 2 times") != told {
			t.Errorf("%s is told: %v, want %v", email, !told, told)
		}
	}
	h.clock.advance(8 * 24 * time.Hour)
	admin := h.browser()
	h.signIn(admin, "admin@clinic.example")
	if strings.Contains(h.page(admin, "/cases"), "<code>STORE-CORS</code>") {
		t.Error("it is told for longer than a week")
	}
}

func (h *house) unreached(caseID string) (n int) {
	h.t.Helper()
	events, err := h.client("member").Events(h.t.Context(), caseID, 100, 0)
	must(h.t, err)
	for _, e := range events {
		if e.Action == string(caseload.StoreUnreached) {
			n++
		}
	}
	return n
}

// page gets a page as the browser.
func (h *house) page(b *http.Client, path string) string {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.http.URL+path, nil)
	must(h.t, err)
	resp, body := send(h.t, b, r)
	if resp.StatusCode != 200 {
		h.t.Fatalf("%s answered %d", path, resp.StatusCode)
	}
	return body
}

func TestReportsAboutTheStoreAreHeldToTheirForm(t *testing.T) {
	h := open(t)
	foreign, err := h.client("foreign-admin").CreateCase(t.Context(), api.NewCase{Patient: "P"})
	must(t, err)
	for body, want := range map[string]int{
		`{"code":"STORE-OTHER","detail":""}`: 400,
		`{"detail":""}`:                      400,
		`{"code":"STORE-CORS","detail":"` + strings.Repeat("a", 201) + `"}`:        400,
		`{"code":"STORE-CORS","detail":"한글"}`:                                      400,
		`{"code":"STORE-CORS","detail":"a\u0000b"}`:                                400,
		`{"code":"STORE-CORS","case":"../x"}`:                                      404,
		`{"code":"STORE-CORS","case":"` + foreign.ID + `"}`:                        404,
		`{"code":"STORE-CORS","case":"` + strings.Repeat("0", 26) + `"}`:           404,
		`{"code":"STORE-UNREACHABLE","detail":"` + strings.Repeat("a", 200) + `"}`: 204,
		`{"code":"STORE-REFUSED","detail":"403 AccessDenied <b>", "more":"x"}`:     400,
		`{"code":"STORE-REFUSED","detail":"403 AccessDenied","case":""}`:           204,
	} {
		if resp, text := h.ask("member", "POST", "/api/v1/store-reports", "application/json", body); resp.StatusCode != want {
			t.Errorf("%s answered %d, want %d: %s", body, resp.StatusCode, want, text)
		}
	}
}
