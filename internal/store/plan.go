package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// PlanFiles settles each file of one batch, in order, in one transaction under the case's lock: of two that propose the
// same file at once the second finds the first one's row. A file whose upload is unfinished gets that row, which counts
// as a sign of life and is written down unless the row can stay as it is (Proposal.KnownAlive); one that was received is told
// so; any other is inserted (state planned, made by the user, in the drop). Each needs an ID, an Object and a Deadline. A row is given to one file of the batch only. When drop is "" it is
// that of the first unfinished file found, else a new one; it is returned. The events are FilesPlanned and FilesResumed.
// New files that the organization's quota has no room for carry TooLarge with CodeQuota, all of them, and no row is made.
// NotFound or Gone when the case is not there or deleted, Invalid when the drop is another case's.
func (s *Store) PlanFiles(ctx context.Context, user caseload.User, c caseload.CaseID, drop caseload.DropID, files []caseload.Proposal) (
	placed []caseload.Placed, in caseload.DropID, err error,
) {
	defer explain("plan files", &err)
	err = s.write(ctx, func(t *tx) error {
		live, err := t.lockCase(ctx, user, c)
		if err != nil {
			return err
		}
		if err := t.refuseForeignDrop(ctx, live, drop); err != nil {
			return err
		}
		if placed, err = t.findProposed(ctx, live, files); err != nil {
			return err
		}
		if err := t.refuseOverQuota(ctx, live.Organization, placed); err != nil {
			return err
		}
		if in = dropOf(drop, placed); in == "" {
			in = caseload.NewID[caseload.DropID](t.now)
		}
		if err := t.settle(ctx, user, live, in, files, placed); err != nil || live.FinishedAt.IsZero() {
			return err
		}
		return t.setFinished(ctx, live, string(user.ID), false) // files that still come are work
	})
	if err != nil {
		return nil, "", err
	}
	return placed, in, nil
}

