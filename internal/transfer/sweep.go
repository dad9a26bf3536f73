package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Bounds of one Sweep; what is left over is next time's.
const (
	sweepUploads = 500
	sweepReading = 1000
	sweepErase   = 500
)

// retrySoon is when Sweep looks again at a file it could not decide about (store or database unavailable).
const retrySoon = 5 * time.Minute

// Sweep sees to what was left lying, and is run periodically by every deployment. Uploads past their deadline are
// completed when the store holds all of them (resumed ones wait for a client's word on which file it is), abandoned when they had no sign of life for Limits.AbandonAfter or the
// store ended them, and looked at again in an hour otherwise. Readings that lapsed are queued again. Delete-intents that
// are due are carried out. A failure with one file is logged and counted and does not stop the rest; the error is about
// the database refusing the work lists.
func (s *Service) Sweep(ctx context.Context) (SweepReport, error) {
	var report SweepReport
	due, err := s.Records.DueUploads(ctx, s.now(), sweepUploads)
	if err != nil {
		err = fmt.Errorf("list due uploads: %w", err)
	}
	errs := []error{err}
	for _, f := range due {
		if ctx.Err() != nil {
			break
		}
		if err := s.sweepUpload(ctx, f, &report); err != nil {
			report.Failed++
			s.Log.WarnContext(ctx, "upload could not be swept", "file", f.ID, "error", err)
		}
	}
	report.Requeued, err = s.Records.RequeueLapsed(ctx, s.now(), sweepReading)
	if err != nil {
		errs = append(errs, fmt.Errorf("requeue lapsed readings: %w", err))
	}
	errs = append(errs, s.Erase(ctx, &report), ctx.Err())
	return report, errors.Join(errs...)
}

// sweepUpload decides about one upload past its deadline.
func (s *Service) sweepUpload(ctx context.Context, f caseload.File, report *SweepReport) error {
	leave, err := s.turns.take(ctx, f.ID)
	if err != nil {
		return err
	}
	defer leave()
	system := caseload.User{Organization: f.Organization}
	switch f, err = s.Records.File(ctx, system, f.ID); {
	case caseload.KindOf(err) == caseload.Gone:
		return nil
	case err != nil:
		return fmt.Errorf("read row: %w", err)
	case !f.State.Arriving() || f.Deadline.After(s.now()):
		return nil // somebody was faster
	}
	verdict := errNotWhole
	if f.State == caseload.Sending {
		_, verdict = s.finish(ctx, f, caseload.SystemActor)
	}
	switch {
	case verdict == nil:
		report.Completed++
	case errors.Is(verdict, errOtherBytes):
		report.Abandoned++
	case errors.Is(verdict, errEnded):
		return s.sweepAbandon(ctx, f, endedByStore, report)
	case errors.Is(verdict, errNotWhole) && s.silent(f):
		return s.sweepAbandon(ctx, f, givenUp(f), report)
	case errors.Is(verdict, errNotWhole):
		report.Postponed++
		return s.Records.Postpone(ctx, f.ID, s.nextLook(f))
	default:
		return errors.Join(verdict, s.Records.Postpone(ctx, f.ID, s.now().Add(retrySoon)))
	}
	return nil
}

// silent tells whether the last sign of life of an upload (planned, a part signed or relayed, progress reported:
// whatever changed the row; Postpone does not) is longer ago than Limits.AbandonAfter. A form must come within its own
// life, and an upload whose client gave it up has cancelStands.
func (s *Service) silent(f caseload.File) bool {
	switch {
	case f.Form() && f.State == caseload.Sending:
		return !s.now().Before(f.CreatedAt.Add(s.formLife()))
	case !f.CancelledAt.IsZero() && !s.now().Before(f.CancelledAt.Add(cancelStands)):
		return true
	}
	last := f.CreatedAt
	if f.ChangedAt.After(last) {
		last = f.ChangedAt
	}
	return !s.now().Before(last.Add(s.Limits.AbandonAfter))
}

