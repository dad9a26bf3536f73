package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client speaks /api/v1. Base and Token are required; it is safe for concurrent use and must not be changed once in
// use. Every error the server answers is a *Problem, whose kind caseload.KindOf tells. Calls that may be repeated
// without harm are, with growing pauses, while the server or the line is not available.
type Client struct {
	Base  string       // scheme and host: "https://caseload.example"
	Token string       // bearer token: "cl_…"
	HTTP  *http.Client // nil: a client without an overall time limit; calls end with their context

	Attempts int           // tries of a call in all; 0: 6
	Pause    time.Duration // before the second try, then doubled up to 30 s, half of it by chance; 0: 500 ms
	Within   time.Duration // for the answer of one try; 0: 1 min, and 5 min where the store puts a large file together
}

// call is one request to the API.
type call struct {
	method, path string
	query        url.Values
	in, out      any  // JSON; nil: none
	repeat       bool // may be sent again when nobody knows whether it was carried out
	slow         bool // takes its time
}

// answerOf and slowAnswerOf bound the wait for the answer of one call.
const (
	answerOf     = time.Minute
	slowAnswerOf = 5 * time.Minute
)

func (c *Client) do(ctx context.Context, q call) error {
	var body []byte
	if q.in != nil {
		var err error
		if body, err = json.Marshal(q.in); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	return c.try(ctx, q.repeat, func() error { return c.once(ctx, q, body) })
}

func (c *Client) once(ctx context.Context, q call, body []byte) error {
	within := c.Within
	if within == 0 {
		if within = answerOf; q.slow {
			within = slowAnswerOf
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, ErrStalled)
	defer cancel()
	address := c.Base + "/api/v1" + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if q.in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.send(r, q.out)
}

// send authorizes and sends a request and reads its answer into out, unless that is nil.
func (c *Client) send(r *http.Request, out any) error {
	c.authorize(r)
	resp, err := c.http().Do(r)
	if err != nil {
		return err
	}
	defer drain(resp)
	return readAnswer(resp, out)
}

func (c *Client) authorize(r *http.Request) {
	r.Header.Set("Authorization", "Bearer "+c.Token)
	r.Header.Set("Accept", "application/json")
}

// readAnswer reads the server's answer into out, unless that is nil; an error answer is a *Problem.
func readAnswer(resp *http.Response, out any) error {
	if resp.StatusCode >= 300 {
		return readProblem(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// defaultHTTP speaks HTTP/1.1 only: several requests then have several connections, and a packet lost on one does not
// hold up the others. The buffer is what is sent at once: with 64 KiB sending costs a fifth more of the processor, with much
// more a slow line looks as if it stood still.
var defaultHTTP = &http.Client{Transport: func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	t.WriteBufferSize = 128 << 10
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}()}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return defaultHTTP
}

// maxAnswer bounds what is read of an error answer, in bytes.
const maxAnswer = 64 << 10

// readProblem makes a *Problem of any error answer, also of one that is none of ours (a proxy's).
func readProblem(resp *http.Response) error {
	p := &Problem{Title: http.StatusText(resp.StatusCode), Kind: "internal", Detail: "The answer was no problem document."}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what cannot be read leaves the status, which says enough
	if strings.HasPrefix(resp.Header.Get("Content-Type"), ProblemType) {
		if err := json.Unmarshal(body, p); err != nil {
			p.Detail = "The answer was a malformed problem document."
		}
	}
	p.Status = resp.StatusCode
	p.RetryAfter = readRetryAfter(resp)
	return p
}

// drain lets the connection be used again.
func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
}

// try calls f until it succeeds, fails for good, or the attempts are used up. What nobody knows the outcome of is only
// tried again when repeat is true.
func (c *Client) try(ctx context.Context, repeat bool, f func() error) error {
	attempts, pause := c.Attempts, c.Pause
	if attempts == 0 {
		attempts = 6
	}
	if pause == 0 {
		pause = firstPause
	}
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt >= attempts || ctx.Err() != nil || !worthAnother(err, repeat) {
			return err
		}
		if sleep(ctx, max(backoff(pause, attempt), retryAfter(err))) != nil {
			return err
		}
	}
}

// worthAnother tells whether the same call may succeed later.
func worthAnother(err error, repeat bool) bool {
	var p *Problem
	if !errors.As(err, &p) {
		return repeat // the line
	}
	if p.Status == http.StatusTooManyRequests {
		return true // refused before it was looked at
	}
	return repeat && passing(p.Status)
}
