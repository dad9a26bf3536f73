package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// every calls a clean run of mixed files once, counting the calls to database and store, and then try for each of those
// calls in turn; once with the files read by range, once with them held in memory.
func every(t *testing.T, try func(t *testing.T, at int64, fresh func() *bench, clean []row)) {
	t.Helper()
	for held, least := range map[int64]int64{0: 20, ingest.DefaultHeld: 12} {
		fresh := func() *bench {
			b := newBench(t, caseZIP(t, 20), slice(1).bytes(), []byte("%PDF-1.7"))
			b.Held = held
			return b
		}
		calls := countedCalls(fresh())
		b := fresh()
		for _, id := range b.ids {
			if err := b.Ingest(context.Background(), id); err != nil {
				t.Fatal(err)
			}
		}
		var clean []row
		for _, id := range b.ids {
			clean = append(clean, b.ledger.row(id))
		}
		if calls < least {
			t.Fatalf("only %d calls: the faults would not hit", calls)
		}
		for at := range calls {
			try(t, at, fresh, clean)
		}
	}
}

func countedCalls(b *bench) int64 {
	var n atomic.Int64
	hook := func(string) error { n.Add(1); return nil }
	b.ledger.fault, b.shelf.fault = hook, hook
	for _, id := range b.ids {
		_ = b.Ingest(context.Background(), id)
	}
	return n.Load()
}

// settle brings every file of the bench to its end the way the queue does: deliveries until nothing is in work, leases
// lapsing in between.
func settle(t *testing.T, b *bench) {
	t.Helper()
	b.ledger.fault, b.shelf.fault = nil, nil
	for range 20 {
		open := false
		for _, id := range b.ids {
			b.ledger.mu.Lock()
			b.ledger.files[id].ReadingUntil = time.Time{}
			terminal := b.ledger.files[id].State.Terminal()
			b.ledger.mu.Unlock()
			if !terminal {
				open = true
				_ = b.Ingest(context.Background(), id)
			}
		}
		if !open {
			return
		}
	}
	t.Fatal("files are stuck")
}

func compareAll(t *testing.T, b *bench, clean []row, what string) {
	t.Helper()
	for i, id := range b.ids {
		r := b.ledger.row(id)
		sameOutcome(t, r, clean[i])
		if r.finishes != 1 || r.Tries > b.Tries {
			t.Fatalf("%s: finished %d times, %d tries", what, r.finishes, r.Tries)
		}
	}
}

func TestAfterAFailureOfAnyCallTheRowsAreThoseOfACleanRun(t *testing.T) {
	for name, fault := range map[string]error{
		"unavailable": caseload.Errorf(caseload.Unavailable, "injected"),
		"internal":    errors.New("injected"),
	} {
		t.Run(name, func(t *testing.T) {
			every(t, func(t *testing.T, at int64, fresh func() *bench, clean []row) {
				b := fresh()
				var n atomic.Int64
				hook := func(string) error {
					if n.Add(1)-1 == at {
						return fault
					}
					return nil
				}
				b.ledger.fault, b.shelf.fault = hook, hook
				for _, id := range b.ids {
					_ = b.Ingest(context.Background(), id)
				}
				settle(t, b)
				compareAll(t, b, clean, fmt.Sprint("call ", at))
			})
		})
	}
}

func TestAfterAnOrderlyStopAtAnyCallTheRowsAreThoseOfACleanRun(t *testing.T) {
	every(t, func(t *testing.T, at int64, fresh func() *bench, clean []row) {
		b := fresh()
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		var n atomic.Int64
		hook := func(string) error {
			if n.Add(1)-1 == at {
				stop()
			}
			return nil
		}
		b.ledger.fault, b.shelf.fault = hook, hook
		for _, id := range b.ids {
			if ctx.Err() != nil {
				break
			}
			_ = b.Ingest(ctx, id)
			if r := b.ledger.row(id); ctx.Err() != nil && r.State == caseload.Reading && (r.Tries != 0 || !r.ReadingUntil.IsZero()) {
				t.Fatalf("call %d: the lease was not given back: %d tries, until %v", at, r.Tries, r.ReadingUntil)
			}
		}
		settle(t, b)
		compareAll(t, b, clean, fmt.Sprint("stopped at call ", at))
	})
}

