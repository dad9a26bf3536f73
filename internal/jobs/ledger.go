package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
)

// ledgerArgs is a job "go on with the ledger". Where it stands is in the database, not in the queue.
type ledgerArgs struct{}

func (ledgerArgs) Kind() string { return "keep_ledger" }

func (ledgerArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ledgerQueue, Priority: lowest, MaxAttempts: 1}
}

type ledgerKeeper struct {
	river.WorkerDefaults[ledgerArgs]
	jobs *Jobs
}

func (*ledgerKeeper) Timeout(*river.Job[ledgerArgs]) time.Duration { return LedgerWithin }

// Work goes on with the ledger until it is done, its time is up, or the process stops: the next round, never more than a
// minute away, goes on where it was. So it does when the store or the database is down. Rounds that piled up meanwhile are
// not made up for.
func (w *ledgerKeeper) Work(ctx context.Context, job *river.Job[ledgerArgs]) error {
	j := w.jobs
	if j.cfg.Ledger == nil || job.CreatedAt.UnixNano() < j.counts.lastLedger.Load() {
		return nil
	}
	defer func() { j.counts.lastLedger.Store(time.Now().UnixNano()) }()
	err := j.cfg.Ledger(ctx)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	j.cfg.Log.WarnContext(ctx, "the ledger stopped; it goes on where it was", slog.Any("error", err))
	return plain(err)
}
