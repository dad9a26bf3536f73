package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// queueWithin is how long the queue has to begin with a stored file before the sweep asks for it once more.
const queueWithin = 40 * time.Second

// changeFile is the one way a file changes together with its audit event: it locks the case and the file, lets decide
// change the file, writes it by compare-and-set and records what decide returns. A nil event means that nothing is to
// change. The file as it stands is returned in every case but NotFound.
func (t *tx) changeFile(ctx context.Context, id caseload.FileID, decide func(f *caseload.File) (*caseload.Event, error)) (caseload.File, error) {
	var c caseload.CaseID // a file never changes its case
	if err := t.QueryRowContext(ctx, `SELECT case_id FROM files WHERE id = $1`, string(id)).Scan(&c); err != nil {
		return caseload.File{}, noRow(err, "file")
	}
	if err := t.QueryRowContext(ctx, t.locked(`SELECT id FROM cases WHERE id = $1`), string(c)).Scan(&c); err != nil {
		return caseload.File{}, err
	}
	before, err := scanFile(t.QueryRowContext(ctx, t.locked(`SELECT `+fileColumns+` FROM files f WHERE f.id = $1`), string(id)).Scan)
	if err != nil {
		return caseload.File{}, err
	}
	after := before
	event, err := decide(&after)
	if err != nil || event == nil {
		return before, err
	}
	after.ChangedAt = fromMS(toMS(t.now))
	if err := t.saveFile(ctx, before, after); err != nil {
		return before, err
	}
	if err := t.touchCase(ctx, c); err != nil {
		return before, err
	}
	event.Case, event.File = after.Case, after.ID
	return after, t.record(ctx, after.Organization, *event)
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
		attempt = $24, tries = $25, owner = $26, reading_until = $27, changed_at = $28, stored_at = $29, metadata_at = $30, ready_at = $31
		WHERE id = $1 AND state = $2 AND attempt = $3`,
		string(before.ID), string(before.State), before.Attempt,
		string(after.State), text(after.Reason), after.UploadID, after.SentBytes, toMS(after.Deadline),
		after.CRC64NVME, after.ETag, after.VersionID, after.SHA256, string(after.Kind), toJSON(after.Warnings),
		flag(len(after.Warnings) > 0), string(contents), after.Contents.Meshes, after.Contents.Photos, after.Contents.Documents,
		after.Contents.Others, after.EntriesDone, after.EntriesTotal, after.BytesRead, after.Attempt, after.Tries, after.Owner,
		toMS(after.ReadingUntil), toMS(t.now), toMS(after.StoredAt), toMS(after.MetadataAt), toMS(after.ReadyAt))
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

// MarkStored moves sending to stored with what the store was seen to hold and enqueues the reading, all in one
// transaction. won is false when the file was stored already. Conflict when it is planned, abandoned or deleted, or
// when what was seen is not what was planned.
func (s *Store) MarkStored(ctx context.Context, id caseload.FileID, actor string, seen caseload.Object) (f caseload.File, won bool, err error) {
	defer explain("mark a file stored", &err)
	err = s.write(ctx, func(t *tx) error {
		f, err = t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if f.State.Acknowledged() {
				return nil, nil
			}
			if f.State != caseload.Sending {
				return nil, cannotMove(f.State, caseload.Stored)
			}
			if seen.Key != f.Object || seen.Size != f.Size || seen.CRC64NVME == "" || seen.ETag == "" && seen.VersionID == "" {
				return nil, conflict("The store does not hold the file as it was planned.").WithCause(
					fmt.Errorf("seen %d bytes, planned %d; checksum %q, etag %q", seen.Size, f.Size, seen.CRC64NVME, seen.ETag))
			}
			won = true
			from := f.State
			f.State, f.StoredAt, f.Deadline, f.SentBytes = caseload.Stored, t.now, t.now.Add(queueWithin), f.Size
			f.CRC64NVME, f.ETag, f.VersionID = seen.CRC64NVME, seen.ETag, seen.VersionID
			return moved(actor, caseload.FileStored, from, detail{
				"size": seen.Size, "crc64nvme": seen.CRC64NVME, "etag": seen.ETag, "version": seen.VersionID,
			}), nil
		})
		if err != nil || !won {
			return err
		}
		return t.ask(ctx, id)
	})
	return f, won && err == nil, err
}

// MarkAbandoned moves planned or sending to abandoned and writes a delete-intent due at eraseAt. won is false when it was
// abandoned already. Conflict when it is stored or beyond, or deleted.
func (s *Store) MarkAbandoned(ctx context.Context, id caseload.FileID, actor, reason string, eraseAt time.Time) (f caseload.File, won bool, err error) {
	defer explain("abandon a file", &err)
	err = s.write(ctx, func(t *tx) error {
		f, err = t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if f.State == caseload.Abandoned {
				return nil, nil
			}
			if !caseload.CanMove(f.State, caseload.Abandoned) {
				return nil, cannotMove(f.State, caseload.Abandoned)
			}
			won = true
			from := f.State
			f.State, f.Reason = caseload.Abandoned, reason
			return moved(actor, caseload.FileAbandoned, from, nil), t.insertIntents(ctx, []caseload.File{*f}, "the upload was abandoned", caseload.EraseAt{Partial: eraseAt})
		})
		if err != nil || !won {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM parts WHERE file_id = $1`, string(id))
		return err
	})
	return f, won && err == nil, err
}

// DeleteFile moves any state to deleted, with a delete-intent due by what the file was. What was read out of the file goes at once.
func (s *Store) DeleteFile(ctx context.Context, user caseload.User, id caseload.FileID, due caseload.EraseAt) (err error) {
	defer explain("delete a file", &err)
	return s.write(ctx, func(t *tx) error {
		if _, err := s.fileOf(ctx, t, user, id); err != nil {
			return err
		}
		_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if f.State == caseload.Deleted { // between the look above and the lock
				return nil, gone("file")
			}
			from := f.State
			if err := t.insertIntents(ctx, []caseload.File{*f}, "the file was deleted", due); err != nil {
				return nil, err
			}
			f.State = caseload.Deleted
			if _, err := t.ExecContext(ctx, `DELETE FROM parts WHERE file_id = $1`, string(id)); err != nil {
				return nil, err
			}
			return moved(string(user.ID), caseload.FileDeleted, from, nil), t.forgetInstances(ctx, f.Case, id)
		})
		return err
	})
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
