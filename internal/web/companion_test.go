package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/web"
)

var pattern3 = pattern(3, 'x')

// companion speaks to the companion routes of a case as one of the users, the way the stock plugin does.
type companion struct {
	h    *house
	as   string
	base string
}

func companionOf(h *house, as, caseID string) companion {
	return companion{h, as, "/companion/cases/" + caseID + "/s3"}
}

func (c companion) ask(method, path, body string) (*http.Response, string) {
	c.h.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	return c.h.ask(c.as, method, c.base+path, kind, body)
}

// must asks and decodes what is answered; anything but 200 ends the test.
func (c companion) must(method, path, body string, into any) {
	c.h.t.Helper()
	resp, text := c.ask(method, path, body)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		c.h.t.Fatalf("%s %s answered %d %s: %s", method, path, resp.StatusCode, resp.Header.Get("Content-Type"), text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		c.h.t.Fatalf("%s %s answered %s: %v", method, path, text, err)
	}
}

type signedForm struct {
	Method, URL string
	Fields      map[string]string
}

func (c companion) form(name, size string) (form signedForm) {
	c.h.t.Helper()
	query := url.Values{"filename": {name}, "type": {"text/plain"}, "metadata[relativePath]": {"null"}}
	if size != "" {
		query.Set("metadata[size]", size)
	}
	c.must("GET", "/params?"+query.Encode(), "", &form)
	return form
}

// post posts the form as a browser does and returns the store's status.
func (c companion) post(form signedForm, content []byte) int {
	c.h.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		must(c.h.t, w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "blob")
	must(c.h.t, err)
	_, err = file.Write(content)
	must(c.h.t, err)
	must(c.h.t, w.Close())
	r, err := http.NewRequestWithContext(c.h.t.Context(), form.Method, form.URL, &body)
	must(c.h.t, err)
	r.Header.Set("Content-Type", w.FormDataContentType())
	resp, _ := send(c.h.t, noRedirects, r)
	return resp.StatusCode
}

func (c companion) begin(name, size string) string {
	c.h.t.Helper()
	var begun struct{ UploadID, Key string }
	metadata := "{}"
	if size != "" {
		metadata = `{"size":` + size + `}`
	}
	c.must("POST", "/multipart", fmt.Sprintf(`{"filename":%q,"type":"text/plain","metadata":%s}`, name, metadata), &begun)
	if begun.UploadID == "" || begun.Key == "" {
		c.h.t.Fatalf("begun without an id: %+v", begun)
	}
	return begun.Key
}

func (c companion) upload(key, rest string) string { return "/multipart/" + key + rest + "?key=" + key }

// part sends one part and returns its ETag without quotes.
func (c companion) part(key string, n int, content []byte) string {
	c.h.t.Helper()
	var signed struct{ URL string }
	c.must("GET", c.upload(key, fmt.Sprint("/", n)), "", &signed)
	r, err := http.NewRequestWithContext(c.h.t.Context(), "PUT", signed.URL, bytes.NewReader(content))
	must(c.h.t, err)
	resp, body := send(c.h.t, noRedirects, r)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == "" {
		c.h.t.Fatalf("part %d: the store answered %d: %s", n, resp.StatusCode, body)
	}
	return strings.Trim(resp.Header.Get("ETag"), `"`)
}

func (c companion) complete(key string, etags ...string) (*http.Response, string) {
	c.h.t.Helper()
	parts := make([]string, len(etags))
	for i, etag := range etags {
		parts[i] = fmt.Sprintf(`{"PartNumber":%d,"ETag":%q}`, i+1, etag)
	}
	return c.ask("POST", c.upload(key, "/complete"), `{"parts":[`+strings.Join(parts, ",")+`]}`)
}

func (c companion) file(key string) api.File {
	c.h.t.Helper()
	f, err := c.h.client("member").File(c.h.t.Context(), key)
	must(c.h.t, err)
	return f
}

func wantRefused(t *testing.T, what string, resp *http.Response, body string, status int) {
	t.Helper()
	var said struct{ Message string }
	if resp.StatusCode != status || json.Unmarshal([]byte(body), &said) != nil || said.Message == "" {
		t.Errorf("%s: answered %d %s, want %d with a message", what, resp.StatusCode, body, status)
	}
}

