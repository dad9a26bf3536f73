package web_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/web"
)

// front is a TLS proxy before a Caseload of its own that behaves as each case says.
type front struct {
	h       *house
	server  *httptest.Server
	options doctor.FrontOptions
	handler atomic.Pointer[http.HandlerFunc]
}

func newFront(t *testing.T, trusting bool) *front {
	t.Helper()
	f := &front{}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*f.handler.Load())(w, r) }))
	f.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	f.h = open(t, func(c *web.Config) { c.PublicURL, c.TrustProxy = f.server.URL, trusting })
	f.sound()
	return f
}

// sound is a proxy that keeps what it should, and the options to try it.
func (f *front) sound() {
	f.does(f.pass(func(r *httputil.ProxyRequest) {}))
	roots := x509.NewCertPool()
	roots.AddCert(f.server.Certificate())
	public, err := url.Parse(f.server.URL)
	must(f.h.t, err)
	f.options = doctor.FrontOptions{
		Public: public, Addr: "127.0.0.1:8080", Largest: 3 << 20, Roots: roots, Begin: f.begin,
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
}

func (f *front) does(handler http.HandlerFunc) { f.handler.Store(&handler) }

// begin keeps the word where the server finds it.
func (f *front) begin(ctx context.Context) (string, func(), error) {
	hash := sha256.Sum256([]byte("a word"))
	now := f.h.clock.now()
	err := f.h.store.BeginTrial(ctx, hash[:], now, now.Add(time.Hour))
	return "a word", func() { must(f.h.t, f.h.store.EndTrial(context.WithoutCancel(ctx), hash[:])) }, err
}

// pass hands requests on as a sound proxy does, after one change.
func (f *front) pass(change func(r *httputil.ProxyRequest)) http.HandlerFunc {
	target, err := url.Parse(f.h.http.URL)
	must(f.h.t, err)
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
		change(r)
	}}
	return proxy.ServeHTTP
}

