package transfer

import (
	"context"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// DeleteFile removes a file in any state from sight. Its object stays for Limits.TrashWindow behind a delete-intent
// (I6); the parts of an upload that was still arriving are freed at once if the store can. Gone when it was deleted
// before.
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

// DeleteCase removes a case and all its files from sight, each object behind its delete-intent.
func (s *Service) DeleteCase(ctx context.Context, user caseload.User, id caseload.CaseID) error {
	if err := mayWrite(user); err != nil {
		return err
	}
	return s.Records.DeleteCase(ctx, user, id, s.eraseAt())
}

// eraseAt is when the object of what is deleted now may go: after the trash window, and never while an address signed
// before could still bring bytes.
func (s *Service) eraseAt() time.Time {
	return s.now().Add(max(s.Limits.TrashWindow, lateWrites))
}