func TestCompanionTakesAFileInParts(t *testing.T) {
	h := open(t)
	c := companionOf(h, "member", h.openCase().ID)
	first, second := pattern(5<<20, 'a'), pattern(12345, 'b')
	for _, size := range []string{"", fmt.Sprint(len(first) + len(second))} {
		key := c.begin("임대석.zip", size)
		var parts []struct {
			PartNumber int
			ETag       string
		}
		if c.must("GET", c.upload(key, ""), "", &parts); len(parts) != 0 {
			t.Fatalf("parts before any was sent: %v", parts)
		}
		etags := []string{c.part(key, 1, first)}
		if c.must("GET", c.upload(key, ""), "", &parts); len(parts) != 1 || parts[0].PartNumber != 1 || parts[0].ETag != `"`+etags[0]+`"` {
			t.Fatalf("held: %v, sent %v", parts, etags)
		}
		if f := c.file(key); f.State != "sending" || f.SizeOpen != (size == "") || !f.Loose || f.Name != "임대석.zip" {
			t.Fatalf("while it is sent: %+v", f)
		}
		var batch struct{ PresignedURLs map[string]string }
		c.must("GET", c.upload(key, "/batch")+"&partNumbers=2,3", "", &batch)
		if len(batch.PresignedURLs) != 2 || batch.PresignedURLs["2"] == "" {
			t.Fatalf("batch: %v", batch)
		}
		resp, body := c.complete(key, etags[0], "0000")
		wantRefused(t, "a part that is not there", resp, body, http.StatusConflict)
		resp, body = c.complete(key, "0000")
		wantRefused(t, "a part that is another", resp, body, http.StatusConflict)
		etags = append(etags, `"`+c.part(key, 2, second)+`"`) // quoted and not, mixed
		for range 2 {                                         // a second time answers the same
			resp, body = c.complete(key, etags...)
			if resp.StatusCode != 200 || !strings.Contains(body, `"location":"`+h.http.URL+"/files/"+key+`"`) {
				t.Fatalf("complete answered %d %s", resp.StatusCode, body)
			}
		}
		f := c.file(key)
		whole := append(bytes.Clone(first), second...)
		if f.State != "stored" || f.Size != int64(len(whole)) || f.SizeOpen || f.CRC64NVME != crcOf(t, whole) {
			t.Fatalf("stored: %+v", f)
		}
		wantContent(t, h, key, whole)
		if c.must("GET", c.upload(key, ""), "", &parts); len(parts) != 2 || parts[1].ETag == `""` {
			t.Errorf("of a stored file, all parts are held: %v", parts)
		}
		resp, body = c.ask("GET", c.upload(key, "/1"), "")
		wantRefused(t, "a part of a stored file", resp, body, http.StatusConflict)
	}
}

func wantContent(t *testing.T, h *house, id string, content []byte) {
	t.Helper()
	link, err := h.client("member").Link(t.Context(), id)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "GET", link.URL, nil)
	must(t, err)
	if resp, body := send(t, http.DefaultClient, r); resp.StatusCode != 200 || body != string(content) {
		t.Fatalf("%d bytes came back with status %d, want %d", len(body), resp.StatusCode, len(content))
	}
}

// A posted form is found without a word of the client's, and what is posted over it later changes nothing.
func TestCompanionTakesAFileAsAForm(t *testing.T) {
	h := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.verbs.WatchForms(ctx) }()
	defer func() { cancel(); <-ended }()
	c := companionOf(h, "member", h.openCase().ID)
	content := pattern(70_000, 'f')
	form := c.form("photo.jpg", "")
	if form.Method != "POST" || !strings.HasPrefix(form.URL, h.http.URL+"/") || form.Fields["success_action_status"] != "201" {
		t.Fatalf("signed %+v", form)
	}
	key := form.Fields["key"]
	if f := c.file(key); f.State != "sending" || !f.SizeOpen {
		t.Fatalf("before it is posted: %+v", f)
	}
	resp, body := c.ask("POST", "/complete?key="+key, "")
	wantRefused(t, "complete before it is posted", resp, body, http.StatusConflict)
	if status := c.post(form, content); status != http.StatusCreated {
		t.Fatalf("the store answered %d", status)
	}
	f := h.waitForState(key, "stored")
	if f.Size != int64(len(content)) || f.SizeOpen || f.CRC64NVME != crcOf(t, content) {
		t.Fatalf("stored: %+v", f)
	}
	if status := c.post(form, pattern(70_000, 'z')); status != http.StatusCreated { // the form still lives
		t.Fatalf("posting again: the store answered %d", status)
	}
	wantContent(t, h, key, content)
	for range 2 {
		resp, body = c.ask("POST", "/complete?key="+key, "")
		if resp.StatusCode != 200 || !strings.Contains(body, "/files/"+key) {
			t.Fatalf("complete answered %d %s", resp.StatusCode, body)
		}
	}
	h.clock.advance(caseload.LateWrites + time.Minute)
	_, err := h.verbs.Sweep(t.Context())
	must(t, err)
	if _, err := embedded.Store().Head(t.Context(), caseload.ObjectKey(key), ""); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("what was posted is still there when nothing can be posted any more: %v", err)
	}
	wantContent(t, h, key, content)
}