// answering is something that answers in Caseload's place.
func answering(status int, kind, value, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(kind, value)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// limited refuses longer bodies, as nginx does.
func limited(program string, most int64, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", program)
		if r.ContentLength > most {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		next(w, r)
	}
}

// wrongs are what is to be mended, by level and name.
func (f *front) wrongs() (found []string, first doctor.Finding, r doctor.Report) {
	f.h.t.Helper()
	r = doctor.Run(f.h.t.Context(), doctor.FrontChecks(f.options), nil)
	for _, each := range r.Findings {
		if each.Level == doctor.Fine || each.Level == doctor.Note {
			continue
		}
		if found == nil {
			first = each
		}
		found = append(found, each.Level.String()+" "+each.Check)
	}
	return found, first, r
}

// Each way to Caseload is broken for real in one way, which is named, and nothing else is.
func TestEachBrokenWayToCaseloadIsDiagnosedByName(t *testing.T) {
	f, distrusting := newFront(t, true), newFront(t, false)
	target, err := url.Parse(f.h.http.URL)
	must(t, err)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	to := func(address string) *url.URL {
		u, err := url.Parse(address)
		must(t, err)
		return u
	}
	for _, c := range []struct {
		name  string
		f     *front
		does  func(f *front)
		finds []string
		says  string // part of what the first says
		fix   string
	}{
		{"a sound one", f, func(*front) {}, nil, "", ""},
		{"a sound one with a limit that is large enough", f, func(f *front) { f.does(limited("nginx", 3<<20, *f.handler.Load())) }, nil, "", ""},
		{"other settings, without TLS and without a proxy, which is all right", f, func(f *front) { f.options.Public = target }, []string{"warning front.settings"}, "different settings", "the same settings"},
		{"nothing listens", f, func(f *front) { f.options.Public = to(gone.URL) }, []string{"failure front.reached.refused"}, "refused", "Start the proxy"},
		{"there is no such name", f, func(f *front) {
			f.options.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Name: "caseload.example", IsNotFound: true}
			}
		}, []string{"failure front.reached.name"}, "There is no such name: 127.0.0.1", "name service"},
		{"the name service does not answer", f, func(f *front) {
			f.options.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Name: "caseload.example", IsTimeout: true}
			}
		}, []string{"warning front.reached"}, "people may reach it", "your browser"},
		{"an authority that this machine does not know", f, func(f *front) { f.options.Roots = x509.NewCertPool() }, []string{"warning front.reached.certificate"}, "unknown authority", "certificate of this name"},
		{"a certificate of another name", f, func(f *front) { f.options.Public = to("https://localhost:" + f.options.Public.Port()) }, []string{"failure front.reached.certificate"}, "localhost", "certificate of this name"},
		{"no TLS on the port", f, func(f *front) { f.options.Public = to("https://" + to(plain.URL).Host) }, []string{"failure front.reached.plain"}, "plain HTTP", "end TLS"},
		{"it leads to another port", f, func(f *front) { f.does(answering(301, "Location", "https://127.0.0.1:8443/", "")) }, []string{"failure front.reached.redirect"}, "leads to https://127.0.0.1:8443", "CASELOAD_PUBLIC_URL=https://127.0.0.1:8443"},
		{"a sign-in page before it", f, func(f *front) { f.does(answering(302, "Location", "https://login.example/?then=x", "")) }, []string{"warning front.reached.elsewhere"}, "leads to https://login.example.", "lets /api/"},
		{"the proxy does not reach it", f, func(f *front) { f.does(answering(502, "Server", "nginx/1.22", "<html>502 Bad Gateway</html>")) }, []string{"failure front.reached.gateway"}, "does not reach Caseload", "proxy_pass http://127.0.0.1:8080;"},
		{"the same of Caddy", f, func(f *front) { f.does(answering(502, "Server", "Caddy", "")) }, []string{"failure front.reached.gateway"}, "502", "reverse_proxy 127.0.0.1:8080"},
		{"another site answers", f, func(f *front) { f.does(answering(200, "Content-Type", "text/html", "<html>Welcome to nginx!</html>")) }, []string{"failure front.reached.intercepted"}, "not Caseload", "host name"},
		{"a firewall forbids it", f, func(f *front) { f.does(answering(403, "Content-Type", "text/html", "<html>Blocked</html>")) }, []string{"failure front.reached.intercepted"}, "403", "rules"},
		{"another Caseload answers", f, func(f *front) {
			f.options.Begin = func(context.Context) (string, func(), error) { return "unknown", func() {}, nil }
		}, []string{"failure front.reached.other"}, "another database", "CASELOAD_DATABASE_URL"},
		{"the proxy asks under its own address", f, func(f *front) { f.does(f.pass(func(r *httputil.ProxyRequest) { r.Out.Host = target.Host })) }, []string{"failure front.host"}, "in place of", "proxy_set_header Host $http_host;"},
		{"the proxy asks under a name of its own", f, func(f *front) { f.does(f.pass(func(r *httputil.ProxyRequest) { r.Out.Host = "backend" })) }, []string{"failure front.host"}, "refuses the host name", "header_up Host {hostport}"},
		{"a bare proxy_pass", f, func(f *front) {
			f.does(f.pass(func(r *httputil.ProxyRequest) {
				r.Out.Host = target.Host
				r.Out.Header.Del("X-Forwarded-Proto")
				r.Out.Header.Del("X-Forwarded-For")
			}))
		}, []string{"failure front.host", "failure front.scheme", "warning front.address"}, "in place of", "proxy_set_header Host $http_host;"},
		{"the scheme is not told", f, func(f *front) {
			f.does(f.pass(func(r *httputil.ProxyRequest) {
				r.Out.Header.Set("X-Forwarded-Proto", "http")
				r.Out.Host = "localhost"
			}))
		}, []string{"failure front.host", "failure front.scheme"}, "in place of", "Host"},
		{"the proxy is not believed", distrusting, func(f *front) { f.options.Trusted = nil }, []string{"warning front.address"}, "come from 127.0.0.1, the proxy", "CASELOAD_TRUSTED_PROXIES=127.0.0.1/32"},
		{"the proxy does not say who asks", f, func(f *front) { f.does(f.pass(func(r *httputil.ProxyRequest) { r.Out.Header.Del("X-Forwarded-For") })) }, []string{"warning front.address"}, "count all people as one", "proxy_set_header X-Forwarded-For $remote_addr;"},
		{"the proxy hands on what anybody says of himself", f, func(f *front) {
			f.does(f.pass(func(r *httputil.ProxyRequest) { r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"] }))
		}, []string{"warning front.address"}, "made up", "set X-Forwarded-For itself"},
		{"nginx takes 1 MiB", f, func(f *front) { f.does(limited("nginx/1.22", 1<<20, *f.handler.Load())) }, []string{"failure front.body.limit"}, "nginx takes 1 MiB", "client_max_body_size 0;"},
		{"Caddy takes 1 MiB", f, func(f *front) { f.does(limited("Caddy", 1<<20, *f.handler.Load())) }, []string{"failure front.body.limit"}, "413", "request_body"},
		{"the proxy cuts long bodies", f, func(f *front) {
			next := *f.handler.Load()
			f.does(func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength > 1<<20 {
					panic(http.ErrAbortHandler)
				}
				next(w, r)
			})
		}, []string{"failure front.body"}, "cut", "limits on bodies"},
		{"the proxy collects answers", f, func(f *front) {
			next := *f.handler.Load()
			f.options.Within = 100 * time.Millisecond // it would never come
			f.does(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					next(httptest.NewRecorder(), r)
					return
				}
				next(w, r)
			})
		}, []string{"failure front.live.held"}, "collects the answer", "proxy_buffering off;"},
		{"the proxy ends streams", f, func(f *front) {
			next := *f.handler.Load()
			f.does(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					next(w, r)
				}
			})
		}, []string{"failure front.live"}, "ended without an event", "flush_interval -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.sound()
			c.does(c.f)
			found, first, report := c.f.wrongs()
			if !slices.Equal(found, c.finds) {
				t.Fatalf("found %q, want %q\n%+v", found, c.finds, report.Findings)
			}
			if c.finds == nil {
				return
			}
			if text := first.Got + first.Means; first.Means == "" || !strings.Contains(text, c.says) {
				t.Errorf("%q is not in %q", c.says, text)
			}
			if first.Fix == nil || !strings.Contains(first.Fix.Say+first.Fix.Command, c.fix) {
				t.Errorf("%q is not in the fix: %+v", c.fix, first.Fix)
			}
		})
	}
}

