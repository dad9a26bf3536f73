package transfer

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

// DeleteFile removes a file in any state from sight. Its object stays for Limits.TrashWindow behind a delete-intent
// (I6); what was still arriving goes as soon as nothing can be added to it any more, its parts at once if the store can.
// Gone when it was deleted before.
func (s *Service) DeleteFile(ctx context.Context, user caseload.User, id caseload.FileID) error {
	if err := mayWrite(user); err != nil {
		return err
	}
	f, err := s.Records.File(ctx, user, id)
	if err != nil {
		return err
	}
	if err := s.Records.DeleteFile(ctx, user, id, s.eraseAt()); err != nil {
		return err
	}
	if f.State.Arriving() {
		s.abortQuietly(ctx, f.ID, f.Object, f.UploadID)
	}
	return nil
}

// DeleteCase removes a case and all its files from sight, each object behind its delete-intent as by DeleteFile.
func (s *Service) DeleteCase(ctx context.Context, user caseload.User, id caseload.CaseID) error {
	if err := mayWrite(user); err != nil {
		return err
	}
	return s.Records.DeleteCase(ctx, user, id, s.eraseAt())
}

// eraseAt is when the object of what is deleted now may go: after the trash window if it was ever acknowledged, and
// never while an address signed before could still bring bytes.
func (s *Service) eraseAt() caseload.EraseAt {
	now := s.now()
	return caseload.EraseAt{Kept: now.Add(max(s.Limits.TrashWindow, caseload.LateWrites)), Partial: now.Add(caseload.LateWrites)}
}
