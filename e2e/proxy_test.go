package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// TestBehindATLSProxy goes the whole way through a proxy that ends TLS: the signed addresses are the proxy's, one port
// serves pages, API and store, and the cookies are those of a secure site.
func TestBehindATLSProxy(t *testing.T) {
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB")
	behind, err := url.Parse(s.url())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host // signed
		r.SetXForwarded()
	}})
	t.Cleanup(proxy.Close)
	s.env = append(s.env, "CASELOAD_PUBLIC_URL="+proxy.URL)
	s.serve([]string{"serve"})
	wholeWay(t, s.newAdmin().at(proxy.URL), proxy.Client(), proxy.URL)

	answer, err := proxy.Client().Get(proxy.URL + "/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS behind a TLS proxy")
	}
}

// TestFromAnotherComputer reaches the server by an address that is not the one it was told to print.
func TestFromAnotherComputer(t *testing.T) {
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB")
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = "0.0.0.0:" + port
	s.serve([]string{"serve"})
	other := "http://127.0.0.2:" + port // to the server as foreign as any other address
	wholeWay(t, s.newAdmin().at(other), http.DefaultClient, other)
}

// wholeWay sends a file by each route and takes it back, every byte through origin.
func wholeWay(t *testing.T, p person, through *http.Client, origin string) {
	t.Helper()
	client := &api.Client{Base: origin, Token: p.token, HTTP: through}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	opened, err := client.CreateCase(ctx, api.NewCase{Number: "2026-0001", Patient: "Phantom"})
	if err != nil {
		t.Fatal(err)
	}
	for route, size := range map[string]int{"small": 100_000, "direct": 11 << 20} {
		content := phantom.Noise(5, size)
		f, err := client.UploadFile(ctx, opened.ID, "noise.bin", bytes.NewReader(content), int64(size), api.Upload{})
		if err != nil || f.Route != route {
			t.Fatalf("%s: route %q: %v", route, f.Route, err)
		}
		link, err := client.Link(ctx, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(link.URL, origin+"/") {
			t.Errorf("the download is signed for another address than %s", origin)
		}
		answer, err := through.Get(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !bytes.Equal(back, content) {
			t.Errorf("%s: %d bytes came back (%v), status %s", route, len(back), err, answer.Status)
		}
	}
}
