package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// young is how long after its begin an upload under an arriving file's key is that file's: its row may be a moment behind.
const young = time.Hour

// uploads is one step through the unfinished uploads the database knows of. The store is asked for the parts of each by
// its id: not every store lists uploads of which one does not name the key (MinIO).
func (s *Service) uploads(ctx context.Context, l caseload.Ledger) (page, error) {
	rows, err := s.Records.LedgerUploads(ctx, l.After.Key, s.atOnce().uploads)
	if err != nil {
		return page{}, fmt.Errorf("read the unfinished uploads: %w", err)
	}
	p := page{last: len(rows) < s.atOnce().uploads, after: l.After}
	for _, row := range rows {
		p.after = caseload.Mark{Key: row.Object}
		bytes, here, err := s.parts(ctx, row.Object, row.UploadID)
		if err != nil {
			return page{}, err
		}
		if !here {
			continue
		}
		p.keys++
		p.add(row.Organization, uploadOf(row), caseload.SourceUpload, bytes)
	}
	return p, nil
}

// uploadOf is the class of an upload that the database knows of.
func uploadOf(row caseload.LedgerRow) caseload.Class {
	if row.State.Arriving() {
		return caseload.ClassInFlight
	}
	return givenUp(&row)
}

// seenTo tells whether the step before has seen to the upload.
func seenTo(u caseload.ListedUpload, row *caseload.LedgerRow) bool {
	return row != nil && !row.Form && row.UploadID == u.ID && (row.State.Arriving() || row.Intent && !row.Stored)
}

// strangers is one step through the uploads that the store lists, for those that the database does not know of.
func (s *Service) strangers(ctx context.Context, l caseload.Ledger) (page, error) {
	listed, more, err := s.Objects.ListUploads(ctx, l.After, s.atOnce().uploads)
	if err != nil {
		return page{}, fmt.Errorf("list the unfinished uploads: %w", err)
	}
	p := page{last: !more, after: l.After}
	if more {
		p.after = listed[len(listed)-1].Mark
	}
	ask := make([]caseload.ObjectKey, 0, len(listed))
	for _, u := range listed {
		ask = append(ask, u.Key)
	}
	before, err := s.rowsOf(ctx, ask)
	if err != nil {
		return page{}, err
	}
	for _, u := range listed {
		if seenTo(u, before[u.Key]) {
			continue
		}
		if err := s.stranger(ctx, &p, u); err != nil {
			return page{}, err
		}
	}
	return p, nil
}

// stranger decides about one upload that no row seemed to speak of: it may be over by now, or its row be written.
func (s *Service) stranger(ctx context.Context, p *page, u caseload.ListedUpload) error {
	bytes, here, err := s.parts(ctx, u.Key, u.ID)
	if err != nil || !here {
		return err
	}
	rows, err := s.rowsOf(ctx, []caseload.ObjectKey{u.Key})
	if err != nil {
		return err
	}
	p.keys++
	row := rows[u.Key]
	line := caseload.LedgerLine{Class: caseload.ClassUnexplained, Object: u.Key, UploadID: u.ID, Bytes: bytes, Why: whyNoUpload}
	switch {
	case row == nil && strings.HasPrefix(string(u.Key), caseload.TrialPrefix):
		p.add("", caseload.ClassTrial, caseload.SourceUpload, bytes)
		return nil
	case seenTo(u, row):
		p.add(row.Organization, uploadOf(*row), caseload.SourceUpload, bytes)
		return nil
	case row != nil && row.State.Arriving() && s.Now().Sub(u.BegunAt) < young:
		p.add(row.Organization, caseload.ClassInFlight, caseload.SourceUpload, bytes)
		return nil
	case row != nil && row.State.Arriving():
		line.Why = whyOther
	case row != nil:
		line.Why = whyNotNeeded
	}
	if row != nil {
		line.Organization, line.File = row.Organization, row.File
	}
	p.show(line, caseload.SourceUpload)
	return nil
}

// parts returns how many bytes the parts of an upload hold; here is false when there is no such upload any more.
func (s *Service) parts(ctx context.Context, key caseload.ObjectKey, uploadID string) (bytes int64, here bool, err error) {
	parts, err := s.Objects.ListParts(ctx, key, uploadID)
	switch {
	case caseload.KindOf(err) == caseload.NotFound && err != nil:
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("list the parts under %s: %w", key, err)
	}
	for _, part := range parts {
		bytes += part.Size
	}
	return bytes, true, nil
}
