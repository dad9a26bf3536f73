package jobs_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/store"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// onBoth runs a test on a fresh, migrated database of each engine.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "caseload.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.URL(t)) })
}

// node is one process: store, queue and reader over one database.
type node struct {
	t       *testing.T
	store   *store.Store
	jobs    *jobs.Jobs
	objects *shelf
	sweeps  chan struct{}
	stopped bool
}

// beforeALapse is time enough on a busy machine, and not enough for a lease to lapse.
const beforeALapse = ingest.DefaultLease * 3 / 4

func newNode(t *testing.T, url, owner string) *node {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url})
	must(t, err)
	must(t, s.Migrate(t.Context()))
	n := &node{t: t, store: s, objects: &shelf{}, sweeps: make(chan struct{}, 100)}
	n.jobs, err = jobs.New(jobs.Config{
		Engine: s.Engine(), DB: s.DB(), PostgresURL: url, Workers: 2, Grace: 200 * time.Millisecond, Pause: time.Second,
		Read: &ingest.Service{
			Records: s, Objects: n.objects, Owner: owner, Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		},
		Sweep: func(ctx context.Context) error {
			_, err := s.RequeueLapsed(ctx, time.Now(), 100)
			n.sweeps <- struct{}{}
			return err
		},
	})
	must(t, err)
	must(t, n.jobs.Migrate(t.Context()))
	s.SetEnqueue(n.jobs.Enqueue)
	s.SetRequeue(n.jobs.Requeue)
	t.Cleanup(func() { n.stop(); _ = s.Close() })
	return n
}

func (n *node) start() {
	n.t.Helper()
	must(n.t, n.jobs.Start(context.Background()))
}

func (n *node) stop() {
	n.t.Helper()
	if !n.stopped {
		n.stopped = true
		must(n.t, n.jobs.Stop(context.Background()))
	}
}

// sent brings a file with the content "%PDF-" to the point before it is stored.
func (n *node) sent() (caseload.File, caseload.Object) {
	n.t.Helper()
	ctx := n.t.Context()
	user := caseload.User{}
	if first, err := n.store.NeedsFirstRun(ctx); err != nil {
		n.t.Fatal(err)
	} else if first {
		user, err = n.store.CreateFirstAdmin(ctx, "Clinic", caseload.User{Email: "ada@clinic.example", Name: "Ada"}, "hash")
		must(n.t, err)
	} else {
		user, _, err = n.store.UserByEmail(ctx, "ada@clinic.example")
		must(n.t, err)
	}
	id := caseload.NewID[caseload.FileID](time.Now())
	c, err := n.store.CreateCase(ctx, user, caseload.Case{Number: string(id), Patient: "Canary"})
	must(n.t, err)
	f := caseload.File{
		ID: id, Case: c.ID, Name: "a.pdf", Size: int64(len(content)), Route: caseload.Small,
		State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: time.Now().Add(time.Hour),
	}
	_, _, err = n.store.PlanFiles(ctx, user, c.ID, "", []caseload.Proposal{{File: f}})
	must(n.t, err)
	_, err = n.store.BeginSending(ctx, id, string(user.ID), "", time.Now().Add(time.Hour))
	must(n.t, err)
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, []byte(content)))
	return f, caseload.Object{Key: f.Object, Size: f.Size, CRC64NVME: sum, ETag: "e"}
}

// stored brings a file to stored, which enqueues its reading.
func (n *node) stored() caseload.File {
	n.t.Helper()
	f, seen := n.sent()
	outcomes, err := n.store.MarkStored(n.t.Context(), caseload.SystemActor, []caseload.Seen{{File: f.ID, Object: seen}})
	must(n.t, err)
	if !outcomes[0].Won {
		n.t.Fatal("not stored")
	}
	return f
}

func (n *node) state(id caseload.FileID) caseload.File {
	n.t.Helper()
	user, _, err := n.store.UserByEmail(n.t.Context(), "ada@clinic.example")
	must(n.t, err)
	f, err := n.store.File(n.t.Context(), user, id)
	must(n.t, err)
	return f
}

