// Package jobs is the door through which queued work enters: River on SQLite or PostgreSQL, its workers and the
// periodic sweep. It hides which database drives the queue, puts the reading of a file into the queue inside the
// caller's transaction, and otherwise only calls verbs. It must not know HTTP, the object store or the store's tables.
//
// What an operator should know. Delivery is not the lease: who reads a file is decided by the lease in the file's row
// (package ingest), so a job that runs twice does no harm, and a job lost with its process is put into the queue again
// by the sweep once the row's lease has lapsed, within a minute of the kill. River's own rescue (RescueAfter) only tidies up. On
// SQLite one process owns the queue: whatever a killed one left running is available again before the workers start.
// Job arguments are ids, nothing else; River's tables are river_*, made by Migrate. On PostgreSQL the queue keeps a
// connection pool of its own (Workers + 4 connections), one of which listens.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// The queue's times, set on purpose; River's own defaults (1 min timeout, 1 h rescue, 25 attempts over three weeks) do
// not fit files of 1 GiB that a person waits for.
const (
	ReadTimeout  = 2 * time.Hour                        // 1 GiB at 150 kB/s; whoever hangs longer is cut off and tried again
	SweepTimeout = 10 * time.Minute                     // a sweep that hangs must not hold up the next
	RescueAfter  = ReadTimeout + time.Hour/6            // River wants it above every timeout; the row's lease is what brings a file back
	ReadAttempts = 12                                   // deliveries of one job; the row's own count of tries decides about the file
	LedgerEvery  = time.Minute                          // how often is asked whether the ledger is due or goes on; most times it does not
	LedgerWithin = 10 * time.Minute                     // one round of the ledger; the next goes on where it was
	SweepEvery   = 20 * time.Second                     // and at every start: a lease that lapses unseen is found within ingest.DefaultLease + SweepEvery of the kill
	DefaultGrace = 10 * time.Second                     // how long Stop lets running jobs finish before it cancels them
	fetchPause   = 5 * time.Millisecond                 // least time between two fetches: 100 ms would cap the queue at 100 jobs/s
	fetchPoll    = 500 * time.Millisecond               // in case a notification was lost
	keepFinished = 24 * time.Hour                       // finished jobs are kept this long, for looking into
	releaseRoom  = ingest.ReleaseWithin + 2*time.Second // after the cancel: leases are given back, River writes it down
)

// A killed worker's file is read again within a minute, with room for the queue; this does not compile otherwise.
const _ = uint64(time.Minute - ingest.DefaultLease - SweepEvery - 2*fetchPoll)

// Names of the queues. Reading again has one of its own: it never takes a worker from a file that has just arrived.
const (
	readQueue   = "read"
	rereadQueue = "reread"
	sweepQueue  = "sweep"
	ledgerQueue = "ledger"
)

// Config says what New is to connect. Engine and the engine's own field are required.
type Config struct {
	Engine      string  // "sqlite" or "postgres"
	DB          *sql.DB // SQLite: the store's writer pool of one connection
	PostgresURL string  // PostgreSQL: as given to the store

	Read    *ingest.Service // nil: this process only enqueues (--role web)
	Sweep   func(ctx context.Context) error
	Workers int // files read at once; at least 1

	// Reread reads again one file that somebody asked for, and tells whether there was one. Called one at a time, and only
	// while no new file waits to be read. May be nil.
	Reread func(ctx context.Context) (did bool, err error)

	// Ledger goes on with the ledger that is under way or due, and returns at once otherwise. Safe to be cut off anywhere and
	// to run in several processes. May be nil.
	Ledger func(ctx context.Context) error

	// EndLeases is called on SQLite before the workers start, to end the reading leases that a killed process left: it
	// was the only one. May be nil; then such a file waits for its lease to lapse and the sweep to see it.
	EndLeases func(ctx context.Context) error

	Grace time.Duration // 0: DefaultGrace
	Pause time.Duration // between two sweeps; 0: SweepEvery
	Log   *slog.Logger
}

