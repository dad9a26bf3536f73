package dicom

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
)

// inflater makes an io.ReaderAt of a deflated data set (PS3.5 A.5): it inflates forwards, keeps only the last bytes,
// and stops at its limit. Reads may go back by at most keep bytes, which is all the window asks.
type inflater struct {
	ctx    context.Context
	source *countingReader
	r      io.Reader
	start  int64 // of the stream in the source
	limit  int64

	tail []byte // the last inflated bytes
	keep int
	end  int64 // inflated bytes so far; tail ends here
	err  error
}

var errInflated = errors.New("dicom: inflated more than the limit")

// newInflater inflates r[offset:size). A wrapper of zlib or gzip, which some writers add against the standard, is skipped.
func newInflater(ctx context.Context, r io.ReaderAt, offset, size int64, keep int, limit int64) *inflater {
	var start [5]byte
	n, _ := r.ReadAt(start[:], offset)
	if zlibWrapped(start[:n]) {
		offset += 2
	}
	offset += gzipHeader(r, offset)
	source := &countingReader{r: io.NewSectionReader(r, offset, size-offset)}
	return &inflater{
		ctx: ctx, source: source, r: flate.NewReader(bufio.NewReaderSize(source, 32<<10)), start: offset, keep: keep, limit: limit,
	}
}

// zlibWrapped recognises a zlib header (RFC 1950) where a raw stream (RFC 1951) would have to be a stored block whose
// length does not match its complement.
func zlibWrapped(b []byte) bool {
	if len(b) < 5 || b[0]&0x0F != 8 || (int(b[0])<<8|int(b[1]))%31 != 0 {
		return false
	}
	return b[0]&0x06 != 0 || b[1]^b[3] != 0xFF || b[2]^b[4] != 0xFF
}

// gzipHeader returns the length of a plain gzip header (RFC 1952 2.3.1), with a name or without; 0 when there is none.
func gzipHeader(r io.ReaderAt, offset int64) int64 {
	const fixed, named = 10, 8
	b := make([]byte, 512)
	n, _ := r.ReadAt(b, offset)
	if b = b[:n]; n < fixed || !bytes.HasPrefix(b, []byte{0x1F, 0x8B, 8}) || b[3]&^named != 0 {
		return 0
	}
	if b[3] == 0 {
		return fixed
	}
	return fixed + int64(bytes.IndexByte(b[fixed:], 0)) + 1 // without an end of the name: the fixed part
}

// ReadAt implements io.ReaderAt. A damaged stream reads like one that ends there.
func (f *inflater) ReadAt(p []byte, offset int64) (int, error) {
	want := offset + int64(len(p))
	for f.end < want && f.err == nil {
		f.more()
	}
	start := f.end - int64(len(f.tail))
	if offset < start {
		return 0, errors.New("dicom: read behind the inflated window")
	}
	n := 0
	if offset < f.end {
		n = copy(p, f.tail[offset-start:])
	}
	if n < len(p) {
		if f.err != nil {
			return n, f.err
		}
		return n, io.EOF
	}
	return n, nil
}

// more inflates the next piece and drops what lies too far behind.
func (f *inflater) more() {
	const piece = 16 << 10
	if f.err = f.ctx.Err(); f.err != nil {
		return
	}
	if f.end+piece > f.limit {
		f.err = errInflated
		return
	}
	if len(f.tail)+piece > 2*f.keep {
		f.tail = append(f.tail[:0], f.tail[len(f.tail)-f.keep:]...)
	}
	had := len(f.tail)
	f.tail = append(f.tail, make([]byte, piece)...)
	n, err := io.ReadFull(f.r, f.tail[had:])
	f.tail = f.tail[:had+n]
	f.end += int64(n)
	if err != nil {
		f.err = io.EOF
		if f.source.err != nil {
			f.err = f.source.err
		}
	}
}

// countingReader remembers a real read error of the source, which flate would wrap, and counts.
type countingReader struct {
	r     io.Reader
	bytes int64
	reads int
	err   error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.bytes += int64(n)
	c.reads++
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
