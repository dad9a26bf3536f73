package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
)

// lowest is River's lowest priority (https://riverqueue.com/docs/reference/job-priorities).
const lowest = 4

// rereadArgs is a job "read again what is due". Which files those are stands in the database, not in the queue: asking
// for a million files is one statement, and a kill loses none of them.
type rereadArgs struct{}

func (rereadArgs) Kind() string { return "reread_files" }

func (rereadArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: rereadQueue, Priority: lowest, MaxAttempts: 1}
}

// createdWithin is how precisely the database notes when a job was created.
const createdWithin = time.Millisecond

type rereader struct {
	river.WorkerDefaults[rereadArgs]
	jobs *Jobs
}

// RereadNow asks the workers, of whatever process, to look for what is due to be read again: within a second instead of with
// the next round. Migrate must have been called; nothing else of Jobs.
func (j *Jobs) RereadNow(ctx context.Context) error {
	if err := j.engine.rereadNow(ctx); err != nil {
		return fmt.Errorf("jobs: ask for a round of reading again: %w", err)
	}
	return nil
}

// Work reads again what is due, one file after the other, until nothing is, a new file waits to be read, or the process
// stops. The next round is never more than a pause away. Rounds that piled up before the last look are not made up for; one
// that was asked for during it is.
func (w *rereader) Work(ctx context.Context, job *river.Job[rereadArgs]) error {
	j := w.jobs
	if j.cfg.Reread == nil || job.CreatedAt.UnixNano() < j.counts.lastReread.Load() {
		return nil
	}
	var looked time.Time
	defer func() { j.counts.lastReread.Store(looked.Add(-createdWithin).UnixNano()) }()
	for ctx.Err() == nil && j.state.Load() != stopped {
		looked = time.Now()
		waiting, err := j.engine.waiting(ctx)
		if err != nil {
			return plain(err)
		}
		if waiting > 0 {
			return nil
		}
		did, err := j.cfg.Reread(ctx)
		if err != nil {
			j.cfg.Log.WarnContext(ctx, "reading a file again failed; what was read before stands", slog.Any("error", err))
		}
		if !did {
			return nil
		}
	}
	return nil
}
