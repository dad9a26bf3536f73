package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"dcdentals.com/caseload/internal/caseload"
)

// readArgs is a job "read this file". Its JSON stands in the database and in River's logs: an id, nothing else.
type readArgs struct {
	File caseload.FileID `json:"file"`
}

func (readArgs) Kind() string { return "read_file" }

func (readArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: readQueue, MaxAttempts: ReadAttempts}
}

// sweepArgs is a job "sweep up". One attempt: the next is never far.
type sweepArgs struct{}

func (sweepArgs) Kind() string { return "sweep" }

func (sweepArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: sweepQueue, MaxAttempts: 1}
}

type reader struct {
	river.WorkerDefaults[readArgs]
	jobs *Jobs
}

// Work reads one file. Ingest itself knows what to do about a file that is gone, taken or fenced off (nil); what it
// returns decides here whether another delivery can help.
func (w *reader) Work(ctx context.Context, job *river.Job[readArgs]) error {
	begun := time.Now()
	w.jobs.counts.readsRunning.Add(1)
	defer w.jobs.counts.readsRunning.Add(-1)
	err := w.jobs.cfg.Read.Ingest(ctx, job.Args.File)
	w.jobs.counts.readTime.Add(int64(time.Since(begun)))
	switch {
	case err == nil:
		w.jobs.counts.readsDone.Add(1)
		return nil
	case caseload.KindOf(err) == caseload.Invalid:
		w.jobs.counts.readsCancelled.Add(1)
		return river.JobCancel(plain(err))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		w.jobs.counts.readsInterrupted.Add(1)
		return err
	default:
		w.jobs.counts.readsFailed.Add(1)
		w.jobs.cfg.Log.WarnContext(ctx, "reading a file failed; it will be tried again",
			slog.String("file", string(job.Args.File)), slog.Int("delivery", job.Attempt), slog.Any("error", err))
		return plain(err)
	}
}

// plain is what of an error may stand in River's tables: its kind. The cause is in the log.
func plain(err error) error {
	return errors.New(caseload.KindOf(err).String())
}

type sweeper struct {
	river.WorkerDefaults[sweepArgs]
	jobs *Jobs
}

func (*sweeper) Timeout(*river.Job[sweepArgs]) time.Duration { return SweepTimeout }

// Work sweeps, unless a sweep that began after this job was asked for has already done its work: after an outage the
// minutes that piled up are not made up for.
func (w *sweeper) Work(ctx context.Context, job *river.Job[sweepArgs]) error {
	begun := time.Now()
	if w.jobs.cfg.Sweep == nil || job.CreatedAt.UnixNano() < w.jobs.counts.lastSweep.Load() {
		return nil
	}
	if err := w.jobs.cfg.Sweep(ctx); err != nil {
		w.jobs.counts.sweepsFailed.Add(1)
		w.jobs.cfg.Log.WarnContext(ctx, "sweep failed; the next one is due soon", slog.Any("error", err))
		return plain(err)
	}
	w.jobs.counts.lastSweep.Store(begun.UnixNano())
	w.jobs.counts.sweepsDone.Add(1)
	return nil
}

// retries is the pause before the next delivery of a job that failed: short at first, since a person is waiting, and
// never more than a minute.
type retries struct{}

var pauses = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}

func (retries) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(pauses[min(max(job.Attempt, 1), len(pauses))-1])
}
