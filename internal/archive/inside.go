package archive

import (
	"bufio"
	"context"
	"io"
	"sync"
)

// Bounds of reading an archive that lies compressed in another one.
const (
	replayKeeps    = 4 << 20 // bytes of the stream remembered behind the place it has got to; directories end within them
	replayAhead    = 2 << 20 // bytes asked of the source at once
	replayRestarts = 4       // times the stream begins again before the archive is given up
)

// Inside opens the ZIP that an entry of a is. A stored entry is read in place: its own entries lie at Base + their
// offset in a's source. A compressed one has to be inflated from its beginning for whatever is read of it, which takes
// two passes over the entry and a bounded amount of memory: its entries are best asked for in their order, by one
// worker. It returns what Recover returns; the limits are those of this archive alone.
func (a *Archive) Inside(ctx context.Context, e Entry, lim Limits) (*Archive, error) {
	if err := e.Supported(); err != nil {
		return nil, err
	}
	offset, err := a.DataOffset(ctx, e)
	if err != nil {
		return nil, err
	}
	if e.Method == Store {
		inner, err := Recover(ctx, io.NewSectionReader(a.r, offset, e.Compressed), min(e.Size, e.Compressed), lim)
		if inner != nil {
			inner.Base = a.Base + offset
		}
		return inner, err
	}
	inner, err := Recover(ctx, &replay{ctx: ctx, a: a, e: e, offset: offset}, e.Size, lim)
	if inner != nil {
		inner.Base = -1
	}
	return inner, err
}

// replay is the inflated stream of an entry as an io.ReaderAt: it goes forward, remembers the last replayKeeps bytes,
// and begins again for what lies further behind.
type replay struct {
	ctx    context.Context
	a      *Archive
	e      Entry
	offset int64 // of the compressed bytes

	mu     sync.Mutex
	stream io.Reader // nil: to begin
	at     int64     // bytes given by stream
	tail   []byte    // the last of them
	begun  int
}

// ReadAt implements io.ReaderAt. It returns io.EOF at the entry's end and a *Refused where its bytes are damaged, or
// with TooCostly when they would have to be inflated too often.
func (r *replay) ReadAt(p []byte, offset int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream == nil || offset < r.at-int64(len(r.tail)) {
		if err := r.begin(); err != nil {
			return 0, err
		}
	}
	n := 0
	if behind := r.at - offset; behind > 0 {
		n = copy(p, r.tail[int64(len(r.tail))-behind:])
	}
	chunk := make([]byte, 64<<10)
	for n < len(p) {
		k, err := r.stream.Read(chunk)
		if skip := offset + int64(n) - r.at; skip < int64(k) {
			n += copy(p[n:], chunk[max(skip, 0):k])
		}
		r.at += int64(k)
		r.remember(chunk[:k])
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r *replay) begin() error {
	if r.begun++; r.begun > replayRestarts {
		return refuse(TooCostly, "The archive inside is built so that it would have to be unpacked again and again. Unpack it and send it by itself.")
	}
	compressed := bufio.NewReaderSize(&rangeReader{r.ctx, r.a, r.offset, r.offset + r.e.Compressed}, replayAhead)
	inflated, err := inflate(r.e.Method, compressed)
	if err != nil {
		return err
	}
	r.stream, r.at, r.tail = checked(inflated, r.e), 0, r.tail[:0]
	return nil
}

// remember keeps the last replayKeeps bytes of the stream, moving them only when twice as many have gathered.
func (r *replay) remember(b []byte) {
	if len(r.tail)+len(b) > 2*replayKeeps {
		r.tail = r.tail[:copy(r.tail, r.tail[max(0, len(r.tail)-replayKeeps):])]
	}
	r.tail = append(r.tail, b...)
}
