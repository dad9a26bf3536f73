package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Facts returns what the database knows of itself, and notes that it was asked: when nobody asked for longer than gap, it
// has been awake only from now on. The first call gives the database its id.
func (s *Store) Facts(ctx context.Context, gap time.Duration) (facts caseload.DatabaseFacts, err error) {
	defer explain("look at the database", &err)
	if facts.Now, err = s.Ping(ctx); err != nil {
		return facts, err
	}
	if err := s.write(ctx, func(t *tx) error { return t.watch(ctx, gap, &facts) }); err != nil {
		return facts, err
	}
	var newest, begun int64
	err = s.reader.QueryRowContext(ctx, `SELECT
		(SELECT COALESCE(sum(seq), 0) FROM audit_heads), (SELECT count(*) FROM files),
		(SELECT COALESCE(max(e.at), 0) FROM audit_heads h JOIN events e ON e.organization_id = h.organization_id AND e.seq = h.seq),
		(SELECT COALESCE(min(created_at), 0) FROM organizations)`).Scan(&facts.Events, &facts.Files, &newest, &begun)
	facts.Newest, facts.Begun = fromMS(newest), fromMS(begun)
	return facts, err
}

// DatabaseID returns the id by which a bucket knows this database; "" when nobody has asked for Facts yet. It changes nothing.
func (s *Store) DatabaseID(ctx context.Context) (id string, err error) {
	defer explain("ask for the database's id", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(min(database_id), '') FROM database_watch`).Scan(&id)
	return id, err
}

// watch reads and writes the one row of database_watch.
func (t *tx) watch(ctx context.Context, gap time.Duration, facts *caseload.DatabaseFacts) error {
	var seen, awake int64
	read := func() error {
		return t.QueryRowContext(ctx, t.locked(`SELECT database_id, seen_at, awake_since FROM database_watch WHERE one = 1`)).Scan(&facts.Database, &seen, &awake)
	}
	err := read()
	if errors.Is(err, sql.ErrNoRows) {
		if _, err := t.ExecContext(ctx, `INSERT INTO database_watch (one, database_id, seen_at, awake_since) VALUES (1, $1, 0, 0) ON CONFLICT DO NOTHING`,
			caseload.NewID[string](t.now)); err != nil {
			return err
		}
		err = read()
	}
	if err != nil {
		return err
	}
	facts.SeenAt = fromMS(seen)
	if seen > 0 && t.now.Sub(fromMS(seen)) > gap {
		awake = toMS(t.now)
	}
	facts.AwakeFrom = fromMS(awake)
	_, err = t.ExecContext(ctx, `UPDATE database_watch SET seen_at = $1, awake_since = $2 WHERE one = 1`, toMS(t.now), awake)
	return err
}

// RecordAccepted writes into the oldest organization's audit log that a person said this is the bucket's database.
func (s *Store) RecordAccepted(ctx context.Context, database string) (err error) {
	defer explain("record that the database was accepted", &err)
	return s.write(ctx, func(t *tx) error {
		org, err := oldestOrganization(ctx, t)
		if err != nil || org == "" {
			return err
		}
		return t.record(ctx, org, newEvent("", caseload.DatabaseAccepted, "", "", detail{"database": database}))
	})
}

// oldestOrganization is whose log and page tell of what belongs to nobody; "" when there is none.
func oldestOrganization(ctx context.Context, q querier) (org caseload.OrganizationID, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM organizations ORDER BY created_at, id LIMIT 1`).Scan(&org)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return org, err
}
