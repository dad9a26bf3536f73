package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Uploader sends files into a case the way the browser's tray does: several parts and several files at once, as many as
// the line bears; small files in batches; each part with its checksum; what fails is tried again, part by part, with
// growing pauses; what stands still is broken off and tried again; what the case or the store already holds is not sent.
// It keeps nothing on this computer: start it again with the same files and it goes on where the server stands.
//
// Client and Case are required. Run may be called several times, one after the other.
type Uploader struct {
	Client *Client
	Case   string // id

	Again bool // send even what the case has received already
	// Replaces is the id of the file that what is sent is a new version of; "": of none, unless by its name.
	Replaces string
	Relay    bool          // send parts through the server from the start; without it only when the store cannot be reached
	Start    int           // requests in flight at first; 0: DefaultStart
	Most     int           // and at most; 0: DefaultMost
	Stall    time.Duration // a request that stands still for so long is broken off; 0: DefaultStall
	Budget   time.Duration // it gives up when nothing at all has succeeded for so long; 0: DefaultBudget
	Limit    *rate.Limiter // of all bytes, a second; nil: none. Its burst bounds a single read; 64 KiB will do

	// Tell hears of everything, one event at a time, from several goroutines. It must return soon. nil: nobody listens.
	Tell func(Notice)
}

// Defaults of an Uploader.
const (
	DefaultStart  = 3
	DefaultMost   = 8
	DefaultStall  = 20 * time.Second
	DefaultBudget = 24 * time.Hour
)

// Stage is what a Notice tells of.
type Stage string

const (
	StagePlanned  Stage = "planned"  // the server takes the file
	StageChecking Stage = "checking" // its bytes are compared with what the server holds
	StageSending  Stage = "sending"  // bytes have left, or were taken back: see Sent
	StageReceived Stage = "received" // the case holds these bytes already; nothing is sent
	StageStored   Stage = "stored"   // acknowledged
	StageFailed   Stage = "failed"   // given up; Err says why
	StageRetrying Stage = "retrying" // Err passed by; tried again after Wait
	StageRelaying Stage = "relaying" // the store cannot be reached from here; Err says why. Index is -1
)

// Notice is something that happened to one of the sources, or to the whole run.
type Notice struct {
	Stage Stage
	Index int           // of the source; -1: of no single one
	File  *File         // the row, once there is one
	Sent  int64         // bytes of it that have left, those the server held before included
	Held  int64         // bytes the server held before this run
	Err   error         // of Failed, Retrying and Relaying
	Wait  time.Duration // of Retrying
}

// Outcome is what became of a run.
type Outcome struct {
	Drop                       string // names what was sent together; "" when nothing was planned
	Stored, Received, Failed   int    // files; what the context's end left is in none of them
	SentBytes, HeldBytes       int64  // that left in this run and were acknowledged; that the server held before
	ReceivedBytes, ResentBytes int64  // that were in the case already; that left in vain
}

// run is one Run of an Uploader.
type run struct {
	*Uploader
	calls  *Client // each call once: the run itself tries again
	line   line
	limits Limits
	pace   *pace
	first  time.Duration // pause before the second try

	begun   time.Time
	success atomic.Int64 // when anything last succeeded, in nanoseconds since begun

	relay    atomic.Bool
	strikes  atomic.Int32 // failures at the store in a row
	doubting sync.Mutex   // held by whoever finds out whether the store can be reached

	telling sync.Mutex
	items   []*item
	mu      sync.Mutex // of outcome
	outcome Outcome
}

// item is one source on its way.
type item struct {
	run    *run
	index  int
	source Source
	sum    string   // of the whole, once known
	sums   []string // of the parts, as far as known
	print  string   // fingerprint
	file   File
	id     string // of file, once it is live
	resume bool

	sent, held atomic.Int64
	told       atomic.Int64 // when progress was last told, in nanoseconds since the run began
	live       atomic.Bool
}

