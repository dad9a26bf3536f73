package jobs

import (
	"context"
	"sync/atomic"
	"time"
)

type counters struct {
	readsRunning                                             atomic.Int64
	readsDone, readsFailed, readsInterrupted, readsCancelled atomic.Int64
	readTime                                                 atomic.Int64 // ns
	sweepsDone, sweepsFailed                                 atomic.Int64
	lastSweep                                                atomic.Int64 // when the last one that succeeded began, Unix ns
	lastReread                                               atomic.Int64 // when the last round of reading again looked for the last time, Unix ns
	lastLedger                                               atomic.Int64 // when the last round of the ledger ended, Unix ns
}

// Stats counts what this process did since it started, for metrics.
type Stats struct {
	ReadsRunning     int64
	ReadsDone        int64 // deliveries that ended well, those included that found nothing left to do
	ReadsFailed      int64 // will be delivered again
	ReadsInterrupted int64 // by an orderly stop
	ReadsCancelled   int64 // will not be delivered again
	ReadTime         time.Duration
	SweepsDone       int64
	SweepsFailed     int64
	LastSweep        time.Time // zero: none yet
}

// Stats returns the counts so far.
func (j *Jobs) Stats() Stats {
	c := &j.counts
	s := Stats{
		ReadsRunning:     c.readsRunning.Load(),
		ReadsDone:        c.readsDone.Load(),
		ReadsFailed:      c.readsFailed.Load(),
		ReadsInterrupted: c.readsInterrupted.Load(),
		ReadsCancelled:   c.readsCancelled.Load(),
		ReadTime:         time.Duration(c.readTime.Load()),
		SweepsDone:       c.sweepsDone.Load(),
		SweepsFailed:     c.sweepsFailed.Load(),
	}
	if ns := c.lastSweep.Load(); ns != 0 {
		s.LastSweep = time.Unix(0, ns)
	}
	return s
}

// Waiting returns how many readings are in the queue and not yet begun, all processes together.
func (j *Jobs) Waiting(ctx context.Context) (int64, error) { return j.engine.waiting(ctx) }
