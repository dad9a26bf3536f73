package web_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"dcdentals.com/caseload/internal/api"
)

// loadDocument parses the OpenAPI document as of 3.1, for servers at the base.
func loadDocument(t testing.TB, base string) (*openapi3.T, routers.Router) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Document())
	must(t, err)
	must(t, document.Validate(context.Background()))
	document.Servers = openapi3.Servers{{URL: base + "/api/v1"}}
	router, err := legacy.NewRouter(document)
	must(t, err)
	return document, router
}

// checked holds every exchange with /api/v1 against the OpenAPI document: the request of our own client, when the
// server takes it, and every answer.
type checked struct {
	t      testing.TB
	base   string
	router routers.Router
}

var covered sync.Map // operation ids seen with an answer below 400

func checkedTransport(t testing.TB, base string) http.RoundTripper {
	_, router := loadDocument(t, base)
	return &checked{t, base, router}
}

func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.String(), c.base+"/api/v1/") { // signed requests go to the store
		return http.DefaultTransport.RoundTrip(r)
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		c.t.Errorf("%s %s is not in the document: %v", r.Method, r.URL.Path, err)
		return http.DefaultTransport.RoundTrip(r)
	}
	kind := r.Header.Get("Content-Type")
	streamed := kind == "application/octet-stream" || strings.HasPrefix(kind, api.BatchType)
	var body []byte
	if r.Body != nil && !streamed {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r.Clone(r.Context()), PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: streamed, IncludeResponseStatus: true},
	}
	input.Request.Body = io.NopCloser(bytes.NewReader(body))
	requestFault := openapi3filter.ValidateRequest(r.Context(), input)

	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if requestFault != nil && resp.StatusCode < 400 {
		c.t.Errorf("%s %s was taken, but the document does not allow it: %v", r.Method, r.URL.Path, requestFault)
	}
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		covered.Store(route.Operation.OperationID, true)
		return resp, nil
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	fault := openapi3filter.ValidateResponse(r.Context(), (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header, Options: input.Options,
	}).SetBodyBytes(answer))
	if fault != nil {
		c.t.Errorf("%s %s answered %d outside the document: %v\n%s", r.Method, r.URL.Path, resp.StatusCode, fault, answer)
	}
	if resp.StatusCode < 400 {
		covered.Store(route.Operation.OperationID, true)
	}
	return resp, nil
}

func TestDocumentAndRoutesNameTheSameAddresses(t *testing.T) {
	h := open(t)
	document, _ := loadDocument(t, h.http.URL)
	described := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			described[method+" /api/v1"+path] = true
		}
	}
	for _, rt := range h.server.Routes() {
		if strings.Contains(rt.Pattern, " /api/v1/") && !described[rt.Pattern] {
			t.Errorf("%s is served but not described", rt.Pattern)
		}
		delete(described, rt.Pattern)
	}
	for pattern := range described {
		t.Errorf("%s is described but not served", pattern)
	}
}

func TestDocumentIsServedToAnybody(t *testing.T) {
	h := open(t)
	resp, body := h.ask("", "GET", "/api/v1/openapi.json", "", "")
	if resp.StatusCode != 200 || body != string(api.Document()) || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("answered %d %s, %d bytes", resp.StatusCode, resp.Header.Get("Content-Type"), len(body))
	}
}

// The check itself must bite: an answer with a field too many, and one with a wrong type, are refused by it.
func TestAnswersOutsideTheDocumentAreFound(t *testing.T) {
	_, router := loadDocument(t, "http://127.0.0.1:1")
	address, err := url.Parse("http://127.0.0.1:1/api/v1/files/0000000000000000000000000a/link")
	must(t, err)
	r := &http.Request{Method: "GET", URL: address, Header: http.Header{}, Host: address.Host}
	route, params, err := router.FindRoute(r)
	must(t, err)
	for _, body := range []string{
		`{"url":"http://x/","expires_at":"2026-01-01T00:00:00Z","key":"secret"}`,
		`{"url":7,"expires_at":"2026-01-01T00:00:00Z"}`,
		`{"url":"http://x/"}`,
	} {
		in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}
		out := (&openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: 200, Header: http.Header{"Content-Type": {"application/json"}},
		}).SetBodyBytes([]byte(body))
		if openapi3filter.ValidateResponse(context.Background(), out) == nil {
			t.Errorf("%s passed", body)
		}
	}
}

// placeholder is a {name} in a route's pattern.
var placeholder = regexp.MustCompile(`\{[a-z.]+\}`)
