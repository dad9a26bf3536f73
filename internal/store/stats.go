package store

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

// Stats counts the files of all organizations, for metrics. It names nobody.
type Stats struct {
	Files   []FileCount
	Intents int64 // delete-intents that are not carried out yet
}

// FileCount is how many files stand in a state on a route, and their planned size together.
type FileCount struct {
	State caseload.State
	Route caseload.Route
	Files int64
	Bytes int64
}

// Stats walks one index over all files, a few tenths of a second for a million of them: ask every minute, not every second.
func (s *Store) Stats(ctx context.Context) (stats Stats, err error) {
	defer explain("count files", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT state, route, count(*), sum(size) FROM files GROUP BY state, route ORDER BY state, route`)
	stats.Files, err = collect(rows, err, func(scan func(...any) error) (c FileCount, err error) {
		return c, scan(&c.State, &c.Route, &c.Files, &c.Bytes)
	})
	if err != nil {
		return Stats{}, err
	}
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM intents WHERE state = 'open'`).Scan(&stats.Intents)
	return stats, err
}