// Jobs is the queue of one process.
type Jobs struct {
	cfg    Config
	engine engine
	state  atomic.Int32
	counts counters
}

const (
	idle int32 = iota
	running
	stopped
)

// engine is one of the two databases under River.
type engine interface {
	insert(ctx context.Context, conn *sql.Conn, tx *sql.Tx, all []river.InsertManyParams) error
	migrate(ctx context.Context) error
	validate(ctx context.Context) error
	ping(ctx context.Context) error
	waiting(ctx context.Context) (int64, error)
	backlog(ctx context.Context) (ready int64, oldest float64, leaders int64, err error) // oldest in seconds
	prepare(ctx context.Context) error                                                   // before the workers start
	start(ctx context.Context) error
	sweepNow(ctx context.Context) error
	rereadNow(ctx context.Context) error
	stop(ctx context.Context) error
	close()
}

// New connects the queue; nothing runs before Start. On PostgreSQL no connection is made yet.
func New(cfg Config) (*Jobs, error) {
	if cfg.Grace <= 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Pause <= 0 {
		cfg.Pause = SweepEvery
	}
	cfg.Workers = max(cfg.Workers, 1)
	j := &Jobs{cfg: cfg}
	var err error
	switch cfg.Engine {
	case "sqlite":
		if cfg.DB == nil {
			return nil, errors.New("jobs: sqlite needs the store's database")
		}
		j.engine, err = newSQLite(cfg.DB, j.riverConfig())
	case "postgres":
		j.engine, err = newPostgres(cfg.PostgresURL, cfg.Workers, j.riverConfig())
	default:
		return nil, fmt.Errorf("jobs: unknown engine %q", cfg.Engine)
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return j, nil
}

// riverConfig is the whole of what we ask of River.
func (j *Jobs) riverConfig() *river.Config {
	c := &river.Config{
		Logger:                      slog.New(quiet{j.cfg.Log.Handler()}),
		FetchCooldown:               fetchPause,
		FetchPollInterval:           fetchPoll,
		JobTimeout:                  ReadTimeout,
		RescueStuckJobsAfter:        RescueAfter,
		MaxAttempts:                 ReadAttempts,
		RetryPolicy:                 retries{},
		SoftStopTimeout:             j.cfg.Grace,
		CompletedJobRetentionPeriod: keepFinished,
		CancelledJobRetentionPeriod: keepFinished,
		DiscardedJobRetentionPeriod: keepFinished,
	}
	if j.cfg.Read == nil {
		return c
	}
	c.Workers = river.NewWorkers()
	river.AddWorker(c.Workers, &reader{jobs: j})
	river.AddWorker(c.Workers, &sweeper{jobs: j})
	river.AddWorker(c.Workers, &rereader{jobs: j})
	river.AddWorker(c.Workers, &ledgerKeeper{jobs: j})
	c.Queues = map[string]river.QueueConfig{
		readQueue:   {MaxWorkers: j.cfg.Workers},
		rereadQueue: {MaxWorkers: 1},
		sweepQueue:  {MaxWorkers: 1},
		ledgerQueue: {MaxWorkers: 1},
	}
	c.PeriodicJobs = []*river.PeriodicJob{
		river.NewPeriodicJob(
			river.PeriodicInterval(j.cfg.Pause),
			func() (river.JobArgs, *river.InsertOpts) { return sweepArgs{}, nil },
			&river.PeriodicJobOpts{ID: "sweep"},
		),
		river.NewPeriodicJob(
			river.PeriodicInterval(j.cfg.Pause),
			func() (river.JobArgs, *river.InsertOpts) { return rereadArgs{}, nil },
			&river.PeriodicJobOpts{ID: "reread"},
		),
		river.NewPeriodicJob(
			river.PeriodicInterval(LedgerEvery),
			func() (river.JobArgs, *river.InsertOpts) { return ledgerArgs{}, nil },
			&river.PeriodicJobOpts{ID: "ledger", RunOnStart: true},
		),
	}
	return c
}

// Migrate brings River's own tables up to date. Safe to repeat, and safe when several processes start at once.
func (j *Jobs) Migrate(ctx context.Context) error {
	if err := j.engine.migrate(ctx); err != nil {
		return fmt.Errorf("jobs: migrate: %w", err)
	}
	return nil
}

// Enqueue puts the readings of files into the queue within the caller's transaction: they are there if and only if the
// transaction commits. It has the signature the store asks for (store.SetEnqueue). The transaction must be on conn.
func (j *Jobs) Enqueue(ctx context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) error {
	if len(ids) == 0 {
		return nil
	}
	all := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		all[i].Args = readArgs{File: id}
	}
	if err := j.engine.insert(ctx, conn, tx, all); err != nil {
		return fmt.Errorf("jobs: enqueue: %w", err)
	}
	return nil
}

