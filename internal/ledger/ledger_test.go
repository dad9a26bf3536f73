package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Over random states of database and bucket, in pages of any size, the sums and lines are those of the oracle.
func TestEveryByteIsExplained(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, seed%2 == 1)
			for range 60 {
				w.something()
			}
			_, err := w.service().Run(t.Context(), nil)
			must(t, err)
			w.agrees()
		})
	}
}

// The store goes down, or the process is killed, at any call: whoever goes on comes to the same sums.
func TestWhateverStopsItItGoesOnWhereItWas(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, 100+seed, seed%2 == 1)
			for range 60 {
				w.something()
			}
			next := 1 + w.r.IntN(5)
			w.bucket.before = func(call int, _ *bucket) error {
				if call < next {
					return nil
				}
				next = call + 1 + w.r.IntN(9)
				return down(call)
			}
			service := w.service()
			stops := 0
			for {
				before, err := w.store.UnfinishedLedger(t.Context())
				must(t, err)
				_, err = service.Run(t.Context(), nil)
				if err == nil {
					break
				}
				if stops++; stops > 2000 || caseload.KindOf(err) != caseload.Unavailable {
					t.Fatal(err)
				}
				after, err := w.store.UnfinishedLedger(t.Context())
				must(t, err)
				if before != nil && (after == nil || after.ID != before.ID || after.Step < before.Step) {
					t.Fatalf("it began anew: %+v, then %+v", before, after)
				}
				service = w.service() // another process, with pages of another size
			}
			if stops < 5 {
				t.Errorf("it was stopped %d times only", stops)
			}
			w.agrees()
		})
	}
}

// Several processes at one ledger count nothing twice.
func TestTwoProcessesKeepOneLedger(t *testing.T) {
	w := newWorld(t, 7, false)
	for range 80 {
		w.something()
	}
	var all sync.WaitGroup
	for range 3 {
		service := w.service()
		all.Go(func() {
			_, err := service.Run(context.Background(), nil)
			if err != nil && caseload.KindOf(err) != caseload.Conflict {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if open, err := w.store.UnfinishedLedger(t.Context()); err != nil || open != nil { // one that began after the end of the first
		must(t, err)
		_, err = w.service().Run(t.Context(), nil)
		must(t, err)
	}
	w.agrees()
}

// What comes and goes while the ledger runs is no finding.
func TestWhatMovesIsNoFinding(t *testing.T) {
	for name, move := range map[string]func(w *world) func(call int, b *bucket) error{
		"a stranger's object goes after it was listed": func(w *world) func(int, *bucket) error {
			w.bucket.put(caseload.Listed{Mark: caseload.Mark{Key: "f0"}, Size: 5, Current: true})
			return func(call int, b *bucket) error {
				if call == 2 {
					b.objects = nil
				}
				return nil
			}
		},
		"a file is stored after its key was passed": func(w *world) func(int, *bucket) error {
			return func(call int, b *bucket) error {
				if call == 1 {
					w.insert(row{state: caseload.Stored, object: "f1", size: 9})
				}
				if call == 2 {
					b.put(caseload.Listed{Mark: caseload.Mark{Key: "f1"}, Size: 9, Current: true})
				}
				return nil
			}
		},
		"an upload ends after it was listed": func(w *world) func(int, *bucket) error {
			w.bucket.begin(upload{caseload.ListedUpload{Mark: caseload.Mark{Key: "f2", ID: "u"}}, 4})
			return func(call int, b *bucket) error {
				if call == 3 {
					b.uploads = nil
				}
				return nil
			}
		},
		"an upload is begun before its row knows": func(w *world) func(int, *bucket) error {
			w.insert(row{state: caseload.Sending, object: "f3", size: 9})
			w.bucket.begin(upload{caseload.ListedUpload{Mark: caseload.Mark{Key: "f3", ID: "u"}, BegunAt: time.Now()}, 4})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, false)
			w.bucket.before = move(w)
			s := w.service()
			s.sizes = nil
			_, err := s.Run(t.Context(), nil)
			must(t, err)
			u, err := w.store.UsageOfAll(t.Context())
			must(t, err)
			if len(u.Lines) != 0 {
				t.Errorf("found %+v", u.Lines)
			}
		})
	}
}

// The schedule begins a ledger when the last is old enough, goes on with one under way, and notes each day once.
func TestTheScheduleKeepsTheLedger(t *testing.T) {
	w := newWorld(t, 3, false)
	w.something()
	s := w.service()
	must(t, s.Keep(t.Context(), 0))
	if last, err := w.store.LastLedger(t.Context()); err != nil || last != nil {
		t.Fatalf("with no schedule there is a ledger: %v, %v", last, err)
	}
	if noted, err := w.store.UsageNoted(t.Context()); err != nil || !noted && len(w.sums) > 0 && w.sums[caseload.LedgerSum{}].Objects > 0 {
		t.Fatalf("the day was not noted: %v", err)
	}
	must(t, s.Keep(t.Context(), time.Hour))
	first, err := w.store.LastLedger(t.Context())
	must(t, err)
	if first == nil {
		t.Fatal("no ledger was begun")
	}
	must(t, s.Keep(t.Context(), time.Hour))
	if again, _ := w.store.LastLedger(t.Context()); again.ID != first.ID {
		t.Error("a second ledger was begun at once")
	}
	s.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	w.bucket.before = func(int, *bucket) error { return errors.New("killed") }
	if err := s.Keep(t.Context(), time.Hour); err == nil {
		t.Error("a ledger that was stopped told nobody")
	}
	w.bucket.before = nil
	must(t, s.Keep(t.Context(), 0)) // goes on although no schedule would begin one
	if next, _ := w.store.LastLedger(t.Context()); next.ID == first.ID {
		t.Error("the ledger under way was not gone on with")
	}
}
