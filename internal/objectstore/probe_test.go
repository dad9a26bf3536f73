package objectstore_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// probe does what a browser on another origin does to find out whether it reaches the store.
func probe(t *testing.T, w world) {
	s := transfer.Service{Objects: w.store, Limits: caseload.DefaultLimits(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	signed, err := s.Probe(t.Context(), caseload.User{Role: caseload.Member}, w.origin)
	must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, http.NoBody)
	must(t, err)
	for name, value := range signed.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Origin", "http://caseload.example")
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(string(said), "<Code>NoSuchUpload</Code>") {
		t.Errorf("answered %d: %s", answer.StatusCode, said)
	}
	if readable := answer.Header.Get("Access-Control-Allow-Origin"); w.origin == "" && readable != "http://caseload.example" && readable != "*" {
		t.Errorf("a browser on another origin may not read the answer: %q", readable)
	}
	key := caseload.ObjectKey(strings.TrimPrefix(request.URL.Path, "/"+w.store.Bucket()+"/"))
	if _, err := w.store.Head(t.Context(), key, ""); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("the probe left an object: %v", err)
	}
	_, err = s.Probe(t.Context(), caseload.User{Role: caseload.Viewer}, w.origin)
	wantKind(t, err, caseload.Forbidden)
}
