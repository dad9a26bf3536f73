package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// When a preview is made after what it shows has changed: soon the first time, since a person is waiting; later while
// the slices of one series still arrive one by one.
const (
	previewSoon  = 500 * time.Millisecond
	previewLater = 2 * time.Second // of what lies in a ZIP: its scans go first
	previewAgain = 10 * time.Second
)

const previewColumns = `id, organization_id, case_id, series_id, file_id, entry, state, reason, facts`

func scanPreview(scan func(...any) error, more ...any) (p caseload.Preview, err error) {
	var facts string
	into := append([]any{&p.ID, &p.Organization, &p.Case, &p.Series, &p.File, &p.Entry, &p.State, &p.Reason, &facts}, more...)
	if err := scan(into...); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(facts), &p.Facts)
}

// orderPreviews asks for the previews of series that changed.
func (t *tx) orderPreviews(ctx context.Context, org caseload.OrganizationID, c caseload.CaseID, series []caseload.SeriesID) error {
	for _, id := range series {
		if err := t.orderPreview(ctx, caseload.Preview{Organization: org, Case: c, Series: id}, previewSoon); err != nil {
			return err
		}
	}
	return nil
}

// orderFilePreviews asks for the preview of a file that is a mesh, a photo or a document, and for those of such files in a ZIP;
// of others there is none. What was made of what a ZIP holds is forgotten when it is found to hold something else.
func (t *tx) orderFilePreviews(ctx context.Context, f *caseload.File, before []caseload.Enclosed) error {
	p := caseload.Preview{Organization: f.Organization, Case: f.Case, File: f.ID}
	if f.Kind.HasPreview() {
		return t.orderPreview(ctx, p, previewSoon)
	}
	if !slices.Equal(before, f.Contents.Enclosed) {
		if _, err := t.ExecContext(ctx, `DELETE FROM previews WHERE file_id = $1 AND entry > 0`, string(f.ID)); err != nil {
			return err
		}
	}
	for i := range f.Contents.Enclosed {
		p.Entry = i + 1
		if err := t.orderPreview(ctx, p, previewLater); err != nil {
			return err
		}
	}
	return nil
}

// orderPreview asks for one preview, the first time after a while.
func (t *tx) orderPreview(ctx context.Context, p caseload.Preview, after time.Duration) error {
	of := `(series_id) WHERE series_id <> ''`
	if p.File != "" {
		of = `(file_id, entry) WHERE file_id <> ''`
	}
	_, err := t.ExecContext(ctx, `INSERT INTO previews (id, organization_id, case_id, series_id, file_id, entry, state, revision, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 1, $7)
		ON CONFLICT `+of+` DO UPDATE SET revision = previews.revision + 1, tries = 0,
			working_until = CASE WHEN previews.owner = '`+byBrowser+`' THEN 0 ELSE previews.working_until END,
			due_at = CASE WHEN previews.due_at > 0 THEN previews.due_at ELSE $8 END`,
		string(caseload.NewID[caseload.PreviewID](t.now)), string(p.Organization), string(p.Case), string(p.Series), string(p.File), p.Entry,
		toMS(t.now.Add(after)), toMS(t.now.Add(previewAgain)))
	return err
}

// seriesOf returns the series that have instances in the file.
func (t *tx) seriesOf(ctx context.Context, file caseload.FileID) ([]caseload.SeriesID, error) {
	rows, err := t.QueryContext(ctx, `SELECT DISTINCT series_id FROM instances WHERE file_id = $1 ORDER BY series_id`, string(file))
	return collect(rows, err, func(scan func(...any) error) (id caseload.SeriesID, err error) { return id, scan(&id) })
}

// forgetFilePreviews removes the previews of a file that is deleted.
func (t *tx) forgetFilePreviews(ctx context.Context, file caseload.FileID) error {
	_, err := t.ExecContext(ctx, `DELETE FROM previews WHERE file_id = $1`, string(file))
	return err
}

