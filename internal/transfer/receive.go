package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dcdentals.com/caseload/internal/caseload"
)

// Receive takes a whole file of the small route: length bytes of body, streamed to the store in constant memory, with
// the checksum the client declares for them. Nothing is kept of a body that is shorter, longer or other than declared
// (Invalid). The same call may be repeated until it succeeds: bytes that did arrive the first time are recognized, other
// bytes are a Conflict. A file of the direct route is a Conflict.
func (s *Service) Receive(ctx context.Context, user caseload.User, id caseload.FileID, body io.Reader, length int64, crc64nvme string) (caseload.File, error) {
	if err := mayWrite(user); err != nil {
		return caseload.File{}, err
	}
	f, err := s.Records.File(ctx, user, id)
	if err != nil {
		return f, err
	}
	a := newArrival(f, body, length, crc64nvme)
	if a.open() {
		s.begin(ctx, user, []*arrival{a})
		a.err = a.refused
		s.orStoredAs(ctx, user, a)
	}
	if a.open() {
		s.put(ctx, user, a)
		s.settle(ctx, user, []*arrival{a})
	}
	return a.file, a.err
}

// arrival is one file of the small route on its way through this server into the store: newArrival, begin, put, settle.
type arrival struct {
	file     caseload.File
	declared caseload.Part
	stream   *verifiedReader
	begun    chan struct{} // closed by begin
	refused  error         // begin's word, final once begun is closed
	seen     caseload.Object
	kept     bool // it was stored before
	err      error
}

// newArrival checks what is declared against the row. The arrival is open when bytes are to be taken.
func newArrival(f caseload.File, body io.Reader, length int64, crc64nvme string) *arrival {
	a := &arrival{file: f, begun: make(chan struct{}), declared: caseload.Part{Number: 1, Size: f.Size, CRC64NVME: crc64nvme}}
	if f.Route != caseload.Small {
		a.err = caseload.Errorf(caseload.Conflict, "This file goes to the store in parts.").WithHint("Have its parts signed and send them there.")
		return a
	}
	if a.stream, a.err = newVerifiedReader(body, f.Size, crc64nvme); a.err != nil {
		return a
	}
	a.stream.begun = func() error { <-a.begun; return a.refused }
	switch {
	case length != f.Size:
		a.err = wrongLength("The file", f.Size, length)
	case f.State.Acknowledged() && f.CRC64NVME == crc64nvme:
		a.kept = true
	default:
		a.err = stillArriving(f)
	}
	return a
}

func (a *arrival) open() bool { return a.err == nil && !a.kept }

// begin moves the files to sending and notes the declared checksum of each as its manifest's only part, so that Sweep can
// tell whether what lies in the store is what was sent. A declaration is not changed once its bytes have arrived. No last
// piece of an arrival reaches the store before.
func (s *Service) begin(ctx context.Context, user caseload.User, group []*arrival) {
	declared := make([]caseload.Declared, len(group))
	for i, a := range group {
		declared[i] = caseload.Declared{File: a.file.ID, Part: a.declared}
	}
	deadline := s.now().Add(lookAgain)
	outcomes, held, err := s.Records.BeginReceiving(ctx, string(user.ID), declared, deadline)
	for i, a := range group {
		switch {
		case err != nil:
			a.refused = fmt.Errorf("begin sending %s: %w", a.file.ID, err)
		case outcomes[i].Err != nil:
			a.refused = fmt.Errorf("begin sending %s: %w", a.file.ID, outcomes[i].Err)
		case held[i].CRC64NVME != a.declared.CRC64NVME:
			a.refused = s.declareAnew(ctx, a)
		}
		close(a.begun)
	}
}

// declareAnew changes what an earlier try declared, unless its bytes have arrived.
func (s *Service) declareAnew(ctx context.Context, a *arrival) error {
	switch _, err := s.Objects.Head(ctx, a.file.Object, ""); {
	case err == nil:
		return otherBytesHeld()
	case caseload.KindOf(err) != caseload.NotFound:
		return fmt.Errorf("look for %s: %w", a.file.ID, err)
	}
	if err := s.Records.RecordParts(ctx, a.file.ID, []caseload.Part{a.declared}, s.now().Add(lookAgain)); err != nil {
		return fmt.Errorf("record checksum of %s: %w", a.file.ID, err)
	}
	return nil
}

