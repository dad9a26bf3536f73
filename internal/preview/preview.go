// Package preview turns stored bytes into something to look at: the middle slice and three planes of a series, a shaded
// mesh, a small copy of a photo, the number of pages of a document. It reads only what that takes, by range out of the
// object store, and hands the bytes on to a decoder that runs elsewhere; it decodes nothing itself. Nobody waits for it:
// a file is ready without, and a preview that cannot be made is a reason in plain words. It is safe to run in several
// processes: a preview is claimed for a while, and every change is fenced by the attempt. It knows the database, the
// store and the decoder only through the interfaces below.
package preview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pixels"
)

// What a deployment runs with.
const (
	DefaultClaim = 3 * time.Minute        // longer than any job: the decoder's own bound is shorter
	DefaultPause = 400 * time.Millisecond // between two looks for something to do
	mostTries    = 3                      // attempts that ended without a word before there is no preview
	laterBy      = 30 * time.Second       // when the store cannot answer
)

// Service makes previews. All fields are required.
type Service struct {
	Records Records
	Objects Objects
	Decoder Decoder
	Owner   string        // names this process in claims
	Claim   time.Duration // DefaultClaim
	Pause   time.Duration // DefaultPause
	Now     func() time.Time
	Log     *slog.Logger
}

// Records is what preview asks of the database. SavePreview and PostponePreview are fenced by the order's attempt: they
// answer Conflict when another one has the say or the preview is gone, and then nothing has been changed.
type Records interface {
	// ClaimPreview claims the preview that is longest due until the given moment; ok is false when none is due.
	ClaimPreview(ctx context.Context, owner string, now, until time.Time) (o caseload.PreviewOrder, ok bool, err error)
	// SavePreview keeps an outcome.
	SavePreview(ctx context.Context, o caseload.PreviewOrder, made caseload.Preview) error
	// PostponePreview makes it due again at the given moment; with forgive the attempt does not count.
	PostponePreview(ctx context.Context, o caseload.PreviewOrder, due time.Time, forgive bool) error
}

// Objects is what preview asks of the object store; every read is pinned to the verified object, as in package ingest.
type Objects interface {
	ReadRange(ctx context.Context, o caseload.Object, p []byte, off int64) (int, error)
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
}

// Decoder does a job somewhere where it can do no harm. feed writes the bytes that the job announces. The error is
// feed's, the context's, or that nothing can be decoded at all; what the bytes are to blame for is Result.Refused.
type Decoder interface {
	Run(ctx context.Context, job pixels.Job, feed func(w io.Writer) error) (pixels.Result, error)
}

// Run makes previews as they become due, until the context ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.Pause)
	defer tick.Stop()
	for {
		did, err := s.Next(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "a preview could not be looked after; trying again", slog.Any("error", err))
		}
		if did && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Next makes the preview that is longest due and tells whether there was one.
func (s *Service) Next(ctx context.Context) (did bool, err error) {
	now := s.Now()
	o, ok, err := s.Records.ClaimPreview(ctx, s.Owner, now, now.Add(s.Claim))
	if err != nil || !ok {
		return false, err
	}
	begun := time.Now()
	var made caseload.Preview
	if o.Tries > mostTries {
		made = none("Making the preview ended without a result several times.")
	} else if made, err = s.make(ctx, o); err != nil {
		return true, s.postpone(ctx, o, err)
	}
	if err := s.Records.SavePreview(ctx, o, made); err != nil && !gone(err) {
		return true, fmt.Errorf("preview: save %s: %w", o.ID, err)
	}
	s.Log.InfoContext(ctx, "preview looked after", slog.String("preview", string(o.ID)), slog.String("state", string(made.State)),
		slog.Int("pictures", len(made.Pictures)), slog.Duration("took", time.Since(begun)))
	return true, nil
}

// gone tells whether the order is no longer ours, or what it shows was deleted.
func gone(err error) bool {
	kind := caseload.KindOf(err)
	return kind == caseload.Conflict || kind == caseload.NotFound || kind == caseload.Gone
}

// postpone gives the order back after an error that is not the file's fault.
func (s *Service) postpone(ctx context.Context, o caseload.PreviewOrder, cause error) error {
	due, stopped := s.Now().Add(laterBy), ctx.Err() != nil
	switch {
	case stopped, errors.Is(cause, errAgain):
		due = s.Now()
	default:
		s.Log.WarnContext(ctx, "a preview has to wait", slog.String("preview", string(o.ID)), slog.Any("error", cause))
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	forgive := stopped || caseload.KindOf(cause) == caseload.Unavailable
	if err := s.Records.PostponePreview(last, o, due, forgive); err != nil && !gone(err) {
		return fmt.Errorf("preview: postpone %s: %w", o.ID, err)
	}
	return nil
}

// errAgain asks for another attempt, which counts.
var errAgain = errors.New("preview: the decoder ended without a word")

// make makes what the order asks for. Errors are those of the store, the context and the decoder's machinery.
func (s *Service) make(ctx context.Context, o caseload.PreviewOrder) (made caseload.Preview, err error) {
	defer func() {
		if p := recover(); p != nil {
			// The value of a panic may quote what was read; the place is enough.
			s.Log.ErrorContext(ctx, "making a preview panicked", slog.String("preview", string(o.ID)), slog.String("stack", string(debug.Stack())))
			made, err = none("Making the preview failed."), nil
		}
	}()
	w := &work{Service: s, ctx: ctx, order: o}
	switch {
	case len(o.Offers) > 0:
		made, err = w.drawOffer()
	case o.Series != "":
		made, err = w.drawSeries()
	default:
		made, err = w.drawFile()
	}
	if reason, ok := errors.AsType[*unreadable](err); ok {
		return none(reason.text), nil
	}
	if err != nil && gone(err) {
		return none("The stored object cannot be read."), nil
	}
	return made, err
}

// work is one attempt.
type work struct {
	*Service
	ctx   context.Context
	order caseload.PreviewOrder
}

// unreadable says in plain words why there is nothing to decode.
type unreadable struct{ text string }

func (u *unreadable) Error() string { return "preview: " + u.text }

func none(reason string) caseload.Preview {
	return caseload.Preview{State: caseload.PreviewNone, Reason: reason}
}

// decode has a job done and turns its result into a preview.
func (w *work) decode(job pixels.Job, feed func(io.Writer) error) (caseload.Preview, error) {
	result, err := w.Decoder.Run(w.ctx, job, feed)
	if err != nil {
		return caseload.Preview{}, err
	}
	made := caseload.Preview{State: caseload.PreviewMade, Facts: caseload.PreviewFacts(result.Facts)}
	if r := result.Refused; r != nil {
		w.Log.InfoContext(w.ctx, "no preview", slog.String("preview", string(w.order.ID)), slog.String("code", string(r.Code)))
		if r.Code == pixels.Crashed && w.order.Tries < mostTries {
			return caseload.Preview{}, errAgain
		}
		made.State, made.Reason = caseload.PreviewNone, r.Reason
		return made, nil
	}
	for _, p := range result.Pictures {
		picture, err := kept(p)
		if err != nil {
			return caseload.Preview{}, err
		}
		made.Pictures = append(made.Pictures, picture)
	}
	return made, nil
}
