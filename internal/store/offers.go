package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// leftPreview returns a preview of the user's organization that is left to browsers, locked in a transaction. NotFound when
// it is not the organization's, Conflict when the server makes it.
func leftPreview(ctx context.Context, q querier, query string, user caseload.User, id caseload.PreviewID) (p caseload.Preview, until time.Time, err error) {
	var working int64
	p, err = scanPreview(q.QueryRowContext(ctx, query, string(id), string(user.Organization)).Scan, &working)
	if err != nil {
		return p, until, noRow(err, "preview")
	}
	if p.State != caseload.PreviewBrowser {
		return p, until, conflict("This preview is made by the server.")
	}
	return p, fromMS(working), nil
}

// byBrowser is the owner of a claim of OfferClaim; what changes in the series ends it.
const byBrowser = "browser"

const leftQuery = `SELECT ` + previewColumns + `, working_until FROM previews WHERE id = $1 AND organization_id = $2`

// OfferSource returns what a preview of the user's organization that is left to browsers is made of. NotFound when it is
// not the organization's, Conflict when the server makes it.
func (s *Store) OfferSource(ctx context.Context, user caseload.User, id caseload.PreviewID) (o caseload.PreviewOrder, err error) {
	defer explain("read what a preview is made of", &err)
	if o.Preview, _, err = leftPreview(ctx, s.reader, leftQuery, user, id); err != nil {
		return o, err
	}
	return o, previewSources(ctx, s.reader, &o)
}

// ClaimOffer lets the user's browser alone draw a preview that is left to browsers, until the given moment or until a picture
// is handed in; what would be made of it by the server waits as long. NotFound when the preview is not of the user's
// organization, Conflict when the server makes it or another browser draws it just now.
func (s *Store) ClaimOffer(ctx context.Context, user caseload.User, id caseload.PreviewID, until time.Time) (err error) {
	defer explain("claim a preview for a browser", &err)
	return s.write(ctx, func(t *tx) error {
		_, working, err := leftPreview(ctx, t, t.locked(leftQuery), user, id)
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, `UPDATE previews SET working_until = $2, owner = '`+byBrowser+`' WHERE id = $1 AND due_at = 0 AND working_until <= $3`,
			string(id), toMS(until), toMS(t.now))
		if err == nil && (n == 0 || working.After(t.now)) {
			return conflict("Another browser draws this preview just now.")
		}
		return err
	})
}

// ReleaseOffer ends the claim of a browser that left before it had drawn; nothing happens where no browser holds one. NotFound
// when the preview is not of the user's organization.
func (s *Store) ReleaseOffer(ctx context.Context, user caseload.User, id caseload.PreviewID) (err error) {
	defer explain("release a preview", &err)
	return s.write(ctx, func(t *tx) error {
		_, _, err := leftPreview(ctx, t, t.locked(leftQuery), user, id)
		if caseload.KindOf(err) == caseload.Conflict {
			return nil // the server makes it by now
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE previews SET working_until = 0, owner = '' WHERE id = $1 AND owner = '`+byBrowser+`'`, string(id))
		return err
	})
}

// OfferPicture keeps what a browser handed in for a view until it has been drawn anew, which begins with the image or with the
// sagittal plane: the other two planes are handed in before it. NotFound when the preview is not
// of the user's organization; Conflict when it is not left to browsers, when another picture was handed in first, or when
// what it shows changed meanwhile.
func (s *Store) OfferPicture(ctx context.Context, user caseload.User, id caseload.PreviewID, view string, b []byte) (err error) {
	defer explain("keep an offered preview", &err)
	if len(b) < 1 || len(b) > caseload.MaxOffer || !slices.Contains(caseload.Views(), view) {
		return fmt.Errorf("an offer of %d bytes for %q", len(b), view)
	}
	return s.write(ctx, func(t *tx) error {
		if _, _, err := leftPreview(ctx, t, t.locked(leftQuery), user, id); err != nil {
			return err
		}
		if view == "axial" || view == "coronal" {
			n, err := t.exec(ctx, `UPDATE previews SET due_at = 0 WHERE id = $1 AND due_at = 0`, string(id))
			if err == nil && n == 0 {
				err = conflict("This preview is being made already.")
			}
			if err != nil {
				return err
			}
			return t.keepOffer(ctx, id, view, b)
		}
		n, err := t.exec(ctx, `UPDATE previews SET due_at = $2, tries = 0, owner = '', working_until = 0 WHERE id = $1 AND due_at = 0`, string(id), toMS(t.now))
		if err != nil {
			return err
		}
		if n == 0 {
			return conflict("This preview is being made already.")
		}
		return t.keepOffer(ctx, id, view, b)
	})
}

func (t *tx) keepOffer(ctx context.Context, id caseload.PreviewID, view string, b []byte) error {
	_, err := t.ExecContext(ctx, `INSERT INTO preview_offers (preview_id, view, bytes) VALUES ($1, $2, $3)
		ON CONFLICT (preview_id, view) DO UPDATE SET bytes = excluded.bytes`, string(id), view, b)
	return err
}
