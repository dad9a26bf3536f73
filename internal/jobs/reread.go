package jobs

import (
	"context"
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

type rereader struct {
	river.WorkerDefaults[rereadArgs]
	jobs *Jobs
}

// Work reads again what is due, one file after the other, until nothing is, a new file waits to be read, or the process
// stops. The next round is never more than a pause away. Rounds that piled up meanwhile are not made up for.
func (w *rereader) Work(ctx context.Context, job *river.Job[rereadArgs]) error {
	j := w.jobs
	if j.cfg.Reread == nil || job.CreatedAt.UnixNano() < j.counts.lastReread.Load() {
		return nil
	}
	defer func() { j.counts.lastReread.Store(time.Now().UnixNano()) }()
	for ctx.Err() == nil && j.state.Load() != stopped {
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
