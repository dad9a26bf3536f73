package web_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/web"
)

// canary stands in everything the clinic has that the other organization must never see.
const canary = "LeakCanary"

// actors of the matrix; "" is nobody.
var actors = []string{"", "viewer", "member", "admin", "foreign-admin"}

// bodies are valid requests, so that a refusal can only be about rights.
var bodies = map[string]string{
	"POST /api/v1/cases":                `{"patient":"P"}`,
	"PATCH /api/v1/cases/{case}":        `{"note":"n"}`,
	"POST /api/v1/cases/{case}/files":   `{"files":[{"name":"a.txt","size":3}]}`,
	"POST /api/v1/cases/{case}/match":   `{"sizes":[3]}`,
	"POST /api/v1/cases/{case}/abandon": `{"files":[]}`,
	"POST /api/v1/cases/{case}/finish":  `{"finished":true}`,
	"POST /api/v1/store-reports":        `{"code":"STORE-CORS","detail":""}`,
	"POST /api/v1/progress":             `{"files":[]}`,
	"PATCH /api/v1/users/{user}":        `{"name":"Other"}`,
	"PUT /api/v1/quota":                 `{"own":0}`,
	"POST /api/v1/tokens":               `{"name":"t","role":"member"}`,

	"POST /cases":                "number=&patient=P",
	"POST /cases/{case}/discard": "file=none",
	"POST /cases/{case}/finish":  "finished=yes",
	"POST /cases/{case}/purge":   "confirm=yes",
	"POST /files/{file}/purge":   "confirm=yes",
	"POST /cases/{case}":         "number=N-1&patient=P&note=",
	"POST /storage/limit":        "gigabytes=",
	"POST /users":                "name=N&role=viewer&password=" + "correct+horse+battery&email=",
	"POST /users/{user}":         "name=Other&role=viewer",
	"POST /account/password":     "current=x&password=y",
	"POST /tokens":               "name=t&role=viewer",
}

// TestEveryRouteForEveryRole takes every line of the route table as every actor. Who may not is told so by the right
// status; who may never meets a refusal; what is another organization's is not found and not seen.
func TestEveryRouteForEveryRole(t *testing.T) {
	h := open(t)
	m := newMatrix(h)
	asked := 0
	for _, rt := range h.server.Routes() {
		for _, actor := range actors {
			status, location, body := m.ask(rt, actor)
			asked++
			if fault := verdict(rt, actor, status, location, body); fault != "" {
				t.Errorf("%s as %q: answered %d %s: %s", rt.Pattern, actor, status, location, fault)
			}
			if (actor == "" || actor == "foreign-admin") && (strings.Contains(body, canary) || strings.Contains(location, canary)) {
				t.Errorf("%s as %q: shows what is the clinic's", rt.Pattern, actor)
			}
		}
	}
	t.Logf("%d requests: %d routes as %d actors", asked, len(h.server.Routes()), len(actors))
}

func verdict(rt web.Route, actor string, status int, location, body string) string {
	names := placeholder.MatchString(strings.ReplaceAll(rt.Pattern, "{$}", "")) && rt.Needs != "anyone"
	toSignIn := status == http.StatusSeeOther && strings.HasPrefix(location, "/sign-in")
	may := map[string]map[string]bool{
		"reader": {"viewer": true, "member": true, "admin": true, "foreign-admin": true},
		"writer": {"member": true, "admin": true, "foreign-admin": true},
		"admin":  {"admin": true, "foreign-admin": true},
	}
	switch {
	case status >= 500:
		return "a fault of ours: " + body
	case rt.Needs == "anyone":
		if (status == 401 || status == 403) && rt.Pattern != "POST /sign-in" { // there 401 means a wrong password
			return "anybody may"
		}
	case actor == "" && rt.Answers == "page":
		if !toSignIn {
			return "nobody is led to the sign-in page"
		}
	case actor == "":
		if status != 401 {
			return "want 401"
		}
	case !may[rt.Needs][actor]:
		if status != 403 {
			return "want 403"
		}
	case actor == "foreign-admin" && names:
		if status != 404 {
			return "want 404"
		}
	case rt.Answers == "page" && rt.Pattern != "POST /sign-out":
		if status == 401 || status == 403 || status == 404 || toSignIn {
			return "he may"
		}
	case rt.Answers != "page":
		if status >= 400 {
			return "he may: " + body
		}
	}
	return ""
}

// matrix makes what each request needs.
type matrix struct {
	h        *house
	sessions map[string]string
	n        int
}

func newMatrix(h *house) *matrix {
	m := &matrix{h: h, sessions: map[string]string{}}
	for name := range h.users {
		m.renew(name)
	}
	return m
}

