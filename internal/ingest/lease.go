package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errFenced is the cause of the end of an attempt's context when the file is no longer its own.
var errFenced = errors.New("ingest: fenced off")

// progressEvery is how often progress is written at most.
const progressEvery = 333 * time.Millisecond

// lease keeps an attempt's claim on its file alive in the background, and carries the progress along.
type lease struct {
	done, total atomic.Int64
	cancel      context.CancelCauseFunc // of the attempt's context
	quit, ended chan struct{}
	once        sync.Once
}

// lease starts to renew. The returned context ends with errFenced as its cause as soon as the file is another
// attempt's, or when no renewal has come through for a whole Lease: then it must be assumed to be.
func (a *attempt) lease(parent context.Context) (context.Context, *lease) {
	ctx, cancel := context.WithCancelCause(parent)
	l := &lease{cancel: cancel, quit: make(chan struct{}), ended: make(chan struct{})}
	go l.keep(ctx, a)
	return ctx, l
}

// show sets the progress people see: done of total entries.
func (l *lease) show(done, total int) {
	l.total.Store(int64(total))
	l.done.Store(int64(done))
}

// rest stops renewing and waits for a renewal on its way; the context lives on for the last word. Safe to call twice.
func (l *lease) rest() {
	l.once.Do(func() { close(l.quit) })
	<-l.ended
}

// end stops renewing and ends the context.
func (l *lease) end() {
	l.rest()
	l.cancel(nil)
}

func (l *lease) keep(ctx context.Context, a *attempt) {
	defer close(l.ended)
	tick := time.NewTicker(min(progressEvery, a.Lease/3))
	defer tick.Stop()
	renewed := time.Now()
	var shownDone, shownTotal int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.quit:
			return
		case <-tick.C:
		}
		done, total := l.done.Load(), l.total.Load()
		if done == shownDone && total == shownTotal && time.Since(renewed) < a.Lease/3 {
			continue
		}
		begun := time.Now()
		err := a.Records.Renew(ctx, a.file.ID, a.file.Attempt, a.Now().Add(a.Lease), int(done), int(total))
		switch {
		case err == nil:
			renewed, shownDone, shownTotal = begun, done, total
		case ctx.Err() != nil:
			return
		case notOurs(err) || time.Since(renewed) >= a.Lease:
			l.cancel(errFenced)
			return
		}
	}
}