// What was posted for a file that a person gave up goes when nothing can be posted any more.
func TestCompanionErasesTheFormOfAnUploadThatWasCancelled(t *testing.T) {
	h := open(t)
	c := companionOf(h, "member", h.openCase().ID)
	form := c.form("a", "")
	key := form.Fields["key"]
	_, err := h.client("member").Abort(t.Context(), key)
	must(t, err)
	if status := c.post(form, pattern3); status != http.StatusCreated { // a moment too late
		t.Fatalf("the store answered %d", status)
	}
	h.clock.advance(caseload.LateWrites + time.Minute)
	_, err = h.verbs.Sweep(t.Context())
	must(t, err)
	if _, err := embedded.Store().Head(t.Context(), caseload.ObjectKey(key), ""); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("it is still there: %v", err)
	}
}

// waitForState asks again and again, for a minute at most, until the file stands there.
func (h *house) waitForState(id, state string) api.File {
	h.t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		f, err := h.client("member").File(h.t.Context(), id)
		must(h.t, err)
		if f.State == state {
			return f
		}
		if time.Now().After(until) {
			h.t.Fatalf("the file is %s (%s), want %s", f.State, f.Reason, state)
		}
	}
}

func TestCompanionHoldsFilesToTheirSize(t *testing.T) {
	h := open(t, func(c *web.Config) { c.Limits.MaxFileSize = 6 << 20; c.Transfer.Limits.MaxFileSize = 6 << 20 })
	c := companionOf(h, "member", h.openCase().ID)
	t.Run("said too large", func(t *testing.T) {
		for _, path := range []string{"/params?filename=a&type=t&metadata[size]=6291457", "/multipart"} {
			method, body := "GET", ""
			if path == "/multipart" {
				method, body = "POST", `{"filename":"a","type":"t","metadata":{"size":6291457}}`
			}
			resp, text := c.ask(method, path, body)
			wantRefused(t, path, resp, text, http.StatusRequestEntityTooLarge)
			if !strings.Contains(text, "6 MiB") {
				t.Errorf("the limit is not named: %s", text)
			}
		}
	})
	t.Run("parts over the limit", func(t *testing.T) {
		key := c.begin("a", "")
		etags := []string{c.part(key, 1, pattern(5<<20, 'a')), c.part(key, 2, pattern(5<<20, 'b'))}
		resp, body := c.complete(key, etags...)
		wantRefused(t, "complete", resp, body, http.StatusRequestEntityTooLarge)
		if f := c.file(key); f.State != "abandoned" || !strings.Contains(f.Reason, "6 MiB") {
			t.Errorf("afterwards: %+v", f)
		}
	})
	t.Run("many parts over the limit are not even signed", func(t *testing.T) {
		key := c.begin("a", "")
		c.part(key, 1, pattern(5<<20, 'a'))
		c.part(key, 2, pattern(5<<20, 'b'))
		resp, body := c.ask("GET", c.upload(key, "/9"), "")
		wantRefused(t, "part 9", resp, body, http.StatusRequestEntityTooLarge)
	})
	t.Run("another total than was said", func(t *testing.T) {
		key := c.begin("a", "100")
		etag := c.part(key, 1, pattern(99, 'a'))
		resp, body := c.complete(key, etag)
		wantRefused(t, "a byte less", resp, body, http.StatusConflict)
		etag = c.part(key, 1, pattern(101, 'a'))
		resp, body = c.complete(key, etag)
		wantRefused(t, "a byte more", resp, body, http.StatusRequestEntityTooLarge)
	})
	t.Run("a form of another size", func(t *testing.T) {
		form := c.form("a", "100")
		for _, n := range []int{0, 99, 101} {
			if status := c.post(form, pattern(n, 'a')); status < 400 || status >= 500 {
				t.Errorf("%d bytes: the store answered %d", n, status)
			}
		}
		if status := c.post(c.form("a", ""), pattern(6<<20+1, 'a')); status < 400 || status >= 500 {
			t.Errorf("a byte over the limit: answered %d", status)
		}
		if status := c.post(form, pattern(100, 'a')); status != http.StatusCreated {
			t.Errorf("100 bytes: the store answered %d", status)
		}
	})
}

