package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
	"dcdentals.com/caseload/internal/web"
)

// TestBadInputGets is the table of the issue over HTTP: every wrong request has its own clear problem.
func TestBadInputGets(t *testing.T) {
	h := open(t)
	c := h.openCase()
	deleted := h.openCase()
	must(t, h.client("member").DeleteCase(t.Context(), deleted.ID))
	small := h.plan(c.ID, "small.txt", 5)
	direct := h.plan(c.ID, "direct.bin", 17<<20)
	aborted := h.plan(c.ID, "aborted.txt", 5)
	_, err := h.client("member").Abort(t.Context(), aborted.ID)
	must(t, err)
	sum := crcOf(t, []byte("hello"))
	nobody := strings.Repeat("0", 26)
	planAt := "POST /api/v1/cases/" + c.ID + "/files"
	plan := func(name string, size any) string {
		body, err := json.Marshal(map[string]any{"files": []any{map[string]any{"name": name, "size": size}}})
		must(t, err)
		return string(body)
	}

	for _, tc := range []struct {
		what, request, contentType, body string
		header                           []string
		status                           int
		kind, field                      string
	}{
		{"a case nobody has", "GET /api/v1/cases/" + nobody, "", "", nil, 404, "not_found", ""},
		{"a case of a shape no case has", "GET /api/v1/cases/..%2f..%2fetc", "", "", nil, 404, "not_found", ""},
		{"a deleted case", "GET /api/v1/cases/" + deleted.ID, "", "", nil, 410, "gone", ""},
		{"a plan into a deleted case", "POST /api/v1/cases/" + deleted.ID + "/files", "application/json", plan("a", 5), nil, 410, "gone", ""},
		{"a case deleted twice", "DELETE /api/v1/cases/" + deleted.ID, "", "", nil, 410, "gone", ""},
		{"an address that is none", "GET /api/v1/nothing", "", "", nil, 404, "not_found", ""},
		{"a method that is none", "PUT /api/v1/cases", "application/json", "{}", nil, 405, "invalid", ""},
		{"an unknown field", "POST /api/v1/cases", "application/json", `{"patient":"P","surprise":1}`, nil, 400, "invalid", "surprise"},
		{"a field of another type", "POST /api/v1/cases", "application/json", `{"patient":7}`, nil, 400, "invalid", "patient"},
		{"two values", "POST /api/v1/cases", "application/json", `{}{}`, nil, 400, "invalid", ""},
		{"text after the value", "POST /api/v1/cases", "application/json", `{} x`, nil, 400, "invalid", ""},
		{"no JSON", "POST /api/v1/cases", "application/json", `{"patient":`, nil, 400, "invalid", ""},
		{"nothing", "POST /api/v1/cases", "application/json", ``, nil, 400, "invalid", ""},
		{"a form", "POST /api/v1/cases", "application/x-www-form-urlencoded", "patient=P", nil, 415, "unsupported", ""},
		{"no content type", "POST /api/v1/cases", "", "{}", nil, 415, "unsupported", ""},
		{"another charset", "POST /api/v1/cases", "application/json; charset=utf-16", "{}", nil, 415, "unsupported", ""},
		{"a body too large", "POST /api/v1/cases", "application/json", `{"note":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "too_large", ""},
		{"a plan too large", planAt, "application/json", `{"files":[{"name":"` + strings.Repeat("x", 4<<20) + `"}]}`, nil, 413, "too_large", ""},
		{"a number used already", "POST /api/v1/cases", "application/json", `{"number":"` + c.Number + `"}`, nil, 409, "conflict", "number"},
		{"a note too long", "POST /api/v1/cases", "application/json", `{"note":"` + strings.Repeat("x", 4001) + `"}`, nil, 400, "invalid", "note"},
		{"a limit that is none", "GET /api/v1/cases?limit=many", "", "", nil, 400, "invalid", "limit"},
		{"a state that is none", "GET /api/v1/cases?state=lost", "", "", nil, 400, "invalid", "state"},
		{"a cursor that is none", "GET /api/v1/cases?cursor=%00", "", "", nil, 400, "invalid", "cursor"},
		{"an unknown query", "GET /api/v1/cases?order=up", "", "", nil, 400, "invalid", "order"},
		{"no files", planAt, "application/json", `{"files":[]}`, nil, 400, "invalid", "files"},
		{"files that are null", planAt, "application/json", `{"files":null}`, nil, 400, "invalid", "files"},
		{"1,001 files", planAt, "application/json", `{"files":[` + strings.Repeat(`{"name":"a","size":1},`, 1000) + `{"name":"a","size":1}]}`, nil, 413, "too_large", "files"},
		{"a size that is no number", planAt, "application/json", plan("a", "5"), nil, 400, "invalid", "files.size"},
		{"a size with a fraction", planAt, "application/json", plan("a", 5.5), nil, 400, "invalid", "files.size"},
		{"a time that is none", planAt, "application/json", `{"files":[{"name":"a","size":1,"modified_at":"yesterday"}]}`, nil, 400, "invalid", ""},
		{"content of no checksum", "PUT /api/v1/files/" + small.ID + "/content", "", "hello", nil, 400, "invalid", "crc64nvme"},
		{"content of a malformed checksum", "PUT /api/v1/files/" + small.ID + "/content", "", "hello", []string{"x-amz-checksum-crc64nvme", "!"}, 400, "invalid", "crc64nvme"},
		{"content of wrong bytes", "PUT /api/v1/files/" + small.ID + "/content", "", "hellO", []string{"x-amz-checksum-crc64nvme", sum}, 400, "invalid", "crc64nvme"},
		{"content too short", "PUT /api/v1/files/" + small.ID + "/content", "", "hell", []string{"x-amz-checksum-crc64nvme", sum}, 400, "invalid", "length"},
		{"content too long", "PUT /api/v1/files/" + small.ID + "/content", "", "hello!", []string{"x-amz-checksum-crc64nvme", sum}, 400, "invalid", "length"},
		{"content of a direct file", "PUT /api/v1/files/" + direct.ID + "/content", "", "hello", []string{"x-amz-checksum-crc64nvme", sum}, 409, "conflict", ""},
		{"content of an aborted file", "PUT /api/v1/files/" + aborted.ID + "/content", "", "hello", []string{"x-amz-checksum-crc64nvme", sum}, 409, "conflict", ""},
		{"part 0", "POST /api/v1/files/" + direct.ID + "/parts", "application/json", `{"parts":[{"number":0,"crc64nvme":"` + sum + `"}]}`, nil, 400, "invalid", "number"},
		{"part 3 of 2", "POST /api/v1/files/" + direct.ID + "/parts", "application/json", `{"parts":[{"number":3,"crc64nvme":"` + sum + `"}]}`, nil, 400, "invalid", "number"},
		{"a part twice", "POST /api/v1/files/" + direct.ID + "/parts", "application/json", `{"parts":[{"number":1,"crc64nvme":"` + sum + `"},{"number":1,"crc64nvme":"` + sum + `"}]}`, nil, 400, "invalid", "number"},
		{"a part of no checksum", "POST /api/v1/files/" + direct.ID + "/parts", "application/json", `{"parts":[{"number":1}]}`, nil, 400, "invalid", "crc64nvme"},
		{"parts of a small file", "POST /api/v1/files/" + small.ID + "/parts", "application/json", `{"parts":[{"number":1,"crc64nvme":"` + sum + `"}]}`, nil, 409, "conflict", ""},
		{"a relayed part of wrong length", "PUT /api/v1/files/" + direct.ID + "/parts/1", "", "hello", []string{"x-amz-checksum-crc64nvme", sum}, 400, "invalid", "length"},
		{"a relayed part x", "PUT /api/v1/files/" + direct.ID + "/parts/x", "", "hello", []string{"x-amz-checksum-crc64nvme", sum}, 400, "invalid", "number"},
		{"complete without parts", "POST /api/v1/files/" + direct.ID + "/complete", "", "", nil, 409, "conflict", ""},
		{"complete with an empty object", "POST /api/v1/files/" + direct.ID + "/complete", "application/json", "{}", nil, 409, "conflict", ""},
		{"complete with what is no checksum", "POST /api/v1/files/" + direct.ID + "/complete", "application/json", `{"crc64nvme":"x"}`, nil, 400, "invalid", "crc64nvme"},
		{"complete with an unknown field", "POST /api/v1/files/" + direct.ID + "/complete", "application/json", `{"parts":[]}`, nil, 400, "invalid", "parts"},
		{"complete with no JSON", "POST /api/v1/files/" + direct.ID + "/complete", "application/json", `crc`, nil, 400, "invalid", ""},
		{"complete with a form", "POST /api/v1/files/" + direct.ID + "/complete", "application/x-www-form-urlencoded", "a=b", nil, 415, "unsupported", ""},
		{"a link before the bytes", "GET /api/v1/files/" + direct.ID + "/link", "", "", nil, 409, "conflict", ""},
		{"a file nobody has", "GET /api/v1/files/" + nobody, "", "", nil, 404, "not_found", ""},
	} {
		method, path, _ := strings.Cut(tc.request, " ")
		resp, body := h.ask("member", method, path, tc.contentType, tc.body, tc.header...)
		var p api.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: answered %d %q", tc.what, resp.StatusCode, body)
			continue
		}
		if resp.StatusCode != tc.status || p.Status != tc.status || p.Kind != tc.kind || p.Field != tc.field {
			t.Errorf("%s: answered %d %s, field %q: %s; want %d %s, field %q", tc.what, resp.StatusCode, p.Kind, p.Field, p.Detail, tc.status, tc.kind, tc.field)
		}
		if resp.Header.Get("Content-Type") != api.ProblemType || p.RequestID == "" || p.RequestID != resp.Header.Get("X-Request-Id") || p.Detail == "" || p.Title == "" {
			t.Errorf("%s: is no proper problem: %s %s", tc.what, resp.Header.Get("Content-Type"), body)
		}
	}
	if resp, _ := h.ask("member", "PUT", "/api/v1/cases", "application/json", "{}"); resp.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("405 allows %q", resp.Header.Get("Allow"))
	}
	// Nothing of all that was kept, and the right bytes still go.
	after, err := h.client("member").SendFile(t.Context(), small, bytes.NewReader([]byte("hello")), api.Upload{})
	must(t, err)
	if after.State != "stored" {
		t.Errorf("the small file ended as %s", after.State)
	}
	files, err := h.client("member").Files(t.Context(), c.ID)
	must(t, err)
	if len(files) != 3 {
		t.Errorf("%d files are in the case, want 3", len(files))
	}
}

// TestABatchTakesWhatItCan: bad names and sizes are refused one by one, their neighbours are planned.
func TestABatchTakesWhatItCan(t *testing.T) {
	h := open(t)
	specs := []api.FileSpec{
		{Name: "good.dcm", Size: 1},
		{Name: "empty", Size: 0},
		{Name: "negative", Size: -1},
		{Name: "too large", Size: 64<<20 + 1},
		{Name: strings.Repeat("n", 300), Size: 1},
		{Name: "nul\x00.txt", Size: 1},
		{Name: "\u202e\u0007", Size: 1},
		{Name: "..", Size: 1},
		{Name: "fingerprint", Size: 1, Fingerprint: strings.Repeat("f", 129)},
		{Name: "../../../etc/passwd", Size: 1},
		{Name: "\u110b\u1175\u11b7\u1103\u1162\u1109\u1165\u11a8.zip", Size: 1}, // NFD, as macOS gives it
		{Name: "bi\u202edi.txt", Size: 1},
	}
	planned, err := h.client("member").Plan(t.Context(), h.openCase().ID, "", specs)
	must(t, err)
	wantErrors := map[int]string{1: "invalid size", 2: "invalid size", 3: "too_large size", 4: "invalid name", 5: "invalid name", 6: "invalid name", 7: "invalid name", 8: "invalid fingerprint"}
	wantNames := map[int]string{0: "good.dcm", 9: "passwd", 10: "임대석.zip", 11: "bidi.txt"}
	for i, p := range planned.Files {
		switch {
		case p.Error != nil && p.Error.Kind+" "+p.Error.Field != wantErrors[i]:
			t.Errorf("%q: %v, want %q", specs[i].Name, p.Error, wantErrors[i])
		case p.File != nil && p.File.Name != wantNames[i]:
			t.Errorf("%q: planned as %q, want %q", specs[i].Name, p.File.Name, wantNames[i])
		}
	}
	if len(planned.Files) != len(specs) {
		t.Fatalf("%d answers for %d files", len(planned.Files), len(specs))
	}
}

func TestAnUploadWithoutLengthIsRefused(t *testing.T) {
	h := open(t)
	f := h.plan(h.openCase().ID, "a.txt", 5)
	r, err := http.NewRequest("PUT", h.http.URL+"/api/v1/files/"+f.ID+"/content", io.NopCloser(strings.NewReader("hello")))
	must(t, err)
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+h.tokens["member"])
	r.Header.Set("X-Amz-Checksum-Crc64nvme", crcOf(t, []byte("hello")))
	resp, body := send(t, noRedirects, r)
	if resp.StatusCode != http.StatusLengthRequired {
		t.Fatalf("answered %d %s", resp.StatusCode, body)
	}
}

// TestARefusedUploadIsRefusedBeforeItsBody: a client that expects 100-continue is told no without sending a byte.
func TestARefusedUploadIsRefusedBeforeItsBody(t *testing.T) {
	h := open(t)
	f := h.plan(h.openCase().ID, "a.txt", 5)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /api/v1/files/%s/content HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 7\r\n"+
		"X-Amz-Checksum-Crc64nvme: %s\r\nExpect: 100-continue\r\n\r\n", f.ID, h.tokens["member"], crcOf(t, []byte("hello")))
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	line := make([]byte, 12)
	_, err = io.ReadFull(conn, line)
	must(t, err)
	if string(line) != "HTTP/1.1 400" {
		t.Fatalf("answered %q", line)
	}
}

// TestSignedAddressesHoldTheirBytesToTheirWord: what the store refuses, and that nothing is left behind.
func TestSignedAddressesHoldTheirBytesToTheirWord(t *testing.T) {
	h := open(t)
	content := pattern(16<<20, 'p')
	f := h.plan(h.openCase().ID, "a.bin", 32<<20)
	signed, err := h.client("member").SignParts(t.Context(), f.ID, []api.PartSpec{{Number: 1, CRC64NVME: crcOf(t, content)}})
	must(t, err)
	put := func(address string, body []byte) int {
		r, err := http.NewRequest("PUT", address, bytes.NewReader(body))
		must(t, err)
		for name, value := range signed[0].Headers {
			r.Header.Set(name, value)
		}
		resp, _ := send(t, noRedirects, r)
		return resp.StatusCode
	}
	other := bytes.Clone(content)
	other[5] ^= 1
	for what, status := range map[string]int{
		"a byte less":    put(signed[0].URL, content[:len(content)-1]),
		"another byte":   put(signed[0].URL, other),
		"another part":   put(strings.Replace(signed[0].URL, "partNumber=1", "partNumber=2", 1), content),
		"no signature":   put(strings.Split(signed[0].URL, "?")[0], content),
		"another object": put(strings.Replace(signed[0].URL, "/f", "/g", 1), content),
	} {
		if status != 400 && status != 403 {
			t.Errorf("%s: the store answered %d", what, status)
		}
	}
	held, err := h.client("member").Parts(t.Context(), f.ID)
	must(t, err)
	if len(held) != 0 {
		t.Errorf("the store holds %+v of refused parts", held)
	}
	if status := put(signed[0].URL, content); status != 200 {
		t.Errorf("the right part was refused: %d", status)
	}
}

func TestAnExpiredAddressIsRefused(t *testing.T) {
	h := open(t)
	h.verbs.Limits.URLExpiry = time.Second
	f := h.stored(h.openCase().ID, "a.txt", []byte("hello"))
	link, err := h.client("viewer").Link(t.Context(), f.ID)
	must(t, err)
	expired := time.Until(link.ExpiresAt) + 1500*time.Millisecond
	time.Sleep(expired) // the store goes by the real clock
	r, err := http.NewRequest("GET", link.URL, nil)
	must(t, err)
	if resp, _ := send(t, noRedirects, r); resp.StatusCode != 403 {
		t.Fatalf("an address expired for a second answered %d", resp.StatusCode)
	}
}

func TestTooManyRequestsAreToldToWait(t *testing.T) {
	h := open(t, func(c *web.Config) { c.RequestRate = 1 })
	var last *http.Response
	var body string
	for range 10 {
		last, body = h.ask("viewer", "GET", "/api/v1/me", "", "")
	}
	if last.StatusCode != 429 || last.Header.Get("Retry-After") == "" || !strings.Contains(body, `"kind":"too_many"`) {
		t.Fatalf("answered %d %s", last.StatusCode, body)
	}
	if resp, _ := h.ask("admin", "GET", "/api/v1/me", "", ""); resp.StatusCode != 200 {
		t.Fatalf("one user's haste held up another: %d", resp.StatusCode)
	}
}

// failing is the object store with a fault.
type failing struct {
	transfer.Objects
	err error
}

func (f failing) Put(context.Context, caseload.ObjectKey, io.Reader, int64, string) error {
	return f.err
}

func TestAStoreThatFailsIsSaidToAndTheFileCanBeSentAgain(t *testing.T) {
	for status, fault := range map[int]error{
		503: caseload.Errorf(caseload.Unavailable, "The store does not answer.").WithCause(errors.New("dial tcp 10.1.2.3:9000")),
		507: caseload.Errorf(caseload.Full, "The store is full."),
		500: errors.New("something odd at 10.1.2.3:9000"),
	} {
		h := open(t)
		f := h.plan(h.openCase().ID, "a.txt", 5)
		real := h.verbs.Objects
		h.verbs.Objects = failing{real, fault}
		resp, body := h.ask("member", "PUT", "/api/v1/files/"+f.ID+"/content", "", "hello", "x-amz-checksum-crc64nvme", crcOf(t, []byte("hello")))
		if resp.StatusCode != status || strings.Contains(body, "10.1.2.3") {
			t.Errorf("%v: answered %d %s", fault, resp.StatusCode, body)
		}
		if (resp.Header.Get("Retry-After") != "") != (status != 500) {
			t.Errorf("%v: Retry-After %q", fault, resp.Header.Get("Retry-After"))
		}
		h.verbs.Objects = real
		after, err := h.client("member").SendFile(t.Context(), f, strings.NewReader("hello"), api.Upload{})
		must(t, err)
		if after.State != "stored" {
			t.Errorf("%v: sent again it ended as %s", fault, after.State)
		}
	}
}

func TestADatabaseThatIsGoneIsSaidToBe(t *testing.T) {
	h := open(t)
	must(t, h.store.Close())
	resp, body := h.ask("member", "GET", "/api/v1/cases", "", "")
	var p api.Problem
	must(t, json.Unmarshal([]byte(body), &p))
	if resp.StatusCode < 500 || strings.Contains(body, "sql") {
		t.Fatalf("answered %d %s", resp.StatusCode, body)
	}
	if p.Kind == caseload.Unavailable.String() && resp.Header.Get("Retry-After") == "" {
		t.Fatal("unavailable without Retry-After")
	}
}

// A browser's language counts for what the tray and other pages' scripts show of an answer.
func TestAProblemIsSaidInTheLanguageOfItsReader(t *testing.T) {
	h := open(t)
	for _, tc := range []struct{ name, value, want string }{
		{"Cookie", "caseload-language=ko", "그런 케이스가 없습니다."},
		{"Accept-Language", "ko-KR,ko;q=0.9", "그런 케이스가 없습니다."},
		{"Accept-Language", "de", "There is no such case."},
	} {
		_, body := h.ask("member", "GET", "/api/v1/cases/"+string(caseload.NewID[caseload.CaseID](time.Now())), "", "", tc.name, tc.value)
		var p api.Problem
		must(t, json.Unmarshal([]byte(body), &p))
		if p.Detail != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.name, tc.value, p.Detail, tc.want)
		}
	}
}
