package dicom

import (
	"errors"
	"io"
	"sync"
)

// window reads a source through one buffer of fixed size: a header of 2 KB costs one read, a skip costs none. It is the
// only place of the package that reads.
type window struct {
	r     io.ReaderAt
	size  int64 // bytes of the source
	buf   []byte
	start int64 // offset of buf[0] in the source
	n     int   // valid bytes in buf

	pooled *[defaultWindow]byte // what buf is made of, when it comes from buffers
	spare  []byte               // room for small values, so that not each is an allocation of its own

	bytesRead, budget int64
	reads             int
}

// errBudget says that the header took more bytes than Options.MaxRead.
var errBudget = errors.New("dicom: read budget used up")

// A source that already holds its beginning (an inflated ZIP head) says how much, and the window asks for no more than
// that as long as it suffices.
type readySource interface{ Ready() int64 }

// buffers are windows of the default length that no Read uses any more. Nothing that Read returns points into one.
var buffers = sync.Pool{New: func() any { return new([defaultWindow]byte) }}

func newWindow(r io.ReaderAt, size int64, length int, budget int64) *window {
	w := &window{r: r, size: size, budget: budget}
	if length == defaultWindow {
		w.pooled = buffers.Get().(*[defaultWindow]byte)
		w.buf = w.pooled[:]
	} else {
		w.buf = make([]byte, length)
	}
	return w
}

// release gives the buffer back; the window must not be used afterwards.
func (w *window) release() {
	if w.pooled != nil {
		buffers.Put(w.pooled)
		w.pooled, w.buf = nil, nil
	}
}

// peek returns up to n bytes at offset; fewer only at the end of the source. The slice is valid until the next call.
// n must not exceed the window's length.
func (w *window) peek(offset int64, n int) ([]byte, error) {
	if offset < 0 || offset >= w.size {
		return nil, nil
	}
	n = int(min(int64(n), w.size-offset))
	if !w.holds(offset, n) {
		if err := w.fill(offset, n); err != nil {
			return nil, err
		}
	}
	from := int(offset - w.start)
	return w.buf[from:min(from+n, w.n)], nil
}

// ahead returns what the buffer holds from offset on, at least enough to recognise an encoding by.
func (w *window) ahead(offset int64) ([]byte, error) {
	const enough = 512
	if _, err := w.peek(offset, enough); err != nil || offset < w.start || offset >= w.start+int64(w.n) {
		return nil, err
	}
	return w.buf[offset-w.start : w.n], nil
}

// holds reports whether the n bytes at offset are in the buffer.
func (w *window) holds(offset int64, n int) bool {
	return offset >= w.start && offset+int64(n) <= w.start+int64(w.n)
}

// fill reads the window anew from offset; need is what must come.
func (w *window) fill(offset int64, need int) error {
	want := int(min(int64(len(w.buf)), w.size-offset))
	if source, ok := w.r.(readySource); ok {
		if ready := source.Ready() - offset; ready >= int64(need) && ready < int64(want) {
			want = int(ready)
		}
	}
	w.start, w.n = offset, 0
	n, err := w.readAt(w.buf[:want], offset)
	w.n = n
	return err
}

// readAt reads past the buffer into p, within the budget. The end of the source is no error: it returns what is there
// and remembers the true size.
func (w *window) readAt(p []byte, offset int64) (int, error) {
	if w.bytesRead+int64(len(p)) > w.budget {
		return 0, errBudget
	}
	n, err := w.r.ReadAt(p, offset)
	w.reads++
	w.bytesRead += int64(n)
	if errors.Is(err, io.EOF) {
		if n < len(p) {
			w.size = min(w.size, offset+int64(n))
		}
		err = nil
	}
	return n, err
}

// copyOut returns a copy of the n bytes at offset, fewer at the end of the source. The caller has bounded n.
func (w *window) copyOut(offset int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), w.size-offset)))
	out := w.room(n)
	if n <= len(w.buf) {
		head, err := w.peek(offset, n)
		return out[:copy(out, head)], err
	}
	got, err := w.readAt(out, offset)
	return out[:got], err
}

// room returns n bytes to copy a value into. Small ones share a piece of memory.
func (w *window) room(n int) []byte {
	const small, piece = 128, 2 << 10
	if n > small {
		return make([]byte, n)
	}
	if len(w.spare) < n {
		w.spare = make([]byte, piece)
	}
	out := w.spare[:n:n]
	w.spare = w.spare[n:]
	return out
}
