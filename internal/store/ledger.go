package store

import (
	"context"
	"database/sql"
	"errors"

	"dcdentals.com/caseload/internal/caseload"
)

const ledgerColumns = `id, phase, step, versions, after_key, after_id, keys, started_at, changed_at, finished_at`

func scanLedger(scan func(...any) error) (l caseload.Ledger, err error) {
	var versions, started, changed, finished int64
	err = scan(&l.ID, &l.Phase, &l.Step, &versions, &l.After.Key, &l.After.ID, &l.Keys, &started, &changed, &finished)
	l.Versions, l.StartedAt, l.ChangedAt, l.FinishedAt = versions == 1, fromMS(started), fromMS(changed), fromMS(finished)
	return l, err
}

// ledgerWhere returns the one ledger the condition finds first, or nil.
func ledgerWhere(ctx context.Context, q querier, condition string) (*caseload.Ledger, error) {
	l, err := scanLedger(q.QueryRowContext(ctx, `SELECT `+ledgerColumns+` FROM ledgers WHERE `+condition+` LIMIT 1`).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// UnfinishedLedger returns the ledger under way, or nil.
func (s *Store) UnfinishedLedger(ctx context.Context) (l *caseload.Ledger, err error) {
	defer explain("look for an unfinished ledger", &err)
	return ledgerWhere(ctx, s.reader, `finished_at = 0`)
}

// LastLedger returns the ledger that was finished last, or nil.
func (s *Store) LastLedger(ctx context.Context) (l *caseload.Ledger, err error) {
	defer explain("look for the last ledger", &err)
	return ledgerWhere(ctx, s.reader, `finished_at > 0 ORDER BY finished_at DESC`)
}

// OpenLedger returns the ledger under way; without one it begins a new one, in which versions tells whether every version
// is listed.
func (s *Store) OpenLedger(ctx context.Context, versions bool) (l caseload.Ledger, err error) {
	defer explain("begin a ledger", &err)
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, `INSERT INTO ledgers (id, phase, step, versions, after_key, after_id, started_at, changed_at)
			VALUES ($1, $2, 0, $3, '', '', $4, $4) ON CONFLICT DO NOTHING`,
			string(caseload.NewID[caseload.LedgerID](t.now)), string(caseload.LedgerObjects), flag(versions), toMS(t.now)); err != nil {
			return err
		}
		open, err := ledgerWhere(ctx, t, `finished_at = 0`)
		if err == nil && open == nil {
			err = conflict("The ledger was finished by another process meanwhile.")
		}
		if err == nil {
			l = *open
		}
		return err
	})
	return l, err
}

// ledgerRow is what LedgerRow holds of a file f; key is the expression of the key it is asked by.
func ledgerRow(key, form string) string {
	return `SELECT f.id, f.organization_id, ` + key + ` AS k, f.state, f.superseded, f.size, f.upload_id, f.version_id, f.stored_at, ` + form + `,
		(SELECT count(*) FROM intents i WHERE i.file_id = f.id AND i.object = ` + key + ` AND i.state = 'open') FROM files f `
}

func scanLedgerRow(scan func(...any) error) (r caseload.LedgerRow, err error) {
	var stored, form, intents int64
	err = scan(&r.File, &r.Organization, &r.Object, &r.State, &r.Superseded, &r.Size, &r.UploadID, &r.VersionID, &stored, &form, &intents)
	r.Stored, r.Form, r.Intent = stored > 0, form == 1, intents > 0
	return r, err
}

// LedgerRows returns the files whose object lies behind the key, in the order of the objects, at most limit.
func (s *Store) LedgerRows(ctx context.Context, after caseload.ObjectKey, limit int) (rows []caseload.LedgerRow, err error) {
	defer explain("read files by object", &err)
	found, err := s.reader.QueryContext(ctx, ledgerRow("f.object", "0")+`WHERE f.object > $1 ORDER BY f.object LIMIT $2`, string(after), limit)
	return collect(found, err, scanLedgerRow)
}

// LedgerRowsOf returns what the database says of the keys, those of posted forms included, in no order.
func (s *Store) LedgerRowsOf(ctx context.Context, keys []caseload.ObjectKey) (rows []caseload.LedgerRow, err error) {
	defer explain("look for objects", &err)
	if len(keys) == 0 {
		return nil, nil
	}
	one, args := among(s, keys, 0)
	found, err := s.reader.QueryContext(ctx, ledgerRow("f.object", "0")+`WHERE f.object `+one, args...)
	if rows, err = collect(found, err, scanLedgerRow); err != nil {
		return nil, err
	}
	found, err = s.reader.QueryContext(ctx, ledgerRow("f.id", "1")+`WHERE f.loose = 1 AND f.id `+one, args...)
	forms, err := collect(found, err, scanLedgerRow)
	return append(rows, forms...), err
}

