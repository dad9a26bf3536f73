package web_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func TestSmallFileGoesThroughTheServerAndComesBackUnderItsName(t *testing.T) {
	h := open(t)
	content := pattern(300_000, 's')
	f := h.stored(h.openCase().ID, "임대석.zip", content)
	if f.State != "stored" || f.Route != "small" || f.CRC64NVME != crcOf(t, content) || f.Name != "임대석.zip" {
		t.Fatalf("stored as %+v", f)
	}
	again, err := h.client("member").SendFile(t.Context(), f, bytes.NewReader(content), api.Upload{})
	must(t, err)
	if again.State != "stored" {
		t.Fatalf("sent again: %s", again.State)
	}
	h.downloads(f.ID, content)
}

func TestLargeFileGoesInPartsStraightToTheStore(t *testing.T) {
	h := open(t)
	content := pattern(17<<20, 'd')
	c := h.openCase()
	f, err := h.client("member").UploadFile(t.Context(), c.ID, "volume.dcm", bytes.NewReader(content), int64(len(content)), api.Upload{Path: "scan/a"})
	must(t, err)
	if f.State != "stored" || f.Route != "direct" || f.Parts != 2 || f.CRC64NVME != crcOf(t, content) {
		t.Fatalf("stored as %+v", f)
	}
	h.downloads(f.ID, content)
	for _, meant := range []string{"", f.CRC64NVME, f.CRC64NVME} {
		again, err := h.client("member").Complete(t.Context(), f.ID, meant)
		must(t, err)
		if again.StoredAt != f.StoredAt {
			t.Fatalf("a second complete answered %v, the first %v", again.StoredAt, f.StoredAt)
		}
	}
	other := crcOf(t, pattern(17<<20, 'e'))
	if _, err := h.client("member").Complete(t.Context(), f.ID, other); caseload.KindOf(err) != caseload.Conflict {
		t.Fatalf("complete as another file: %v", err)
	}
}

func TestPartsCanBeRelayedThroughTheServer(t *testing.T) {
	h := open(t)
	content := pattern(17<<20, 'r')
	f, err := h.client("member").UploadFile(t.Context(), h.openCase().ID, "volume.dcm", bytes.NewReader(content), int64(len(content)), api.Upload{Relay: true})
	must(t, err)
	h.downloads(f.ID, content)
}

func (h *house) downloads(id string, want []byte) {
	h.t.Helper()
	body, err := h.client("viewer").Download(h.t.Context(), id)
	must(h.t, err)
	defer body.Close()
	got, err := io.ReadAll(body)
	must(h.t, err)
	if !bytes.Equal(got, want) {
		h.t.Fatalf("downloaded %d bytes, other than the %d sent", len(got), len(want))
	}
}

func TestEveryCallOfTheClientHasItsAnswer(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	admin, member := h.client("admin"), h.client("member")
	me, err := member.Me(ctx)
	must(t, err)
	if me.User.Email != "member@clinic.example" || me.Organization.Name != "Clinic" || me.Limits.MaxFileSize != 64<<20 {
		t.Fatalf("me: %+v", me)
	}

	c := h.openCase()
	label, note := "Kim", "two lines\nof note"
	c, err = member.ChangeCase(ctx, c.ID, api.CaseChange{Patient: &label, Note: &note})
	must(t, err)
	if c.Patient != label || c.Note != note {
		t.Fatalf("changed to %+v", c)
	}
	page, err := member.Cases(ctx, api.CaseQuery{Text: "Kim", Limit: 10})
	must(t, err)
	if len(page.Cases) != 1 || page.Cases[0].ID != c.ID {
		t.Fatalf("found %+v", page)
	}

	f := h.stored(c.ID, "note.txt", []byte("hello"))
	files, err := member.Files(ctx, c.ID)
	must(t, err)
	one, err := member.File(ctx, f.ID)
	must(t, err)
	if len(files) != 1 || files[0].ID != one.ID {
		t.Fatalf("files: %+v, file: %+v", files, one)
	}
	_, err = member.Studies(ctx, c.ID)
	must(t, err)
	events, err := member.Events(ctx, c.ID, 2, 0)
	must(t, err)
	older, err := member.Events(ctx, c.ID, 0, events[1].Seq)
	must(t, err)
	if len(events) != 2 || len(older) == 0 || older[0].Seq >= events[1].Seq {
		t.Fatalf("events: %+v, older: %+v", events, older)
	}

	large := h.plan(c.ID, "large.bin", 17<<20)
	_, err = member.SignParts(ctx, large.ID, []api.PartSpec{{Number: 1, CRC64NVME: crcOf(t, []byte("x"))}})
	must(t, err)
	_, err = member.Parts(ctx, large.ID)
	must(t, err)
	must(t, member.ReportProgress(ctx, []api.Progress{{ID: large.ID, Sent: 1 << 20}, {ID: "nonsense", Sent: -1}}))
	reported, err := member.File(ctx, large.ID)
	must(t, err)
	aborted, err := member.Abort(ctx, large.ID)
	must(t, err)
	if reported.SentBytes != 1<<20 || aborted.State != "abandoned" {
		t.Fatalf("sent %d, aborted: %s", reported.SentBytes, aborted.State)
	}
	must(t, member.DeleteFile(ctx, f.ID))

	u, err := admin.CreateUser(ctx, api.NewUser{Email: "New@Clinic.example", Name: "New", Role: "viewer", Password: password})
	must(t, err)
	disabled := true
	u, err = admin.ChangeUser(ctx, u.ID, api.UserChange{Disabled: &disabled})
	must(t, err)
	users, err := admin.Users(ctx)
	must(t, err)
	if u.Email != "new@clinic.example" || !u.Disabled || len(users) != 4 {
		t.Fatalf("user %+v of %d", u, len(users))
	}

	made, err := member.CreateToken(ctx, api.NewToken{Name: "uploader", Role: "viewer", ExpiresAt: h.clock.now().Add(time.Hour)})
	must(t, err)
	limited := h.client("member")
	limited.Token = made.Secret
	if _, err := limited.CreateCase(ctx, api.NewCase{}); caseload.KindOf(err) != caseload.Forbidden {
		t.Fatalf("a member's token for looking opened a case: %v", err)
	}
	tokens, err := member.Tokens(ctx)
	must(t, err)
	must(t, member.RevokeToken(ctx, made.Token.ID))
	if _, err := limited.Me(ctx); len(tokens) != 2 || caseload.KindOf(err) != caseload.Unauthenticated {
		t.Fatalf("%d tokens; the revoked one answers %v", len(tokens), err)
	}
	must(t, member.DeleteCase(ctx, c.ID))
	if _, err := member.Case(ctx, c.ID); caseload.KindOf(err) != caseload.Gone {
		t.Fatalf("the deleted case answers %v", err)
	}
	for _, id := range []string{
		"showMe", "listCases", "createCase", "changeCase", "planFiles", "receiveFile", "listStudies", "listEvents",
		"signParts", "listParts", "abortFile", "reportProgress", "createUser", "changeUser", "createToken", "revokeToken", "deleteCase",
	} {
		if _, ok := covered.Load(id); !ok {
			t.Errorf("%s was never held against the document", id)
		}
	}
}

