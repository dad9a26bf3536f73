package jobs

import (
	"context"
	"database/sql"

	"dcdentals.com/caseload/internal/caseload"
)

// countWaiting and listWaiting ask for the jobs that no worker has begun, in words both engines understand. River's own
// uniqueness (UniqueOpts) cannot be asked for them alone: it insists on running jobs, too, and those of a killed process
// stay "running" for hours.
const (
	isWaiting    = ` FROM river_job WHERE kind = 'read_file' AND state IN ('available', 'pending', 'retryable', 'scheduled')`
	countWaiting = `SELECT count(*)` + isWaiting
	listWaiting  = `SELECT args ->> 'file'` + isWaiting
)

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
