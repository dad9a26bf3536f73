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

// BucketStats is what the last ledger found in the bucket, and how full the organizations with a quota are, for metrics.
type BucketStats struct {
	Ledger *caseload.Ledger     // nil: none yet
	Sums   []caseload.LedgerSum // all organizations together
	Quotas map[caseload.OrganizationID]caseload.Quota
}

// BucketStats reads few rows, but for the organizations with a quota, whose files' sizes it sums from one index.
func (s *Store) BucketStats(ctx context.Context) (stats BucketStats, err error) {
	defer explain("read the last ledger's sums", &err)
	if stats.Ledger, err = ledgerWhere(ctx, s.reader, `finished_at > 0 ORDER BY finished_at DESC`); err != nil {
		return stats, err
	}
	if stats.Ledger != nil {
		rows, err := s.reader.QueryContext(ctx, `SELECT class, source, sum(objects), sum(bytes) FROM ledger_sums WHERE ledger_id = $1
			GROUP BY class, source ORDER BY class, source`, string(stats.Ledger.ID))
		stats.Sums, err = collect(rows, err, func(scan func(...any) error) (l caseload.LedgerSum, err error) {
			return l, scan(&l.Class, &l.Source, &l.Objects, &l.Bytes)
		})
		if err != nil {
			return stats, err
		}
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT o.id FROM organizations o WHERE o.quota_bytes > 0 OR o.own_quota_bytes > 0`)
	limited, err := collect(rows, err, func(scan func(...any) error) (id caseload.OrganizationID, err error) { return id, scan(&id) })
	stats.Quotas = map[caseload.OrganizationID]caseload.Quota{}
	for _, id := range limited {
		quota, err := quotaOf(ctx, s.reader, id, "")
		if err != nil {
			return stats, err
		}
		stats.Quotas[id] = quota
	}
	return stats, err
}
