package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// queueWithin is how long the queue has to begin with a stored file before the sweep asks for it once more.
const queueWithin = 40 * time.Second

// changeFile is changeFiles for one file. A refusal is its error.
func (t *tx) changeFile(ctx context.Context, id caseload.FileID, decide func(f *caseload.File) (*caseload.Event, error)) (caseload.File, error) {
	all, err := t.changeFiles(ctx, []caseload.FileID{id}, func(_ int, f *caseload.File) (*caseload.Event, error) { return decide(f) })
	if err != nil {
		return caseload.File{}, err
	}
	return all[0].File, all[0].Err
}

// changeFiles is the one way files change together with their audit events: it locks the cases and the files, lets decide
// change each (i counts them), writes it by compare-and-set and records what decide returns. A nil event means that nothing
// is to change. Outcomes are in the order of ids. A file that is not there or that decide refuses carries the error and leaves
// the others be; whoever wants all or nothing rolls back. The file as it stands is returned in every case but NotFound.
func (t *tx) changeFiles(ctx context.Context, ids []caseload.FileID, decide func(i int, f *caseload.File) (*caseload.Event, error)) ([]caseload.Outcome, error) {
	rows, err := t.lockFiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	outcomes := make([]caseload.Outcome, len(ids))
	events := map[caseload.OrganizationID][]caseload.Event{}
	cases := map[caseload.CaseID]bool{}
	for i, id := range ids {
		before, found := rows[id]
		if !found {
			outcomes[i].Err = notFound("file")
			continue
		}
		after := before
		event, err := decide(i, &after)
		if err == nil && event != nil {
			after.ChangedAt = fromMS(toMS(t.now))
			err = t.saveFile(ctx, before, after)
		}
		var refused *caseload.Error
		switch {
		case err != nil && !errors.As(err, &refused):
			return nil, err
		case err != nil || event == nil:
			outcomes[i] = caseload.Outcome{File: before, Err: err}
			continue
		}
		event.Case, event.File = after.Case, after.ID
		events[after.Organization] = append(events[after.Organization], *event)
		cases[after.Case], rows[id] = true, after
		outcomes[i] = caseload.Outcome{File: after, Won: true}
	}
	for _, c := range slices.Sorted(maps.Keys(cases)) {
		if err := t.touchCase(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, org := range slices.Sorted(maps.Keys(events)) {
		if err := t.record(ctx, org, events[org]...); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// lockFiles reads files under lock: their cases first, then they themselves, each in order, so that no two transactions
// wait for each other. Those that are not there are left out.
func (t *tx) lockFiles(ctx context.Context, ids []caseload.FileID) (map[caseload.FileID]caseload.File, error) {
	one, args := among(t.store, ids, 0)
	if t.store.engine == Postgres { // SQLite's single writer needs no locks
		rows, err := t.QueryContext(ctx, `SELECT c.id FROM cases c WHERE c.id IN (SELECT case_id FROM files WHERE id `+one+`)
			ORDER BY c.id FOR UPDATE`, args...) // a file never changes its case
		if _, err := collect(rows, err, func(scan func(...any) error) (c caseload.CaseID, err error) { return c, scan(&c) }); err != nil {
			return nil, err
		}
	}
	rows, err := t.QueryContext(ctx, t.locked(`SELECT `+fileColumns+` FROM files f WHERE f.id `+one+` ORDER BY f.id`), args...)
	found, err := collect(rows, err, scanFile)
	if err != nil {
		return nil, err
	}
	files := make(map[caseload.FileID]caseload.File, len(found))
	for _, f := range found {
		files[f.ID] = f
	}
	return files, nil
}

// saveFile writes what can change of a file by compare-and-set: the row must still be in before's state and attempt, and
// a change of state must be one that caseload.CanMove allows. Conflict otherwise, and nothing is written.
func (t *tx) saveFile(ctx context.Context, before, after caseload.File) error {
	if before.State != after.State && !caseload.CanMove(before.State, after.State) {
		return cannotMove(before.State, after.State)
	}
	if after.State.Terminal() {
		after.Deadline, after.ReadingUntil, after.Owner = time.Time{}, time.Time{}, ""
	}
	contents, err := json.Marshal(after.Contents)
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, `UPDATE files SET state = $4, reason = $5, upload_id = $6, sent_bytes = $7, deadline = $8,
		crc64nvme = $9, etag = $10, version_id = $11, sha256 = $12, kind = $13, warnings = $14, warned = $15, contents = $16,
		meshes = $17, photos = $18, documents = $19, others = $20, entries_done = $21, entries_total = $22, bytes_read = $23,
		attempt = $24, tries = $25, owner = $26, reading_until = $27, changed_at = $28, stored_at = $29, metadata_at = $30, ready_at = $31,
		size = $32, size_open = $33, reader = $34, family = $35, superseded = $36
		WHERE id = $1 AND state = $2 AND attempt = $3`,
		string(before.ID), string(before.State), before.Attempt,
		string(after.State), text(after.Reason), after.UploadID, after.SentBytes, toMS(after.Deadline),
		after.CRC64NVME, after.ETag, after.VersionID, after.SHA256, string(after.Kind), toJSON(after.Warnings),
		flag(len(after.Warnings) > 0), string(contents), after.Contents.Meshes, after.Contents.Photos, after.Contents.Documents,
		after.Contents.Others, after.EntriesDone, after.EntriesTotal, after.BytesRead, after.Attempt, after.Tries, after.Owner,
		toMS(after.ReadingUntil), toMS(t.now), toMS(after.StoredAt), toMS(after.MetadataAt), toMS(after.ReadyAt),
		after.Size, flag(after.SizeOpen), after.Reader, string(after.Family), flag(after.Superseded))
	if err == nil && n != 1 {
		err = conflict("The file was changed by someone else meanwhile.").WithHint("Look again, then try again.")
	}
	return err
}

func cannotMove(from, to caseload.State) error {
	return caseload.Errorf(caseload.Conflict, "The file is %s; it cannot become %s.", from, to)
}

// moved is the event of a change of state.
func moved(actor string, action caseload.Action, from caseload.State, more detail) *caseload.Event {
	d := detail{"from": from}
	for key, value := range more {
		d[key] = value
	}
	e := newEvent(actor, action, "", "", d)
	return &e
}

// BeginSending moves planned to sending; on a row that is sending it only keeps uploadID if there is none yet.
func (s *Store) BeginSending(ctx context.Context, id caseload.FileID, actor, uploadID string, deadline time.Time) (f caseload.File, err error) {
	defer explain("begin sending", &err)
	err = s.write(ctx, func(t *tx) error {
		keep := false
		f, err = t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			switch f.State {
			case caseload.Planned:
				from := f.State
				f.State, f.Deadline = caseload.Sending, deadline
				if f.UploadID == "" {
					f.UploadID = uploadID
				}
				return moved(actor, caseload.FileSending, from, nil), nil
			case caseload.Sending:
				keep = f.UploadID == "" && uploadID != ""
				return nil, nil
			}
			return nil, cannotMove(f.State, caseload.Sending)
		})
		if err != nil || !keep {
			return err
		}
		f.UploadID = uploadID
		_, err := t.ExecContext(ctx, `UPDATE files SET upload_id = $2 WHERE id = $1 AND state = 'sending' AND upload_id = ''`, string(id), uploadID)
		return err
	})
	return f, err
}

// MarkStored moves each file from sending to stored with what the store was seen to hold for it and enqueues the readings,
// all in one transaction. An outcome's Won is false when the file was stored already; it carries Conflict when the file is
// planned, abandoned or deleted, or when what was seen is not what was planned, and NotFound when there is no such file.
//
// Of a file whose size was open, the size seen is the size from here on. What was posted as a form has been taken over and
// is to be erased once nothing can be posted any more.
func (s *Store) MarkStored(ctx context.Context, actor string, seen []caseload.Seen) (outcomes []caseload.Outcome, err error) {
	defer explain("mark files stored", &err)
	if len(seen) == 0 {
		return nil, nil
	}
	ids := make([]caseload.FileID, len(seen))
	for i := range seen {
		ids[i] = seen[i].File
	}
	err = s.write(ctx, func(t *tx) error {
		outcomes, err = t.changeFiles(ctx, ids, func(i int, f *caseload.File) (*caseload.Event, error) {
			return t.decideStored(ctx, f, actor, seen[i].Object)
		})
		if err != nil {
			return err
		}
		var won []caseload.FileID
		for _, o := range outcomes {
			if !o.Won {
				continue
			}
			won = append(won, o.File.ID)
			if err := t.sortFamily(ctx, o.File, actor); err != nil {
				return err
			}
		}
		return t.ask(ctx, won)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// decideStored moves one file to stored if what was seen is what was planned.
func (t *tx) decideStored(ctx context.Context, f *caseload.File, actor string, seen caseload.Object) (*caseload.Event, error) {
	if f.State.Acknowledged() {
		return nil, nil
	}
	if f.State != caseload.Sending {
		return nil, cannotMove(f.State, caseload.Stored)
	}
	fits := seen.Size == f.Size || f.SizeOpen && seen.Size > 0 && seen.Size < f.Size
	if seen.Key != f.Object || !fits || seen.CRC64NVME == "" || seen.ETag == "" && seen.VersionID == "" {
		return nil, conflict("The store does not hold the file as it was planned.").WithCause(
			fmt.Errorf("seen %d bytes, planned %d; checksum %q, etag %q", seen.Size, f.Size, seen.CRC64NVME, seen.ETag))
	}
	from, form := f.State, f.Form()
	f.Size, f.SizeOpen = seen.Size, false
	f.State, f.StoredAt, f.Deadline, f.SentBytes = caseload.Stored, t.now, t.now.Add(queueWithin), f.Size
	f.CRC64NVME, f.ETag, f.VersionID = seen.CRC64NVME, seen.ETag, seen.VersionID
	if form {
		if err := t.insertFormIntent(ctx, *f, "the posted form was taken over", t.now.Add(caseload.LateWrites)); err != nil {
			return nil, err
		}
	}
	return moved(actor, caseload.FileStored, from, detail{
		"size": seen.Size, "crc64nvme": seen.CRC64NVME, "etag": seen.ETag, "version": seen.VersionID,
	}), nil
}

// MarkAbandoned moves each file from planned or sending to abandoned and writes its delete-intent due at eraseAt, in one
// transaction. Won is false when it was abandoned already. An outcome's own error is NotFound, or Conflict when the file is
// stored or beyond, or deleted; the others are not affected.
func (s *Store) MarkAbandoned(ctx context.Context, ids []caseload.FileID, actor, reason string, eraseAt time.Time) (outcomes []caseload.Outcome, err error) {
	defer explain("abandon files", &err)
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.write(ctx, func(t *tx) error {
		outcomes, err = t.changeFiles(ctx, ids, func(_ int, f *caseload.File) (*caseload.Event, error) {
			if f.State == caseload.Abandoned {
				return nil, nil
			}
			if !caseload.CanMove(f.State, caseload.Abandoned) {
				return nil, cannotMove(f.State, caseload.Abandoned)
			}
			from := f.State
			f.State, f.Reason = caseload.Abandoned, reason
			return moved(actor, caseload.FileAbandoned, from, nil), t.insertIntents(ctx, []caseload.File{*f}, givenUp{reason: "the upload was abandoned", due: caseload.EraseAt{Partial: eraseAt}, actor: actor})
		})
		if err != nil {
			return err
		}
		var won []caseload.FileID
		for _, o := range outcomes {
			if o.Won {
				won = append(won, o.File.ID)
			}
		}
		if len(won) == 0 {
			return nil
		}
		one, args := among(t.store, won, 0)
		_, err := t.ExecContext(ctx, `DELETE FROM parts WHERE file_id `+one, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// DeleteFile moves any state to deleted, with a delete-intent due by what the file was. What was read out of the file goes at
// once. Of a file with versions only this one goes; when it was the latest, the one before is the latest again.
func (s *Store) DeleteFile(ctx context.Context, user caseload.User, id caseload.FileID, due caseload.EraseAt) (err error) {
	defer explain("delete a file", &err)
	return s.write(ctx, func(t *tx) error {
		if _, err := s.fileOf(ctx, t, user, id); err != nil {
			return err
		}
		_, err := t.deleteFile(ctx, id, givenUp{reason: "the file was deleted", due: due, actor: string(user.ID)}, nil, nil)
		return err
	})
}

// deleteFile moves a file to deleted, unless unless objects to the row as it stands under its lock. more goes into the event.
func (t *tx) deleteFile(ctx context.Context, id caseload.FileID, how givenUp, more detail, unless func(f caseload.File) error) (caseload.File, error) {
	f, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
		if f.State == caseload.Deleted { // between a look before and the lock
			return nil, gone("file")
		}
		if unless != nil {
			if err := unless(*f); err != nil {
				return nil, err
			}
		}
		from := f.State
		if err := t.insertIntents(ctx, []caseload.File{*f}, how); err != nil {
			return nil, err
		}
		f.State = caseload.Deleted
		if _, err := t.ExecContext(ctx, `DELETE FROM parts WHERE file_id = $1`, string(id)); err != nil {
			return nil, err
		}
		return moved(how.actor, caseload.FileDeleted, from, more), t.forgetInstances(ctx, f)
	})
	if err != nil {
		return f, err
	}
	return f, t.sortFamily(ctx, f, how.actor)
}

// RecordQuarantine writes a FileQuarantined event and a warning on the file: the object is not the one verified.
func (s *Store) RecordQuarantine(ctx context.Context, id caseload.FileID, reason string) (err error) {
	defer explain("record a quarantine", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			f.Warnings = append(f.Warnings, reason)
			e := newEvent("", caseload.FileQuarantined, "", "", detail{"state": f.State, "reason": text(reason)})
			return &e, nil
		})
		return err
	})
}