func TestDownloadLeadsToASignedAddressWithAHarmlessName(t *testing.T) {
	h := open(t)
	c := h.openCase()
	for _, name := range []string{`a"b;c.txt`, "evil\u202egpj.exe", "줄바꿈\r\nSet-Cookie: x=1", "%0d%0aX-Evil: 1", "ünï'cødé.html"} {
		f := h.stored(c.ID, name, []byte("<script>alert(1)</script>"))
		resp, _ := h.ask("viewer", "GET", "/api/v1/files/"+f.ID+"/content", "", "")
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("%q: answered %d", name, resp.StatusCode)
		}
		r, err := http.NewRequest("GET", resp.Header.Get("Location"), nil)
		must(t, err)
		got, body := send(t, noRedirects, r)
		disposition := got.Header.Get("Content-Disposition")
		if got.StatusCode != 200 || body != "<script>alert(1)</script>" || !strings.HasPrefix(disposition, "attachment") {
			t.Errorf("%q: %d %q", name, got.StatusCode, disposition)
		}
		if strings.ContainsAny(disposition, "\r\n") || got.Header.Get("Set-Cookie") != "" || got.Header.Get("X-Evil") != "" {
			t.Errorf("%q became headers: %v", name, got.Header)
		}
		if !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q is served without a sandbox: %v", name, got.Header)
		}
	}
}

func TestNamesAndPatientsNeverReachTheLog(t *testing.T) {
	h := open(t)
	c, err := h.client("member").CreateCase(t.Context(), api.NewCase{Patient: "CanaryPatient", Note: "CanaryNote"})
	must(t, err)
	f := h.stored(c.ID, "CanaryName.dcm", pattern(1000, 'c'))
	_, err = h.client("member").Cases(t.Context(), api.CaseQuery{Text: "CanaryPatient"})
	must(t, err)
	h.downloads(f.ID, pattern(1000, 'c'))
	h.ask("member", "GET", "/CanaryPath?x=CanaryQuery", "", "")
	h.ask("member", "POST", "/api/v1/cases", "application/json", `{"patient":"CanaryBody","CanaryField":1}`)
	recorded := httpGet(t, h.server.Monitor().Handler(), "/metrics")
	for place, text := range map[string]string{"log": h.log.String(), "metrics": recorded} {
		if strings.Contains(text, "Canary") {
			t.Errorf("the %s holds what people typed: %s", place, around(text, "Canary"))
		}
	}
	for _, capability := range []string{"X-Amz-Signature", h.tokens["member"]} {
		if strings.Contains(h.log.String(), capability) {
			t.Errorf("the log holds a capability: %s", around(h.log.String(), capability))
		}
	}
	if !strings.Contains(h.log.String(), `"route":"GET /api/v1/cases"`) {
		t.Error("the log does not tell the routes")
	}
}

func around(text, needle string) string {
	at := strings.Index(text, needle)
	return text[max(0, at-200):min(len(text), at+200)]
}
