package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// ReleaseWithin bounds the last words to the database after the context has ended: giving back a lease.
const ReleaseWithin = 5 * time.Second

// Ingest reads one file and returns nil when nothing is left to do for this delivery: the file is ready or rejected,
// somebody else reads it, it is gone, or it was given back to the queue (an orderly stop, a store that does not answer).
// An error means that the same call may help later; it has counted as a try, and the lease is already at its end.
// It is safe to run twice on the same file, at the same time too.
func (s *Service) Ingest(ctx context.Context, id caseload.FileID) error {
	now := s.Now()
	f, err := s.Records.StartReading(ctx, id, s.Owner, now, now.Add(s.Lease))
	switch {
	case err == nil:
	case notOurs(err):
		s.Log.DebugContext(ctx, "nothing to read here", slog.String("file", string(id)), slog.Any("cause", err))
		return nil
	default:
		return fmt.Errorf("ingest: start reading %s: %w", id, err)
	}
	a := &attempt{Service: s, objects: s.Objects, file: f, begun: time.Now()}
	a.log = s.Log.With(slog.String("file", string(id)), slog.Int("attempt", f.Attempt))
	if f.Tries > s.Kills {
		return a.reject(ctx, fmt.Sprintf("The file could not be read: %d attempts ended without a result. It was kept; you can download or delete it.", s.Kills))
	}
	leased, lease := a.lease(ctx)
	err = a.read(leased, lease)
	lease.end()
	if err == nil {
		a.log.InfoContext(ctx, "file read", slog.Duration("took", time.Since(a.begun)), slog.Int64("bytes", f.Size))
		return nil
	}
	return a.settle(ctx, leased, err)
}

// attempt is one reading of one file.
type attempt struct {
	*Service
	objects Objects // where the file is read: the store, or memory once it is held
	file    caseload.File
	log     *slog.Logger
	begun   time.Time
}

// read carries out both phases and ends the attempt with the file being ready. A panic becomes an error.
func (a *attempt) read(ctx context.Context, lease *lease) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value of a panic may quote what was read; the place is enough.
			a.log.ErrorContext(ctx, "reading panicked", slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	if a.file.Size <= a.Held {
		return a.readHeld(ctx, lease)
	}
	found, content, err := a.look(ctx)
	if err != nil {
		return err
	}
	if err := a.Records.SaveMetadata(ctx, a.file.ID, a.file.Attempt, found); err != nil {
		return &recordsError{err}
	}
	a.log.DebugContext(ctx, "metadata visible", slog.Duration("after", time.Since(a.begun)), slog.Int64("bytes_read", found.BytesRead))
	receipt, err := a.pass(ctx, content, lease)
	if err != nil {
		return err
	}
	lease.rest()
	if err := a.Records.FinishReading(ctx, a.file.ID, a.file.Attempt, receipt); err != nil {
		return &recordsError{err}
	}
	return nil
}

var errPanic = errors.New("ingest: the reader failed")

// recordsError marks an error of the database, objectError one of the store: the same kinds mean different things.
type (
	recordsError struct{ error }
	objectError  struct{ error }
)

func (e *recordsError) Unwrap() error { return e.error }
func (e *objectError) Unwrap() error  { return e.error }

// notOurs tells whether Records refuses because the file is taken, done, gone or another attempt's.
func notOurs(err error) bool {
	kind := caseload.KindOf(err)
	return kind == caseload.Conflict || kind == caseload.NotFound || kind == caseload.Gone
}

// settle decides what becomes of a file whose reading ended with err.
func (a *attempt) settle(ctx, leased context.Context, err error) error {
	var ofRecords *recordsError
	var ofObject *objectError
	isRecords, isObject := errors.As(err, &ofRecords), errors.As(err, &ofObject)
	switch {
	case isRecords && notOurs(err), errors.Is(context.Cause(leased), errFenced):
		a.log.InfoContext(ctx, "fenced off: another attempt reads the file, or it was deleted")
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return a.release(ctx)
	case isObject && caseload.KindOf(err) == caseload.Conflict:
		a.alarm(ctx, "object_changed")
		return a.reject(ctx, "The stored object is not the one that was verified when the file arrived. It is not shown; tell your administrator.")
	case isObject && caseload.KindOf(err) == caseload.NotFound:
		a.alarm(ctx, "object_missing")
		return a.reject(ctx, "The stored object is missing. Tell your administrator, and send the file again.")
	case isObject && ctx.Err() == nil:
		return a.postpone(ctx, err)
	}
	return a.fail(ctx, err)
}

// alarm writes what a person watching over security must see.
func (a *attempt) alarm(ctx context.Context, event string) {
	a.log.ErrorContext(ctx, "security: the verified object cannot be read", slog.String("security_event", event), slog.String("object", string(a.file.Object)))
}

// postpone waits a while for a store that does not answer, longer each time, then gives the file back without counting
// the try: an outage must not reject files. Attempt minus Tries is how often that has happened.
func (a *attempt) postpone(ctx context.Context, cause error) error {
	pause := min(time.Second<<min(max(a.file.Attempt-a.file.Tries, 0), 5), 30*time.Second)
	a.log.WarnContext(ctx, "the store cannot answer; trying again", slog.Duration("in", pause), slog.Any("error", cause))
	leased, lease := a.lease(ctx)
	a.wait(leased, pause)
	lease.end()
	if errors.Is(context.Cause(leased), errFenced) {
		return nil
	}
	return a.release(ctx)
}

// wait lets the pause go by, or less when the context ends. Tests replace it.
func (s *Service) wait(ctx context.Context, pause time.Duration) {
	if s.pause != nil {
		s.pause(pause)
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// release gives the file back to the queue at once.
func (a *attempt) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ReleaseWithin)
	defer cancel()
	if err := a.Records.Release(ctx, a.file.ID, a.file.Attempt); err != nil && !notOurs(err) {
		return fmt.Errorf("ingest: release %s: %w", a.file.ID, err)
	}
	a.log.InfoContext(ctx, "given back to the queue")
	return nil
}

// fail counts the try. From the last one on it rejects the file; before, the lease ends now, so that the next delivery
// need not wait for it.
func (a *attempt) fail(ctx context.Context, cause error) error {
	var ofRecords *recordsError
	if a.file.Tries >= a.Tries && !errors.As(cause, &ofRecords) {
		a.log.WarnContext(ctx, "giving up", slog.Any("error", cause))
		return a.reject(ctx, "The file could not be read: "+reasonOf(cause)+" It was kept; you can download or delete it.")
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ReleaseWithin)
	defer cancel()
	if err := a.Records.Renew(last, a.file.ID, a.file.Attempt, a.Now(), 0, 0); err != nil && notOurs(err) {
		return nil
	}
	return fmt.Errorf("ingest: read %s: %w", a.file.ID, cause)
}

// reasonOf says in plain words why an attempt failed.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errPanic):
		return "its contents make the reader fail."
	case errors.Is(err, context.DeadlineExceeded):
		return "reading it takes too long."
	case errors.Is(err, errDamaged):
		return "the bytes in the store are no longer those that were received. Tell your administrator, and send the file again."
	}
	return "the reader met an error of its own."
}

// reject ends the file as rejected.
func (a *attempt) reject(ctx context.Context, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ReleaseWithin)
	defer cancel()
	if err := a.Records.Reject(ctx, a.file.ID, a.file.Attempt, reason); err != nil && !notOurs(err) {
		return fmt.Errorf("ingest: reject %s: %w", a.file.ID, err)
	}
	a.log.WarnContext(ctx, "file rejected")
	return nil
}