// ClaimPreview claims the preview that is longest due for owner until the given moment, with attempt and tries one
// higher, and returns it with all it is made of. ok is false when none is due.
func (s *Store) ClaimPreview(ctx context.Context, owner string, now, until time.Time) (o caseload.PreviewOrder, ok bool, err error) {
	defer explain("claim a preview", &err)
	const due = `SELECT id FROM previews WHERE due_at > 0 AND due_at <= $1 AND working_until <= $1 ORDER BY due_at, id LIMIT 1`
	var id caseload.PreviewID
	err = s.reader.QueryRowContext(ctx, due, toMS(now)).Scan(&id) // most looks find nothing and lock nothing
	if errors.Is(err, sql.ErrNoRows) {
		return o, false, nil
	}
	if err != nil {
		return o, false, err
	}
	err = s.write(ctx, func(t *tx) error {
		err := t.QueryRowContext(ctx, due+s.on(Postgres, ` FOR UPDATE SKIP LOCKED`), toMS(now)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		o.Preview, err = scanPreview(t.QueryRowContext(ctx, `UPDATE previews SET attempt = attempt + 1, tries = tries + 1, owner = $2, working_until = $3
			WHERE id = $1 RETURNING `+previewColumns+`, attempt, tries, revision`, string(id), owner, toMS(until)).Scan, &o.Attempt, &o.Tries, &o.Revision)
		if err != nil {
			return err
		}
		return previewSources(ctx, t, &o)
	})
	if err != nil {
		return caseload.PreviewOrder{}, false, err
	}
	return o, ok, nil
}

// previewSources reads what the preview is made of.
func previewSources(ctx context.Context, t querier, o *caseload.PreviewOrder) error {
	where, about := `f.id = $1`, string(o.File)
	if o.Series != "" {
		var err error
		o.Scan, err = scanSeries(t.QueryRowContext(ctx, `SELECT id, study_id, series_uid, series_number, modality, description, manufacturer, model
			FROM series WHERE id = $1`, string(o.Series)).Scan)
		if err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT `+instanceColumns+` FROM instances WHERE series_id = $1 ORDER BY number, sop_instance_uid, id`, string(o.Series))
		members, err := collect(rows, err, scanMember)
		if err != nil {
			return err
		}
		for _, m := range members {
			o.Members = append(o.Members, m.instance)
		}
		where, about = `f.id IN (SELECT file_id FROM instances WHERE series_id = $1)`, string(o.Series)
	}
	rows, err := t.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE `+where, about)
	files, err := collect(rows, err, scanFile)
	if err != nil {
		return err
	}
	o.Files = make(map[caseload.FileID]caseload.File, len(files))
	for _, f := range files {
		o.Files[f.ID] = f
	}
	o.Offers = map[string][]byte{}
	offers, err := t.QueryContext(ctx, `SELECT view, bytes FROM preview_offers WHERE preview_id = $1`, string(o.ID))
	_, err = collect(offers, err, func(scan func(...any) error) (view string, err error) {
		var b []byte
		err = scan(&view, &b)
		o.Offers[view] = b
		return view, err
	})
	return err
}

var errPreviewTaken = conflict("The preview is another attempt's, or gone.")

// SavePreview keeps the outcome of a claimed attempt: state, reason, facts and pictures replace what was there, and
// whoever looks at the case is told. What changed in the meantime is made again later. Conflict when another attempt
// has the say or the preview is gone; then nothing has changed.
func (s *Store) SavePreview(ctx context.Context, o caseload.PreviewOrder, made caseload.Preview) (err error) {
	defer explain("save a preview", &err)
	facts, err := json.Marshal(made.Facts)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, `UPDATE cases SET revision = revision + 1 WHERE id = $1`, string(o.Case)); err != nil { // the case's lock goes first
			return err
		}
		n, err := t.exec(ctx, `UPDATE previews SET state = $3, reason = $4, facts = $5, owner = '', working_until = 0, tries = 0,
			due_at = CASE WHEN revision > $6 THEN CAST($7 AS BIGINT) ELSE 0 END WHERE id = $1 AND attempt = $2`,
			string(o.ID), o.Attempt, string(made.State), text(made.Reason), string(facts), o.Revision, toMS(t.now.Add(previewAgain)))
		if err != nil {
			return err
		}
		if n == 0 {
			return errPreviewTaken
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM preview_pictures WHERE preview_id = $1`, string(o.ID)); err != nil {
			return err
		}
		for view := range o.Offers {
			if _, err := t.ExecContext(ctx, `DELETE FROM preview_offers WHERE preview_id = $1 AND view = $2`, string(o.ID), view); err != nil {
				return err
			}
		}
		for _, p := range made.Pictures {
			if _, err := t.ExecContext(ctx, `INSERT INTO preview_pictures (preview_id, view, media, width, height, sha256, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				string(o.ID), p.View, p.Media, p.Width, p.Height, p.SHA256, p.Bytes); err != nil {
				return err
			}
		}
		return nil
	})
}