// renew gives an actor a session; signing out ends the one he had.
func (m *matrix) renew(actor string) {
	secret := fmt.Sprintf("session-of-%s-%d", actor, m.n)
	sum := sha256.Sum256([]byte(secret))
	must(m.h.t, m.h.store.CreateSession(m.h.t.Context(), sum[:], m.h.users[actor].ID, time.Now(), time.Now().Add(time.Hour)))
	m.sessions[actor] = secret
}

// ask sends one request of the route as the actor, to things of the clinic's that were made for it alone.
func (m *matrix) ask(rt web.Route, actor string) (status int, location, body string) {
	h := m.h
	m.n++
	method, path, _ := strings.Cut(m.address(rt.Pattern), " ")
	content, header := bodies[rt.Pattern], http.Header{}
	switch {
	case rt.Pattern == "POST /api/v1/users":
		content = fmt.Sprintf(`{"email":"new%d@clinic.example","name":"N","role":"viewer","password":%q}`, m.n, password)
	case rt.Pattern == "PUT /api/v1/cases/{case}/contents":
		f := h.plan(strings.Split(path, "/")[4], canary+".txt", 3)
		content = framed(part(f.ID, "3", crcOf(h.t, []byte("abc")), "abc"))
		header.Set("Content-Type", "multipart/mixed; boundary=frame")
	case strings.HasPrefix(rt.Pattern, "PUT /api/v1/previews/"):
		content = string(smallPNG(h.t))
		header.Set("Content-Type", "image/png")
	case rt.Answers == "upload":
		size := 3
		if strings.Contains(rt.Pattern, "/parts/") {
			size = 16 << 20
		}
		content = string(pattern(size, 'x'))
		header.Set("X-Amz-Checksum-Crc64nvme", crcOf(h.t, []byte(content)))
	case rt.Answers == "companion":
		path, content = m.companion(rt.Pattern, path)
	case strings.HasPrefix(rt.Pattern, "POST /api/v1/files/{file}/parts"):
		content = `{"parts":[{"number":1,"crc64nvme":"AAAAAAAAAAA="}]}`
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.http.URL+path, strings.NewReader(content))
	must(h.t, err)
	r.Header = header
	if rt.Answers == "page" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if content != "" && (rt.Answers == "json" || rt.Answers == "companion") {
		r.Header.Set("Content-Type", "application/json")
	}
	if actor != "" && rt.Answers == "page" {
		r.AddCookie(&http.Cookie{Name: "caseload", Value: m.sessions[actor]})
	} else if actor != "" {
		r.Header.Set("Authorization", "Bearer "+h.tokens[actor])
	}
	if rt.Answers == "stream" {
		resp, err := noRedirects.Do(r)
		must(h.t, err)
		_ = resp.Body.Close()
		return resp.StatusCode, "", ""
	}
	resp, body := send(h.t, noRedirects, r)
	if rt.Pattern == "POST /sign-out" && actor != "" {
		m.renew(actor)
	}
	return resp.StatusCode, resp.Header.Get("Location"), body
}