func TestCompanionIsNotLiedTo(t *testing.T) {
	h := open(t)
	mine, other := h.openCase().ID, h.openCase().ID
	c := companionOf(h, "member", mine)
	key, another, elsewhere := c.begin("a", ""), c.begin("b", ""), companionOf(h, "member", other).begin("c", "")
	form := c.form("d", "").Fields["key"]
	own := h.plan(mine, "own.bin", 17<<20).ID
	for what, ask := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no key":                       {"GET", "/multipart/" + key, "", 404},
		"a malformed key":              {"GET", "/multipart/" + key + "?key=..%2F..", "", 404},
		"another upload's key":         {"GET", "/multipart/" + key + "?key=" + another, "", 404},
		"another upload's id":          {"GET", "/multipart/" + another + "?key=" + key, "", 404},
		"an upload of another case":    {"GET", c.upload(elsewhere, ""), "", 404},
		"to sign for another case":     {"GET", c.upload(elsewhere, "/1"), "", 404},
		"to complete in another case":  {"POST", c.upload(elsewhere, "/complete"), `{"parts":[]}`, 404},
		"to cancel in another case":    {"DELETE", c.upload(elsewhere, ""), "", 404},
		"nobody's id":                  {"GET", c.upload("0000000000000000000000000a", ""), "", 404},
		"parts of a form":              {"GET", c.upload(form, ""), "", 404},
		"parts of our own upload":      {"GET", c.upload(own, "/1"), "", 404},
		"to complete our own as form":  {"POST", "/complete?key=" + own, "", 404},
		"to complete parts as a form":  {"POST", "/complete?key=" + key, "", 404},
		"part 0":                       {"GET", c.upload(key, "/0"), "", 400},
		"part 10001":                   {"GET", c.upload(key, "/10001"), "", 400},
		"part -1":                      {"GET", c.upload(key, "/-1"), "", 400},
		"part one":                     {"GET", c.upload(key, "/one"), "", 400},
		"a part of too many digits":    {"GET", c.upload(key, "/99999999999999999999"), "", 400},
		"no numbers":                   {"GET", c.upload(key, "/batch"), "", 400},
		"a batch of giants":            {"GET", c.upload(key, "/batch") + "&partNumbers=1,4294967297", "", 400},
		"a giant batch":                {"GET", c.upload(key, "/batch") + "&partNumbers=1" + strings.Repeat(",2", 1000), "", 400},
		"complete with nothing":        {"POST", c.upload(key, "/complete"), `{"parts":[]}`, 409},
		"complete with a part 0":       {"POST", c.upload(key, "/complete"), `{"parts":[{"PartNumber":0,"ETag":"x"}]}`, 409},
		"complete with no JSON":        {"POST", c.upload(key, "/complete"), `parts`, 400},
		"complete with a wrong type":   {"POST", c.upload(key, "/complete"), `{"parts":7}`, 400},
		"begin with no name":           {"POST", "/multipart", `{"metadata":{}}`, 400},
		"begin with no JSON":           {"POST", "/multipart", `x`, 400},
		"a negative size":              {"POST", "/multipart", `{"filename":"a","metadata":{"size":-1}}`, 400},
		"size 0":                       {"POST", "/multipart", `{"filename":"a","metadata":{"size":0}}`, 400},
		"a size in words":              {"POST", "/multipart", `{"filename":"a","metadata":{"size":"large"}}`, 400},
		"a form without a name":        {"GET", "/params?type=t", "", 400},
		"a form of size 0":             {"GET", "/params?filename=a&metadata[size]=0", "", 400},
		"something that is not there":  {"GET", "/sts", "", 404},
		"another method than there is": {"PUT", "/multipart", "{}", 405},
	} {
		resp, body := c.ask(ask.method, ask.path, ask.body)
		wantRefused(t, what, resp, body, ask.status)
	}
	if _, err := h.client("member").SignParts(t.Context(), key, []api.PartSpec{{Number: 1, CRC64NVME: "AAAAAAAAAAA="}}); err == nil {
		t.Error("our own route signs parts of a loose upload")
	}
}

