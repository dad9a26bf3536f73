package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

const fileColumns = `f.id, f.organization_id, f.case_id, f.drop_id, f.family, f.superseded, f.name, f.path, f.size, f.content_type, f.modified_at, f.fingerprint,
	f.state, f.reason, f.route, f.object, f.upload_id, f.part_size, f.sent_bytes, f.deadline, f.loose, f.size_open, f.cancelled_at, f.resumed,
	f.crc64nvme, f.etag, f.version_id, f.sha256, f.kind, f.warnings, f.contents, f.entries_done, f.entries_total, f.bytes_read,
	f.attempt, f.tries, f.reader, f.owner, f.reading_until, f.created_by, f.created_at, f.changed_at, f.stored_at, f.metadata_at, f.ready_at`

func scanFile(scan func(...any) error) (f caseload.File, err error) {
	var loose, open, cancelled, resumed int64
	var modified, deadline, reading, created, changed, stored, metadata, ready int64
	var warnings, contents string
	err = scan(&f.ID, &f.Organization, &f.Case, &f.Drop, &f.Family, &f.Superseded, &f.Name, &f.Path, &f.Size, &f.ContentType, &modified, &f.Fingerprint,
		&f.State, &f.Reason, &f.Route, &f.Object, &f.UploadID, &f.PartSize, &f.SentBytes, &deadline, &loose, &open, &cancelled, &resumed,
		&f.CRC64NVME, &f.ETag, &f.VersionID, &f.SHA256, &f.Kind, &warnings, &contents, &f.EntriesDone, &f.EntriesTotal, &f.BytesRead,
		&f.Attempt, &f.Tries, &f.Reader, &f.Owner, &reading, &f.CreatedBy, &created, &changed, &stored, &metadata, &ready)
	if err != nil {
		return f, err
	}
	f.Loose, f.SizeOpen, f.CancelledAt, f.Resumed = loose == 1, open == 1, fromMS(cancelled), resumed == 1
	f.ModifiedAt, f.Deadline, f.ReadingUntil = fromMS(modified), fromMS(deadline), fromMS(reading)
	f.CreatedAt, f.ChangedAt, f.StoredAt, f.MetadataAt, f.ReadyAt = fromMS(created), fromMS(changed), fromMS(stored), fromMS(metadata), fromMS(ready)
	if contents != "{}" { // as of every file that has not been read
		if err := json.Unmarshal([]byte(contents), &f.Contents); err != nil {
			return f, err
		}
	}
	f.Warnings, err = fromJSON(warnings)
	return f, err
}

// toJSON and fromJSON keep a list of texts in one column; nil for an empty one.
func toJSON(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	encoded, err := json.Marshal(texts(list))
	if err != nil {
		panic("store: a list of texts cannot be encoded: " + err.Error()) // it always can
	}
	return string(encoded)
}

func fromJSON(column string) (list []string, err error) {
	if column == "[]" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(column), &list)
	return list, err
}

// fileOf reads a file of the user's organization: NotFound when it is not there, Gone (with the file) when deleted.
func (s *Store) fileOf(ctx context.Context, q querier, user caseload.User, id caseload.FileID) (caseload.File, error) {
	f, err := scanFile(q.QueryRowContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.id = $1 AND f.organization_id = $2`,
		string(id), string(user.Organization)).Scan)
	if err == nil && f.State == caseload.Deleted {
		err = gone("file")
	}
	return f, noRow(err, "file")
}

// File returns one file of the user's organization.
func (s *Store) File(ctx context.Context, user caseload.User, id caseload.FileID) (f caseload.File, err error) {
	defer explain("read a file", &err)
	if f, err = s.fileOf(ctx, s.reader, user, id); err != nil {
		return caseload.File{}, err
	}
	return f, nil
}

// FileIn returns one file of one case of the user's organization. NotFound or Gone like File.
func (s *Store) FileIn(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) (f caseload.File, err error) {
	defer explain("read a case's file", &err)
	f, err = scanFile(s.reader.QueryRowContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.id = $1 AND f.organization_id = $2 AND f.case_id = $3`,
		string(id), string(user.Organization), string(c)).Scan)
	if err == nil && f.State == caseload.Deleted {
		err = gone("file")
	}
	if err != nil {
		return caseload.File{}, noRow(err, "file")
	}
	return f, nil
}

// ArrivingIn returns those of the files that are planned or sending in that case of the user's organization, in no order.
// NotFound or Gone for the case.
func (s *Store) ArrivingIn(ctx context.Context, user caseload.User, c caseload.CaseID, ids []caseload.FileID) (arriving []caseload.FileID, err error) {
	defer explain("look for arriving files", &err)
	if _, err := s.caseOf(ctx, s.reader, user, c); err != nil {
		return nil, err
	}
	one, args := among(s, ids, 2)
	rows, err := s.reader.QueryContext(ctx, `SELECT f.id FROM files f WHERE f.case_id = $1 AND f.organization_id = $2
		AND f.state IN ('planned', 'sending') AND f.id `+one, append([]any{string(c), string(user.Organization)}, args...)...)
	return collect(rows, err, func(scan func(...any) error) (id caseload.FileID, err error) { return id, scan(&id) })
}

