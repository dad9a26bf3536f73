package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// What fsck reads goes across organizations: it is an administrator's tool on the server itself, behind no door.

// FilesByObject returns at most limit files in any state whose object's key is after the given one, in the byte order of
// the keys.
func (s *Store) FilesByObject(ctx context.Context, after caseload.ObjectKey, limit int) (files []caseload.File, err error) {
	defer explain("read files by object", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.object > $1 ORDER BY f.object LIMIT $2`, string(after), limit)
	return collect(rows, err, scanFile)
}

// KeptFiles returns at most limit acknowledged files whose id is after the given one, in order.
func (s *Store) KeptFiles(ctx context.Context, after caseload.FileID, limit int) (files []caseload.File, err error) {
	defer explain("read acknowledged files", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.id > $1
		AND f.state IN ('stored', 'reading', 'ready', 'rejected') ORDER BY f.id LIMIT $2`, string(after), limit)
	return collect(rows, err, scanFile)
}

// FileOfObject returns the file in any state whose object, or posted form, has the key. NotFound when there is none.
func (s *Store) FileOfObject(ctx context.Context, key caseload.ObjectKey) (f caseload.File, err error) {
	defer explain("find an object's file", &err)
	f, err = scanFile(s.reader.QueryRowContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.object = $1 OR f.id = $1 AND f.loose = 1`, string(key)).Scan)
	return f, noRow(err, "file")
}

// ErasureIsDue tells whether an open delete-intent of the file names the key.
func (s *Store) ErasureIsDue(ctx context.Context, file caseload.FileID, key caseload.ObjectKey) (due bool, err error) {
	defer explain("look for a delete-intent", &err)
	return erasureIsDue(ctx, s.reader, file, key)
}

func erasureIsDue(ctx context.Context, q querier, file caseload.FileID, key caseload.ObjectKey) (due bool, err error) {
	var n int
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM intents WHERE file_id = $1 AND object = $2 AND state = 'open'`, string(file), string(key)).Scan(&n)
	return n > 0, err
}

