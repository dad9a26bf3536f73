package web_test

import (
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
)

// Who does not reach the store gets a file's bytes through the server: whole, as nothing that a browser would open, and recorded
// like any download. Nobody else gets them.
func TestAFileIsRelayedToItsOrganizationOnly(t *testing.T) {
	h := open(t)
	c, err := h.client("member").CreateCase(t.Context(), api.NewCase{Patient: "Relay"})
	must(t, err)
	content := pattern(700_000, 'r')
	f := h.stored(c.ID, `<b>"mesh".stl`, content)
	address := "/api/v1/files/" + f.ID + "/relay"
	resp, body := h.ask("viewer", "GET", address, "", "")
	if resp.StatusCode != 200 || body != string(content) || resp.ContentLength != int64(len(content)) {
		t.Fatalf("answered %d with %d bytes", resp.StatusCode, len(body))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; sandbox",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	events, err := h.store.Events(t.Context(), h.users["viewer"], store.EventQuery{File: caseload.FileID(f.ID), Limit: 10})
	must(t, err)
	if !slices.ContainsFunc(events, func(e caseload.Event) bool {
		return e.Action == caseload.FileLinked && e.Actor == string(h.users["viewer"].ID)
	}) {
		t.Errorf("the activity does not tell of it: %+v", events)
	}
	if resp, body := h.ask("foreign-admin", "GET", address, "", ""); resp.StatusCode != 404 || strings.Contains(body, "rrr") {
		t.Errorf("a stranger was answered %d", resp.StatusCode)
	}
}