// CaseFiles returns the files of a case of the user's organization, deleted ones and older versions left out: the oldest first, those of
// one moment by path and name.
func (s *Store) CaseFiles(ctx context.Context, user caseload.User, id caseload.CaseID) (files []caseload.File, err error) {
	defer explain("list a case's files", &err)
	if _, err := s.caseOf(ctx, s.reader, user, id); err != nil {
		return nil, err
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f
		WHERE f.case_id = $1 AND f.organization_id = $2 AND f.state <> 'deleted' AND f.superseded = 0`, string(id), string(user.Organization))
	if files, err = collect(rows, err, scanFile); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b caseload.File) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), byPlace(a, b)) })
	return files, nil
}

// byPlace orders files by folder and name.
func byPlace(a, b caseload.File) int {
	return cmp.Or(caseload.CompareNames(a.Path, b.Path), caseload.CompareNames(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
}

// CaseUnfinished returns the files of a case of the user's organization whose bytes are still expected, the oldest first;
// loose ones are left out, nobody but their own client can go on with them.
func (s *Store) CaseUnfinished(ctx context.Context, user caseload.User, id caseload.CaseID) (files []caseload.File, err error) {
	defer explain("list a case's unfinished files", &err)
	if _, err := s.caseOf(ctx, s.reader, user, id); err != nil {
		return nil, err
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f
		WHERE f.organization_id = $1 AND f.case_id = $2 AND f.state IN ('planned', 'sending') AND f.loose = 0 ORDER BY f.id`, string(user.Organization), string(id))
	return collect(rows, err, scanFile)
}

// DropFiles returns the files of a drop of the user's organization by folder and name, and apart from them those that were
// deleted, the first deleted first; of these ChangedAt tells when. NotFound when there is no such drop, Gone when all of it
// was deleted.
func (s *Store) DropFiles(ctx context.Context, user caseload.User, drop caseload.DropID) (files, deleted []caseload.File, err error) {
	defer explain("list a drop's files", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f
		WHERE f.drop_id = $1 AND f.drop_id <> '' AND f.organization_id = $2 ORDER BY f.id`, string(drop), string(user.Organization))
	all, err := collect(rows, err, scanFile)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 {
		return nil, nil, notFound("drop")
	}
	for _, f := range all {
		switch {
		case f.Case != all[0].Case:
		case f.State == caseload.Deleted:
			deleted = append(deleted, f)
		default:
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, nil, gone("drop")
	}
	slices.SortFunc(files, byPlace)
	slices.SortStableFunc(deleted, func(a, b caseload.File) int { return a.ChangedAt.Compare(b.ChangedAt) })
	return files, deleted, nil
}

// MaxReceived is how many files CaseReceived returns at most.
const MaxReceived = 20_000

// CaseReceived returns the acknowledged files of a case of the user's organization that have one of the sizes (bytes),
// with ID, Name, Path, Size and CRC64NVME only. more tells that there are others beyond MaxReceived.
func (s *Store) CaseReceived(ctx context.Context, user caseload.User, id caseload.CaseID, sizes []int64) (files []caseload.File, more bool, err error) {
	defer explain("look for received files", &err)
	if _, err := s.caseOf(ctx, s.reader, user, id); err != nil || len(sizes) == 0 {
		return nil, false, err
	}
	args := []any{string(id), string(user.Organization)}
	for _, size := range sizes {
		args = append(args, size)
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT id, name, path, size, crc64nvme FROM files
		WHERE case_id = `+s.list(1, 0)+` AND organization_id = `+s.list(1, 1)+` AND state IN ('stored', 'reading', 'ready', 'rejected')
		AND size IN (`+s.list(len(sizes), 2)+`) LIMIT `+strconv.Itoa(MaxReceived+1), args...)
	files, err = collect(rows, err, func(scan func(...any) error) (f caseload.File, err error) {
		return f, scan(&f.ID, &f.Name, &f.Path, &f.Size, &f.CRC64NVME)
	})
	if len(files) > MaxReceived {
		return files[:MaxReceived], true, err
	}
	return files, false, err
}

// RecordLink writes the FileLinked event: a download link was given out.
func (s *Store) RecordLink(ctx context.Context, user caseload.User, id caseload.FileID) (err error) {
	defer explain("record a link", &err)
	return s.write(ctx, func(t *tx) error {
		f, err := s.fileOf(ctx, t, user, id)
		if err != nil {
			return err
		}
		return t.record(ctx, f.Organization, newEvent(string(user.ID), caseload.FileLinked, f.Case, f.ID, nil))
	})
}