// address fills the placeholders of a pattern with fresh things of the clinic's.
func (m *matrix) address(pattern string) string {
	h, ctx := m.h, m.h.t.Context()
	out := strings.ReplaceAll(pattern, "{$}", "")
	if strings.Contains(out, "{drop}") {
		c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, m.n), Patient: canary})
		must(h.t, err)
		out = strings.ReplaceAll(out, "{drop}", h.stored(string(c.ID), canary+".txt", []byte("xyz")).Drop)
	}
	if strings.Contains(out, "{instance}") {
		c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, m.n), Patient: canary})
		must(h.t, err)
		out = strings.ReplaceAll(out, "{instance}", h.slice(string(c.ID), canary))
	}
	if strings.Contains(out, "{case}") || strings.Contains(out, "{file}") {
		c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, m.n), Patient: canary})
		must(h.t, err)
		out = strings.ReplaceAll(out, "{case}", string(c.ID))
		if strings.Contains(out, "{file}") {
			out = strings.ReplaceAll(out, "{file}", m.file(pattern, string(c.ID)))
		} else if strings.HasSuffix(pattern, "/restore") || strings.HasSuffix(pattern, "/purge") {
			h.stored(string(c.ID), canary+".txt", pattern3)
			must(h.t, h.verbs.DeleteCase(ctx, h.users["member"], c.ID))
		}
	}
	if strings.Contains(out, "{preview}") {
		p := h.preview(caseload.PreviewMade)
		switch {
		case strings.Contains(pattern, "/frame"):
			p = h.left(canary, strings.HasSuffix(pattern, "/slices"))
		case !strings.HasPrefix(pattern, "GET "):
			p = h.preview(caseload.PreviewBrowser)
		}
		out = strings.NewReplacer("{preview}", string(p.ID), "{view}", "image", "{sum}", p.Pictures[0].SHA256).Replace(out)
	}
	if strings.Contains(out, "{plan}") {
		c, err := h.store.CreateCase(ctx, h.users["member"], caseload.Case{Number: fmt.Sprintf("%s-%d", canary, m.n), Patient: canary})
		must(h.t, err)
		_, err = h.verbs.Abort(ctx, h.users["member"], caseload.FileID(h.plan(string(c.ID), canary+".txt", 3).ID))
		must(h.t, err)
		p, err := h.store.MakePlan(ctx, caseload.CleanupPlan{Organization: h.users["admin"].Organization, MadeBy: string(h.users["admin"].ID), QuietSince: time.Now().Add(time.Hour)}, nil)
		must(h.t, err)
		out = strings.ReplaceAll(out, "{plan}", string(p.ID))
		if strings.HasSuffix(pattern, "/undo") {
			out = strings.ReplaceAll(out, string(p.ID), string(h.carriedOut(canary+"-finished", m.n).ID))
		}
	}
	if strings.Contains(out, "{user}") {
		u := caseload.User{Organization: h.users["admin"].Organization, Email: fmt.Sprintf("u%d@clinic.example", m.n), Name: canary, Role: caseload.Viewer}
		u, err := h.store.CreateUser(ctx, caseload.SystemActor, u, passwordHash())
		must(h.t, err)
		out = strings.ReplaceAll(out, "{user}", string(u.ID))
	}
	if strings.Contains(out, "{token}") {
		_, hash := web.NewTokenSecret()
		token := caseload.Token{ID: caseload.NewID[caseload.TokenID](time.Now()), User: h.users["member"].ID, Name: canary, Role: caseload.Viewer}
		must(h.t, h.store.CreateToken(ctx, h.users["member"], token, hash))
		out = strings.ReplaceAll(out, "{token}", string(token.ID))
	}
	out = strings.NewReplacer("{number}", "1", "{sum}", "0", "{file...}", "app.js").Replace(out)
	return out
}

// companion finishes the address of a companion route and makes its body: the clinic's member has sent what there is to
// sign, list or complete.
func (m *matrix) companion(pattern, path string) (address, body string) {
	h := m.h
	c := companionOf(h, "member", strings.Split(path, "/")[3])
	switch {
	case strings.HasSuffix(pattern, "/params"):
		return path + "?filename=" + canary + ".txt&type=text%2Fplain", ""
	case strings.HasSuffix(pattern, "/s3/complete"):
		form := c.form(canary+".txt", "")
		c.post(form, pattern3)
		return path + "?key=" + form.Fields["key"], ""
	case strings.HasSuffix(pattern, "/s3/multipart"):
		return path, `{"filename":"` + canary + `.txt","type":"text/plain","metadata":{}}`
	}
	key := c.begin(canary+".txt", "")
	path = strings.Replace(path, "{upload}", key, 1) + "?key=" + key
	if strings.HasSuffix(pattern, "/batch") {
		path += "&partNumbers=1,2"
	}
	if strings.HasSuffix(pattern, "/complete") {
		body = `{"parts":[{"PartNumber":1,"ETag":"` + c.part(key, 1, pattern3) + `"}]}`
	}
	return path, body
}

// file returns a file that stands where the route expects it.
func (m *matrix) file(pattern_, caseID string) string {
	switch {
	case strings.HasSuffix(pattern_, "/restore"), strings.HasSuffix(pattern_, "/purge"):
		f := m.h.stored(caseID, canary+".txt", pattern(3, 'x'))
		must(m.h.t, m.h.verbs.DeleteFile(m.h.t.Context(), m.h.users["member"], caseload.FileID(f.ID)))
		return f.ID
	case strings.Contains(pattern_, "/parts"):
		return m.h.plan(caseID, canary+".bin", 17<<20).ID
	case strings.Contains(pattern_, "PUT "), strings.Contains(pattern_, "abort"):
		return m.h.plan(caseID, canary+".txt", 3).ID
	default:
		return m.h.stored(caseID, canary+".txt", pattern(3, 'x')).ID
	}
}

// What the foreign administrator cannot reach by its address he cannot reach through a body either.
func TestForeignIdsInBodiesChangeNothing(t *testing.T) {
	h := open(t)
	f := h.plan(h.openCase().ID, "a.bin", 3)
	must(t, h.client("foreign-admin").ReportProgress(t.Context(), []api.Progress{{ID: f.ID, Sent: 2}}))
	after, err := h.client("member").File(t.Context(), f.ID)
	must(t, err)
	if after.SentBytes != 0 {
		t.Fatalf("a stranger set the progress to %d", after.SentBytes)
	}
}