// CaseNumber returns the number of a case of any organization, also of a deleted one. NotFound when there is none.
func (s *Store) CaseNumber(ctx context.Context, id caseload.CaseID) (number string, err error) {
	defer explain("read a case's number", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT number FROM cases WHERE id = $1`, string(id)).Scan(&number)
	return number, noRow(err, "case")
}

// oddAfter is how long something may be overdue before it is odd: a server may have been switched off over night.
const oddAfter = 24 * time.Hour

// Each query answers organization, case, file and the row's own id. $1 is the moment before which what is due is odd.
var oddityQueries = map[caseload.OddityKind]string{
	caseload.UploadOverdue: `SELECT organization_id, case_id, id, id FROM files WHERE state IN ('planned', 'sending') AND deadline < $1 ORDER BY id`,
	caseload.ReadingOverdue: `SELECT organization_id, case_id, id, id FROM files
		WHERE state IN ('stored', 'reading') AND deadline < $1 AND reading_until < $1 ORDER BY id`,
	caseload.IntentOverdue: `SELECT i.organization_id, f.case_id, f.id, i.id FROM intents i JOIN files f ON f.id = i.file_id
		WHERE i.state = 'open' AND i.due_at < $1 AND (i.kept = 0 OR i.released_at > 0) ORDER BY i.id`,
	caseload.IntentOfLive: `SELECT i.organization_id, f.case_id, f.id, i.id FROM intents i JOIN files f ON f.object = i.object
		WHERE i.state = 'open' AND i.upload_id = '' AND f.state IN ('stored', 'reading', 'ready', 'rejected') AND CAST($1 AS BIGINT) > 0 ORDER BY i.id`,
	caseload.FileOfDeletedCase: `SELECT f.organization_id, f.case_id, f.id, f.id FROM files f JOIN cases c ON c.id = f.case_id
		WHERE c.deleted_at > 0 AND f.state <> 'deleted' AND CAST($1 AS BIGINT) > 0 ORDER BY f.id`,
	caseload.VersionsOutOfRow: `SELECT v.organization_id, v.case_id, max(v.id), max(v.id) FROM files v
		WHERE v.family <> '' AND v.state IN ('stored', 'reading', 'ready', 'rejected') AND CAST($1 AS BIGINT) > 0
		GROUP BY v.organization_id, v.case_id, v.family
		HAVING sum(1 - v.superseded) <> 1 OR max(CASE WHEN v.superseded = 0 THEN v.stored_at ELSE 0 END) < max(v.stored_at) ORDER BY 3`,
	caseload.VersionOfNothing: `SELECT f.organization_id, f.case_id, f.id, f.id FROM files f
		WHERE f.family <> '' AND f.state <> 'deleted' AND CAST($1 AS BIGINT) > 0 AND NOT EXISTS (SELECT 1 FROM files o WHERE o.id = f.family) ORDER BY f.id`,
	caseload.ImagesOfNothing: `SELECT f.organization_id, f.case_id, f.id, f.id FROM files f
		WHERE f.state = 'deleted' AND CAST($1 AS BIGINT) > 0 AND EXISTS (SELECT 1 FROM instances i WHERE i.file_id = f.id) ORDER BY f.id`,
	caseload.PreviewOfNothing: `SELECT p.organization_id, p.case_id, p.file_id, p.id FROM previews p WHERE CAST($1 AS BIGINT) > 0 AND (
		(p.series_id <> '' AND NOT EXISTS (SELECT 1 FROM series s WHERE s.id = p.series_id)) OR
		(p.file_id <> '' AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = p.file_id AND f.state <> 'deleted'))) ORDER BY p.id`,
	caseload.PreviewIncomplete: `SELECT p.organization_id, p.case_id, p.file_id, p.id FROM previews p
		WHERE p.state = 'made' AND CAST($1 AS BIGINT) > 0 AND NOT EXISTS (SELECT 1 FROM preview_pictures x WHERE x.preview_id = p.id) ORDER BY p.id`,
}

// Oddities visits what is odd at that moment, kind after kind. visit may call MendOddity.
func (s *Store) Oddities(ctx context.Context, now time.Time, visit func(caseload.Oddity) error) (err error) {
	defer explain("look for oddities", &err)
	for _, kind := range caseload.OddityKinds() {
		if kind == caseload.PreviewDamaged {
			err = s.damagedPictures(ctx, visit)
		} else {
			err = s.odd(ctx, kind, now, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) odd(ctx context.Context, kind caseload.OddityKind, now time.Time, visit func(caseload.Oddity) error) error {
	rows, err := s.reader.QueryContext(ctx, oddityQueries[kind], toMS(now.Add(-oddAfter)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		o := caseload.Oddity{Kind: kind}
		if err := rows.Scan(&o.Organization, &o.Case, &o.File, &o.ID); err != nil {
			return err
		}
		if err := visit(o); err != nil {
			return err
		}
	}
	return rows.Err()
}

// damagedPictures visits the previews of which a picture's bytes do not have its checksum.
func (s *Store) damagedPictures(ctx context.Context, visit func(caseload.Oddity) error) error {
	rows, err := s.reader.QueryContext(ctx, `SELECT p.organization_id, p.case_id, p.file_id, p.id, x.sha256, x.bytes
		FROM previews p JOIN preview_pictures x ON x.preview_id = p.id ORDER BY p.id, x.view`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last string // several pictures of one preview are one oddity
	for rows.Next() {
		o := caseload.Oddity{Kind: caseload.PreviewDamaged}
		var want string
		var b []byte
		if err := rows.Scan(&o.Organization, &o.Case, &o.File, &o.ID, &want, &b); err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		if hex.EncodeToString(sum[:]) == want || o.ID == last {
			continue
		}
		last = o.ID
		if err := visit(o); err != nil {
			return err
		}
	}
	return rows.Err()
}

// EraseLeftover writes a delete-intent for an object, or a posted form, that a dead file left in the store, due then, and
// the event. Conflict when the file is alive or the intent exists already, NotFound when there is no such file.
func (s *Store) EraseLeftover(ctx context.Context, id caseload.FileID, key caseload.ObjectKey, due time.Time) (err error) {
	defer explain("have a leftover erased", &err)
	return s.write(ctx, func(t *tx) error {
		rows, err := t.lockFiles(ctx, []caseload.FileID{id})
		if err != nil {
			return err
		}
		f, found := rows[id]
		switch {
		case !found || key != f.Object && key != f.FormKey():
			return notFound("file")
		case f.State.Arriving(), f.State.Acknowledged() && key == f.Object:
			return conflict("The file is alive.")
		}
		if due, err := erasureIsDue(ctx, t, id, key); err != nil || due {
			return errors.Join(err, conflict("It is going to be erased already."))
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO intents
			(id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
			VALUES ($1, $2, $3, $4, '', '', $5, 'open', $6, $7)`,
			string(caseload.NewID[caseload.IntentID](t.now)), string(f.Organization), string(f.ID), string(key), "a leftover that fsck found", toMS(due), toMS(t.now)); err != nil {
			return err
		}
		return t.record(ctx, f.Organization, newEvent("", caseload.ObjectLeftover, f.Case, f.ID, detail{"state": f.State, "due": toMS(due)}))
	})
}

