package store

import (
	"context"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// StartReading moves stored to reading, or takes over a reading whose lease is not after now, for owner until the
// given moment. Conflict while a lease is alive or when the file was not stored yet or is past reading; Gone when
// deleted.
func (s *Store) StartReading(ctx context.Context, id caseload.FileID, owner string, now, until time.Time) (f caseload.File, err error) {
	defer explain("start reading", &err)
	err = s.write(ctx, func(t *tx) error {
		f, err = t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			from := f.State
			switch {
			case f.State == caseload.Deleted:
				return nil, gone("file")
			case f.State == caseload.Reading && f.ReadingUntil.After(now):
				return nil, conflict("The file is being read already.")
			case f.State != caseload.Reading && f.State != caseload.Stored:
				return nil, cannotMove(f.State, caseload.Reading)
			}
			f.State, f.Owner, f.ReadingUntil, f.Deadline = caseload.Reading, owner, until, until
			f.Reader = caseload.ReaderVersion
			f.Attempt, f.Tries, f.EntriesDone, f.EntriesTotal = f.Attempt+1, f.Tries+1, 0, 0
			return moved("", caseload.FileReading, from, detail{"attempt": f.Attempt}), nil
		})
		return err
	})
	if err != nil {
		return caseload.File{}, err
	}
	return f, nil
}

// fenced refuses whoever does not read the file under the current attempt.
func fenced(f *caseload.File, attempt int) error {
	if f.State != caseload.Reading || f.Attempt != attempt {
		return conflict("The file is %s, attempt %d; attempt %d has no say any more.", f.State, f.Attempt, attempt)
	}
	return nil
}

// Renew extends the lease and keeps the progress shown to people.
func (s *Store) Renew(ctx context.Context, id caseload.FileID, attempt int, until time.Time, entriesDone, entriesTotal int) (err error) {
	defer explain("renew a lease", &err)
	return s.write(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, `UPDATE cases SET revision = revision + 1
			WHERE id = (SELECT case_id FROM files WHERE id = $1)`, string(id)); err != nil { // the case's lock goes first
			return err
		}
		n, err := t.exec(ctx, `UPDATE files SET reading_until = $3, deadline = $3, entries_done = $4, entries_total = $5
			WHERE id = $1 AND state = 'reading' AND attempt = $2`, string(id), attempt, toMS(until), entriesDone, entriesTotal)
		if err == nil && n == 0 {
			return t.whyNot(ctx, id, "is read by another attempt or not at all")
		}
		return err
	})
}

// FinishReading moves reading to ready. What the whole pass found is added to what SaveMetadata saved, which must have
// happened (Conflict).
func (s *Store) FinishReading(ctx context.Context, id caseload.FileID, attempt int, r caseload.Receipt) (err error) {
	defer explain("finish reading", &err)
	return s.write(ctx, func(t *tx) error { return t.finishReading(ctx, id, attempt, r) })
}

func (t *tx) finishReading(ctx context.Context, id caseload.FileID, attempt int, r caseload.Receipt) error {
	_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
		if err := fenced(f, attempt); err != nil {
			return nil, err
		}
		if f.MetadataAt.IsZero() || f.Kind == caseload.KindUnknown || len(r.SHA256) != 64 {
			return nil, conflict("The file's metadata and checksum are not known yet.")
		}
		from := f.State
		f.State = caseload.Ready
		t.keepReceipt(f, r)
		return moved("", caseload.FileReady, from, detail{"attempt": attempt, "sha256": r.SHA256, "bytes_read": r.BytesRead}), nil
	})
	return err
}

// keepReceipt adds what the whole pass found to what the first look found.
func (t *tx) keepReceipt(f *caseload.File, r caseload.Receipt) {
	f.SHA256, f.ReadyAt = r.SHA256, t.now
	f.Warnings = append(f.Warnings, r.Warnings...)
	f.Contents.Report.Join(r.Report)
	f.Contents.Unread = unread(f.Contents.Unread)
	f.EntriesDone = f.EntriesTotal
}

func unread(list []caseload.Unread) []caseload.Unread {
	list = list[:min(len(list), caseload.MaxUnread)]
	for i := range list {
		list[i].Entry, list[i].Reason = text(list[i].Entry), text(list[i].Reason)
	}
	return list
}

// Reject moves reading to rejected with a reason in plain words.
func (s *Store) Reject(ctx context.Context, id caseload.FileID, attempt int, reason string) (err error) {
	defer explain("reject a file", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if err := fenced(f, attempt); err != nil {
				return nil, err
			}
			from := f.State
			f.State, f.Reason = caseload.Rejected, reason
			return moved("", caseload.FileRejected, from, detail{"attempt": attempt, "tries": f.Tries}), nil
		})
		return err
	})
}

// Release ends the lease now, gives the try back and enqueues the reading again: an orderly stop.
func (s *Store) Release(ctx context.Context, id caseload.FileID, attempt int) (err error) {
	defer explain("release a file", &err)
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE files SET tries = tries - 1, reading_until = $3, deadline = $4
			WHERE id = $1 AND state = 'reading' AND attempt = $2 AND tries > 0`,
			string(id), attempt, toMS(t.now), toMS(t.now.Add(queueWithin)))
		if err != nil {
			return err
		}
		if n == 0 {
			return t.whyNot(ctx, id, "is read by another attempt or not at all")
		}
		return t.ask(ctx, []caseload.FileID{id})
	})
}

// RequeueLapsed enqueues the reading again of stored and reading files whose deadline is not after now, the oldest
// first, at most limit, unless it waits in the queue (SetRequeue), and gives the queue queueWithin before a sweep looks
// again. It returns how many it enqueued. A reading's deadline is its lease's end, which stays as it is: the next
// attempt may take over at once.
func (s *Store) RequeueLapsed(ctx context.Context, now time.Time, limit int) (n int, err error) {
	defer explain("requeue lapsed readings", &err)
	err = s.write(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM files WHERE state IN ('stored', 'reading') AND deadline <= $1
			AND (state = 'stored' OR reading_until <= $1) ORDER BY deadline, id LIMIT $2`+s.on(Postgres, ` FOR UPDATE SKIP LOCKED`), toMS(now), limit)
		ids, err := collect(rows, err, func(scan func(...any) error) (id caseload.FileID, err error) { return id, scan(&id) })
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if _, err := t.ExecContext(ctx, `UPDATE files SET deadline = $2 WHERE id = $1`, string(id), toMS(now.Add(queueWithin))); err != nil {
				return err
			}
		}
		n, err = t.askAgain(ctx, ids)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