// Requeue puts the reading of each file into the queue that does not wait in it already, and returns how many it put
// there. A job that runs does not count as waiting: it may be a killed process's, and otherwise the lease makes the
// second one harmless. It has the signature the store asks for (store.SetRequeue); the rest is as with Enqueue.
func (j *Jobs) Requeue(ctx context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) (n int, err error) {
	waiting, err := waitingFiles(ctx, tx)
	if err != nil {
		return 0, fmt.Errorf("jobs: requeue: %w", err)
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id caseload.FileID) bool { return waiting[id] })
	if err := j.Enqueue(ctx, conn, tx, ids); err != nil {
		return 0, err
	}
	return len(ids), nil
}

// Start begins to work, unless this process only enqueues. It returns once jobs are being fetched. Cancelling ctx stops
// in the same orderly way as Stop, which must be called anyway.
func (j *Jobs) Start(ctx context.Context) error {
	if err := j.engine.validate(ctx); err != nil {
		return err
	}
	if j.cfg.Read == nil {
		j.state.Store(running)
		return nil
	}
	if err := j.prepare(ctx); err != nil {
		return fmt.Errorf("jobs: start: %w", err)
	}
	if err := j.engine.start(ctx); err != nil {
		return fmt.Errorf("jobs: start: %w", err)
	}
	j.state.Store(running)
	return nil
}

// prepare makes what a killed process left available again, and asks for a sweep at once.
func (j *Jobs) prepare(ctx context.Context) error {
	if err := j.engine.prepare(ctx); err != nil {
		return err
	}
	if j.cfg.Engine == "sqlite" && j.cfg.EndLeases != nil {
		if err := j.cfg.EndLeases(ctx); err != nil {
			return err
		}
	}
	return j.engine.sweepNow(ctx)
}

// Stop stops fetching, lets running jobs finish for Grace, then cancels them; a reading that is cancelled gives its
// lease back and is in the queue again. It waits for all of that, but never longer than ctx nor a few seconds more than
// Grace. Unavailable when something still runs by then: it will be fenced off by the next attempt.
func (j *Jobs) Stop(ctx context.Context) error {
	if j.state.Swap(stopped) == stopped {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, j.cfg.Grace+releaseRoom)
	defer cancel()
	if err := j.engine.stop(ctx); err != nil {
		return caseload.Errorf(caseload.Unavailable, "The queue did not stop in time.").WithCause(err)
	}
	j.engine.close()
	return nil
}

// Check tells whether the queue can do its work: it is started and its database answers. For /readyz.
func (j *Jobs) Check(ctx context.Context) error {
	switch j.state.Load() {
	case idle:
		return caseload.Errorf(caseload.Unavailable, "The queue is not started yet.")
	case stopped:
		return caseload.Errorf(caseload.Unavailable, "The queue is stopped.")
	}
	if err := j.engine.ping(ctx); err != nil {
		return caseload.Errorf(caseload.Unavailable, "The queue's database does not answer.").WithCause(err)
	}
	return nil
}