// PostponePreview ends a claim without an outcome: it is due again at the given moment, and with forgive the attempt does
// not count as a try. Conflict as with SavePreview.
func (s *Store) PostponePreview(ctx context.Context, o caseload.PreviewOrder, due time.Time, forgive bool) (err error) {
	defer explain("postpone a preview", &err)
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE previews SET owner = '', working_until = 0, due_at = $3, tries = CASE WHEN tries > $4 THEN tries - $4 ELSE 0 END
			WHERE id = $1 AND attempt = $2`, string(o.ID), o.Attempt, toMS(due), flag(forgive))
		if err == nil && n == 0 {
			return errPreviewTaken
		}
		return err
	})
}

// CasePreviews returns the previews of a case of the user's organization, their pictures without bytes.
func (s *Store) CasePreviews(ctx context.Context, user caseload.User, id caseload.CaseID) (_ []caseload.Preview, err error) {
	defer explain("read a case's previews", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+previewColumns+` FROM previews WHERE case_id = $1 AND organization_id = $2 ORDER BY entry, id`,
		string(id), string(user.Organization))
	all, err := collect(rows, err, func(scan func(...any) error) (caseload.Preview, error) { return scanPreview(scan) })
	if err != nil || len(all) == 0 {
		return nil, err
	}
	at := make(map[caseload.PreviewID]*caseload.Preview, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	rows, err = s.reader.QueryContext(ctx, `SELECT p.preview_id, p.view, p.media, p.width, p.height, p.sha256 FROM preview_pictures p
		JOIN previews v ON v.id = p.preview_id WHERE v.case_id = $1 AND v.organization_id = $2`, string(id), string(user.Organization))
	_, err = collect(rows, err, func(scan func(...any) error) (id caseload.PreviewID, err error) {
		var p caseload.Picture
		if err = scan(&id, &p.View, &p.Media, &p.Width, &p.Height, &p.SHA256); err == nil && at[id] != nil {
			at[id].Pictures = append(at[id].Pictures, p)
		}
		return id, err
	})
	for i := range all {
		slices.SortFunc(all[i].Pictures, func(a, b caseload.Picture) int {
			return slices.Index(caseload.Views(), a.View) - slices.Index(caseload.Views(), b.View)
		})
	}
	return all, err
}

// Picture returns one picture of a preview of the user's organization with its bytes. NotFound when there is none, or
// another one than the checksum says.
func (s *Store) Picture(ctx context.Context, user caseload.User, id caseload.PreviewID, view, sum string) (p caseload.Picture, err error) {
	defer explain("read a preview", &err)
	err = s.reader.QueryRowContext(ctx, `SELECT p.view, p.media, p.width, p.height, p.sha256, p.bytes FROM preview_pictures p
		JOIN previews v ON v.id = p.preview_id WHERE v.id = $1 AND v.organization_id = $2 AND p.view = $3 AND p.sha256 = $4`,
		string(id), string(user.Organization), view, sum).Scan(&p.View, &p.Media, &p.Width, &p.Height, &p.SHA256, &p.Bytes)
	return p, noRow(err, "preview")
}
