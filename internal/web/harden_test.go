package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/web"
)

func TestForgedRequestsOfOtherSitesAreRefused(t *testing.T) {
	h := open(t)
	b := h.browser()
	h.signIn(b, "member@clinic.example")
	post := func(path string, header map[string]string) int {
		r, err := http.NewRequest("POST", h.http.URL+path, strings.NewReader(`{"patient":"forged"}`))
		must(t, err)
		r.Header.Set("Content-Type", "application/json")
		for name, value := range header {
			r.Header.Set(name, value)
		}
		resp, _ := send(t, b, r)
		return resp.StatusCode
	}
	for what, header := range map[string]map[string]string{
		"another site":          {"Sec-Fetch-Site": "cross-site"},
		"a sister host":         {"Sec-Fetch-Site": "same-site"},
		"an older browser":      {"Origin": "https://evil.example"},
		"a sandboxed page":      {"Origin": "null"},
		"another port, by name": {"Origin": "http://127.0.0.1:1"},
	} {
		if status := post("/api/v1/cases", header); status != 403 {
			t.Errorf("%s: /api/v1/cases answered %d", what, status)
		}
		if status := post("/cases", header); status != 403 {
			t.Errorf("%s: /cases answered %d", what, status)
		}
		if status := post("/sign-out", header); status != 403 {
			t.Errorf("%s: /sign-out answered %d", what, status)
		}
	}
	if status := post("/api/v1/cases", map[string]string{"Sec-Fetch-Site": "same-origin"}); status != 201 {
		t.Errorf("our own page: answered %d", status)
	}
	if resp, _ := h.ask("member", "POST", "/api/v1/cases", "application/json", "{}", "Origin", "https://program.example"); resp.StatusCode != 201 {
		t.Errorf("a bearer token is nothing a browser sends by itself, yet it answered %d", resp.StatusCode)
	}
	if status := post("/cases", map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer cl_x"}); status != 403 {
		t.Errorf("a page taken with a made-up token answered %d", status)
	}
}

func TestOnlyOurHostsAreAnswered(t *testing.T) {
	h := open(t, func(c *web.Config) {
		c.PublicURL, c.AllowedHosts = "https://caseload.example:8443", []string{"clinic.local", "exact.example:81"}
	})
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1": 200, "127.8.8.8:1": 200, "[::1]:9": 200,
		"192.168.1.5:8080": 200, "10.0.0.1": 200, "[fd00::5]:8080": 200, "[2001:db8::1]": 200, "caseload.example:8443": 200, "CASELOAD.example:8443": 200,
		"clinic.local": 200, "clinic.local:8080": 200, "exact.example:81": 200,
		"exact.example": 400, "caseload.example": 400, "evil.example": 400, "127.0.0.1.evil.example": 400, "localhost.evil.example": 400,
		"192.168.1.5.evil.example": 400, "10.0.0": 400, "0x7f.1": 400, "evil.example:8443": 400,
	} {
		r, err := http.NewRequest("GET", h.http.URL+"/api/v1/openapi.json", nil)
		must(t, err)
		r.Host = host
		if resp, _ := send(t, noRedirects, r); resp.StatusCode != want {
			t.Errorf("%s answered %d, want %d", host, resp.StatusCode, want)
		}
		r.URL.Path = "/healthz"
		if resp, _ := send(t, noRedirects, r); resp.StatusCode != 200 {
			t.Errorf("/healthz under %s answered %d", host, resp.StatusCode)
		}
	}
}

func TestSignedAddressesAreMadeForTheAddressPeopleUse(t *testing.T) {
	for name, tc := range map[string]struct {
		public string
		want   func(server string) string
	}{
		"their own":  {"", func(server string) string { return server }},
		"the public": {"https://caseload.example", func(string) string { return "https://caseload.example" }},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *web.Config) { c.PublicURL = tc.public })
			f := h.stored(h.openCase().ID, "a.txt", []byte("hello"))
			resp, _ := h.ask("viewer", "GET", "/api/v1/files/"+f.ID+"/content", "", "", "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
			got, err := url.Parse(resp.Header.Get("Location"))
			must(t, err)
			if got.Scheme+"://"+got.Host != tc.want(h.http.URL) {
				t.Errorf("signed for %s://%s, want %s", got.Scheme, got.Host, tc.want(h.http.URL))
			}
		})
	}
}

func TestEveryAnswerIsStrict(t *testing.T) {
	h := open(t, func(c *web.Config) { c.StoreOrigins = []string{"https://bucket.store.example/path?x"} })
	for _, path := range []string{"/sign-in", "/api/v1/me", "/nothing", "/healthz", "/cases"} {
		resp, _ := h.ask("", "GET", path, "", "")
		policy := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
			"form-action 'self'", "connect-src 'self' https://bucket.store.example;",
		} {
			if !strings.Contains(policy+";", want) {
				t.Errorf("%s: the policy lacks %q: %s", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe-inline") || strings.Contains(policy, "'unsafe-eval'") {
			t.Errorf("%s: the policy is loose: %s", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if resp.Header.Get("Permissions-Policy") == "" || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: lacks Permissions-Policy or X-Request-Id", path)
		}
	}
}

func TestACookieIsNeverPassedToTheStore(t *testing.T) {
	var seen http.Header
	h := open(t, func(c *web.Config) {
		c.Gateway = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() })
	})
	h.ask("", "GET", "/"+embedded.Bucket()+"/../%2e%2e/cases?X-Amz-Signature=1", "", "", "Cookie", "caseload=secret")
	if seen == nil || seen.Get("Cookie") != "" {
		t.Fatalf("the store got %v", seen)
	}
}

func TestAPanicIsAnInternalErrorWithItsReference(t *testing.T) {
	h := open(t, func(c *web.Config) {
		c.Gateway = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret cause") })
	})
	resp, body := h.ask("", "GET", "/"+embedded.Bucket()+"/x", "", "")
	id := resp.Header.Get("X-Request-Id")
	if resp.StatusCode != 500 || strings.Contains(body, "secret") || !strings.Contains(body, id) {
		t.Fatalf("answered %d %s", resp.StatusCode, body)
	}
	if !strings.Contains(h.log.String(), "secret cause") || !strings.Contains(h.log.String(), id) {
		t.Fatal("the log does not tell the cause under its reference")
	}
}