func TestAfterAKillAtAnyCallTheRowsAreThoseOfACleanRun(t *testing.T) {
	every(t, func(t *testing.T, at int64, fresh func() *bench, clean []row) {
		b := fresh()
		var n atomic.Int64
		dead := errors.New("the process is dead")
		hook := func(string) error {
			if n.Add(1)-1 >= at {
				return dead // and every call after it: nothing the process does reaches anybody any more
			}
			return nil
		}
		b.ledger.fault, b.shelf.fault = hook, hook
		for _, id := range b.ids {
			_ = b.Ingest(context.Background(), id)
		}
		settle(t, b)
		compareAll(t, b, clean, fmt.Sprint("killed at call ", at))
	})
}

func TestTheSameJobTwiceAtOnceEqualsACleanRun(t *testing.T) {
	content := caseZIP(t, 12)
	clean := newBench(t, content).read(t)
	for range 500 {
		b := newBench(t, content)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := b.Ingest(context.Background(), b.ids[0]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r := b.ledger.row(b.ids[0])
		sameOutcome(t, r, clean)
		if r.saves != 1 || r.finishes != 1 || r.Attempt != 1 {
			t.Fatalf("%d saves, %d finishes, %d attempts", r.saves, r.finishes, r.Attempt)
		}
	}
}

func TestAReaderWhoseLeaseLapsedIsFencedOffByTheNextAndChangesNothing(t *testing.T) {
	content := caseZIP(t, 12)
	clean := newBench(t, content).read(t)
	b := newBench(t, content)
	reached, resume := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	b.shelf.gate = func(int64) {
		if first.CompareAndSwap(false, true) {
			close(reached)
			<-resume
		}
	}
	slow := make(chan error)
	go func() { slow <- b.Ingest(context.Background(), b.ids[0]) }()
	<-reached
	b.ledger.mu.Lock()
	b.ledger.files[b.ids[0]].ReadingUntil = time.Time{} // as after a pause of the whole machine
	b.ledger.mu.Unlock()
	second := *b.Service
	second.Owner = "other"
	if err := second.Ingest(context.Background(), b.ids[0]); err != nil {
		t.Fatal(err)
	}
	close(resume)
	if err := <-slow; err != nil {
		t.Errorf("the one fenced off answers %v", err)
	}
	r := b.ledger.row(b.ids[0])
	sameOutcome(t, r, clean)
	if r.finishes != 1 || r.Attempt != 2 {
		t.Errorf("%d finishes, %d attempts", r.finishes, r.Attempt)
	}
}

func TestALongReadingRenewsItsLeaseShowsProgressAndStopsWhenFencedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, caseZIP(t, 200))
		b.Now = time.Now
		b.shelf.gate = func(int64) { time.Sleep(5 * time.Second) } // of fake time, before every read
		done := make(chan error)
		go func() { done <- b.Ingest(context.Background(), b.ids[0]) }()
		for range 4 {
			time.Sleep(20 * time.Second)
			if r := b.ledger.row(b.ids[0]); r.State == caseload.Reading && !r.ReadingUntil.After(time.Now().Add(15*time.Second)) {
				t.Fatalf("the lease was not renewed: %v left", time.Until(r.ReadingUntil))
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		steps := map[string]bool{}
		for _, s := range b.ledger.shown {
			steps[s] = true
		}
		if !steps["0 of 204"] || len(steps) < 3 {
			t.Errorf("progress seen: %v", steps)
		}

		b = newBench(t, caseZIP(t, 50))
		b.shelf.gate = func(read int64) {
			if read > 0 {
				time.Sleep(time.Minute)
			}
		}
		go func() { done <- b.Ingest(context.Background(), b.ids[0]) }()
		time.Sleep(30 * time.Second)
		b.ledger.mu.Lock()
		b.ledger.files[b.ids[0]].State = caseload.Deleted // a person deleted it meanwhile
		b.ledger.mu.Unlock()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if r := b.ledger.row(b.ids[0]); r.State != caseload.Deleted || r.finishes != 0 {
			t.Errorf("state %s", r.State)
		}
	})
}

func TestAPoisonFileEndsRejectedAfterItsTriesAndTheOthersGoOn(t *testing.T) {
	b := newBench(t, []byte("poison"), caseZIP(t, 3))
	b.shelf.objects["key00"] = panics{}
	errs := 0
	for b.ledger.row(b.ids[0]).State != caseload.Rejected && errs < 20 {
		if b.Ingest(context.Background(), b.ids[0]) != nil {
			errs++
		}
	}
	if r := b.ledger.row(b.ids[0]); r.Tries != 4 || errs != 3 || !strings.Contains(r.Reason, "contents make the reader fail") {
		t.Errorf("%d tries, %d errors, reason %q", r.Tries, errs, r.Reason)
	}
	if err := b.Ingest(context.Background(), b.ids[1]); err != nil || b.ledger.row(b.ids[1]).State != caseload.Ready {
		t.Errorf("the other file: %v", err)
	}
}

