package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/caseload"
)

// Abort gives up an upload at a person's wish and frees what the store holds of it. A second Abort answers the same.
// Conflict when the file was received already: that is for DeleteFile.
func (s *Service) Abort(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error) {
	if err := mayWrite(user); err != nil {
		return caseload.File{}, err
	}
	f, err := s.Records.File(ctx, user, id)
	if err != nil || f.State == caseload.Abandoned {
		return f, err
	}
	if f.State.Acknowledged() {
		return f, alreadyReceived().WithHint("Delete it if it is not wanted.")
	}
	return s.abandon(ctx, f, string(user.ID), cancelled)
}

// AbortAll gives up those of the uploads that still arrive in the case, at a person's wish, in one transaction, and returns
// them. Whatever else is named (received, given up already, of another case) is passed over: to give up thousands is to race
// with the last of them. TooLarge above Limits.MaxBatch; NotFound or Gone for the case.
func (s *Service) AbortAll(ctx context.Context, user caseload.User, c caseload.CaseID, ids []caseload.FileID) ([]caseload.FileID, error) {
	if err := mayWrite(user); err != nil {
		return nil, err
	}
	if len(ids) > s.Limits.MaxBatch {
		return nil, caseload.Errorf(caseload.TooLarge, "At most %d uploads can be given up at once; these are %d.", s.Limits.MaxBatch, len(ids)).
			WithHint("Ask in several batches.").WithField("files")
	}
	arriving, err := s.Records.ArrivingIn(ctx, user, c, ids)
	if err != nil {
		return nil, fmt.Errorf("look for what is to be given up: %w", err)
	}
	return s.abandonAll(ctx, arriving, string(user.ID), cancelled)
}

// cancelled is why an upload is abandoned that a person gave up.
const cancelled = "The upload was cancelled."

// freedAtOnce is how many uploads the store is asked to free at the same time.
const freedAtOnce = 8

// abandonAll is abandon for several, in one transaction. It returns those that this call abandoned.
func (s *Service) abandonAll(ctx context.Context, ids []caseload.FileID, actor, reason string) ([]caseload.FileID, error) {
	outcomes, err := s.Records.MarkAbandoned(ctx, ids, actor, reason, s.now().Add(caseload.LateWrites))
	if err != nil {
		return nil, fmt.Errorf("abandon %d files: %w", len(ids), err)
	}
	var won []caseload.FileID
	var freeing errgroup.Group
	freeing.SetLimit(freedAtOnce)
	for _, o := range outcomes {
		if o.Won {
			won = append(won, o.File.ID)
			freeing.Go(func() error {
				s.abortQuietly(ctx, o.File.ID, o.File.Object, o.File.UploadID)
				return nil
			})
		}
	}
	_ = freeing.Wait()
	if len(won) > 0 {
		s.Log.InfoContext(ctx, "uploads abandoned", "files", len(won), "actor", actor)
	}
	return won, nil
}

// abandon moves an arriving file to abandoned, with the delete-intent that sees to its remains, and frees its parts at
// once if the store can do so now. Conflict when the file got stored or deleted meanwhile.
func (s *Service) abandon(ctx context.Context, f caseload.File, actor, reason string) (caseload.File, error) {
	outcomes, err := s.Records.MarkAbandoned(ctx, []caseload.FileID{f.ID}, actor, reason, s.now().Add(caseload.LateWrites))
	if err == nil {
		err = outcomes[0].Err
	}
	if err != nil {
		return f, fmt.Errorf("abandon %s: %w", f.ID, err)
	}
	row := outcomes[0].File
	if outcomes[0].Won {
		s.Log.InfoContext(ctx, "upload abandoned", "file", f.ID, "actor", actor)
		s.abortQuietly(ctx, f.ID, row.Object, row.UploadID)
	}
	return row, nil
}

// endedByStore is why a file is abandoned whose upload the store no longer knows.
const endedByStore = "The store ended this upload."

// abandonEnded gives up an upload that the store has ended, so that the file is sent anew and nobody goes on with what
// is gone. It returns what to answer. The caller has the file's turn and verdict is finish's.
func (s *Service) abandonEnded(ctx context.Context, f caseload.File, verdict error) error {
	if _, err := s.abandon(ctx, f, caseload.SystemActor, endedByStore); err != nil {
		return errors.Join(verdict, err)
	}
	return verdict
}

// giveUpEnded is abandonEnded for whoever met an upload that is gone without having the turn: the store is asked once
// more, because another may be completing it at this moment.
func (s *Service) giveUpEnded(ctx context.Context, user caseload.User, id caseload.FileID) error {
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return err
	}
	defer leave()
	f, err := s.Records.File(ctx, user, id)
	if err != nil {
		return err
	}
	if err := stillArriving(f); err != nil {
		return err
	}
	switch _, verdict := s.finish(ctx, f, caseload.SystemActor); {
	case verdict == nil:
		return alreadyReceived()
	case errors.Is(verdict, errEnded):
		return s.abandonEnded(ctx, f, verdict)
	default:
		return verdict
	}
}

// abortQuietly frees the parts of an upload that nothing needs any more. A failure is only logged: the delete-intent
// tries again, and a store's lifecycle rule takes what has none.
func (s *Service) abortQuietly(ctx context.Context, id caseload.FileID, key caseload.ObjectKey, uploadID string) {
	if uploadID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := s.Objects.AbortMultipart(ctx, key, uploadID); err != nil && caseload.KindOf(err) != caseload.NotFound {
		s.Log.WarnContext(ctx, "parts were not freed at once", "file", id, "error", err)
	}
}
