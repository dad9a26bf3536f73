package dicom

import (
	"errors"
	"io"
)

// window reads a source through one buffer of fixed size: a header of 2 KB costs one read, a skip costs none. It is the
// only place of the package that reads.
//
// The first read takes only as much as nearly every header needs; what follows right behind it fills the rest of the
// buffer. A source that is asked over a network fetches more at once by itself (package ingest), so that this costs no
// request.
type window struct {
	r     io.ReaderAt
	size  int64 // bytes of the source
	buf   []byte
	start int64 // offset of buf[0] in the source
	n     int   // valid bytes in buf

	spare []byte // room for small values, so that not each is an allocation of its own

	bytesRead, budget int64
	reads             int
}

// firstRead is the length of the first read, in bytes: copying more out of the page cache takes longer than walking it.
const firstRead = 8 << 10

// errBudget says that the header took more bytes than Options.MaxRead.
var errBudget = errors.New("dicom: read budget used up")

// A source that already holds its beginning (an inflated ZIP head) says how much, and the window asks for no more than
// that as long as it suffices.
type readySource interface{ Ready() int64 }

// reset makes the window read r[0:size) in pieces of length bytes; it takes over the buffer it had where that is as long.
func (w *window) reset(r io.ReaderAt, size int64, length int, budget int64) *window {
	buf := w.buf
	if len(buf) != length {
		buf = make([]byte, length)
	}
	*w = window{r: r, size: size, buf: buf, budget: budget}
	return w
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

// fill reads the window anew from offset, or goes on filling it when offset lies in its part that is filled; need is what
// must come.
func (w *window) fill(offset int64, need int) error {
	from := 0
	if at := offset - w.start; w.n > 0 && at >= 0 && at <= int64(w.n) && at+int64(need) <= int64(len(w.buf)) {
		from = w.n
	} else {
		w.start, w.n = offset, 0
	}
	at := w.start + int64(from)
	want := min(int64(len(w.buf)-from), w.size-at)
	if w.reads == 0 {
		want = min(want, max(int64(need), firstRead))
	}
	if source, ok := w.r.(readySource); ok {
		if ready := source.Ready() - at; ready >= offset+int64(need)-at && ready < want {
			want = ready
		}
	}
	n, err := w.readAt(w.buf[from:from+int(want)], at)
	w.n = from + n
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
	const small, piece = 128, 1 << 10
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
