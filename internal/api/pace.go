package api

import (
	"context"
	"sync"
	"time"
)

// pace lets so many requests be in flight as the line bears: it begins with few, adds one whenever the last one that was
// added brought something, takes one away when the rate falls, and half of them when the line fails. Turns are given
// in the order they were asked for, so files share the line fairly.
type pace struct {
	mu      sync.Mutex
	limit   int
	most    int
	taken   int
	waiting []chan struct{}

	begun time.Time // of the round that is measured
	done  int       // requests in it
	bytes int64
	best  float64 // bytes per second of the best round, forgotten slowly
}

func newPace(start, most int) *pace {
	return &pace{limit: min(start, most), most: most, begun: time.Now()}
}

// take waits for a turn, or for the context to end.
func (p *pace) take(ctx context.Context) error {
	p.mu.Lock()
	if p.taken < p.limit && len(p.waiting) == 0 {
		p.taken++
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.waiting {
		if w == turn {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	p.taken-- // it was given at the same moment
	p.next()
	return context.Cause(ctx)
}

// give returns a turn after a request that sent so many bytes.
func (p *pace) give(sent int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if err == nil {
		p.succeeded(sent)
	}
	p.next()
}

// slower is called when the line failed.
func (p *pace) slower() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = max(1, p.limit/2)
	p.best = 0
	p.again()
}

func (p *pace) succeeded(sent int64) {
	p.done++
	p.bytes += sent
	if p.done < p.limit {
		return
	}
	rate := float64(p.bytes) / max(time.Since(p.begun).Seconds(), 1e-3)
	switch {
	case rate > p.best*1.05:
		p.best = rate
		p.limit = min(p.limit+1, p.most)
	case rate < p.best*0.6:
		p.best = rate
		p.limit = max(p.limit-1, min(2, p.most))
	default:
		p.best *= 0.97 // what was best an hour ago says nothing: now and then one more is tried
	}
	p.again()
}

func (p *pace) again() { p.begun, p.done, p.bytes = time.Now(), 0, 0 }

func (p *pace) next() {
	for p.taken < p.limit && len(p.waiting) > 0 {
		p.taken++
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
	}
}