// refuseForeignDrop answers Invalid when the organization uses the drop in another case.
func (t *tx) refuseForeignDrop(ctx context.Context, c caseload.Case, drop caseload.DropID) error {
	if drop == "" {
		return nil
	}
	var elsewhere int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM files
		WHERE drop_id = $1 AND drop_id <> '' AND organization_id = $2 AND case_id <> $3 LIMIT 1) AS other`,
		string(drop), string(c.Organization), string(c.ID)).Scan(&elsewhere)
	if err == nil && elsewhere > 0 {
		err = caseload.Errorf(caseload.Invalid, "This drop belongs to another case.").WithField("drop")
	}
	return err
}

// dropOf returns the drop a batch belongs to: as asked, or that of the first upload that goes on; "" for a new one.
func dropOf(asked caseload.DropID, placed []caseload.Placed) caseload.DropID {
	for _, p := range placed {
		if asked == "" && p.Match == caseload.MatchUnfinished {
			asked = p.Drop
		}
	}
	return asked
}

// findProposed looks for the files among those of the case. What is not found stands as proposed.
func (t *tx) findProposed(ctx context.Context, c caseload.Case, files []caseload.Proposal) ([]caseload.Placed, error) {
	placed := make([]caseload.Placed, len(files))
	var checksums, fingerprints []string
	for i, p := range files {
		p.Organization, p.Case, p.State = c.Organization, c.ID, caseload.Planned
		p.Name, p.Path, p.Fingerprint = text(p.Name), text(p.Path), text(p.Fingerprint)
		placed[i].File = p.File
		if p.Checksum != "" && !p.Again {
			checksums = append(checksums, p.Checksum)
		}
		if p.Fingerprint != "" {
			fingerprints = append(fingerprints, p.Fingerprint)
		}
	}
	received, err := t.filesBy(ctx, c, `crc64nvme`, `state IN ('stored', 'reading', 'ready', 'rejected')`, checksums)
	if err != nil {
		return nil, err
	}
	unfinished, err := t.filesBy(ctx, c, `fingerprint`, `state IN ('planned', 'sending') AND fingerprint <> ''`, fingerprints)
	if err != nil {
		return nil, err
	}
	// Of several files with the same bytes each is first looked for under its own name.
	for _, sameName := range []bool{true, false} {
		for i, p := range files {
			if p.Checksum == "" || p.Again || placed[i].Match != caseload.MatchNone {
				continue
			}
			want := placed[i].File
			if row, ok := take(received, p.Checksum, func(row caseload.File) bool {
				return row.Size == want.Size && (!sameName || row.Name == want.Name && row.Path == want.Path) && isVersion(want, row)
			}); ok {
				placed[i] = caseload.Placed{File: row, Match: caseload.MatchReceived}
			}
		}
	}
	for i := range placed {
		if placed[i].Match != caseload.MatchNone {
			continue
		}
		if row, ok := take(unfinished, placed[i].Fingerprint, func(row caseload.File) bool {
			return placed[i].Resumes(row) && (placed[i].Family == "" || placed[i].Family == row.Family)
		}); ok {
			if !files[i].KnownAlive(row) {
				row.Deadline = placed[i].Deadline
			}
			placed[i] = caseload.Placed{File: row, Match: caseload.MatchUnfinished}
		}
	}
	return placed, nil
}

// isVersion tells whether row may stand for the file wanted: any may, unless a certain file is to be replaced. Then it is
// the latest version of that file only: sending an older version anew takes the file back to it.
func isVersion(want, row caseload.File) bool {
	return want.Family == "" || want.Family == row.FamilyID() && !row.Superseded
}

// filesBy returns the case's files in one of the states whose column has one of the values, by that value, the oldest
// first.
func (t *tx) filesBy(ctx context.Context, c caseload.Case, column, states string, of []string) (map[string][]*caseload.File, error) {
	found := map[string][]*caseload.File{}
	if len(of) == 0 {
		return found, nil
	}
	one, args := among(t.store, of, 2)
	args = append([]any{string(c.ID), string(c.Organization)}, args...)
	rows, err := t.QueryContext(ctx, `SELECT `+column+`, `+fileColumns+` FROM files f
		WHERE case_id = `+t.store.list(1, 0)+` AND organization_id = `+t.store.list(1, 1)+` AND `+states+`
		AND `+column+` `+one+` ORDER BY f.id`, args...)
	_, err = collect(rows, err, func(scan func(...any) error) (f *caseload.File, err error) {
		var value string
		row, err := scanFile(func(columns ...any) error { return scan(append([]any{&value}, columns...)...) })
		found[value] = append(found[value], &row)
		return &row, err
	})
	return found, err
}

// take removes and returns the first of the files under the key that fits.
func take(files map[string][]*caseload.File, key string, fits func(caseload.File) bool) (caseload.File, bool) {
	i := slices.IndexFunc(files[key], func(f *caseload.File) bool { return fits(*f) })
	if i < 0 {
		return caseload.File{}, false
	}
	f := files[key][i]
	files[key] = slices.Delete(files[key], i, i+1)
	return *f, true
}

// settle writes what has been found and what has not, with the events.
func (t *tx) settle(ctx context.Context, user caseload.User, c caseload.Case, drop caseload.DropID, files []caseload.Proposal, placed []caseload.Placed) error {
	var planned, resumed, alive []*caseload.File
	for i := range placed {
		f := &placed[i].File
		switch match := placed[i].Match; {
		case placed[i].Err != nil:
		case match == caseload.MatchNone:
			f.Drop, f.CreatedBy, f.ChangedAt = drop, user.ID, t.now
			if f.CreatedAt.IsZero() {
				f.CreatedAt = t.now
			}
			planned = append(planned, f)
		case match == caseload.MatchUnfinished:
			resumed = append(resumed, f)
			if !files[i].KnownAlive(*f) {
				f.ChangedAt, f.Resumed = t.now, f.Parts() > 1
				alive = append(alive, f)
			}
		}
	}
	if len(planned)+len(resumed) == 0 {
		return nil
	}
	if err := t.insertPlanned(ctx, planned); err != nil {
		return err
	}
	if err := t.takeUp(ctx, alive); err != nil {
		return err
	}
	if err := t.touchCase(ctx, c.ID); err != nil {
		return err
	}
	var events []caseload.Event
	if len(planned) > 0 {
		events = append(events, batchEvent(user, caseload.FilesPlanned, c.ID, drop, planned))
	}
	if len(resumed) > 0 {
		events = append(events, batchEvent(user, caseload.FilesResumed, c.ID, drop, resumed))
	}
	return t.record(ctx, c.Organization, events...)
}

func (t *tx) insertPlanned(ctx context.Context, files []*caseload.File) error {
	err := t.insertRows(ctx, `INSERT INTO files (id, organization_id, case_id, drop_id, name, path, size, content_type, modified_at,
		fingerprint, state, route, object, upload_id, part_size, deadline, loose, size_open, created_by, created_at, changed_at, family)`, "", len(files), 22,
		func(i int) []any {
			f := files[i]
			return []any{
				string(f.ID), string(f.Organization), string(f.Case), string(f.Drop), f.Name, f.Path, f.Size,
				text(f.ContentType), toMS(f.ModifiedAt), f.Fingerprint, string(caseload.Planned), string(f.Route),
				string(f.Object), f.UploadID, f.PartSize, toMS(f.Deadline), flag(f.Loose), flag(f.SizeOpen), string(f.CreatedBy), toMS(f.CreatedAt), toMS(f.ChangedAt), string(f.Family),
			}
		})
	if duplicate(err) {
		err = conflict("One of these files is planned already.")
	}
	return err
}

// takeUp keeps the sign of life of uploads that go on, and of those in several parts that they were resumed; the latest of
// their deadlines is good for all.
func (t *tx) takeUp(ctx context.Context, files []*caseload.File) error {
	if len(files) == 0 {
		return nil
	}
	var deadline time.Time
	ids := make([]caseload.FileID, len(files))
	for i, f := range files {
		ids[i] = f.ID
		if f.Deadline.After(deadline) {
			deadline = f.Deadline
		}
	}
	one, args := among(t.store, ids, 2)
	args = append([]any{toMS(deadline), toMS(t.now)}, args...)
	n, err := t.exec(ctx, `UPDATE files SET deadline = `+t.store.list(1, 0)+`, changed_at = `+t.store.list(1, 1)+`,
		resumed = CASE WHEN part_size > 0 AND size > part_size THEN 1 ELSE 0 END
		WHERE id `+one+` AND state IN ('planned', 'sending')`, args...)
	if err == nil && int(n) != len(files) {
		err = conflict("An upload was finished or given up meanwhile.").WithHint("Try again.")
	}
	return err
}

// batchEvent tells of many files at once: how many, how large, and a hash of which.
func batchEvent(user caseload.User, action caseload.Action, c caseload.CaseID, drop caseload.DropID, files []*caseload.File) caseload.Event {
	ids, bytes := sha256.New(), int64(0)
	for _, f := range files {
		ids.Write([]byte(f.ID + "\n")) // a hash never fails to write
		if !f.SizeOpen {
			bytes += f.Size
		}
	}
	e := newEvent(string(user.ID), action, c, "",
		detail{"files": len(files), "bytes": bytes, "drop": string(drop), "ids_sha256": hex.EncodeToString(ids.Sum(nil))})
	if len(files) == 1 {
		e.File = files[0].ID
	}
	return e
}