// Without a server there is nothing to try, and nothing wrong.
func TestWithoutAServerTheWayToItIsNotTried(t *testing.T) {
	asked := false
	report := doctor.Run(t.Context(), doctor.FrontChecks(doctor.FrontOptions{
		Addr: "127.0.0.1:8080", Alive: func(context.Context) error { return errors.New("no") },
		Begin: func(context.Context) (string, func(), error) { asked = true; return "", nil, nil },
	}), nil)
	if asked || len(report.Findings) != 1 || report.Worst() != doctor.Note || !strings.Contains(report.Findings[0].Got, "no server answers at 127.0.0.1:8080") {
		t.Errorf("%+v", report.Findings)
	}
}

// Nobody but a trial under way is told anything, and its body has a limit.
func TestWhatTheDoctorAsksIsNobodyElses(t *testing.T) {
	f := newFront(t, true)
	ask := func(word, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.h.http.URL+doctor.FrontPath, strings.NewReader(body))
		must(t, err)
		r.Header.Set(doctor.TrialHeader, word)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		must(t, answer.Body.Close())
		return answer.StatusCode
	}
	if got := ask("a word", "x"); got != http.StatusNotFound {
		t.Errorf("before a trial: %d", got)
	}
	_, end, err := f.begin(t.Context())
	must(t, err)
	for word, want := range map[string]int{"a word": http.StatusOK, "": http.StatusNotFound, "another": http.StatusNotFound} {
		if got := ask(word, "x"); got != want {
			t.Errorf("%q: %d, want %d", word, got, want)
		}
	}
	if got := ask("a word", strings.Repeat("x", 6<<20+1)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("more than the small route takes: %d", got)
	}
	end()
	if got := ask("a word", "x"); got != http.StatusNotFound {
		t.Errorf("after it: %d", got)
	}
}
