package objectstore_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// A browser on our origin may send parts to the separate store and read what it needs of the answer; others may not.
func TestThePrintedCORSLetsOurOriginAndNobodyElse(t *testing.T) {
	const ours = "https://caseload.example"
	server := s3test.Start(t)
	w := world{store: open(t, server.Config())}
	u := begin(t, w)
	r := u.sign(t, 2)
	preflight := func(origin, headers string) http.Header {
		t.Helper()
		request, err := http.NewRequest(http.MethodOptions, r.URL, nil)
		must(t, err)
		request.Header.Set("Origin", origin)
		request.Header.Set("Access-Control-Request-Method", http.MethodPut)
		request.Header.Set("Access-Control-Request-Headers", headers)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		defer answer.Body.Close()
		return answer.Header
	}
	if h := preflight(ours, "x-amz-checksum-crc64nvme"); h.Get("Access-Control-Allow-Origin") != "" {
		t.Fatalf("allowed before the rules: %v", h)
	}
	for range 2 { // setting it again changes nothing
		must(t, w.store.SetSetting(t.Context(), caseload.BucketCORS, doctor.CORS([]string{ours}, doctor.CLIForm)))
	}
	if h := preflight(ours, "x-amz-checksum-crc64nvme"); h.Get("Access-Control-Allow-Origin") != ours ||
		!strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "x-amz-checksum-crc64nvme") ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "PUT") || h.Get("Access-Control-Max-Age") != "3600" {
		t.Errorf("preflight answered %v", h)
	}
	for origin, headers := range map[string]string{"https://evil.example": "x-amz-checksum-crc64nvme", ours: "x-amz-acl"} {
		if h := preflight(origin, headers); h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s with %s: %v", origin, headers, h)
		}
	}
	request, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(u.bytes(2)))
	must(t, err)
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Origin", ours)
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	wantStatus(t, answer, http.StatusOK)
	exposed := strings.ToLower(answer.Header.Get("Access-Control-Expose-Headers"))
	if !strings.Contains(exposed, "etag") || !strings.Contains(exposed, "x-amz-checksum-crc64nvme") || answer.Header.Get("Access-Control-Allow-Origin") != ours {
		t.Errorf("the part's answer exposes %q: %v", exposed, answer.Header)
	}
	if got := w.store.Origins(); len(got) != 1 || got[0] != server.Endpoint {
		t.Errorf("origins %v, want %s", got, server.Endpoint)
	}
}

// The separate server keeps what it has over a kill: other packages' tests rely on it.
func TestTheSeparateServerCanBeKilledAndRunAgain(t *testing.T) {
	server := s3test.Start(t)
	w := world{store: open(t, server.Config())}
	data := randomBytes(1000)
	o := put(t, w, data)
	server.Kill(t)
	if err := w.store.Check(t.Context()); err == nil {
		t.Fatal("a killed server answers")
	}
	server.Run(t)
	wantObject(t, w, o.Key, data)
}
