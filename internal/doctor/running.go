package doctor

import (
	"context"
	"fmt"
	"time"
)

// Queue is what the checks ask of the queue of readings.
type Queue interface {
	Backlog(ctx context.Context) (ready int64, oldest time.Duration, working bool, err error)
}

// RunningOptions says what is looked at. The functions are called only when the database answers and has its schema.
type RunningOptions struct {
	Queue   func(ctx context.Context) (Queue, error)
	Records func(ctx context.Context) (Database, error)
	Serving bool // a server asks, not an administrator's command: then something should be working
}

// When a queue or a file past its deadline is worth a word.
const (
	lateReading = 10 * time.Minute
	lateSweep   = 10 * time.Minute
)

// RunningChecks returns the group "running".
func RunningChecks(o RunningOptions) []Check {
	stands := []string{"database.reachable", "database.schema", "database.rights"}
	return []Check{
		{Name: "running.queue", Needs: stands, Run: o.queue},
		{Name: "running.sweep", Needs: stands, Run: o.sweep},
	}
}

func (o RunningOptions) queue(ctx context.Context) []Finding {
	workers := Finding{Check: "running.workers", Tried: "It was asked whether a process reads what arrives."}
	queue, err := o.Queue(ctx)
	if err != nil {
		return []Finding{failed(workers, err)}
	}
	ready, oldest, working, err := queue.Backlog(ctx)
	if err != nil {
		return []Finding{failed(workers, err)}
	}
	waiting := Finding{Check: "running.queue", Tried: "The queue of files to be read was counted.", Got: "No file waits to be read."}
	if ready > 0 {
		waiting.Got = fmt.Sprintf("%d files wait to be read; the first has waited %s.", ready, shortly(oldest))
		if ready == 1 {
			waiting.Got = fmt.Sprintf("1 file waits to be read; it has waited %s.", shortly(oldest))
		}
	}
	start := &Fix{Say: "Start a process that reads, and keep it running.", Command: "caseload serve   # or, beside web processes: caseload worker"}
	switch {
	case working:
		workers.Got = "At least one process reads what arrives."
	case ready > 0:
		workers.Level, workers.Got, workers.Means, workers.Fix = Failure, "No process reads, and files wait.", "What was sent stays unread.", start
	case o.Serving:
		workers.Level, workers.Got, workers.Means, workers.Fix = Warning, "No process reads what arrives.", "What is sent will be kept, but not read.", start
	default:
		workers.Level, workers.Got, workers.Means = Note, "No process reads now.", "Nothing is running, or only web processes are; no file waits."
	}
	if working && oldest > lateReading {
		waiting.Level, waiting.Means = Warning, "More arrives than is read, or the readers hang."
		waiting.Fix = &Fix{Say: "Raise CASELOAD_WORKERS or start another worker; look into the log for readings that fail again and again."}
	}
	return []Finding{workers, waiting}
}

func (o RunningOptions) sweep(ctx context.Context) []Finding {
	f := Finding{Check: "running.sweep", Tried: "Files past their deadline were counted; the sweep looks at them every few seconds.", Got: "No file is overdue."}
	records, err := o.Records(ctx)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	files, since, err := records.Overdue(ctx)
	if err != nil {
		return []Finding{failed(f, err)}
	}
	if late := time.Since(since); files > 0 && late > lateSweep {
		f.Level, f.Got = Note, fmt.Sprintf("Files overdue: %d, the first for %s.", files, shortly(late))
		f.Means = "The next start of a process that reads takes care of them."
		if o.Serving {
			f.Level, f.Means = Warning, "The sweep does not run or fails: half uploads are neither finished nor given up."
			f.Fix = &Fix{Say: "Look into the log of the processes that read for sweeps that fail."}
		}
	}
	return []Finding{f}
}
