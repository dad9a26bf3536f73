package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

const storeSays = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>`

// storeLike answers as stores do to a request without a signature.
func storeLike(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(storeSays))
}

// overTLS serves h with a certificate for the name, valid from and to these times, and returns its address under
// that name and the pool that trusts it.
func overTLS(t *testing.T, h http.HandlerFunc, name string, from, to time.Time) (*url.URL, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Clinic Firewall"}, CommonName: "Inspection CA"},
		DNSNames: []string{name}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return parsedURL("https://localhost:" + port), pool
}

func worstOf(r Report) (names []string) {
	for _, f := range r.Findings {
		if f.Level == Warning || f.Level == Failure {
			names = append(names, f.Check+" "+f.Level.String())
		}
	}
	return names
}

func TestASoundWayToTheStoreRaisesNoAlarm(t *testing.T) {
	now := time.Now()
	secure, roots := overTLS(t, storeLike, "localhost", now.Add(-time.Hour), now.Add(90*24*time.Hour))
	plain := httptest.NewServer(http.HandlerFunc(storeLike))
	t.Cleanup(plain.Close)
	for name, o := range map[string]NetworkOptions{
		"TLS":                            {Address: secure, Roots: roots},
		"plain":                          {Address: parsedURL(plain.URL)},
		"all in one private network":     {Address: parsedURL(plain.URL), Page: parsedURL("http://192.168.1.4:8080")},
		"plain for us, TLS for browsers": {Address: parsedURL(plain.URL), Public: secure, Roots: roots},
	} {
		report := Run(t.Context(), NetworkChecks(o), nil)
		if worst := worstOf(report); worst != nil || report.Worst() != Fine {
			t.Errorf("%s: %q %+v", name, worst, report.Findings)
		}
	}
}

func TestWhatIsWrongOnTheWayToTheStoreIsNamed(t *testing.T) {
	now := time.Now()
	soon := now.Add(90 * 24 * time.Hour)
	serve := func(h http.HandlerFunc) *url.URL {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return parsedURL(server.URL)
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Sign in</title>"))
	}
	answering := func(status int, header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
		}
	}
	answeringPage := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>")
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := parsedURL("http://" + closed.Addr().String())
	_ = closed.Close()
	secure, _ := overTLS(t, storeLike, "localhost", now.Add(-time.Hour), soon)
	wrongName, wrongRoots := overTLS(t, storeLike, "files.example", now.Add(-time.Hour), soon)
	ended, endedRoots := overTLS(t, storeLike, "localhost", now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	early, earlyRoots := overTLS(t, storeLike, "localhost", now.Add(24*time.Hour), soon)
	ending, endingRoots := overTLS(t, storeLike, "localhost", now.Add(-48*time.Hour), now.Add(24*time.Hour))
	htmlProxy, htmlRoots := overTLS(t, page, "localhost", now.Add(-time.Hour), soon)
	noName := func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
	storeOnly := func(_ context.Context, host string) ([]string, error) {
		if host == "s3.clinic.example" {
			return []string{"192.0.2.1"}, nil
		}
		return nil, &net.DNSError{IsNotFound: true}
	}
	noWay := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	}
	leadsTo := func(names map[string]string) func(context.Context, string) ([]string, error) {
		return func(_ context.Context, host string) ([]string, error) { return []string{names[host]}, nil }
	}
	toHTTPS := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusPermanentRedirect)
	}
	noService := func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsTimeout: true} }
	proxied := func(u *url.URL) func(*http.Request) (*url.URL, error) {
		return func(*http.Request) (*url.URL, error) { return u, nil }
	}
	overPlain := *serve(storeLike)
	overPlain.Scheme = "https"
	secureAsPlain := *secure
	secureAsPlain.Scheme = "http"

	for name, test := range map[string]struct {
		o    NetworkOptions
		want []string
		says string
	}{
		"no such name":             {NetworkOptions{Address: parsedURL("https://s3.nowhere.example"), Lookup: noName}, []string{"network.dns failure"}, "AWS_S3_ENDPOINT_URL"},
		"no such name at AWS":      {NetworkOptions{Address: parsedURL("https://b.s3.ap-northest-2.amazonaws.com"), Lookup: noName}, []string{"network.dns failure"}, "AWS_S3_REGION_NAME"},
		"no name for the bucket":   {NetworkOptions{Address: parsedURL("https://cases.s3.clinic.example"), Bucket: "cases", Lookup: storeOnly}, []string{"network.dns.addressing failure"}, "AWS_S3_ADDRESSING_STYLE=path"},
		"it leads to https":        {NetworkOptions{Address: serve(toHTTPS)}, []string{"network.answer.redirect failure"}, "AWS_S3_ENDPOINT_URL=https://127.0.0.1"},
		"no name service":          {NetworkOptions{Address: parsedURL("https://s3.nowhere.example"), Lookup: noService}, []string{"network.dns failure"}, "resolv.conf"},
		"nothing listens":          {NetworkOptions{Address: nobody}, []string{"network.tcp failure"}, "refused"},
		"an unknown authority":     {NetworkOptions{Address: secure}, []string{"network.tls.authority failure"}, "Clinic Firewall"},
		"another name":             {NetworkOptions{Address: wrongName, Roots: wrongRoots}, []string{"network.tls.name failure"}, "files.example"},
		"a certificate that ended": {NetworkOptions{Address: ended, Roots: endedRoots}, []string{"network.tls.expired failure"}, "It ended on"},
		"one that has not begun":   {NetworkOptions{Address: early, Roots: earlyRoots}, []string{"network.tls.expired failure"}, "It begins on"},
		"one that ends tomorrow":   {NetworkOptions{Address: ending, Roots: endingRoots}, []string{"network.tls warning"}, "renews"},
		"https to a plain port":    {NetworkOptions{Address: &overPlain}, []string{"network.tls.plain failure"}, "scheme or the port"},
		"http to a TLS port":       {NetworkOptions{Address: &secureAsPlain}, []string{"network.answer.scheme failure"}, "https"},
		"a page instead":           {NetworkOptions{Address: serve(page)}, []string{"network.answer.intercepted failure"}, "web page"},
		"a trusted proxy's page":   {NetworkOptions{Address: htmlProxy, Roots: htmlRoots}, []string{"network.answer.intercepted failure"}, "web page"},
		"a proxy that asks":        {NetworkOptions{Address: serve(answering(407, "X", "y"))}, []string{"network.answer.proxy failure"}, "HTTPS_PROXY"},
		"a proxy without a store":  {NetworkOptions{Address: serve(answeringPage(502))}, []string{"network.answer.gateway failure"}, "does not reach the store"},
		"a sign-in before it":      {NetworkOptions{Address: serve(answeringPage(401))}, []string{"network.answer.auth failure"}, "auth_basic off"},
		"a store that is ill":      {NetworkOptions{Address: serve(answering(503, "X", "y"))}, []string{"network.answer warning"}, "503"},
		"something else":           {NetworkOptions{Address: serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("SSH-2.0")) })}, []string{"network.answer warning"}, "no store"},
		"a proxy's address": {
			NetworkOptions{Address: secure, Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("parse") }},
			[]string{"network.proxy failure"},
			"HTTPS_PROXY",
		},
		"a proxy to a near store": {NetworkOptions{Address: parsedURL("http://minio:9000"), Proxy: proxied(serve(storeLike))}, []string{"network.proxy warning"}, "NO_PROXY=minio"},
		"a proxy that wants a sign-in": {
			NetworkOptions{Address: parsedURL("https://s3.files.example"), Proxy: proxied(serve(answering(407, "Proxy-Authenticate", "Basic")))},
			[]string{"network.answer.proxy failure"},
			"wants a sign-in",
		},
		"a proxy that lets nothing through": {
			NetworkOptions{Address: parsedURL("https://s3.files.example"), Proxy: proxied(serve(answering(403, "X", "y")))},
			[]string{"network.answer failure"},
			"does not let it through",
		},
		"a name that is blocked": {
			NetworkOptions{Address: parsedURL("https://s3.files.example"), Lookup: func(context.Context, string) ([]string, error) { return []string{"0.0.0.0"}, nil }},
			[]string{"network.dns failure"},
			"blocks the host",
		},
		"a store of a private network for the world's browsers": {
			NetworkOptions{Address: serve(storeLike), Public: parsedURL("http://files.clinic.example"), Page: parsedURL("https://caseload.example"), Lookup: leadsTo(map[string]string{"files.clinic.example": "10.1.2.3", "caseload.example": "203.0.113.7"})},
			[]string{"cors.public.private warning"},
			"10.1.2.3, within a private network",
		},
		"IPv6 alone": {
			NetworkOptions{Address: parsedURL("http://s3.clinic.example:9000"), Lookup: leadsTo(map[string]string{"s3.clinic.example": "2001:db8::9"}), Dial: noWay},
			[]string{"network.tcp.ipv6 failure"},
			"no way out by IPv6",
		},
		"no way out": {
			NetworkOptions{Address: parsedURL("https://b.s3.eu-west-1.amazonaws.com"), Lookup: leadsTo(map[string]string{"b.s3.eu-west-1.amazonaws.com": "203.0.113.9"}), Dial: noWay},
			[]string{"network.tcp failure"},
			"dual-stack",
		},
		"packets are swallowed": {
			NetworkOptions{Address: parsedURL("http://192.0.2.9:9000"), Dial: func(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }},
			[]string{"network.tcp failure"},
			"A firewall swallows the packets",
		},
		"a proxy nobody runs":     {NetworkOptions{Address: parsedURL("https://s3.files.example"), Proxy: proxied(nobody)}, []string{"network.tcp failure"}, "HTTPS_PROXY"},
		"browsers' address ended": {NetworkOptions{Address: serve(storeLike), Public: ended, Roots: endedRoots}, []string{"cors.public.expired failure"}, "It ended on"},
		"a clock an hour behind":  {NetworkOptions{Address: serve(storeLike), Now: func() time.Time { return time.Now().Add(-time.Hour) }}, []string{"clock.skew failure"}, "behind"},
		"a clock a minute ahead":  {NetworkOptions{Address: serve(storeLike), Now: func() time.Time { return time.Now().Add(time.Minute) }}, []string{"clock.skew warning"}, "ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			report := Run(t.Context(), NetworkChecks(test.o), nil)
			if got := worstOf(report); !reflect.DeepEqual(got, test.want) {
				t.Fatalf("found %q, want %q: %+v", got, test.want, report.Findings)
			}
			for _, f := range report.Findings {
				if f.Level != Warning && f.Level != Failure {
					continue
				}
				if f.Fix == nil || f.Means == "" {
					t.Fatalf("it does not say what it means or how it is mended: %+v", f)
				}
				if text := f.Got + f.Means + f.Fix.Say + f.Fix.Command; !strings.Contains(text, test.says) {
					t.Errorf("%q is not in %q", test.says, text)
				}
			}
		})
	}
}

// An answer without a Date leaves the clocks uncompared, which is no fault.
func TestWithoutADateTheClocksAreNotCompared(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		storeLike(w, r)
	}))
	t.Cleanup(server.Close)
	report := Run(t.Context(), NetworkChecks(NetworkOptions{Address: parsedURL(server.URL)}), nil)
	if last := report.Findings[len(report.Findings)-1]; last.Check != "clock.skew" || last.Level != Note {
		t.Errorf("%+v", report.Findings)
	}
}
