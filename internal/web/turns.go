package web

import (
	"context"
	"errors"
	"io"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// How many requests are worked on at once. A thousand connections may ask in the same moment; the database answers no
// faster for it, and each request being worked on costs a deep stack. So they queue, and a queued request costs next to
// nothing. Requests that ask the object store have a queue of their own: when the store hangs, the pages do not.
const (
	turnsOfPages = 64
	turnsOfStore = 128
	turnWait     = 20 * time.Second // for a turn; then 503 with Retry-After
)

// turn is one request's place among those worked on. It is given back while the client is waited for: while its body
// is read, and from the first byte of the answer on. It belongs to the request's goroutine.
type turn struct {
	places chan struct{}
	held   bool
}

func (t *turn) take(ctx context.Context) error {
	if t.places == nil || t.held {
		return nil
	}
	select {
	case t.places <- struct{}{}:
		t.held = true
		return nil
	default:
	}
	patience := time.NewTimer(turnWait)
	defer patience.Stop()
	select {
	case t.places <- struct{}{}:
		t.held = true
		return nil
	case <-patience.C:
		return retryAfter(caseload.Errorf(caseload.Unavailable, "The server is busy.").WithHint("Try again in a moment."), 5*time.Second)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) leave() {
	if t.held {
		t.held = false
		<-t.places
	}
}

// turnBody gives the turn back while the client's bytes are waited for.
type turnBody struct {
	io.ReadCloser
	ctx  context.Context //nolint:containedctx // of the request whose body this is
	turn *turn
}

func (b *turnBody) Read(p []byte) (int, error) {
	if !b.turn.held { // the handler has answered already; what is left of the body is nobody's turn
		return b.ReadCloser.Read(p)
	}
	b.turn.leave()
	n, err := b.ReadCloser.Read(p)
	if taken := b.turn.take(b.ctx); taken != nil && (err == nil || errors.Is(err, io.EOF)) {
		err = taken
	}
	return n, err
}
