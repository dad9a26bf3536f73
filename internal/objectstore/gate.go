package objectstore

import (
	"context"
	"sync"
)

// gate lets requests and calls to the embedded store in until it closes, and then waits for those inside.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup // grows only while not closed
}

// enter tells whether the gate is open; who was let in calls leave at the end.
func (g *gate) enter() (leave func(), open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	g.inside.Add(1)
	return g.inside.Done, true
}

// close lets nobody else in and waits for those inside as long as ctx lives.
func (g *gate) close(ctx context.Context) {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	empty := make(chan struct{})
	go func() { g.inside.Wait(); close(empty) }()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}