// A file that kills its process leaves no error behind, only attempts that ended without a word. It is rejected unread
// after Kills of them; a good one that was only there when the power went is read as long as fewer were.
func TestAFileWhoseReaderIsKilledEachTimeEndsRejectedAndAGoodOneIsRead(t *testing.T) {
	for kills, want := range map[int]caseload.State{1: caseload.Ready, 4: caseload.Ready, 7: caseload.Ready, 8: caseload.Rejected} {
		b := newBench(t, caseZIP(t, 3))
		for range kills {
			now := b.Now()
			if _, err := b.ledger.StartReading(t.Context(), b.ids[0], "killed", now, now); err != nil {
				t.Fatal(err)
			}
		}
		r := b.read(t)
		if r.State != want || r.Tries != kills+1 {
			t.Errorf("after %d kills it is %s with %d tries, want %s", kills, r.State, r.Tries, want)
		}
		if want == caseload.Rejected && (!strings.Contains(r.Reason, "8 attempts") || b.shelf.reads != 0) {
			t.Errorf("rejected after %d reads, reason %q", b.shelf.reads, r.Reason)
		}
	}
}

func TestAnObjectThatIsAnotherOneOrGoneIsRejectedAndTheAlarmRings(t *testing.T) {
	for kind, event := range map[caseload.Kind]string{caseload.Conflict: "object_changed", caseload.NotFound: "object_missing"} {
		for _, where := range []struct {
			call string
			held int64
		}{{"ReadRange", 0}, {"Stream", 0}, {"Read", 0}, {"Stream", ingest.DefaultHeld}, {"Read", ingest.DefaultHeld}} {
			b := newBench(t, caseZIP(t, 3))
			b.Held = where.held
			b.shelf.fault = func(c string) error {
				if c == where.call {
					return caseload.Errorf(kind, "injected")
				}
				return nil
			}
			r := b.read(t)
			if r.State != caseload.Rejected || r.Reason == "" || !strings.Contains(b.log.String(), event) {
				t.Errorf("%s at %s of a file of which %d bytes are held: state %s, reason %q", event, where.call, where.held, r.State, r.Reason)
			}
		}
	}
}

func TestAnOutageOfTheStoreCostsNoTry(t *testing.T) {
	b := newBench(t, caseZIP(t, 3))
	var pauses []time.Duration
	b.SetPause(func(d time.Duration) { pauses = append(pauses, d) })
	b.shelf.fault = func(string) error { return caseload.Errorf(caseload.Unavailable, "down") }
	for range 10 {
		if r := b.read(t); r.State != caseload.Reading || r.Tries != 0 {
			t.Fatalf("state %s, %d tries", r.State, r.Tries)
		}
	}
	if len(b.ledger.queue) != 10 || pauses[0] != time.Second || pauses[9] != 30*time.Second {
		t.Errorf("enqueued %d times, pauses %v", len(b.ledger.queue), pauses)
	}
	b.shelf.fault = nil
	if r := b.read(t); r.State != caseload.Ready {
		t.Errorf("state %s after the outage", r.State)
	}
}

func TestAStoreThatGivesLessThanTheObjectIsNotTakenForTheFile(t *testing.T) {
	b := newBench(t, caseZIP(t, 3))
	short := b.shelf.objects["key00"]
	for _, keep := range []int64{10, 9000} {
		b.shelf.objects["key00"] = io.NewSectionReader(short, 0, keep)
		if r := b.read(t); r.State != caseload.Reading || r.saves != 0 && keep == 10 {
			t.Errorf("%d bytes of it: state %s", keep, r.State)
		}
	}
	b.shelf.objects["key00"] = short
	if r := b.read(t); r.State != caseload.Ready {
		t.Errorf("state %s", r.State)
	}
}

func TestAFileThatIsDoneGoneOrUnknownNeedsNothing(t *testing.T) {
	b := newBench(t, []byte("x"))
	b.read(t)
	for _, id := range []caseload.FileID{b.ids[0], "unknown"} {
		if err := b.Ingest(context.Background(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if r := b.ledger.row(b.ids[0]); r.finishes != 1 || r.Attempt != 1 {
		t.Errorf("read again: %+v", r.File)
	}
}
