package jobs_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/store"
)

// Whoever asks need not wait for the next round, even when the last one is just about to end with nothing to do.
func TestWhoAsksForReadingAgainDoesNotWaitForTheNextRound(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		must(t, err)
		must(t, s.Migrate(t.Context()))
		n := &node{t: t, store: s, objects: &shelf{}}
		looks := make(chan struct{}, 10)
		var looked atomic.Int64
		n.jobs, err = jobs.New(jobs.Config{
			Engine: s.Engine(), DB: s.DB(), PostgresURL: url, Workers: 1, Grace: 200 * time.Millisecond, Pause: time.Hour,
			Read: &ingest.Service{
				Records: s, Objects: n.objects, Owner: "one", Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			},
			Sweep: func(context.Context) error { return nil },
			Reread: func(ctx context.Context) (bool, error) {
				looks <- struct{}{}
				if looked.Add(1) == 1 {
					return false, n.jobs.RereadNow(ctx) // asked for after this round has looked
				}
				return false, nil
			},
		})
		must(t, err)
		must(t, n.jobs.Migrate(t.Context()))
		t.Cleanup(func() { n.stop(); _ = s.Close() })
		n.start()
		other, err := jobs.New(jobs.Config{Engine: s.Engine(), DB: s.DB(), PostgresURL: url}) // another process, which reads nothing
		must(t, err)
		defer func() { must(t, other.Stop(context.Background())) }()
		must(t, other.RereadNow(t.Context()))
		for look := range 2 {
			select {
			case <-looks:
			case <-time.After(30 * time.Second):
				t.Fatalf("look %d did not come", look+1)
			}
		}
	})
}

// While a file that has just arrived waits for a worker, nothing is read again; when none does, all that is due is read
// in one round.
func TestNewFilesAreReadBeforeAnyIsReadAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		must(t, err)
		must(t, s.Migrate(t.Context()))
		n := &node{t: t, store: s, objects: &shelf{}}
		release, rounds := make(chan struct{}), make(chan struct{}, 100)
		var open atomic.Bool
		var tooEarly, reread atomic.Int64
		n.objects.hold = func(ctx context.Context) {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		n.jobs, err = jobs.New(jobs.Config{
			Engine: s.Engine(), DB: s.DB(), PostgresURL: url, Workers: 1, Grace: 200 * time.Millisecond, Pause: time.Second,
			Read: &ingest.Service{
				Records: s, Objects: n.objects, Owner: "one", Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			},
			Sweep: func(context.Context) error {
				select {
				case rounds <- struct{}{}:
				default:
				}
				return nil
			},
			Reread: func(context.Context) (bool, error) {
				if !open.Load() {
					tooEarly.Add(1)
				}
				return reread.Add(1) < 5, nil
			},
		})
		must(t, err)
		must(t, n.jobs.Migrate(t.Context()))
		s.SetEnqueue(n.jobs.Enqueue)
		t.Cleanup(func() { n.stop(); _ = s.Close() })
		files := []caseload.File{n.stored(), n.stored(), n.stored()} // the one worker is held by the first
		n.start()
		for range 3 {
			<-rounds // sweeps come as often as rounds of reading again
		}
		open.Store(true)
		close(release)
		for _, f := range files {
			n.await(f.ID, caseload.Ready, 30*time.Second)
		}
		deadline := time.Now().Add(30 * time.Second)
		for reread.Load() < 5 && time.Now().Before(deadline) {
			time.Sleep(2 * time.Millisecond) // polling a counter, not synchronising
		}
		if tooEarly.Load() > 0 || reread.Load() < 5 {
			t.Errorf("%d read again while new files waited, %d altogether", tooEarly.Load(), reread.Load())
		}
	})
}