// Run sends the sources and returns when every one is stored, was there before, or has failed; what failed is in the
// events and counted, and is no error of Run. An error is what ends everything: the context's cause, a token that is not
// valid (Unauthenticated), a case that is not there (NotFound), no right to write to it (Forbidden), or a server that
// could not be reached within the Budget.
func (u *Uploader) Run(ctx context.Context, sources []Source) (Outcome, error) {
	r, err := u.begin(ctx)
	if err != nil {
		return Outcome{}, err
	}
	for i, s := range sources {
		r.items = append(r.items, &item{run: r, index: i, source: s})
	}
	err = r.all(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome, err
}

func (u *Uploader) begin(ctx context.Context) (*run, error) {
	r := u.newRun()
	err := r.persist(ctx, nil, func() error {
		me, err := r.calls.Me(ctx)
		r.limits = me.Limits
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (u *Uploader) newRun() *run {
	once := *u.Client
	once.Attempts = 1
	r := &run{Uploader: u, calls: &once, begun: time.Now(), first: u.Client.Pause}
	if r.first == 0 {
		r.first = firstPause
	}
	r.relay.Store(u.Relay)
	r.line = line{http: u.Client.http(), stall: or(u.Stall, DefaultStall), limit: u.Limit}
	most := or(u.Most, DefaultMost)
	r.pace = newPace(min(or(u.Start, DefaultStart), most), most)
	return r
}

// all prepares the sources in order and sends each as soon as it is planned.
func (r *run) all(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	reporting, stop := context.WithCancel(ctx)
	defer stop()
	go r.report(reporting)

	sending, ctx := errgroup.WithContext(ctx)
	sending.SetLimit(2 * r.pace.most) // more than may be in flight, so that none waits for another's answer
	small := batcher{run: r, group: sending}
	err := r.prepare(ctx, func(it *item) {
		if it.file.Route == "small" {
			small.add(ctx, it)
			return
		}
		small.flush(ctx)
		sending.Go(func() error { return it.finish(ctx, it.sendParts(ctx)) })
	})
	small.flush(ctx)
	return errors.Join(sending.Wait(), err)
}

// finish notes how a file ended. It returns an error only when the whole run must end.
func (it *item) finish(ctx context.Context, err error) error {
	it.live.Store(false)
	switch {
	case err == nil:
		it.run.count(func(o *Outcome) {
			o.Stored++
			o.HeldBytes += it.held.Load()
			o.SentBytes += it.source.Size - it.held.Load()
		})
		it.tell(Notice{Stage: StageStored})
		it.file = File{} // of 20,000 files only those on their way are remembered
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case endsAll(err):
		return err
	}
	it.run.count(func(o *Outcome) { o.Failed++ })
	it.tell(Notice{Stage: StageFailed, Err: err})
	return nil
}

// persist does f until it succeeds, fails for good, or nothing has succeeded for the budget. It returns the cause when
// the context ends.
func (r *run) persist(ctx context.Context, it *item, f func() error) error {
	for tries := 1; ; tries++ {
		err := f()
		if err == nil {
			r.success.Store(int64(time.Since(r.begun)))
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !mayHelp(err, tries) {
			return err
		}
		if quiet := time.Since(r.begun) - time.Duration(r.success.Load()); quiet > or(r.Budget, DefaultBudget) {
			return &GivenUp{quiet, err}
		}
		wait := max(backoff(r.first, tries), retryAfter(err))
		e := Notice{Stage: StageRetrying, Index: -1, Err: err, Wait: wait}
		if it != nil {
			it.tell(e)
		} else {
			r.tell(e)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// GivenUp is the end of the budget: nothing has succeeded for so long. It wraps what failed last.
type GivenUp struct {
	After time.Duration
	Last  error
}

func (e *GivenUp) Error() string {
	return fmt.Sprintf("nothing succeeded for %s: %v", e.After.Round(time.Second), e.Last)
}

func (e *GivenUp) Unwrap() error { return e.Last }

// tell hands an event on, one at a time.
func (r *run) tell(e Notice) {
	if r.Tell == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.Tell(e)
}

func (it *item) tell(e Notice) {
	e.Index, e.Sent, e.Held = it.index, it.sent.Load(), it.held.Load()
	if it.file.ID != "" {
		f := it.file
		e.File = &f
	}
	it.run.tell(e)
}

// tellEvery bounds how often the progress of one file is told.
const tellEvery = 100 * time.Millisecond

// move counts bytes that have left, or were taken back, and tells of it now and then.
func (it *item) move(n int64) {
	it.sent.Add(n)
	if n < 0 {
		it.run.count(func(o *Outcome) { o.ResentBytes -= n })
	}
	now := int64(time.Since(it.run.begun))
	if last := it.told.Load(); now-last >= int64(tellEvery) && it.told.CompareAndSwap(last, now) {
		it.tell(Notice{Stage: StageSending})
	}
}

func (r *run) count(f func(*Outcome)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.outcome)
}

// reportEvery is how often the server is told how far the files have got, for everybody who looks.
const reportEvery = 2 * time.Second

func (r *run) report(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	told := map[string]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var news []Progress
		for _, it := range r.items {
			if it.live.Load() && len(news) < 100 {
				if sent := it.sent.Load(); told[it.id] != sent {
					news = append(news, Progress{ID: it.id, Sent: sent})
				}
			}
		}
		if len(news) > 0 && r.calls.ReportProgress(ctx, news) == nil { // display only: the next one tells more
			clear(told)
			for _, n := range news {
				told[n.ID] = n.Sent
			}
		}
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
