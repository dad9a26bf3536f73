package store

import (
	"context"
	"sort"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// RecordParts upserts the manifest of a file that is sending (the last word on a part counts) and sets its deadline. A
// client that gave the upload up has come back by it. Without parts it is a sign of life and nothing else.
// Conflict in any other state.
func (s *Store) RecordParts(ctx context.Context, id caseload.FileID, parts []caseload.Part, deadline time.Time) (err error) {
	defer explain("record parts", &err)
	last := map[int]caseload.Part{}
	for _, p := range parts {
		last[p.Number] = p
	}
	numbers := make([]int, 0, len(last))
	for n := range last {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE files SET deadline = $2, changed_at = $3, cancelled_at = 0 WHERE id = $1 AND state = 'sending'`,
			string(id), toMS(deadline), toMS(t.now)) // a sign of life
		if err != nil {
			return err
		}
		if n == 0 {
			return t.whyNot(ctx, id, "takes no parts")
		}
		return t.insertRows(ctx, `INSERT INTO parts (file_id, number, size, crc64nvme)`,
			`ON CONFLICT (file_id, number) DO UPDATE SET size = excluded.size, crc64nvme = excluded.crc64nvme`, len(numbers), 4,
			func(i int) []any {
				p := last[numbers[i]]
				return []any{string(id), p.Number, p.Size, p.CRC64NVME}
			})
	})
}

// BeginReceiving moves each file from planned to sending, with its deadline, and records the one part declared for it, all in
// one transaction. On a file that is sending already it sets the deadline, and records the part unless one is recorded.
// declared tells what part each file's manifest holds now: the caller's, or that of an earlier try. An outcome carries
// Conflict when the file is in any other state, and NotFound when there is no such file.
func (s *Store) BeginReceiving(ctx context.Context, actor string, arriving []caseload.Declared, deadline time.Time) (outcomes []caseload.Outcome, declared []caseload.Part, err error) {
	defer explain("begin receiving", &err)
	if len(arriving) == 0 {
		return nil, nil, nil
	}
	ids := make([]caseload.FileID, len(arriving))
	for i := range arriving {
		ids[i] = arriving[i].File
	}
	err = s.write(ctx, func(t *tx) error {
		var again []caseload.FileID
		outcomes, err = t.changeFiles(ctx, ids, func(i int, f *caseload.File) (*caseload.Event, error) {
			switch f.State {
			case caseload.Planned:
				f.State, f.Deadline = caseload.Sending, deadline
				return moved(actor, caseload.FileSending, caseload.Planned, nil), nil
			case caseload.Sending:
				again = append(again, f.ID)
				return nil, nil
			}
			return nil, cannotMove(f.State, caseload.Sending)
		})
		if err != nil {
			return err
		}
		held, err := t.signOfLife(ctx, again, deadline)
		if err != nil {
			return err
		}
		declared = make([]caseload.Part, len(arriving))
		var fresh []caseload.Declared
		for i, a := range arriving {
			if outcomes[i].Err != nil {
				continue
			}
			if _, found := held[a.File]; !found {
				held[a.File] = a.Part
				fresh = append(fresh, a)
			}
			declared[i] = held[a.File]
		}
		return t.insertRows(ctx, `INSERT INTO parts (file_id, number, size, crc64nvme)`, "", len(fresh), 4, func(i int) []any {
			p := fresh[i].Part
			return []any{string(fresh[i].File), p.Number, p.Size, p.CRC64NVME}
		})
	})
	if err != nil {
		return nil, nil, err
	}
	return outcomes, declared, nil
}

// signOfLife sets the deadline of files that are sending and returns the first part of each manifest there is.
func (t *tx) signOfLife(ctx context.Context, ids []caseload.FileID, deadline time.Time) (map[caseload.FileID]caseload.Part, error) {
	held := map[caseload.FileID]caseload.Part{}
	if len(ids) == 0 {
		return held, nil
	}
	list := t.store.list(len(ids), 2)
	if _, err := t.ExecContext(ctx, `UPDATE files SET deadline = `+t.store.list(1, 0)+`, changed_at = `+t.store.list(1, 1)+` WHERE id IN (`+list+`)`,
		append([]any{toMS(deadline), toMS(t.now)}, values(ids)...)...); err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, `SELECT file_id, number, size, crc64nvme FROM parts WHERE number = 1 AND file_id IN (`+t.store.list(len(ids), 0)+`)`, values(ids)...)
	all, err := collect(rows, err, func(scan func(...any) error) (d caseload.Declared, err error) {
		return d, scan(&d.File, &d.Part.Number, &d.Part.Size, &d.Part.CRC64NVME)
	})
	for _, d := range all {
		held[d.File] = d.Part
	}
	return held, err
}

// whyNot tells NotFound from Conflict after an UPDATE that met no row.
func (t *tx) whyNot(ctx context.Context, id caseload.FileID, what string) error {
	var state caseload.State
	if err := t.QueryRowContext(ctx, `SELECT state FROM files WHERE id = $1`, string(id)).Scan(&state); err != nil {
		return noRow(err, "file")
	}
	return conflict("The file is %s; it %s.", state, what)
}

// Parts returns the manifest in order; empty when nothing was recorded.
func (s *Store) Parts(ctx context.Context, id caseload.FileID) (parts []caseload.Part, err error) {
	defer explain("read parts", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT number, size, crc64nvme FROM parts WHERE file_id = $1 ORDER BY number`, string(id))
	return collect(rows, err, func(scan func(...any) error) (p caseload.Part, err error) {
		return p, scan(&p.Number, &p.Size, &p.CRC64NVME)
	})
}

// ReportProgress keeps the sent bytes of arriving files of the user's organization, never more than their size; what
// does not fit is passed over. It is a sign of life. The cases' revisions grow, their place in the list does not change.
func (s *Store) ReportProgress(ctx context.Context, user caseload.User, progress []caseload.Progress) (err error) {
	defer explain("report progress", &err)
	if len(progress) == 0 {
		return nil
	}
	sent := map[caseload.FileID]int64{}
	ids := make([]caseload.FileID, 0, len(progress))
	for _, p := range progress {
		if _, twice := sent[p.File]; !twice {
			ids = append(ids, p.File)
		}
		sent[p.File] = max(0, p.Sent)
	}
	return s.write(ctx, func(t *tx) error {
		var fit []caseload.File
		for len(ids) > 0 {
			some := ids[:min(len(ids), 1000)]
			ids = ids[len(some):]
			args := append(values(some), string(user.Organization))
			rows, err := t.QueryContext(ctx, `SELECT id, case_id, size, sent_bytes FROM files
				WHERE id IN (`+s.list(len(some), 0)+`) AND organization_id = `+s.list(1, len(some))+` AND state IN ('planned', 'sending')`, args...)
			found, err := collect(rows, err, func(scan func(...any) error) (f caseload.File, err error) {
				return f, scan(&f.ID, &f.Case, &f.Size, &f.SentBytes)
			})
			if err != nil {
				return err
			}
			for _, f := range found {
				if now := min(sent[f.ID], f.Size); now != f.SentBytes {
					f.SentBytes = now
					fit = append(fit, f)
				}
			}
		}
		sort.Slice(fit, func(i, j int) bool { // one order for the locks: cases, then files
			if fit[i].Case != fit[j].Case {
				return fit[i].Case < fit[j].Case
			}
			return fit[i].ID < fit[j].ID
		})
		for i, f := range fit {
			if i == 0 || fit[i-1].Case != f.Case {
				if err := t.showProgress(ctx, f.Case); err != nil {
					return err
				}
			}
		}
		for _, f := range fit {
			if _, err := t.ExecContext(ctx, `UPDATE files SET sent_bytes = $2, changed_at = $3 WHERE id = $1 AND state IN ('planned', 'sending')`,
				string(f.ID), f.SentBytes, toMS(t.now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// showProgress lets live pages look again without moving the case up in the list. It takes the lock on the case.
func (t *tx) showProgress(ctx context.Context, id caseload.CaseID) error {
	_, err := t.ExecContext(ctx, `UPDATE cases SET revision = revision + 1 WHERE id = $1`, string(id))
	return err
}

// RecordCancel notes when the client of an arriving loose file gave it up, and sets its deadline; it is no sign of life.
// Conflict when the file is not arriving any more.
func (s *Store) RecordCancel(ctx context.Context, id caseload.FileID, at, deadline time.Time) (err error) {
	defer explain("record a cancel", &err)
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE files SET cancelled_at = $2, deadline = $3 WHERE id = $1 AND loose = 1 AND state IN ('planned', 'sending')`,
			string(id), toMS(at), toMS(deadline))
		if err == nil && n == 0 {
			return t.whyNot(ctx, id, "cannot be cancelled")
		}
		return err
	})
}

// DueUploads returns at most limit arriving files whose deadline is not after now, the oldest deadline first.
func (s *Store) DueUploads(ctx context.Context, now time.Time, limit int) (files []caseload.File, err error) {
	defer explain("look for due uploads", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f
		WHERE f.state IN ('planned', 'sending') AND f.deadline <= $1 ORDER BY f.deadline, f.id LIMIT $2`, toMS(now), limit)
	return collect(rows, err, scanFile)
}

// Postpone sets the deadline of an arriving file. Conflict when it is not arriving any more.
func (s *Store) Postpone(ctx context.Context, id caseload.FileID, deadline time.Time) (err error) {
	defer explain("postpone a deadline", &err)
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE files SET deadline = $2 WHERE id = $1 AND state IN ('planned', 'sending')`, string(id), toMS(deadline))
		if err == nil && n == 0 {
			return t.whyNot(ctx, id, "is not arriving")
		}
		return err
	})
}
