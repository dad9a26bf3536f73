package ingest

import (
	"context"
	"errors"
	"io"
	"sync"

	"dcdentals.com/caseload/internal/caseload"
)

// window is the least that is asked of the store at once, in bytes: a DICOM header fits in nearly always.
const window = 32 << 10

// kept is how many windows a source remembers.
const kept = 8

// source is an object of the store as an io.ReaderAt. It asks for at least a window at a time, remembers the last few,
// counts what it asked for, and remembers the first error of the store. Safe for use by several goroutines; requests
// run side by side.
type source struct {
	ctx     context.Context
	objects Objects
	object  caseload.Object

	open   sync.Once
	opened caseload.OpenObject // nil: each read is a ReadRange of its own

	mu      sync.Mutex
	windows []span // most recent last
	bytes   int64
	reads   int
	err     error
}

// span is a piece of the object in memory.
type span struct {
	from int64
	b    []byte
}

func newSource(ctx context.Context, objects Objects, f caseload.File) *source {
	return &source{ctx: ctx, objects: objects, object: objectOf(f)}
}

// objectOf is the verified object of a file, to which every read is pinned (I3).
func objectOf(f caseload.File) caseload.Object {
	return caseload.Object{Key: f.Object, Size: f.Size, CRC64NVME: f.CRC64NVME, ETag: f.ETag, VersionID: f.VersionID}
}

// ReadAt implements io.ReaderAt. Errors of the store are of type *objectError.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.object.Size || off < 0 {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), s.object.Size)
	n := s.remembered(p, off, end)
	if n < int(end-off) {
		var err error
		if n, err = s.fetch(p, off, end); err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// remembered copies [off, end) into p when one window holds all of it, else returns 0.
func (s *source) remembered(p []byte, off, end int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.windows) - 1; i >= 0; i-- {
		if w := s.windows[i]; off >= w.from && end <= w.from+int64(len(w.b)) {
			return copy(p, w.b[off-w.from:end-w.from])
		}
	}
	return 0
}

// fetch asks the store for [off, end), or a window from off when that is more, and copies into p.
func (s *source) fetch(p []byte, off, end int64) (int, error) {
	if err := s.failed(); err != nil {
		return 0, err
	}
	if end-off > window {
		return s.ask(p[:end-off], off)
	}
	b := make([]byte, min(window, s.object.Size-off))
	n, err := s.ask(b, off)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.windows) == kept {
		s.windows = append(s.windows[:0], s.windows[1:]...)
	}
	s.windows = append(s.windows, span{off, b[:n]})
	return copy(p[:end-off], b[:n]), nil
}

// opener is what Objects may be besides: a store where reads at many places cost less once the object is open.
type opener interface {
	// Open pins the object as ReadRange does, with its errors.
	Open(ctx context.Context, o caseload.Object) (caseload.OpenObject, error)
}

// read reads from the open object, or asks for the range.
func (s *source) read(b []byte, off int64) (n int, err error) {
	s.open.Do(func() {
		if store, ok := s.objects.(opener); ok {
			s.opened, err = store.Open(s.ctx, s.object)
		}
	})
	switch {
	case err != nil:
		return 0, err
	case s.opened != nil:
		return s.opened.ReadAt(b, off)
	}
	return s.objects.ReadRange(s.ctx, s.object, b, off)
}

// close ends the reads.
func (s *source) close() {
	s.open.Do(func() {})
	if s.opened != nil {
		_ = s.opened.Close() // it was only read
	}
}

// ask reads exactly len(b) bytes that the object is known to have.
func (s *source) ask(b []byte, off int64) (int, error) {
	n, err := s.read(b, off)
	if n == len(b) {
		err = nil
	} else if err == nil || errors.Is(err, io.EOF) {
		err = caseload.Errorf(caseload.Unavailable, "The store returned less than was asked for.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += int64(n)
	s.reads++
	if err != nil {
		err = &objectError{err}
		if s.err == nil {
			s.err = err
		}
	}
	return n, err
}

// failed returns the first error of the store: after it nothing that was read may be taken for the file's contents.
func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// cost returns how many bytes were read from the store, in how many requests.
func (s *source) cost() (bytes int64, reads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.reads
}
