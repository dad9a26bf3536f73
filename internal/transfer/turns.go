package transfer

import (
	"context"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
)

// turns lets one caller of this process at a time work on a file, so that many Completes of it make one round to the
// store. Between processes the compare-and-set in the database decides. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	lines map[caseload.FileID]*line
}

type line struct {
	turn    chan struct{} // holds one token: the turn
	waiting int           // those who hold or want it
}

// take waits for the caller's turn on the file, or for ctx to end. The returned function ends the turn.
func (t *turns) take(ctx context.Context, id caseload.FileID) (leave func(), err error) {
	t.mu.Lock()
	if t.lines == nil {
		t.lines = make(map[caseload.FileID]*line)
	}
	l := t.lines[id]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		t.lines[id] = l
	}
	l.waiting++
	t.mu.Unlock()

	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.waiting--; l.waiting == 0 {
			delete(t.lines, id)
		}
	}
	select {
	case <-l.turn:
		return func() { l.turn <- struct{}{}; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, caseload.Errorf(caseload.Unavailable, "The request ended before its turn came.").WithHint("Try again.").WithCause(ctx.Err())
	}
}
