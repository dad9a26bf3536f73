package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

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
	if f.Route != caseload.Small {
		return f, caseload.Errorf(caseload.Conflict, "This file goes to the store in parts.").WithHint("Have its parts signed and send them there.")
	}
	stream, err := newVerifiedReader(body, f.Size, crc64nvme)
	if err != nil {
		return f, err
	}
	if length != f.Size {
		return f, wrongLength("The file", f.Size, length)
	}
	if f.State.Acknowledged() && f.CRC64NVME == crc64nvme {
		return f, nil
	}
	if err := stillArriving(f); err != nil {
		return f, err
	}
	declared := caseload.Part{Number: 1, Size: f.Size, CRC64NVME: crc64nvme}
	if f, err = s.beginReceiving(ctx, user, f, declared); err != nil {
		return f, err
	}

	putting, stop := whileStreaming(ctx, stream)
	defer stop()
	err = s.Objects.Put(putting, f.Object, stream, f.Size, crc64nvme)
	if refused := stream.refusal(); refused != nil {
		return f, refused
	}
	if f, err = s.settleReceived(ctx, user, f, declared, stream, err); err != nil {
		return s.orStoredAs(ctx, user, f, crc64nvme, err)
	}
	return f, nil
}

// orStoredAs is orStored for bytes of that checksum only.
func (s *Service) orStoredAs(ctx context.Context, user caseload.User, f caseload.File, crc64nvme string, failure error) (caseload.File, error) {
	row, err := s.orStored(ctx, user, f, failure)
	if err == nil && row.CRC64NVME != crc64nvme {
		return f, failure
	}
	return row, err
}

// beginReceiving moves the row to sending and notes the declared checksum as the manifest's only part, so that Sweep can
// tell whether what lies in the store is what was sent. A declaration is not changed once its bytes have arrived.
func (s *Service) beginReceiving(ctx context.Context, user caseload.User, f caseload.File, declared caseload.Part) (caseload.File, error) {
	deadline := s.now().Add(lookAgain)
	f, err := s.Records.BeginSending(ctx, f.ID, string(user.ID), "", deadline)
	if err != nil {
		return f, fmt.Errorf("begin sending %s: %w", f.ID, err)
	}
	manifest, err := s.Records.Parts(ctx, f.ID)
	if err != nil {
		return f, fmt.Errorf("read manifest of %s: %w", f.ID, err)
	}
	if len(manifest) == 1 && manifest[0].CRC64NVME != declared.CRC64NVME {
		switch _, err := s.Objects.Head(ctx, f.Object, ""); {
		case err == nil:
			return f, otherBytesHeld()
		case caseload.KindOf(err) != caseload.NotFound:
			return f, fmt.Errorf("look for %s: %w", f.ID, err)
		}
	}
	if err := s.Records.RecordParts(ctx, f.ID, []caseload.Part{declared}, deadline); err != nil {
		return f, fmt.Errorf("record checksum of %s: %w", f.ID, err)
	}
	return f, nil
}

// settleReceived makes of a Put's outcome the file's: putErr may mean that the object was there before (an earlier try
// whose answer was lost) or that nobody knows; HEAD does.
func (s *Service) settleReceived(ctx context.Context, user caseload.User, f caseload.File, declared caseload.Part, stream *verifiedReader, putErr error) (caseload.File, error) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	leave, err := s.turns.take(ctx, f.ID)
	if err != nil {
		return f, err
	}
	defer leave()
	want := wanted{size: f.Size, crc64nvme: declared.CRC64NVME, streamed: putErr == nil && stream.whole.Load()}
	if putErr == nil {
		return s.commit(ctx, f, string(user.ID), want)
	}
	seen, err := s.headAfter(ctx, f.Object, putErr)
	switch {
	case err == nil && want.matches(seen):
		return s.commit(ctx, f, string(user.ID), want)
	case err == nil:
		return f, otherBytesHeld().WithCause(putErr)
	case caseload.KindOf(err) != caseload.NotFound:
		return f, fmt.Errorf("look for %s: %w", f.ID, errors.Join(err, putErr))
	case caseload.KindOf(putErr) == caseload.Conflict: // refused as a second write, yet nothing is there: it is on its way
		return f, caseload.Errorf(caseload.Unavailable, "The store is still busy with this file.").WithHint("Try again in a moment.").WithCause(putErr)
	default:
		return f, fmt.Errorf("keep %s: %w", f.ID, putErr)
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

// verifiedReader passes on exactly the declared bytes or an error: the last piece is held back until the length and the
// checksum of everything are known to be right, so a store that counts never sees a whole body that is wrong.
type verifiedReader struct {
	body   io.Reader
	left   int64
	crc    uint64
	want   uint64
	whole  atomic.Bool
	failed atomic.Pointer[caseload.Error]
}

func newVerifiedReader(body io.Reader, length int64, crc64nvme string) (*verifiedReader, error) {
	want, err := caseload.ParseCRC64NVME(crc64nvme)
	if err != nil {
		return nil, err
	}
	return &verifiedReader{body: body, left: length, want: want}, nil
}

func (r *verifiedReader) Read(p []byte) (int, error) {
	if failed := r.failed.Load(); failed != nil {
		return 0, failed
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
	r.crc = caseload.UpdateCRC64NVME(r.crc, p[:n])
	r.left -= int64(n)
	switch {
	case r.left > 0 && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)):
		return 0, r.fail(caseload.Errorf(caseload.Invalid, "The body ended %d bytes early.", r.left).WithHint("Send it again.").WithField("length"))
	case r.left > 0 && err != nil:
		return 0, r.fail(caseload.Errorf(caseload.Invalid, "The connection broke %d bytes before the end.", r.left).WithHint("Send it again.").WithCause(err))
	case r.left > 0:
		return n, nil
	case r.crc != r.want:
		return 0, r.fail(caseload.Errorf(caseload.Invalid, "The bytes are not those the checksum was made of.").
			WithHint("They were changed on the way, or the file changed while it was sent. Send it again.").WithField("crc64nvme"))
	case err == nil && r.more():
		return 0, r.fail(caseload.Errorf(caseload.Invalid, "The body goes on after its declared length.").WithField("length"))
	}
	r.whole.Store(true)
	return n, nil
}

// more tells whether the body holds yet another byte.
func (r *verifiedReader) more() bool {
	n, _ := io.ReadFull(r.body, make([]byte, 1))
	return n > 0
}

func (r *verifiedReader) fail(err *caseload.Error) error {
	r.failed.Store(err)
	return err
}

// refusal is why the body was not passed on whole, or nil.
func (r *verifiedReader) refusal() error {
	if failed := r.failed.Load(); failed != nil {
		return failed
	}
	return nil
}