// A cancel is taken back by asking for the parts; otherwise it stands after a day.
func TestCompanionCancelIsSoft(t *testing.T) {
	h := open(t)
	c := companionOf(h, "member", h.openCase().ID)
	left, cancelled := c.begin("left.bin", ""), c.begin("cancelled.bin", "")
	etag := c.part(left, 1, pattern(1000, 'a'))
	c.part(cancelled, 1, pattern(1000, 'a'))
	for _, key := range []string{left, cancelled, cancelled} {
		var empty map[string]any
		c.must("DELETE", c.upload(key, ""), "", &empty)
	}
	var parts []struct{ ETag string }
	if c.must("GET", c.upload(left, ""), "", &parts); len(parts) != 1 || parts[0].ETag != `"`+etag+`"` {
		t.Fatalf("after the page was left: %v", parts)
	}
	h.clock.advance(25 * time.Hour)
	_, err := h.verbs.Sweep(t.Context())
	must(t, err)
	if f := c.file(left); f.State != "sending" {
		t.Errorf("gone on with, it is %s", f.State)
	}
	if f := c.file(cancelled); f.State != "abandoned" || f.Reason != "The upload was cancelled." {
		t.Errorf("cancelled, it is %s (%s)", f.State, f.Reason)
	}
	resp, body := c.ask("GET", c.upload(cancelled, ""), "")
	wantRefused(t, "the parts of a cancelled upload", resp, body, http.StatusConflict)
	if resp, body := c.complete(left, etag); resp.StatusCode != 200 {
		t.Errorf("complete answered %d %s", resp.StatusCode, body)
	}
}

// By cookie the same is possible from our own pages, and not from another site's, not even by a link: to ask for a form
// makes a row.
func TestCompanionTakesTheSessionOfItsOwnPagesOnly(t *testing.T) {
	h := open(t)
	b := h.browser()
	h.signIn(b, "member@clinic.example")
	id := h.openCase().ID
	base := h.http.URL + "/companion/cases/" + id + "/s3/"
	for _, c := range []struct {
		site, method, address, body string
		status                      int
	}{
		{"same-origin", "POST", "multipart", `{"filename":"a"}`, 200},
		{"cross-site", "POST", "multipart", `{"filename":"a"}`, 403},
		{"same-origin", "GET", "params?filename=a", "", 200},
		{"cross-site", "GET", "params?filename=a", "", 403},
		{"same-site", "GET", "params?filename=a", "", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.address, strings.NewReader(c.body))
		must(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", c.site)
		if resp, body := send(t, b, r); resp.StatusCode != c.status {
			t.Errorf("%s %s from %s: answered %d %s, want %d", c.method, c.address, c.site, resp.StatusCode, body, c.status)
		}
	}
	files, err := h.client("member").Files(t.Context(), id)
	must(t, err)
	if len(files) != 2 {
		t.Errorf("%d files were planned, want the two of our own pages", len(files))
	}
}

// What nobody said the size of shows none.
func TestPagesTellNoSizeThatNobodySaid(t *testing.T) {
	h := open(t)
	id := h.openCase().ID
	key := companionOf(h, "member", id).begin("open.bin", "")
	b := h.browser()
	h.signIn(b, "member@clinic.example")
	for _, path := range []string{"/cases", "/cases/" + id, "/files/" + key} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", h.http.URL+path, nil)
		must(t, err)
		_, body := send(t, b, r)
		if !strings.Contains(body, "sending") || strings.Contains(body, "67 MB") || strings.Contains(body, " 0 %") || strings.Contains(body, "0 %<") {
			t.Errorf("%s tells a size or a percentage of it", path)
		}
	}
	if f := caseload.FileID(key); !caseload.ValidID(string(f)) {
		t.Errorf("the key %q is no identifier", key)
	}
}