// Repin makes an acknowledged file's row name the object as it was seen now, with the event. Conflict unless the file is
// acknowledged and size, and the checksum where the store knows one, are its own; whoever calls has read the bytes.
func (s *Store) Repin(ctx context.Context, id caseload.FileID, seen caseload.Object) (err error) {
	defer explain("name a copied object", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.changeFile(ctx, id, func(f *caseload.File) (*caseload.Event, error) {
			if !f.State.Acknowledged() || f.Object != seen.Key || f.Size != seen.Size || seen.CRC64NVME != "" && seen.CRC64NVME != f.CRC64NVME {
				return nil, conflict("It is not the file's object.")
			}
			e := newEvent("", caseload.FileRepinned, "", "", detail{"etag": seen.ETag, "version": seen.VersionID, "was": f.ETag})
			f.ETag, f.VersionID = seen.ETag, seen.VersionID
			return &e, nil
		})
		return err
	})
}

// MendOddity puts in order what an oddity can be, with the event. mended is false when a program has nothing to do.
func (s *Store) MendOddity(ctx context.Context, o caseload.Oddity) (mended bool, err error) {
	defer explain("mend an oddity", &err)
	err = s.write(ctx, func(t *tx) error {
		// The case's lock goes first, as everywhere; whoever looks at the case is told.
		if _, err := t.ExecContext(ctx, `UPDATE cases SET revision = revision + 1 WHERE id = $1`, string(o.Case)); err != nil {
			return err
		}
		var n int64
		var err error
		switch o.Kind {
		case caseload.IntentOfLive:
			n, err = t.exec(ctx, `UPDATE intents SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state = 'open'`, o.ID, toMS(t.now))
		case caseload.PreviewOfNothing:
			n, err = t.exec(ctx, `DELETE FROM previews WHERE id = $1`, o.ID)
		case caseload.PreviewIncomplete, caseload.PreviewDamaged:
			n, err = t.exec(ctx, `UPDATE previews SET revision = revision + 1, tries = 0, due_at = $2 WHERE id = $1`, o.ID, toMS(t.now))
		case caseload.VersionsOutOfRow:
			var rows map[caseload.FileID]caseload.File
			if rows, err = t.lockFiles(ctx, []caseload.FileID{o.File}); err == nil && rows[o.File].ID != "" {
				n, err = 1, t.sortFamily(ctx, rows[o.File], "")
			}
		}
		if err != nil || n == 0 {
			return err
		}
		mended = true
		return t.record(ctx, o.Organization, newEvent("", caseload.OddityMended, o.Case, o.File, detail{"kind": o.Kind, "row": o.ID}))
	})
	return mended && err == nil, err
}