// put streams the bytes into the store and looks at what it holds then.
func (s *Service) put(ctx context.Context, user caseload.User, a *arrival) {
	putting, stop := whileStreaming(ctx, a.stream)
	defer stop()
	err := s.Objects.Put(putting, a.file.Object, a.stream, a.file.Size, a.declared.CRC64NVME)
	<-a.begun
	refused := a.stream.refusal()
	a.stream.leave()
	switch {
	case a.refused == nil && refused != nil:
		a.err = refused
		return
	case a.refused == nil:
		a.seen, a.err = s.lookReceived(ctx, user, a, err)
	default:
		a.err = a.refused
	}
	s.orStoredAs(ctx, user, a)
}

// lookReceived makes of a Put's outcome the file's: putErr may mean that the object was there before (an earlier try
// whose answer was lost) or that nobody knows; HEAD does.
func (s *Service) lookReceived(ctx context.Context, user caseload.User, a *arrival, putErr error) (caseload.Object, error) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	want := wanted{size: a.file.Size, crc64nvme: a.declared.CRC64NVME, streamed: putErr == nil && a.stream.whole.Load()}
	if putErr == nil {
		return s.observe(ctx, a.file, string(user.ID), want)
	}
	seen, err := s.headAfter(ctx, a.file.Object, putErr)
	switch {
	case err == nil && want.matches(seen):
		return want.object(a.file, seen), nil
	case err == nil:
		return seen, otherBytesHeld().WithCause(putErr)
	case caseload.KindOf(err) != caseload.NotFound:
		return seen, fmt.Errorf("look for %s: %w", a.file.ID, errors.Join(err, putErr))
	case caseload.KindOf(putErr) == caseload.Conflict: // refused as a second write, yet nothing is there: it is on its way
		return seen, caseload.Errorf(caseload.Unavailable, "The store is still busy with this file.").WithHint("Try again in a moment.").WithCause(putErr)
	default:
		return seen, fmt.Errorf("keep %s: %w", a.file.ID, putErr)
	}
}

// settle takes the arrivals that are still open to stored, all in one transaction.
func (s *Service) settle(ctx context.Context, user caseload.User, group []*arrival) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	var open []*arrival
	var seen []caseload.Seen
	for _, a := range group {
		if a.open() {
			open, seen = append(open, a), append(seen, caseload.Seen{File: a.file.ID, Object: a.seen})
		}
	}
	for i, o := range s.keep(ctx, string(user.ID), seen) {
		a := open[i]
		if a.err = o.Err; a.err == nil {
			a.file = o.File
		}
		s.orStoredAs(ctx, user, a)
	}
}

// orStoredAs is orStored for an arrival that failed, and for bytes of its checksum only.
func (s *Service) orStoredAs(ctx context.Context, user caseload.User, a *arrival) {
	if a.err == nil {
		return
	}
	row, err := s.orStored(ctx, user, a.file, a.err)
	switch {
	case err != nil:
		a.err = err
	case row.CRC64NVME == a.declared.CRC64NVME:
		a.file, a.kept, a.err = row, true, nil
	}
}

func otherBytesHeld() *caseload.Error {
	return caseload.Errorf(caseload.Conflict, "Other bytes were already received for this file.").
		WithHint("The file has changed since it was first sent. Send it as a new file.")
}

func wrongLength(what string, want, got int64) error {
	return caseload.Errorf(caseload.Invalid, "%s must be %d bytes long; this is %d.", what, want, got).
		WithHint("The file may have changed while it was sent. Send it again.").WithField("length")
}

// whileStreaming returns the context to stream under: bounded by the longest life of a signed address, ended when the
// client leaves in mid-body, and kept when it leaves after the last byte, so that the store's answer is still heard.
func whileStreaming(ctx context.Context, stream *verifiedReader) (context.Context, context.CancelFunc) {
	streaming, cancel := context.WithTimeout(context.WithoutCancel(ctx), caseload.MaxURLExpiry)
	unhook := context.AfterFunc(ctx, func() {
		if !stream.whole.Load() {
			cancel()
		}
	})
	return streaming, func() {
		unhook()
		cancel()
	}
}
