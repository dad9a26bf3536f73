package web

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// hardened holds the stations every request passes before its route is looked for: is the Host one of ours, is it a
// signed request for the embedded store, and is it a forged request of another site.
func (s *Server) hardened(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probed := r.URL.Path == "/healthz" || r.URL.Path == "/readyz" // a balancer asks by the machine's own address
		if !probed && !s.hosts.allows(r.Host) {
			s.fail(w, r, caseload.Errorf(caseload.Invalid, "This server does not answer under that host name.").
				WithHint("Set CASELOAD_PUBLIC_URL or CASELOAD_ALLOWED_HOSTS to the name people use.").WithField("host"))
			return
		}
		if s.forStore(r) {
			s.passToStore(w, r)
			return
		}
		if _, byToken := bearer(r); !byToken || exchangeOf(r).kind == asPage {
			if err := s.csrf.Check(asChange(r)); err != nil {
				s.fail(w, r, caseload.Errorf(caseload.Forbidden, "The request came from another site.").
					WithHint("Open the page here and try again.").WithCause(err))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// asChange is the request as the check for forged ones is to see it. The check lets every GET pass, because a GET changes
// nothing; but the stock Uppy plugin asks for a form by GET, which makes a row.
func asChange(r *http.Request) *http.Request {
	if exchangeOf(r).kind != asCompanion {
		return r
	}
	changing := *r
	changing.Method = http.MethodPost
	return &changing
}

// setHeaders gives every answer of ours what browsers need to know to be strict: those of handlers when their turn has
// come (a waiting request holds nothing it does not need yet) and errors.
func (s *Server) setHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer our own forms come with "Origin: null" over plain http
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store") // patient text; assets say otherwise
	secure := s.secure(r)
	if secure || loopback(bareHost(r.Host)) { // browsers ignore it elsewhere, and complain
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// contentPolicy returns the content security policy (https://www.w3.org/TR/CSP3/): everything from here, nothing inline;
// bytes also to and from the stores.
func contentPolicy(storeOrigins []string) string {
	stores := ""
	for _, origin := range storeOrigins {
		if u, err := url.Parse(origin); err == nil && u.Host != "" {
			stores += " " + u.Scheme + "://" + u.Host
		}
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", "img-src 'self' blob:" + stores,
		"connect-src 'self'" + stores, "worker-src 'self'", "font-src 'self'", "manifest-src 'self'", "form-action 'self'",
		"frame-ancestors 'none'", "base-uri 'none'",
	}, "; ")
}

// newCrossOriginProtection trusts the public address, which a proxy may hide by rewriting Host.
func newCrossOriginProtection(publicURL string) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		_ = protection.AddTrustedOrigin(u.Scheme + "://" + u.Host) // made of a parsed scheme and host: always valid
	}
	return protection
}

// hostList is the Host values answered.
type hostList struct {
	names  map[string]bool // with or without a port, as configured; lower case
	public *url.URL        // nil without a public address
}

func newHostList(publicURL string, allowed []string) hostList {
	l := hostList{names: map[string]bool{}}
	for _, name := range allowed {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			l.names[name] = true
		}
	}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		l.public = u
		l.names[strings.ToLower(u.Host)] = true
	}
	return l
}

// allows tells whether we answer under this Host. A name that others can point at us (DNS rebinding) is refused unless
// it is configured. An IP address is no name: a page that carries it as its host was served from that address.
func (l hostList) allows(host string) bool {
	host = strings.ToLower(host)
	name := bareHost(host)
	return l.names[host] || l.names[name] || name == "localhost" || net.ParseIP(name) != nil
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// bareHost is the host without port and brackets.
func bareHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// origin is the scheme and host under which the person's browser reaches us: the public address, else the request's
// own Host, which hardened has found to be allowed. Signed addresses are made for it.
func (s *Server) origin(r *http.Request) string {
	if u := s.hosts.public; u != nil {
		return u.Scheme + "://" + u.Host
	}
	if s.secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// secure tells whether the person's browser speaks TLS to us or to the proxy before us: by the connection itself, by a
// trusted proxy's word, or because that is the public address.
func (s *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if s.TrustProxy && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return true
	}
	u := s.hosts.public
	return u != nil && u.Scheme == "https" && strings.EqualFold(u.Host, r.Host)
}

// address is where the request comes from: the peer, or what a trusted proxy says of its own peer.
func (s *Server) address(r *http.Request) string {
	if s.TrustProxy {
		hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		if ip := net.ParseIP(strings.TrimSpace(hops[len(hops)-1])); ip != nil {
			return ip.String()
		}
	}
	return bareHost(r.RemoteAddr)
}
