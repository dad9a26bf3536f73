package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/caseload"
)

// lookedAtOnce is how many objects of a case that comes back are looked for at the same time.
const lookedAtOnce = 16

// RestoreFile takes a deleted file out of the trash, after a look that the store still holds the very object (I2). It is
// stored again and read anew. Conflict when it is not in the trash, its case is, or it is being erased; Gone when it was
// erased; Forbidden when neither an administrator nor whoever opened the case asks.
func (s *Service) RestoreFile(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error) {
	if err := mayWrite(user); err != nil {
		return caseload.File{}, err
	}
	f, err := s.Records.TrashedFile(ctx, user, id)
	if err != nil {
		return caseload.File{}, err
	}
	whole, err := s.stillHeld(ctx, f)
	if err != nil {
		return caseload.File{}, err
	}
	if !whole {
		return caseload.File{}, caseload.Errorf(caseload.Conflict, "The store no longer holds this file as it was received.").
			WithHint("It cannot be restored. Tell whoever runs this server.")
	}
	row, err := s.Records.RestoreFile(ctx, user, id)
	if err != nil {
		return caseload.File{}, fmt.Errorf("restore %s: %w", id, err)
	}
	s.Log.InfoContext(ctx, "file restored", "file", id, "actor", user.ID)
	return row, nil
}

// RestoreCase takes a deleted case out of the trash with the files that went with it, and returns how many came back and how
// many could not: erased, being erased, or no longer what was verified. Errors as with RestoreFile.
func (s *Service) RestoreCase(ctx context.Context, user caseload.User, id caseload.CaseID) (back, lost int, err error) {
	if err := mayWrite(user); err != nil {
		return 0, 0, err
	}
	files, err := s.Records.TrashedFiles(ctx, user, id)
	if err != nil {
		return 0, 0, err
	}
	var mu sync.Mutex
	var whole []caseload.FileID
	looking, held := errgroup.WithContext(ctx)
	looking.SetLimit(lookedAtOnce)
	for _, f := range files {
		if f.Claimed || !f.WithCase {
			continue
		}
		looking.Go(func() error {
			ok, err := s.stillHeld(held, f)
			if ok {
				mu.Lock()
				defer mu.Unlock()
				whole = append(whole, f.ID)
			}
			return err
		})
	}
	if err := looking.Wait(); err != nil {
		return 0, 0, err
	}
	if err := s.Records.RestoreCase(ctx, user, id, whole); err != nil {
		return 0, 0, fmt.Errorf("restore case %s: %w", id, err)
	}
	s.Log.InfoContext(ctx, "case restored", "case", id, "files", len(whole), "actor", user.ID)
	return len(whole), len(files) - len(whole), nil
}

// stillHeld tells whether the store holds the object that was verified when the file was received. One that is hidden is
// brought into sight: whoever then erases it all the same takes the marker for gone.
func (s *Service) stillHeld(ctx context.Context, f caseload.Trashed) (bool, error) {
	seen, err := s.Objects.Head(ctx, f.Object, f.VersionID)
	switch {
	case caseload.KindOf(err) == caseload.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for %s: %w", f.ID, err)
	case !sameObject(f.File, seen):
		return false, nil
	case f.Hidden:
		if err := s.Objects.Unhide(ctx, f.Object); err != nil {
			return false, fmt.Errorf("bring %s into sight: %w", f.ID, err)
		}
	}
	return true, nil
}

// ReturnToTrash takes a file that was let go back into the trash, for a window from now on, after the same look as
// RestoreFile. Kinds as there; Forbidden for all but administrators.
func (s *Service) ReturnToTrash(ctx context.Context, user caseload.User, id caseload.FileID) error {
	f, err := s.Records.TrashedFile(ctx, user, id)
	if err != nil {
		return err
	}
	whole, err := s.stillHeld(ctx, f)
	if err != nil {
		return err
	}
	if !whole {
		return caseload.Errorf(caseload.Gone, "The store no longer holds this file as it was received.")
	}
	return s.Records.ReturnToTrash(ctx, user, id, s.now().Add(max(s.Limits.TrashWindow, caseload.LateWrites)))
}

// GiveUp ends an upload that had no sign of life after quiet. It is completed instead when the store turns out to hold all of
// it. The answer is what became of it: "" it was given up; otherwise a word why not (caseload.FellChanged, …).
func (s *Service) GiveUp(ctx context.Context, org caseload.OrganizationID, id caseload.FileID, quiet time.Time) (why string, err error) {
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return "", err
	}
	defer leave()
	f, err := s.Records.File(ctx, caseload.User{Organization: org}, id)
	switch kind := caseload.KindOf(err); {
	case err != nil && (kind == caseload.NotFound || kind == caseload.Gone):
		return caseload.FellGone, nil
	case err != nil:
		return "", fmt.Errorf("read row: %w", err)
	case f.State == caseload.Abandoned:
		return "", nil // by this very call before, or by the sweep
	case !f.State.Arriving():
		return caseload.FellFinished, nil
	case f.ChangedAt.After(quiet) || f.CreatedAt.After(quiet) || !s.silent(f):
		return caseload.FellChanged, nil
	}
	verdict := errNotWhole
	if f.State == caseload.Sending {
		_, verdict = s.finish(ctx, f, caseload.SystemActor)
	}
	switch {
	case verdict == nil:
		return caseload.FellFinished, nil
	case errors.Is(verdict, errOtherBytes):
		return "", nil // finish has abandoned it
	case errors.Is(verdict, errEnded):
		_, err = s.abandon(ctx, f, caseload.SystemActor, endedByStore)
	case errors.Is(verdict, errNotWhole):
		_, err = s.abandon(ctx, f, caseload.SystemActor, givenUp(f))
	default:
		return "", verdict
	}
	if caseload.KindOf(err) == caseload.Conflict {
		return caseload.FellChanged, nil
	}
	return "", err
}

// EraseAt is when the objects of what is deleted now may be erased.
func (s *Service) EraseAt() caseload.EraseAt { return s.eraseAt() }
