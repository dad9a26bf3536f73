package web

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// How often the deployment is examined at most, and how long that may take.
const (
	examineEvery  = 10 * time.Second
	examineWithin = 5 * time.Minute
)

// Examine tries everything the deployment stands on, and passes each finding on as it is made.
type Examine = func(ctx context.Context, said func(doctor.Finding)) doctor.Report

// examiner examines the deployment for whoever asks, once at a time: who asks meanwhile, or within examineEvery of the
// last time, gets the same report.
type examiner struct {
	examine Examine
	now     func() time.Time

	mu      sync.Mutex
	running bool
	ended   time.Time // the last time
	report  doctor.Report
	known   bool   // report is one
	encoded []byte // the report as JSON, written once for everybody who waits; nil when it could not be
	found   []doctor.Finding
	turn    int64         // grows with every change
	changed chan struct{} // closed at the next change
	cancel  context.CancelFunc
}

func newExaminer(examine Examine, now func() time.Time) *examiner {
	if examine == nil {
		examine = func(context.Context, func(doctor.Finding)) doctor.Report {
			return doctor.Run(context.Background(), nil, nil)
		}
	}
	return &examiner{examine: examine, now: now, changed: make(chan struct{}), cancel: func() {}}
}

// examination is where things stand.
type examination struct {
	Running bool
	Known   bool // Report is the last whole one
	Report  doctor.Report
	Encoded []byte
	Found   []doctor.Finding // of the run under way
	Turn    int64
}

// begin starts to examine unless that is under way or was just done.
func (e *examiner) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running || e.known && e.now().Sub(e.ended) < examineEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), examineWithin)
	e.running, e.found, e.cancel = true, nil, cancel
	e.tell()
	go func() {
		defer cancel()
		report := e.examine(ctx, e.hear)
		encoded, _ := json.Marshal(report)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.running, e.known, e.ended, e.report, e.encoded = false, true, e.now(), report, encoded
		e.tell()
	}()
}

func (e *examiner) hear(f doctor.Finding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = append(e.found, f)
	e.tell()
}

// tell wakes everybody who waits; the lock is held.
func (e *examiner) tell() {
	e.turn++
	close(e.changed)
	e.changed = make(chan struct{})
}

// look returns where things stand, and what is closed when that changes.
func (e *examiner) look() (examination, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return examination{Running: e.running, Known: e.known, Report: e.report, Encoded: e.encoded, Found: slices.Clone(e.found), Turn: e.turn}, e.changed
}

// whole begins unless it has just been done, and returns the report as JSON when it is there, or the context's error.
func (e *examiner) whole(ctx context.Context) (json.RawMessage, error) {
	e.begin()
	for {
		now, changed := e.look()
		if !now.Running {
			return now.Encoded, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// close ends what is under way: what was not tried says so.
func (e *examiner) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel()
}
