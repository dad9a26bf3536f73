package api

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// ErrStalled is the cause of a request that was broken off because nothing moved.
var ErrStalled = errors.New("nothing moved for too long")

// answerWithin bounds the wait for an answer once the last byte has left.
const answerWithin = 3 * time.Minute

// line is how bytes are sent: what is done while they move.
type line struct {
	http  *http.Client
	stall time.Duration
	limit *rate.Limiter // bytes per second; nil: none
}

// put sends a request whose body is length bytes of body and gives the answer to read. Every byte that leaves is told to
// moved, and taken back when the request fails. The request is broken off, with ErrStalled, when nothing moves.
func (l *line) put(ctx context.Context, r *http.Request, body io.Reader, length int64, moved func(int64), read func(*http.Response) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(l.stall, func() { cancel(ErrStalled) })
	defer watch.Stop()
	counted := &outgoing{ctx: ctx, body: body, left: length, limit: l.limit, moved: moved, alive: func(left int64) {
		if left > 0 {
			watch.Reset(l.stall)
		} else {
			watch.Reset(max(answerWithin, l.stall))
		}
	}}
	r = r.WithContext(ctx)
	r.Body, r.ContentLength = io.NopCloser(counted), length
	err := func() error {
		resp, err := l.http.Do(r)
		if err != nil {
			return err
		}
		defer drain(resp)
		return read(resp)
	}()
	stopped := context.Cause(ctx)
	cancel(nil)
	counted.stop()
	if err == nil {
		return nil
	}
	moved(-counted.sent.Load())
	var local *ReadError
	switch {
	case errors.As(err, &local):
		return local
	case stopped != nil && (errors.Is(stopped, ErrStalled) || errors.Is(err, context.Canceled)):
		return stopped
	}
	return err
}

// outgoing is a body on its way. The transport may go on reading it for a while after an early answer; not after stop.
type outgoing struct {
	mu    sync.Mutex
	over  bool
	ctx   context.Context
	body  io.Reader
	left  int64
	limit *rate.Limiter
	sent  atomic.Int64
	moved func(int64)
	alive func(left int64)
}

// stop waits for the reading under way, and lets there be no other.
func (o *outgoing) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
}

func (o *outgoing) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return 0, context.Canceled
	}
	if o.left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), o.left)]
	if o.limit != nil {
		p = p[:min(len(p), o.limit.Burst())]
	}
	n, err := o.body.Read(p)
	if o.limit != nil && n > 0 {
		if err := o.limit.WaitN(o.ctx, n); err != nil {
			return 0, context.Cause(o.ctx)
		}
	}
	o.left -= int64(n)
	o.sent.Add(int64(n))
	o.moved(int64(n))
	o.alive(o.left)
	if errors.Is(err, io.EOF) && o.left > 0 {
		return n, errChanged // it became shorter
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = readError(err)
	}
	return n, err
}

// storeError is a refusal by the store.
type storeError struct {
	status     int
	code       string // S3's, such as "NoSuchUpload"; "" when the answer is not S3's
	retryAfter time.Duration
}

func (e *storeError) Error() string {
	if e.code == "" {
		return "the store answered " + strconv.Itoa(e.status)
	}
	return fmt.Sprintf("the store answered %d %s", e.status, e.code)
}

// readStoreError makes a *storeError of any answer that is no success; nil otherwise.
func readStoreError(resp *http.Response) error {
	if resp.StatusCode < 300 {
		return nil
	}
	e := &storeError{status: resp.StatusCode, retryAfter: readRetryAfter(resp)}
	var said struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	if xml.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&said) == nil {
		e.code = said.Code
	}
	return e
}

// longestAsked bounds how long another side may ask to be left alone for: what is between may have a clock that is wrong.
const longestAsked = 10 * time.Minute

func readRetryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil { // RFC 9110, section 10.2.3
		return min(max(0, time.Until(at)), longestAsked)
	}
	return 0
}

// signed makes the request a signed one says.
func (s SignedRequest) request(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, s.Method, s.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	return r, nil
}
