package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// A form is a loose file in one piece: the client posts it to the store and says nothing when it is there. The form may be
// posted again as long as its signature lives, over what lies there already, so it goes under a key of its own (FormKey).
// Once it has come, the server takes the bytes over to the file's own key, write-once, and that object is the file (I3).

// The server looks for a posted form by itself: soon at first, then in growing pauses, an eighth of the time since it was
// signed. The process that signed it looks within these bounds, the sweep of any process within the wider ones.
const (
	watchFormAfter = time.Second
	watchFormMost  = time.Minute
	sweepFormAfter = 20 * time.Second
	sweepFormMost  = 10 * time.Minute

	watchedForms = 10_000 // by one process; the sweep sees to the others
	formLooks    = 8      // at once
)

// formPause is how long a form is left alone that was signed that long ago.
func formPause(since, least, most time.Duration) time.Duration {
	return min(max(since/8, least), most)
}

// formLife is how long after its signing a form may still arrive: begun until its signature expires, then streamed for as
// long as any body may be.
func (s *Service) formLife() time.Duration {
	return min(s.Limits.URLExpiry, caseload.MaxURLExpiry) + caseload.MaxURLExpiry
}

// PlanForm makes the row of a file that is going to be posted as a form, and signs the form: for exactly the size if it
// is known, else for up to the limit. The errors are those of Plan.
func (s *Service) PlanForm(ctx context.Context, user caseload.User, c caseload.CaseID, spec FileSpec, origin string) (caseload.File, caseload.SignedForm, error) {
	f, err := s.planLoose(ctx, user, c, spec)
	if err != nil {
		return f, caseload.SignedForm{}, err
	}
	if f, err = s.Records.BeginSending(ctx, f.ID, string(user.ID), "", s.now().Add(sweepFormAfter)); err != nil {
		return f, caseload.SignedForm{}, fmt.Errorf("begin sending %s: %w", f.ID, err)
	}
	least := f.Size
	if f.SizeOpen {
		least = 1
	}
	form, err := s.Objects.SignForm(ctx, origin, f.FormKey(), least, f.Size, min(s.Limits.URLExpiry, caseload.MaxURLExpiry))
	if err != nil {
		return f, form, fmt.Errorf("sign the form of %s: %w", f.ID, err)
	}
	s.forms.add(f.ID, f.Organization, s.now())
	return f, form, nil
}

// finishForm takes over what was posted for a file.
func (s *Service) finishForm(ctx context.Context, f caseload.File, actor string) (caseload.File, error) {
	posted, err := s.Objects.Head(ctx, f.FormKey(), "")
	switch {
	case caseload.KindOf(err) == caseload.NotFound:
		return f, caseload.Errorf(caseload.Conflict, "This file has not been received yet.").WithHint("Send it again.").WithCause(errNotWhole)
	case err != nil:
		return f, fmt.Errorf("look for the form of %s: %w", f.ID, err)
	case posted.Size > f.Size:
		return f, s.refuseTooLarge(ctx, f, actor)
	case posted.Size == 0 || !f.SizeOpen && posted.Size != f.Size:
		return f, s.refuseOtherBytes(ctx, f, actor, posted)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	sum := posted.CRC64NVME
	if sum == "" {
		if sum, err = s.takeChecksum(ctx, posted); err != nil {
			return f, fmt.Errorf("take the checksum of %s: %w", f.ID, err)
		}
	}
	want := wanted{crc64nvme: sum, streamed: true}
	if err := s.takeOver(ctx, f, posted, sum); err != nil {
		if _, headErr := s.headAfter(ctx, f.Object, err); headErr != nil {
			return f, fmt.Errorf("take over %s: %w", f.ID, errors.Join(headErr, err))
		}
		want = wanted{} // taken over before, perhaps of an earlier posting: what lies there counts
	}
	return s.keepLoose(ctx, f, actor, want)
}

// takeOver streams what was posted to the file's own key. Nothing is kept that is not the bytes of that checksum.
func (s *Service) takeOver(ctx context.Context, f caseload.File, posted caseload.Object, sum string) error {
	body, err := s.Objects.Stream(ctx, posted)
	if err != nil {
		return err
	}
	defer body.Close()
	stream, err := newVerifiedReader(body, posted.Size, sum)
	if err != nil {
		return err
	}
	return s.Objects.Put(ctx, f.Object, stream, posted.Size, sum)
}

// formWatch is the forms that this process signed and that have not come yet. The zero value is ready.
type formWatch struct {
	mu   sync.Mutex
	open map[caseload.FileID]*openForm
}

type openForm struct {
	organization caseload.OrganizationID
	since, next  time.Time
}

func (w *formWatch) add(id caseload.FileID, o caseload.OrganizationID, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[caseload.FileID]*openForm{}
	}
	if len(w.open) < watchedForms {
		w.open[id] = &openForm{organization: o, since: now, next: now.Add(watchFormAfter)}
	}
}

// due returns the forms whose turn it is, each once until its next turn, and forgets those that are too old.
func (w *formWatch) due(now time.Time, life time.Duration) map[caseload.FileID]caseload.OrganizationID {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := map[caseload.FileID]caseload.OrganizationID{}
	for id, form := range w.open {
		switch age := now.Sub(form.since); {
		case age > life:
			delete(w.open, id)
		case !form.next.After(now):
			form.next = now.Add(formPause(age, watchFormAfter, watchFormMost))
			due[id] = form.organization
		}
	}
	return due
}

func (w *formWatch) forget(id caseload.FileID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, id)
}

// WatchForms looks for the forms that this process signed until ctx ends, so that a file is stored seconds after its last
// byte. It returns when the looks under way have ended. Without it the sweep finds them, later.
func (s *Service) WatchForms(ctx context.Context) {
	places := make(chan struct{}, formLooks)
	ticker := time.NewTicker(watchFormAfter)
	defer ticker.Stop()
	var looks sync.WaitGroup
	defer looks.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for id, organization := range s.forms.due(s.now(), s.formLife()) {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			looks.Go(func() {
				defer func() { <-places }()
				s.lookForForm(ctx, id, organization)
			})
		}
	}
}

// lookForForm finishes the file if its form has come; it is watched on while that can still happen.
func (s *Service) lookForForm(ctx context.Context, id caseload.FileID, organization caseload.OrganizationID) {
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return
	}
	defer leave()
	f, err := s.Records.File(ctx, caseload.User{Organization: organization}, id)
	switch kind := caseload.KindOf(err); {
	case kind == caseload.Gone || kind == caseload.NotFound || err == nil && !f.State.Arriving():
		s.forms.forget(id)
		return
	case err == nil:
		_, err = s.finishForm(ctx, f, string(f.CreatedBy))
	}
	switch {
	case err == nil || errors.Is(err, errOtherBytes):
		s.forms.forget(id)
	case !errors.Is(err, errNotWhole) && ctx.Err() == nil:
		s.Log.WarnContext(ctx, "a posted form could not be taken over; it is tried again", "file", id, "error", err)
	}
}
