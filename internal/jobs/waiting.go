package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// countWaiting and listWaiting ask for the jobs that no worker has begun, in words both engines understand. River's own
// uniqueness (UniqueOpts) cannot be asked for them alone: it insists on running jobs, too, and those of a killed process
// stay "running" for hours. The kind is put together, so that no engine looks the jobs up by it: those that have ended
// are of that kind too, thousands of them, and the re-reader asks after every file.
const (
	isWaiting    = ` FROM river_job WHERE kind || '' = 'read_file' AND state IN ('available', 'pending', 'retryable', 'scheduled')`
	countWaiting = `SELECT count(*)` + isWaiting
	listWaiting  = `SELECT args ->> 'file'` + isWaiting
)

// askBacklog of each engine asks how many readings could begin at once, for how many seconds the first of them has
// waited, and how many processes lead River's upkeep: one while any process works the queue.
const (
	isReady            = ` FROM river_job WHERE kind || '' = 'read_file' AND state = 'available'`
	askBacklogPostgres = `SELECT count(*), COALESCE(extract(epoch FROM clock_timestamp() - min(scheduled_at)), 0)::float8,
		(SELECT count(*) FROM river_leader WHERE expires_at > clock_timestamp())` + isReady
	askBacklogSQLite = `SELECT count(*), CAST(COALESCE((julianday('now') - julianday(min(scheduled_at))) * 86400, 0) AS REAL),
		(SELECT count(*) FROM river_leader WHERE julianday(expires_at) > julianday('now'))` + isReady
)

// Backlog returns how many readings are ready and not begun, how long the first of them has waited, and whether any
// process works the queue. It needs Migrate to have run (else Unavailable), not Start. A process that was killed counts for at most 15 s more.
func (j *Jobs) Backlog(ctx context.Context) (ready int64, oldest time.Duration, working bool, err error) {
	if err := j.engine.validate(ctx); err != nil {
		return 0, 0, false, err
	}
	ready, seconds, leaders, err := j.engine.backlog(ctx)
	if err != nil {
		return 0, 0, false, fmt.Errorf("jobs: ask the backlog: %w", err)
	}
	return ready, time.Duration(max(seconds, 0) * float64(time.Second)), leaders > 0, nil
}

// waitingFiles returns the files that wait in the queue, as the transaction sees it.
func waitingFiles(ctx context.Context, tx *sql.Tx) (map[caseload.FileID]bool, error) {
	rows, err := tx.QueryContext(ctx, listWaiting)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	waiting := map[caseload.FileID]bool{}
	for rows.Next() {
		var id caseload.FileID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		waiting[id] = true
	}
	return waiting, rows.Err()
}
