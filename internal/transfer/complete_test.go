package transfer_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

func randomBytes(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b) //nolint:errcheck // never fails
	return b
}

func TestAFileOfTwoPartsArrivesAndComesBackUnchanged(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		b := randomBytes(1, 16<<20/2+caseload.MinPartSize)
		limits := r.Limits
		limits.PartSize = caseload.MinPartSize
		limits.MaxFileSize = 1 << 30
		r.Limits = limits
		f := r.sent(b)
		if f.Parts() != 3 {
			t.Fatalf("%d parts", f.Parts())
		}
		stored, err := r.Complete(t.Context(), r.admin, f.ID, "")
		if err != nil || stored.State != caseload.Stored {
			t.Fatal(stored.State, err)
		}
		r.wantStored(f.ID, b)
	})
}

func TestASmallFileArrivesAndComesBackUnchanged(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		b := randomBytes(2, 999)
		f := r.planned(len(b))
		stored, err := r.receive(f, b)
		if err != nil || stored.State != caseload.Stored {
			t.Fatal(stored.State, err)
		}
		r.wantStored(f.ID, b)
	})
}

func TestARelayedUploadArrivesLikeASignedOne(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		b := randomBytes(3, 5000)
		f := r.planned(len(b))
		part := transfer.PartSpec{Number: 1, CRC64NVME: checksum(b)}
		p, err := r.Relay(t.Context(), r.admin, f.ID, part, bytes.NewReader(b), int64(len(b)))
		if err != nil || p.Number != 1 || p.Size != int64(len(b)) {
			t.Fatal(p, err)
		}
		held, err := r.Held(t.Context(), r.viewer, f.ID)
		if err != nil || len(held) != 1 || held[0].CRC64NVME != part.CRC64NVME {
			t.Fatalf("held: %v, %v", held, err)
		}
		if _, err := r.Complete(t.Context(), r.admin, f.ID, ""); err != nil {
			t.Fatal(err)
		}
		r.wantStored(f.ID, b)
	})
}

// 32 Completes of one upload at once, from two processes, a hundred times: one event, one job, one answer.
func TestThirtyTwoConcurrentCompletesGiveOneAnswer(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		second := r.another()
		for round := range 100 {
			b := randomBytes(uint64(round), 1500)
			f := r.sent(b)
			answers := make([]caseload.File, 32)
			errs := make([]error, 32)
			start := make(chan struct{})
			var all sync.WaitGroup
			for i := range answers {
				all.Go(func() {
					process := r.Service
					if i%2 == 1 {
						process = second
					}
					<-start
					answers[i], errs[i] = process.Complete(context.Background(), r.admin, f.ID, "")
				})
			}
			close(start)
			all.Wait()
			for i := range answers {
				if errs[i] != nil {
					t.Fatalf("round %d, caller %d: %v", round, i, errs[i])
				}
				if !reflect.DeepEqual(answers[i], answers[0]) {
					t.Fatalf("round %d: callers 0 and %d were told different things:\n%+v\n%+v", round, i, answers[0], answers[i])
				}
			}
			if n := r.events(f.ID, caseload.FileStored); n != 1 || r.jobs(f.ID) != 1 {
				t.Fatalf("round %d: %d events, %d jobs", round, n, r.jobs(f.ID))
			}
			if round == 0 {
				r.wantStored(f.ID, b)
			}
		}
	})
}

// Fault 8: the tab is closed after the last byte, or before it. An hour later the whole files are stored, the others
// show as abandoned when their time is up, and nothing of them is left in the store two hours after that.
func TestAnHourAfterTheTabWasClosedNothingIsStuck(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		whole := randomBytes(4, 2000)
		direct := r.sent(whole)
		half := r.planned(2000)
		signed, err := r.signed(half, whole, 1)
		r.must(err)
		never := r.planned(10)
		r.advance(61 * time.Minute)
		r.wantSweep(transfer.SweepReport{Completed: 1, Postponed: 2})
		r.wantStored(direct.ID, whole)

		for range 12 {
			r.advance(13 * time.Hour)
			r.wantSweep(transfer.SweepReport{Postponed: 2})
		}
		r.advance(13 * time.Hour)
		r.wantSweep(transfer.SweepReport{Abandoned: 2})
		uploadID := r.file(half.ID).UploadID
		for _, f := range []caseload.File{half, never} {
			if got := r.file(f.ID); got.State != caseload.Abandoned || got.Reason == "" {
				t.Errorf("row is %s, %q", got.State, got.Reason)
			}
			r.nothingLeft(f, uploadID)
		}
		if status := send(t, signed, whole); status == 200 {
			t.Error("an address signed before still takes bytes")
		}
		r.advance(2*time.Hour + time.Second)
		r.wantSweep(transfer.SweepReport{Erased: 2})
		r.wantStored(direct.ID, whole)
	})
}

func (r *realRig) wantSweep(want transfer.SweepReport) {
	r.t.Helper()
	got, err := r.Sweep(context.Background())
	got.Requeued = 0 // no worker runs here, so readings lapse
	if err != nil || got != want {
		r.t.Errorf("sweep: %+v, %v; want %+v", got, err, want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.enqueued {
		r.enqueued[id] = min(r.enqueued[id], 1)
	}
}

// Fault 21: a case deleted while its files are arriving and kept. Nothing comes back, nothing of it stays, and the audit
// log keeps what happened.
func TestACaseDeletedWhileSendingIsGoneForGood(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *realRig) {
		b := randomBytes(5, 3000)
		arriving, kept := r.sent(b), r.sent(b)
		_, err := r.Complete(t.Context(), r.admin, kept.ID, "")
		r.must(err)
		uploadID := r.file(arriving.ID).UploadID
		r.must(r.DeleteCase(t.Context(), r.admin, r.c))

		_, err = r.Complete(t.Context(), r.admin, arriving.ID, "")
		wantKind(t, err, caseload.Gone)
		_, err = r.signed(arriving, b, 1)
		wantKind(t, err, caseload.Gone)
		_, err = r.Link(t.Context(), r.admin, kept.ID, theStore.origin)
		wantKind(t, err, caseload.Gone)
		_, _, err = r.Plan(t.Context(), r.admin, r.c, "", []transfer.FileSpec{{Name: "a", Size: 1}})
		wantKind(t, err, caseload.Gone)

		r.advance(119 * time.Minute) // an address signed before may still bring bytes
		r.wantSweep(transfer.SweepReport{})
		r.advance(2 * time.Minute) // what was never acknowledged does not wait for the trash window
		r.wantSweep(transfer.SweepReport{Erased: 1})
		r.nothingLeft(arriving, uploadID)
		r.advance(29 * 24 * time.Hour)
		r.wantSweep(transfer.SweepReport{})
		if _, err := theStore.Head(t.Context(), kept.Object, ""); err != nil {
			t.Errorf("erased within the trash window: %v", err)
		}
		r.advance(25 * time.Hour)
		r.wantSweep(transfer.SweepReport{Erased: 1})
		r.nothingLeft(kept, "")
	})
}