// LedgerUploads returns the files behind the key that may have an unfinished upload, in the order of the objects, at most
// limit: those that are arriving, and those given up whose delete-intent is open.
func (s *Store) LedgerUploads(ctx context.Context, after caseload.ObjectKey, limit int) (rows []caseload.LedgerRow, err error) {
	defer explain("read unfinished uploads", &err)
	found, err := s.reader.QueryContext(ctx, ledgerRow("f.object", "0")+`WHERE f.object IN (
			SELECT object FROM (SELECT object FROM files WHERE object > $1 AND upload_id <> '' AND state IN ('planned', 'sending')
				ORDER BY object LIMIT $2) AS arriving
			UNION SELECT object FROM (SELECT i.object FROM intents i JOIN files g ON g.id = i.file_id
				WHERE i.state = 'open' AND i.object > $1 AND i.upload_id <> '' AND g.stored_at = 0 ORDER BY i.object LIMIT $2) AS given_up)
		ORDER BY f.object LIMIT $2`, string(after), limit)
	return collect(found, err, scanLedgerRow)
}

// SaveLedger adds a step to its ledger in one transaction: the sums grow, lines are kept up to MaxLedgerLines of each
// class, and the continuation moves on. The last step removes what earlier ledgers found. Conflict when another step came
// first, or the ledger is not there any more.
func (s *Store) SaveLedger(ctx context.Context, step caseload.LedgerStep) (err error) {
	defer explain("write a step of the ledger down", &err)
	l := step.Ledger
	return s.write(ctx, func(t *tx) error {
		finished := int64(0)
		if l.Phase == caseload.LedgerDone {
			finished = toMS(t.now)
		}
		n, err := t.exec(ctx, `UPDATE ledgers SET phase = $3, step = step + 1, after_key = $4, after_id = $5, keys = $6, changed_at = $7, finished_at = $8
			WHERE id = $1 AND step = $2 AND finished_at = 0`,
			string(l.ID), l.Step, string(l.Phase), string(l.After.Key), l.After.ID, l.Keys, toMS(t.now), finished)
		if err != nil {
			return err
		}
		if n != 1 {
			return conflict("Another process wrote this step of the ledger down.")
		}
		if err := t.addSums(ctx, l.ID, step.Sums); err != nil {
			return err
		}
		if err := t.addLines(ctx, l.ID, step.Lines); err != nil {
			return err
		}
		if finished == 0 {
			return nil
		}
		_, err = t.ExecContext(ctx, `DELETE FROM ledgers WHERE id <> $1`, string(l.ID))
		return err
	})
}

func (t *tx) addSums(ctx context.Context, id caseload.LedgerID, sums []caseload.LedgerSum) error {
	return t.insertRows(ctx, `INSERT INTO ledger_sums (ledger_id, organization_id, class, source, objects, bytes)`,
		`ON CONFLICT (ledger_id, organization_id, class, source) DO UPDATE
			SET objects = ledger_sums.objects + excluded.objects, bytes = ledger_sums.bytes + excluded.bytes`,
		len(sums), 6, func(i int) []any {
			sum := sums[i]
			return []any{string(id), string(sum.Organization), string(sum.Class), string(sum.Source), sum.Objects, sum.Bytes}
		})
}

func (t *tx) addLines(ctx context.Context, id caseload.LedgerID, lines []caseload.LedgerLine) error {
	room := map[caseload.Class]int{}
	if len(lines) > 0 {
		for _, class := range []caseload.Class{caseload.ClassUnexplained, caseload.ClassMissing} {
			var kept int
			if err := t.QueryRowContext(ctx, `SELECT count(*) FROM ledger_lines WHERE ledger_id = $1 AND class = $2`, string(id), string(class)).Scan(&kept); err != nil {
				return err
			}
			room[class] = caseload.MaxLedgerLines - kept
		}
	}
	var fit []caseload.LedgerLine
	for _, line := range lines {
		if room[line.Class] > 0 {
			room[line.Class]--
			fit = append(fit, line)
		}
	}
	return t.insertRows(ctx, `INSERT INTO ledger_lines (ledger_id, class, object, version_id, upload_id, organization_id, file_id, bytes, why)`,
		`ON CONFLICT DO NOTHING`, len(fit), 9, func(i int) []any {
			line := fit[i]
			return []any{
				string(id), string(line.Class), text(string(line.Object)), line.VersionID, line.UploadID, string(line.Organization),
				string(line.File), line.Bytes, line.Why,
			}
		})
}
