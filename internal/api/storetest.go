package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Codes of a store that cannot be reached from here, as docs/operate.md explains them. STORE-CORS is the browser's alone.
const (
	StoreUnreachable = "STORE-UNREACHABLE" // no connection
	StoreIntercepted = "STORE-INTERCEPTED" // something between answers in the store's place
	StoreRefused     = "STORE-REFUSED"     // the store itself says no
)

// maxStrikes is how many requests to the store may fail in a row before it is found out whether it can be reached.
const maxStrikes = 3

// strike counts a failure at the store, and turns to the relay when it is the store that cannot be reached.
func (r *run) strike(ctx context.Context, err error) {
	r.pace.lineFailed(err)
	if r.strikes.Add(1) < maxStrikes || ctx.Err() != nil || !r.doubting.TryLock() {
		return
	}
	defer r.doubting.Unlock()
	if r.relay.Load() {
		return
	}
	unreachable, asked := r.calls.TestStore(ctx)
	if asked != nil {
		return // the server cannot be reached either: it is the line
	}
	r.strikes.Store(0)
	if unreachable == nil {
		return
	}
	r.relay.Store(true)
	r.tell(Notice{Stage: StageRelaying, Index: -1, Err: unreachable})
	_ = r.calls.ReportStore(ctx, StoreReport{Code: unreachable.Code, Detail: unreachable.Detail, Case: r.Case}) // for administrators; the upload goes on without
}

// lineFailed slows down when it was the line, or the other side was busy.
func (p *pace) lineFailed(err error) {
	var refused *storeError
	var problem *Problem
	switch {
	case errors.As(err, &refused) && !passing(refused.status), errors.As(err, &problem) && !passing(problem.Status):
	default:
		p.slower()
	}
}

// StoreTrouble says that the store cannot be reached from here, and why.
type StoreTrouble struct {
	Code   string // STORE-…
	Detail string // ASCII, at most 200 characters
}

func (e *StoreTrouble) Error() string { return e.Code + ": " + e.Detail }

// StoreTest answers GET /store-test: a request to the store that leaves nothing behind.
type StoreTest struct {
	SameOrigin bool          `json:"same_origin"`
	Endpoint   string        `json:"endpoint"`
	Request    SignedRequest `json:"request"`
}

// StoreReport is the request of POST /store-reports.
type StoreReport struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Case   string `json:"case,omitempty"`
}

// ReportStore tells the administrators that the store could not be reached from here.
func (c *Client) ReportStore(ctx context.Context, report StoreReport) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/store-reports", in: report, repeat: true})
}

// TestStore finds out whether the store can be reached from here. A healthy one answers the request for an upload that
// does not exist with S3's own NoSuchUpload. err is that of the server, which was asked how to ask.
func (c *Client) TestStore(ctx context.Context) (trouble *StoreTrouble, err error) {
	var test StoreTest
	if err := c.do(ctx, call{method: http.MethodGet, path: "/store-test", out: &test, repeat: true}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, DefaultStall, ErrStalled)
	defer cancel()
	request, err := test.Request.request(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := c.http().Do(request)
	if err != nil {
		var at *url.Error // its text begins with the signed address, and would end there
		if errors.As(err, &at) {
			err = at.Err
		}
		return &StoreTrouble{StoreUnreachable, plain(err.Error())}, nil
	}
	defer drain(resp)
	var refused *storeError
	switch err := readStoreError(resp); {
	case errors.As(err, &refused) && refused.code == "NoSuchUpload":
		return nil, nil
	case errors.As(err, &refused) && refused.code != "":
		return &StoreTrouble{StoreRefused, plain(refused.Error())}, nil
	}
	return &StoreTrouble{StoreIntercepted, fmt.Sprintf("answered %d without S3's words", resp.StatusCode)}, nil
}

// plain keeps what a report may hold: printable ASCII, at most 200 characters.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 200)]
}
