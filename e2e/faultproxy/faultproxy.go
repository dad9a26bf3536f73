// Package faultproxy is an HTTP proxy that fails on purpose: it stands between Caseload and a separate S3 server in the
// tests. It leaves path, query and Host as they came, because all three are signed, and on a share of the requests it
// does one of the things that networks and stores do: refuse, lose the answer of a request that was carried out, cut a
// body in the middle, answer 200 with an error in the body, flip a bit of what is sent, or take its time.
package faultproxy

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Fault is one way to fail.
type Fault string

const (
	Refused      Fault = "refused"      // 503 SlowDown; nothing reaches the store
	LostRequest  Fault = "lost request" // the connection breaks; nothing reaches the store
	LostAnswer   Fault = "lost answer"  // the store carries it out, then the connection breaks
	ErrorIn200   Fault = "error in 200" // Complete only: carried out or not, 200 with an error body
	CutRequest   Fault = "cut request"  // the store gets half of the body, the client a broken connection
	CutAnswer    Fault = "cut answer"   // the client gets half of the body
	FlippedBit   Fault = "flipped bit"  // one bit of the body on its way to the store
	Delay        Fault = "delay"        // up to maxDelay late
	maxDelay           = 700 * time.Millisecond
	errorMessage       = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Error><Code>%CODE%</Code><Message>A fault on purpose.</Message><RequestId>FAULT</RequestId></Error>`
)

// Proxy is a running proxy.
type Proxy struct {
	URL string // http://host:port, to be given to Caseload as the store's endpoint

	target    *url.URL
	transport *http.Transport

	mu     sync.Mutex
	random *rand.Rand
	share  float64
	calls  int
	done   map[Fault]int
}

// Start runs a proxy before the store at target (http://host:port) until ctx ends. The share of requests that meet a
// fault is 0 until SetShare. The same seed draws the same faults for the same order of requests.
func Start(ctx context.Context, target string, seed uint64) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		URL: "http://" + l.Addr().String(), target: u, transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		random: rand.New(rand.NewPCG(seed, seed)), done: map[Fault]int{},
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends by Close
	context.AfterFunc(ctx, func() {
		_ = server.Close()
		p.transport.CloseIdleConnections()
	})
	return p, nil
}

// SetShare sets the share of requests that meet a fault, from 0 to 1. A CompleteMultipartUpload, rare beside the other
// calls and the one that matters most, meets five times as many.
func (p *Proxy) SetShare(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share = share
}

// Calls returns how many requests came so far.
func (p *Proxy) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Faults returns how often each fault was done.
func (p *Proxy) Faults() map[Fault]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.done)
}

// draw decides what happens to a request; also a number from 0 to 1 for the fault's own use.
func (p *Proxy) draw(r *http.Request) (Fault, float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	share := p.share
	if complete(r) {
		share *= 5
	}
	if p.random.Float64() >= share {
		return "", 0
	}
	choices := []Fault{Refused, LostRequest, LostAnswer, CutAnswer, Delay}
	if r.ContentLength > 1 {
		choices = append(choices, CutRequest, FlippedBit)
	}
	if complete(r) {
		choices = []Fault{ErrorIn200, ErrorIn200, LostAnswer, Refused, CutAnswer, Delay}
	}
	fault := choices[p.random.IntN(len(choices))]
	p.done[fault]++
	return fault, p.random.Float64()
}

// complete tells a CompleteMultipartUpload.
func complete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, chance := p.draw(r)
	switch fault {
	case Refused:
		_, _ = io.Copy(io.Discard, r.Body)
		sayError(w, http.StatusServiceUnavailable, "SlowDown")
		return
	case LostRequest:
		panic(http.ErrAbortHandler)
	case CutRequest:
		p.cutRequest(r)
		panic(http.ErrAbortHandler)
	case Delay:
		select {
		case <-time.After(time.Duration(chance * float64(maxDelay))):
		case <-r.Context().Done():
			return
		}
	case FlippedBit:
		r.Body = io.NopCloser(&flipper{body: r.Body, at: int64(chance * float64(r.ContentLength))})
	case ErrorIn200:
		if chance < 0.5 {
			_, _ = io.Copy(io.Discard, r.Body)
			sayError(w, http.StatusOK, "InternalError")
			return
		}
	}
	// What was begun is carried out even when the client has left, as at a store.
	answer, err := p.transport.RoundTrip(p.outgoing(context.WithoutCancel(r.Context()), r, r.Body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	switch fault {
	case LostAnswer:
		_, _ = io.Copy(io.Discard, answer.Body)
		panic(http.ErrAbortHandler)
	case ErrorIn200:
		_, _ = io.Copy(io.Discard, answer.Body)
		sayError(w, http.StatusOK, "InternalError")
		return
	}
	maps.Copy(w.Header(), answer.Header)
	if answer.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(answer.ContentLength, 10))
	}
	w.WriteHeader(answer.StatusCode)
	if fault == CutAnswer {
		_, _ = io.CopyN(w, answer.Body, max(answer.ContentLength, 0)/2)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if _, err := io.Copy(w, answer.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// outgoing is the request for the store: everything as it came but the address dialled.
func (p *Proxy) outgoing(ctx context.Context, r *http.Request, body io.Reader) *http.Request {
	out := &http.Request{
		Method: r.Method, URL: &url.URL{Scheme: p.target.Scheme, Host: p.target.Host, Opaque: "", Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		Host: r.Host, Header: r.Header.Clone(), ContentLength: r.ContentLength,
	}
	if r.ContentLength != 0 {
		out.Body = io.NopCloser(body)
	}
	return out.WithContext(ctx)
}

// cutRequest announces the whole body to the store, sends half of it and breaks the connection.
func (p *Proxy) cutRequest(r *http.Request) {
	half := io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), brokenLine{})
	if answer, err := p.transport.RoundTrip(p.outgoing(r.Context(), r, half)); err == nil {
		_ = answer.Body.Close()
	}
}

type brokenLine struct{}

func (brokenLine) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// flipper turns over the lowest bit of one byte.
type flipper struct {
	body io.Reader
	at   int64
}

func (f *flipper) Read(b []byte) (int, error) {
	n, err := f.body.Read(b)
	if f.at >= 0 && f.at < int64(n) {
		b[f.at] ^= 1
	}
	f.at -= int64(n)
	return n, err
}

func sayError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.ReplaceAll([]byte(errorMessage), []byte("%CODE%"), []byte(code)))
}