// givenUp is the reason shown for an upload that was silent for too long.
func givenUp(f caseload.File) string {
	switch {
	case !f.CancelledAt.IsZero():
		return "The upload was cancelled."
	case f.Resumed:
		return "The upload was resumed and never finished."
	}
	return "The file did not arrive whole in time."
}

// nextLook is when Sweep looks again at an upload that is not whole.
func (s *Service) nextLook(f caseload.File) time.Time {
	if f.Form() && f.State == caseload.Sending {
		return s.now().Add(formPause(s.now().Sub(f.CreatedAt), sweepFormAfter, sweepFormMost))
	}
	return s.now().Add(lookAgain)
}

func (s *Service) sweepAbandon(ctx context.Context, f caseload.File, reason string, report *SweepReport) error {
	if _, err := s.abandon(ctx, f, caseload.SystemActor, reason); err != nil {
		return err
	}
	report.Abandoned++
	return nil
}

// Erase carries out the delete-intents that are due: the only place where objects are deleted (I6). Nothing is erased when
// Release says that something looks wrong; that is logged, and no error of the sweep.
func (s *Service) Erase(ctx context.Context, report *SweepReport) error {
	due, err := s.Records.ErasureDue(ctx, s.now())
	if err != nil || !due {
		return err
	}
	if s.Release != nil {
		if err := s.Release(ctx); err != nil {
			s.Log.ErrorContext(ctx, "nothing is erased now", "error", err)
			return nil
		}
	}
	for range sweepErase {
		if ctx.Err() != nil {
			return nil
		}
		in, ok, err := s.Records.ClaimIntent(ctx, s.now())
		if err != nil {
			return fmt.Errorf("claim delete-intent: %w", err)
		}
		if !ok {
			return nil
		}
		do, counts := s.eraseOne, &report.Erased
		if s.hides(in) {
			do, counts = s.hideOne, &report.Hidden
		}
		if err := do(ctx, in); err != nil {
			report.Failed++
			s.Log.WarnContext(ctx, "object could not be erased", "file", in.File, "error", err)
			continue
		}
		*counts++
	}
	return nil
}

// hides tells whether an object is only hidden for now: the bucket keeps versions, it lay in the trash, and nobody said that
// it is to go for good.
func (s *Service) hides(in caseload.Intent) bool {
	return in.Kept && !in.Final && in.VersionID != "" && in.Marker == "" && s.Limits.UndoWindow > 0
}

// eraseOne carries out one claimed delete-intent.
func (s *Service) eraseOne(ctx context.Context, in caseload.Intent) error {
	if in.UploadID != "" {
		if err := s.Objects.AbortMultipart(ctx, in.Object, in.UploadID); err != nil && caseload.KindOf(err) != caseload.NotFound {
			return fmt.Errorf("abort its parts: %w", err)
		}
	}
	if err := s.Objects.Delete(ctx, in.Object, in.VersionID); err != nil && caseload.KindOf(err) != caseload.NotFound {
		return fmt.Errorf("delete it: %w", err)
	}
	if in.Marker != "" { // after the version, which nothing shows again then
		if err := s.Objects.Delete(ctx, in.Object, in.Marker); err != nil && caseload.KindOf(err) != caseload.NotFound {
			return fmt.Errorf("delete its marker: %w", err)
		}
	}
	if err := s.Records.FinishIntent(ctx, in.ID); err != nil {
		return fmt.Errorf("finish intent: %w", err)
	}
	return nil
}

// hideOne puts a delete marker over the object. When the intent turns out to be another's by now the marker is taken off
// again: the file may be live.
func (s *Service) hideOne(ctx context.Context, in caseload.Intent) error {
	marker, err := s.Objects.Hide(ctx, in.Object)
	if err != nil {
		return fmt.Errorf("hide it: %w", err)
	}
	err = s.Records.HideIntent(ctx, in.ID, marker, s.now().Add(s.Limits.UndoWindow))
	if caseload.KindOf(err) == caseload.Conflict {
		err = errors.Join(err, s.Objects.Unhide(ctx, in.Object))
	}
	if err != nil {
		return fmt.Errorf("note that it is hidden: %w", err)
	}
	return nil
}