// await polls until the file is in the state, at most so long, and returns how long it took.
func (n *node) await(id caseload.FileID, want caseload.State, atMost time.Duration) time.Duration {
	n.t.Helper()
	begun := time.Now()
	for {
		f := n.state(id)
		if f.State == want {
			return time.Since(begun)
		}
		if time.Since(begun) > atMost {
			n.t.Fatalf("state %s (attempt %d) after %v, want %s", f.State, f.Attempt, atMost, want)
		}
		time.Sleep(2 * time.Millisecond) // polling a database, not synchronising
	}
}

const content = "%PDF-1.7"

// shelf serves the same content under every key; hold, when set, is called before a stream begins.
type shelf struct {
	streams atomic.Int64
	hold    func(ctx context.Context)
}

func (*shelf) ReadRange(_ context.Context, _ caseload.Object, p []byte, off int64) (int, error) {
	return strings.NewReader(content).ReadAt(p, off)
}

func (s *shelf) Stream(ctx context.Context, _ caseload.Object) (io.ReadCloser, error) {
	s.streams.Add(1)
	if s.hold != nil {
		s.hold(ctx)
	}
	return io.NopCloser(strings.NewReader(content)), ctx.Err()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAJobRunsSoonAfterItsCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "one")
		if err := n.jobs.Check(t.Context()); caseload.KindOf(err) != caseload.Unavailable {
			t.Errorf("ready before it is started: %v", err)
		}
		n.start()
		must(t, n.jobs.Check(t.Context()))
		worst := time.Duration(0)
		for range 10 {
			worst = max(worst, n.await(n.stored().ID, caseload.Ready, 30*time.Second))
		}
		t.Logf("worst of ten from commit to ready: %v", worst)
		deadline := time.Now().Add(30 * time.Second)
		for n.jobs.Stats().ReadsDone < 10 && time.Now().Before(deadline) { // the last file is ready a moment before its job is counted
			time.Sleep(2 * time.Millisecond)
		}
		if s := n.jobs.Stats(); s.ReadsDone < 10 || s.ReadsFailed > 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAJobIsThereOnlyIfTheTransactionCommits(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "one")
		f, _ := n.sent()
		boom := errors.New("boom")
		for _, commit := range []bool{false, true} {
			conn, err := n.store.DB().Conn(t.Context())
			must(t, err)
			tx, err := conn.BeginTx(t.Context(), nil)
			must(t, err)
			must(t, n.jobs.Enqueue(t.Context(), conn, tx, []caseload.FileID{f.ID}))
			if commit {
				must(t, tx.Commit())
			} else {
				must(t, tx.Rollback())
			}
			must(t, conn.Close())
			waiting, err := n.jobs.Waiting(t.Context())
			must(t, err)
			if want := map[bool]int64{true: 1}[commit]; waiting != want {
				t.Errorf("%d jobs waiting after commit=%v", waiting, commit)
			}
		}
		// And through the store's own transaction, when the hook fails after the insert.
		g, seen := n.sent()
		n.store.SetEnqueue(func(ctx context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) error {
			if err := n.jobs.Enqueue(ctx, conn, tx, ids); err != nil {
				return err
			}
			return boom
		})
		if _, err := n.store.MarkStored(t.Context(), caseload.SystemActor, []caseload.Seen{{File: g.ID, Object: seen}}); err == nil {
			t.Error("the store took a file whose reading could not be enqueued")
		}
		if waiting, _ := n.jobs.Waiting(t.Context()); waiting != 1 || n.state(g.ID).State != caseload.Sending {
			t.Errorf("%d waiting, state %s", waiting, n.state(g.ID).State)
		}
	})
}

func TestAFileWhoseReaderWasKilledIsReadAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "two")
		f := n.stored()
		now := time.Now()
		_, err := n.store.StartReading(t.Context(), f.ID, "dead", now, now.Add(time.Second))
		must(t, err)
		n.start() // the job of the dead reader finds the lease alive and ends; the sweep has to bring the file back
		<-n.sweeps
		begun := time.Now()
		n.await(f.ID, caseload.Ready, 10*time.Second)
		t.Logf("read %v after the restart", time.Since(begun))
		if got := n.state(f.ID); got.Attempt != 2 {
			t.Errorf("attempt %d", got.Attempt)
		}
		deadline := time.Now().Add(30 * time.Second)
		for n.jobs.Stats().SweepsDone < 2 && time.Now().Before(deadline) {
			time.Sleep(2 * time.Millisecond)
		}
		if s := n.jobs.Stats(); s.SweepsDone < 2 {
			t.Errorf("the sweep is not periodic: %+v", s)
		}
	})
}

