package transfer

import (
	"context"
	"errors"
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
)

// Held returns the parts the store holds of an upload, in order, for a client that resumes: what it has with the same
// checksum need not travel again. A file of which nothing was sent has none. Conflict when it no longer arrives; an upload
// that the store has ended is abandoned then.
func (s *Service) Held(ctx context.Context, user caseload.User, id caseload.FileID) ([]caseload.Part, error) {
	f, err := s.arrivingDirect(ctx, user, id)
	if err != nil || f.UploadID == "" {
		return nil, err
	}
	held, err := s.Objects.ListParts(ctx, f.Object, f.UploadID)
	if err == nil {
		return held, nil
	}
	if caseload.KindOf(err) != caseload.NotFound {
		return nil, fmt.Errorf("list parts of %s: %w", id, err)
	}
	switch _, headErr := s.Objects.Head(ctx, f.Object, ""); {
	case headErr == nil: // put together already; Complete will find it so
		return s.Records.Parts(ctx, id)
	case caseload.KindOf(headErr) == caseload.NotFound:
		return nil, s.giveUpEnded(ctx, user, id)
	default:
		return nil, fmt.Errorf("look for %s: %w", id, errors.Join(headErr, err))
	}
}

// Report keeps a client's word on how far its files have got, for the people who look on. Entries that do not fit are
// passed over. TooLarge above Limits.MaxBatch entries.
func (s *Service) Report(ctx context.Context, user caseload.User, progress []caseload.Progress) error {
	if err := mayWrite(user); err != nil {
		return err
	}
	if len(progress) > s.Limits.MaxBatch {
		return caseload.Errorf(caseload.TooLarge, "At most %d files can be reported at once.", s.Limits.MaxBatch).WithField("files")
	}
	fit := make([]caseload.Progress, 0, len(progress))
	for _, p := range progress {
		if p.Sent >= 0 && caseload.ValidID(string(p.File)) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return s.Records.ReportProgress(ctx, user, fit)
}
