package doctor_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// twoWays is a store that answers by TLS and, on another port, without.
type twoWays struct {
	doctor.Store
	secure *http.Client
	plain  string // host:port
}

func (s twoWays) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		r.Host, r.URL.Host = r.URL.Host, s.plain // the port that stands for 80
	}
	return s.secure.Do(r)
}

// byTLS lets the deployment be reached by TLS; by plain HTTP too, as AWS lets every bucket whose policy says nothing.
func (d *deployment) byTLS() {
	plain := d.c.Endpoint
	front := httptest.NewTLSServer(d.amazon)
	d.t.Cleanup(front.Close)
	d.c.Endpoint = front.URL
	client := front.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	d.o.Store = twoWays{storeAt(d.t, d.c).Trial(), client, strings.TrimPrefix(plain, "http://")}
}

func TestTheStoreIsTriedWithoutTLS(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	t.Run("it is refused", func(t *testing.T) {
		d := newDeployment(t, server, "by-tls")
		d.byTLS()
		d.answers = func(r request) *said {
			if r.TLS == nil && r.URL.Query().Get("X-Amz-Expires") == "" && strings.HasSuffix(r.key, "-plain") {
				return &said{status: 403, code: "AccessDenied", message: "User: " + principal + ` is not authorized to perform: s3:GetObject on resource: "x" with an explicit deny in a resource-based policy`}
			}
			return nil
		}
		d.diagnose(t, broken{}, true)
	})
	t.Run("it is answered", func(t *testing.T) {
		d := newDeployment(t, server, "by-both")
		d.byTLS()
		d.diagnose(t, broken{finds: []string{"warning exposure.tls"}, says: "without TLS", fix: "aws:SecureTransport"}, true)
	})
}

// The way browsers take is tried besides the server's own.
func TestTheAddressOfBrowsersIsTried(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	public := func(t *testing.T, d *deployment, handler http.Handler) {
		front := httptest.NewServer(handler)
		t.Cleanup(front.Close)
		d.c.PublicEndpoint = front.URL
		d.o.Store = storeAt(t, d.c).Trial()
	}
	t.Run("it cannot be reached from here, which is no fault", func(t *testing.T) {
		d := newDeployment(t, server, "public-gone")
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		d.c.PublicEndpoint = gone.URL
		d.o.Store = storeAt(t, d.c).Trial()
		d.diagnose(t, broken{}, true)
		if f, _ := find(run(t, d.o), "store.public"); f.Level != doctor.Note {
			t.Errorf("it says %+v", f)
		}
	})
	t.Run("something else answers", func(t *testing.T) {
		d := newDeployment(t, server, "public-page")
		public(t, d, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html><body>It works!</body></html>"))
		}))
		d.diagnose(t, broken{finds: []string{"failure store.public"}, says: "in the store's place", fix: "AWS_S3_PUBLIC_ENDPOINT_URL"}, true)
	})
	t.Run("a proxy changes the Host header", func(t *testing.T) {
		d := newDeployment(t, server, "public-host")
		target, err := url.Parse(server.Endpoint)
		must(t, err)
		public(t, d, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}) // and Host with it
		d.diagnose(t, broken{finds: []string{"failure store.public"}, says: "changes the Host header", fix: "pass Host"}, true)
	})
}

// What --fix can do it does, and the next look finds nothing; without the rights it says so and changes nothing.
func TestFixesAreCarriedOut(t *testing.T) {
	server := s3test.StartWithUsers(t, 0)
	begin := func(t *testing.T, bucket string) *deployment {
		d := newDeployment(t, server, bucket)
		d.may(false)
		for _, setting := range []string{"publicAccessBlock", "ownershipControls", "encryption"} {
			d.settings[setting] = ""
		}
		d.settings["lifecycle"] = lifecycleOf(`<Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>`)
		must(t, d.root.SetSetting(t.Context(), caseload.BucketCORS, []byte(`{"CORSRules":[]}`)))
		return d
	}
	broke := []string{"warning bucket.encryption", "warning bucket.abort-rule", "failure cors.origin", "warning exposure.block", "warning exposure.acl"}
	t.Run("with the rights", func(t *testing.T) {
		d := begin(t, "fixed")
		r := run(t, d.o)
		if found := wrongs(r); !slices.Equal(found, broke) {
			t.Fatalf("found %q", found)
		}
		before := maps.Clone(d.allowed)
		for _, f := range r.Findings {
			if f.Fix != nil && f.Fix.Apply != nil {
				for _, right := range f.Fix.Needs { // with exactly these it is done
					d.allowed[right] = true
				}
				must(t, f.Fix.Apply(t.Context()))
				must(t, f.Fix.Apply(t.Context())) // again is no harm
				d.allowed = maps.Clone(before)
			}
		}
		d.diagnose(t, broken{}, true)
		if !strings.Contains(d.settings["lifecycle"], "theirs") {
			t.Error("a rule of somebody else's was taken away: " + d.settings["lifecycle"])
		}
	})
	t.Run("without the rights", func(t *testing.T) {
		d := begin(t, "not-fixed")
		before := d.settings["lifecycle"]
		for _, f := range run(t, d.o).Findings {
			if f.Fix != nil && f.Fix.Apply != nil {
				if err := f.Fix.Apply(t.Context()); caseload.KindOf(err) != caseload.Forbidden {
					t.Errorf("%s: %v, want Forbidden", f.Check, err)
				} else if !slices.ContainsFunc(f.Fix.Needs, func(right string) bool { return strings.Contains(err.Error(), right) }) {
					t.Errorf("%s needs %q, and is refused with: %v", f.Check, f.Fix.Needs, err)
				}
				if f.Fix.Document == "" || f.Fix.Command == "" {
					t.Errorf("%s gives nothing to hand on", f.Check)
				}
			}
		}
		if d.settings["lifecycle"] != before {
			t.Error("something was changed")
		}
	})
}

// stopping is a store that is asked so many times and then no more, as when the process is killed.
type stopping struct {
	doctor.Store
	after *atomic.Int64
}

func (s stopping) Do(r *http.Request) (*http.Response, error) {
	if s.after.Add(-1) < 0 {
		return nil, context.Canceled
	}
	return s.Store.Do(r)
}

// Wherever a run is killed, the next one leaves nothing of it.
func TestARunKilledAnywhereIsTidiedByTheNext(t *testing.T) {
	server := s3test.StartWithUsers(t, 1)
	d := onGateway(t, server, "stopped", true, whole)
	whole := d.o.Store
	left0 := 0
	for _, after := range []int64{6, 9, 14, 20, 30, 45, 60} {
		n := &atomic.Int64{}
		n.Store(after)
		d.o.Store, d.o.LeftAfter = stopping{whole, n}, time.Hour
		run(t, d.o)
		left0 = max(left0, len(left(t, d.root)))
	}
	if left0 == 0 {
		t.Fatal("no run left anything: the test shows nothing")
	}
	d.o.Store, d.o.LeftAfter = whole, -time.Hour
	run(t, d.o)
	if now := left(t, d.root); len(now) > 0 {
		t.Errorf("left are %q", now)
	}
}