func TestOnSQLiteWhatAKilledProcessLeftRunningIsAvailableAtStart(t *testing.T) {
	n := newNode(t, "sqlite:"+filepath.Join(t.TempDir(), "caseload.db"), "one")
	f := n.stored()
	_, err := n.store.DB().ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP WHERE kind = 'read_file'`)
	must(t, err)
	_, err = n.store.DB().ExecContext(t.Context(), `INSERT INTO river_leader (elected_at, expires_at, leader_id, name)
		VALUES (datetime('now'), datetime('now', '+1 hour'), 'dead', 'default')`)
	must(t, err)
	begun := time.Now()
	n.start()
	n.await(f.ID, caseload.Ready, beforeALapse)
	t.Logf("ready %v after the start", time.Since(begun))
}

func TestAnOrderlyStopGivesTheFileBackWithoutCostingATry(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "one")
		reached := make(chan struct{})
		n.objects.hold = func(ctx context.Context) { close(reached); <-ctx.Done() }
		n.start()
		f := n.stored()
		<-reached
		begun := time.Now()
		n.stop()
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if got := n.state(f.ID); got.State != caseload.Reading || got.Tries != 0 {
			t.Errorf("state %s, %d tries", got.State, got.Tries)
		}
		if err := n.jobs.Check(t.Context()); err == nil {
			t.Error("a stopped queue calls itself ready")
		}
		m := newNode(t, url, "two")
		m.start()
		m.await(f.ID, caseload.Ready, beforeALapse)
	})
}

func TestTwoProcessesOnOnePostgreSQLReadEachFileOnce(t *testing.T) {
	url := pgtest.URL(t)
	a, b := newNode(t, url, "a"), newNode(t, url, "b")
	a.start()
	b.start()
	var files []caseload.File
	for range 40 {
		files = append(files, a.stored())
	}
	for _, f := range files {
		a.await(f.ID, caseload.Ready, 10*time.Second)
		if got := a.state(f.ID); got.Attempt != 1 {
			t.Errorf("attempt %d", got.Attempt)
		}
	}
	if n := a.objects.streams.Load() + b.objects.streams.Load(); n != 40 {
		t.Errorf("%d readings of 40 files", n)
	}
}

func TestSeveralProcessesMigrateAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		first, err := store.Open(t.Context(), store.Config{URL: url})
		must(t, err)
		defer first.Close()
		var wg sync.WaitGroup
		for range 3 {
			s, err := store.Open(t.Context(), store.Config{URL: url})
			must(t, err)
			defer s.Close()
			j, err := jobs.New(jobs.Config{Engine: s.Engine(), DB: s.DB(), PostgresURL: url})
			must(t, err)
			wg.Go(func() {
				for range 2 {
					if err := j.Migrate(context.Background()); err != nil {
						t.Error(err)
					}
				}
				if err := j.Start(context.Background()); err != nil {
					t.Error(err)
				}
				if err := j.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestStartSaysWhatToDoWhenTheTablesAreMissing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), store.Config{URL: url})
		must(t, err)
		defer s.Close()
		j, err := jobs.New(jobs.Config{Engine: s.Engine(), DB: s.DB(), PostgresURL: url})
		must(t, err)
		defer func() { must(t, j.Stop(context.Background())) }()
		var e *caseload.Error
		if err := j.Start(t.Context()); !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("start answers %v", err)
		}
	})
}

// Jobs that have ended stay for a day, ten thousand of a large case: who asks for those that wait does not look through them.
func TestWhatWaitsIsFoundWithoutWhatHasEnded(t *testing.T) {
	n := newNode(t, "sqlite:"+filepath.Join(t.TempDir(), "caseload.db"), "a")
	var id, parent, unused int
	var plan string
	must(t, n.store.DB().QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+jobs.CountWaiting).Scan(&id, &parent, &unused, &plan))
	if !strings.Contains(plan, "(state=?)") {
		t.Errorf("the plan: %s", plan)
	}
}
