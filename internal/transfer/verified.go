package transfer

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/minio/crc64nvme"

	"dcdentals.com/caseload/internal/caseload"
)

// verifiedReader passes on exactly the declared bytes or an error: the last piece is held back until the length and the
// checksum of everything are known to be right, so a store that counts never sees a whole body that is wrong.
type verifiedReader struct {
	mu    sync.Mutex // held while body is being read
	body  io.Reader
	left  int64
	crc   uint64
	want  uint64
	whole atomic.Bool

	failed atomic.Pointer[caseload.Error]
	done   chan struct{} // closed when body will be read no more
	begun  func() error  // asked before the last piece is passed on, and may wait; nil: at once
}

func newVerifiedReader(body io.Reader, length int64, crc64nvme string) (*verifiedReader, error) {
	want, err := caseload.ParseCRC64NVME(crc64nvme)
	if err != nil {
		return nil, err
	}
	return &verifiedReader{body: body, left: length, want: want, done: make(chan struct{})}, nil
}

func (r *verifiedReader) Read(p []byte) (int, error) {
	n, last, err := r.take(p)
	if last && r.begun != nil {
		if err := r.begun(); err != nil {
			return 0, r.fail(asError(err))
		}
	}
	return n, err
}

// take reads the next piece of the body and tells whether it is the last one.
func (r *verifiedReader) take(p []byte) (n int, last bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if failed := r.failed.Load(); failed != nil {
		return 0, false, failed
	}
	if r.left == 0 {
		return 0, false, io.EOF
	}
	if len(p) == 0 {
		return 0, false, nil
	}
	n, err = r.body.Read(p[:min(int64(len(p)), r.left)])
	r.crc = crc64nvme.Update(r.crc, p[:n])
	r.left -= int64(n)
	switch {
	case r.left > 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		err = r.end(caseload.Errorf(caseload.Invalid, "The body ended %d bytes early.", r.left).WithHint("Send it again.").WithField("length"))
	case r.left > 0 && err != nil:
		err = r.end(caseload.Errorf(caseload.Invalid, "The connection broke %d bytes before the end.", r.left).WithHint("Send it again.").WithCause(err))
	case r.left > 0:
		return n, false, nil
	case r.crc != r.want:
		err = r.end(caseload.Errorf(caseload.Invalid, "The bytes are not those the checksum was made of.").
			WithHint("They were changed on the way, or the file changed while it was sent. Send it again.").WithField("crc64nvme"))
	case err == nil && r.more():
		err = r.end(caseload.Errorf(caseload.Invalid, "The body goes on after its declared length.").WithField("length"))
	default:
		r.whole.Store(true)
		close(r.done)
		return n, true, nil
	}
	return 0, false, err
}

// more tells whether the body holds yet another byte.
func (r *verifiedReader) more() bool {
	n, _ := io.ReadFull(r.body, make([]byte, 1))
	return n > 0
}

// end fails the reader under the lock: its body is read no more.
func (r *verifiedReader) end(err *caseload.Error) error {
	close(r.done)
	return r.fail(err)
}

func (r *verifiedReader) fail(err *caseload.Error) error {
	r.failed.Store(err)
	return err
}

// leave returns when nobody reads the body any more, nor ever will: the store may have answered before it took all.
func (r *verifiedReader) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left > 0 && r.failed.Load() == nil {
		_ = r.end(caseload.Errorf(caseload.Unavailable, "The store answered before it had taken the whole file.").WithHint("Send it again."))
	}
}

// refusal is why the body was not passed on whole, or nil.
func (r *verifiedReader) refusal() error {
	if failed := r.failed.Load(); failed != nil {
		return failed
	}
	return nil
}

// asError is err as an *Error; one that has no kind becomes internal.
func asError(err error) *caseload.Error {
	var known *caseload.Error
	if errors.As(err, &known) {
		return known
	}
	return caseload.Errorf(caseload.Internal, "The file could not be received.").WithCause(err)
}
