package objectstore

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// proxy hands requests for objects to the gateway, Host and path as they came because both are signed. It lets through
// only what a URL of ours needs; the gateway refuses whatever is not signed. Parts with a good signature go straight to the files.
type proxy struct {
	transport *http.Transport
	gate      *gate
	parts     *signedParts
}

func newProxy(dial dialFunc, gate *gate, parts *signedParts) *proxy {
	p := &proxy{transport: newTransport(dial, answerTimeout, bulkBuffer), gate: gate, parts: parts}
	p.transport.Proxy = nil
	return p
}

// forwarded are the request headers the gateway gets to see, besides x-amz-checksum-…. No cookie or bearer token of ours
// ever reaches it, and no header that would copy, tag or open an object.
var forwarded = map[string]bool{
	"Accept": true, "Access-Control-Request-Headers": true, "Access-Control-Request-Method": true, "Content-Md5": true,
	"Content-Type": true, "If-Match": true, "If-Modified-Since": true, "If-None-Match": true, "If-Range": true,
	"If-Unmodified-Since": true, "Origin": true, "Range": true, "User-Agent": true, "X-Amz-Content-Sha256": true,
	"X-Amz-Date": true, "X-Amz-Sdk-Checksum-Algorithm": true,
}

// dropped are the answer headers that concern only the connection to the gateway, or tell more than anybody needs.
var dropped = []string{"Connection", "Keep-Alive", "Server", "Transfer-Encoding", "Set-Cookie"}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guardAnswer(w.Header())
	if !servable(w, r) {
		return
	}
	if part, ok := p.parts.accepts(r, time.Now()); ok {
		p.parts.take(w, r, part)
		return
	}
	leave, open := p.gate.enter()
	if !open {
		unavailable(w)
		return
	}
	defer leave()
	out := p.outgoing(r)
	if r.Method == http.MethodPost {
		body, fault, err := guardForm(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if fault != "" {
			http.Error(w, fault, http.StatusBadRequest)
			return
		}
		out.Body = body
		out.Header.Set("Content-Type", unparsed(r.Header.Get("Content-Type")))
	}
	answer, err := p.transport.RoundTrip(out)
	if err != nil {
		if r.Context().Err() != nil { // the body broke off or the client left; saying nothing would be an empty 200
			panic(http.ErrAbortHandler)
		}
		unavailable(w)
		return
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	guardAnswer(w.Header())
	w.WriteHeader(answer.StatusCode)
	passOn(w, answer.Body)
}

// servable answers what is none of the gateway's business and tells whether the rest is to be done.
func servable(w http.ResponseWriter, r *http.Request) bool {
	if path := r.URL.EscapedPath(); path == "/"+embeddedBucket || path == "/"+embeddedBucket+"/" {
		return servableForm(w, r)
	}
	key, found := strings.CutPrefix(r.URL.EscapedPath(), "/"+embeddedBucket+"/")
	switch {
	case !found || key == "" || strings.HasPrefix(key, ".") || strings.Trim(key, plainKey) != "":
		http.Error(w, "Only single objects can be asked for.", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPut && r.Method != http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, PUT, OPTIONS")
		http.Error(w, "This method is not allowed here.", http.StatusMethodNotAllowed)
	case r.Method == http.MethodPut && r.ContentLength < 0:
		http.Error(w, "The length of the body must be announced.", http.StatusLengthRequired)
	default:
		return true
	}
	return false
}

// plainKey are the characters of our own keys; none of them is ever escaped in a path.
const plainKey = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

func (p *proxy) outgoing(r *http.Request) *http.Request {
	out := &http.Request{
		Method:        r.Method,
		URL:           &url.URL{Scheme: "http", Host: "store.internal", Path: r.URL.Path, RawQuery: r.URL.RawQuery},
		Host:          r.Host,
		Header:        make(http.Header, len(r.Header)),
		ContentLength: r.ContentLength,
	}
	if r.ContentLength > 0 {
		out.Body = r.Body
	}
	for name, values := range r.Header {
		if forwarded[name] || strings.HasPrefix(name, "X-Amz-Checksum-") {
			out.Header[name] = values
		}
	}
	return out.WithContext(r.Context())
}

// guardAnswer makes sure that nothing an object says of itself runs in our origin.
func guardAnswer(h http.Header) {
	for _, name := range dropped {
		h.Del(name)
	}
	if kind, _, _ := strings.Cut(h.Get("Content-Disposition"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "attachment") {
		h.Set("Content-Disposition", "attachment")
	}
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, no-store")
}

// passOn moves the answer in large pieces.
func passOn(w io.Writer, body io.Reader) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		n, err := body.Read(*buffer)
		if n > 0 {
			if _, err := w.Write((*buffer)[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must not take a cut body for a whole one
		}
	}
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, "The object store cannot answer now.", http.StatusServiceUnavailable)
}
