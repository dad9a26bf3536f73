package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
)

// Bounds of a Head, in inflated bytes.
const (
	headPiece = 4 << 10  // inflated at once, at least
	mostHead  = 16 << 20 // a header longer than this is not read by ranges
)

// Head is the beginning of an entry: an io.ReaderAt over its inflated bytes that reads on when asked for more. It is for
// one goroutine at a time.
type Head struct {
	Entry      Entry
	DataOffset int64 // of the entry's (compressed) bytes in the archive
	Err        error // why nothing of the entry can be read; nil otherwise

	ctx        context.Context
	a          *Archive
	compressed []byte    // the first bytes of the entry as stored
	inflated   []byte    // what they gave so far; for Store, the same
	stream     io.Reader // gives what comes after inflated; nil: to begin, or at the end
	starved    bool      // inflating stopped because compressed ended
	end        error     // why nothing comes after inflated; nil while more may come
}

// newHead makes a Head of b, which begins at the entry's local header.
func (a *Archive) newHead(ctx context.Context, e Entry, b []byte) *Head {
	h := &Head{Entry: e, ctx: ctx, a: a}
	if h.Err = e.Supported(); h.Err != nil {
		return h
	}
	if len(b) < localHeaderSize {
		h.Err = refuse(Truncated, "The entry is cut off.")
		return h
	}
	start, err := e.localHeader(b)
	if err != nil {
		h.Err = err
		return h
	}
	h.DataOffset = e.HeaderOffset + start
	if start < int64(len(b)) {
		h.compressed = b[start:min(int64(len(b)), start+e.Compressed)]
	}
	if e.Method == Store {
		h.inflated = h.compressed
		return h
	}
	h.inflate(headPiece)
	return h
}

// release gives back what the head holds. Nothing of it may be used any more.
func (h *Head) release() {
	if h.stream != nil {
		giveBack(h.stream)
	}
	h.stream, h.inflated, h.compressed = nil, nil, nil
}

// Size is the number of inflated bytes the directory claims.
func (h *Head) Size() int64 { return h.Entry.Size }

// Bytes returns the inflated bytes at hand, valid until the next ReadAt.
func (h *Head) Bytes() []byte { return h.inflated }

// Ready is the number of bytes, from the first, that can be read without asking the source.
func (h *Head) Ready() int64 { return int64(len(h.inflated)) }

// ReadAt implements io.ReaderAt over the inflated bytes. Beyond Ready it reads more of the archive: the range itself of a
// stored entry, twice as many compressed bytes of the others. It returns io.EOF at the end of the entry, a *Refused with
// HeadTooLarge beyond 16 MiB of a compressed entry or EntryDamaged where the data break off.
func (h *Head) ReadAt(p []byte, offset int64) (int, error) {
	if h.Err != nil {
		return 0, h.Err
	}
	if offset < 0 {
		return 0, errors.New("archive: negative offset")
	}
	if offset >= h.Entry.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), h.Entry.Size-offset)
	if h.Entry.Method == Store && offset+want > h.Ready() {
		return h.readStored(p, offset, want)
	}
	if err := h.grow(offset + want); err != nil {
		if offset < h.Ready() {
			return copy(p, h.inflated[offset:]), err
		}
		return 0, err
	}
	n := copy(p, h.inflated[offset:offset+want])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readStored reads a stored entry in place.
func (h *Head) readStored(p []byte, offset, want int64) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	want = min(want, h.Entry.Compressed-offset)
	if want <= 0 {
		return 0, io.EOF
	}
	if err := h.a.readAt(p[:want], h.DataOffset+offset); err != nil {
		return 0, err
	}
	if int(want) < len(p) {
		return int(want), io.EOF
	}
	return int(want), nil
}

// grow makes at least need inflated bytes available.
func (h *Head) grow(need int64) error {
	for h.Ready() < need {
		switch {
		case h.end != nil:
			return h.end
		case need > mostHead:
			return refuse(HeadTooLarge, "The entry's header is longer than %s.", readable(mostHead))
		}
		if h.starved {
			if err := h.fetch(); err != nil {
				return err
			}
		}
		h.inflate(max(need, h.Ready()+min(h.Ready(), 32<<10)))
	}
	return nil
}

// fetch reads as many compressed bytes again as there are.
func (h *Head) fetch() error {
	if err := h.ctx.Err(); err != nil {
		return err
	}
	have := int64(len(h.compressed))
	more := min(max(have, 16<<10), h.Entry.Compressed-have)
	all := make([]byte, have+more)
	copy(all, h.compressed)
	if err := h.a.readAt(all[have:], h.DataOffset+have); err != nil {
		return err
	}
	h.compressed = all
	return nil
}

// inflate goes on up to target bytes. A decompressor that ran dry starts over with more compressed bytes; as they double,
// all of it costs at most twice.
func (h *Head) inflate(target int64) {
	target = min(target, h.Entry.Size, mostHead)
	if h.stream == nil {
		r, err := inflate(h.Entry.Method, bytes.NewReader(h.compressed))
		if err != nil {
			h.end = err
			return
		}
		h.stream, h.inflated = r, h.inflated[:0]
	}
	var err error
	for err == nil && h.Ready() < target {
		have := len(h.inflated)
		piece := min(target-h.Ready(), max(headPiece, h.Ready())) // never much more memory than there was data for
		h.inflated = slices.Grow(h.inflated, int(piece))
		var n int
		n, err = h.stream.Read(h.inflated[have : have+int(piece)])
		h.inflated = h.inflated[:have+n]
	}
	short, whole := h.Ready() < target, int64(len(h.compressed)) == h.Entry.Compressed
	h.starved = false
	switch {
	case !short && target == h.Entry.Size:
		h.end = io.EOF
	case !short:
		return // the stream goes on from here
	case whole || !errors.Is(err, io.ErrUnexpectedEOF):
		h.end = damaged(err)
	default:
		h.starved = true
	}
	giveBack(h.stream)
	h.stream = nil
}
