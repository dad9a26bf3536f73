package archive

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"sync"
)

// localHeader checks the local header in b against the entry and returns where the data begin, relative to the header
// (APPNOTE 4.3.7). b must hold at least localHeaderSize bytes and the name. What the header leaves to a data descriptor
// (APPNOTE 4.3.9) or to Zip64 is not compared; the checksum is the judge of it.
func (e Entry) localHeader(b []byte) (int64, error) {
	if !bytes.HasPrefix(b, []byte("PK\x03\x04")) {
		return 0, refuse(EntryDamaged, "The entry is not where the list of contents says.")
	}
	if method := little.Uint16(b[8:]); method != e.Method {
		return 0, refuse(EntryDamaged, "The entry and the list of contents name different compressions.")
	}
	if differs := e.differs(b); differs != "" {
		return 0, refuse(HeadersDiffer, "The entry and the list of contents state different %s. Such a ZIP is damaged or made to deceive.", differs)
	}
	start := localHeaderSize + int64(little.Uint16(b[26:])) + int64(little.Uint16(b[28:]))
	if e.Compressed > e.limit-e.HeaderOffset-start {
		return 0, refuse(Overlap, "The entry reaches into the next one.")
	}
	return start, nil
}

// differs returns what the local header in b states otherwise than the directory; "" when nothing.
func (e Entry) differs(b []byte) string {
	flags, nameLen := little.Uint16(b[6:]), int(little.Uint16(b[26:]))
	if (flags^e.flags)&utf8Name == 0 && localHeaderSize+nameLen <= len(b) && !sameName(b[localHeaderSize:localHeaderSize+nameLen], e.raw) {
		return "names"
	}
	if (flags^e.flags)&1 != 0 {
		return "encryption"
	}
	if flags&descriptorFlag != 0 {
		return ""
	}
	claims := func(b []byte, value int64) bool {
		local := little.Uint32(b)
		return local != 0 && local != 0xFFFFFFFF && int64(local) != value
	}
	switch {
	case claims(b[14:], int64(e.CRC32)):
		return "checksums"
	case claims(b[18:], e.Compressed), claims(b[22:], e.Size):
		return "sizes"
	}
	return ""
}

// sameName compares names as written; the two kinds of slashes are one.
func sameName(a []byte, b string) bool {
	return string(a) == b || strings.ReplaceAll(string(a), `\`, "/") == strings.ReplaceAll(b, `\`, "/")
}

// DataOffset reads the entry's local header and returns where its (compressed) bytes begin in the archive.
func (a *Archive) DataOffset(ctx context.Context, e Entry) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b := make([]byte, localHeaderSize+len(e.raw))
	if err := a.readAt(b, e.HeaderOffset); err != nil {
		return 0, err
	}
	start, err := e.localHeader(b)
	return e.HeaderOffset + start, err
}

// Content returns the inflated bytes of an entry as a stream. It ends with io.EOF only when size and checksum are those
// of the directory; otherwise with a *Refused (ChecksumWrong, SizeWrong, Truncated, EntryDamaged). It never gives more than the
// declared size.
func (a *Archive) Content(ctx context.Context, e Entry) (io.ReadCloser, error) {
	if err := e.Supported(); err != nil {
		return nil, err
	}
	offset, err := a.DataOffset(ctx, e)
	if err != nil {
		return nil, err
	}
	source := bufio.NewReaderSize(&rangeReader{ctx, a, offset, offset + e.Compressed}, int(min(256<<10, max(e.Compressed, 512))))
	inflated, err := inflate(e.Method, source)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(checked(inflated, e)), nil
}

// inflaters are kept: making one costs more than inflating the beginning of an entry.
var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// giveBack keeps a reader of inflate that nobody reads from any more.
func giveBack(r io.Reader) {
	if _, ok := r.(flate.Resetter); ok {
		inflaters.Put(r)
	}
}

// inflate returns the decompressed stream of a method. source gives exactly the entry's compressed bytes.
func inflate(method uint16, source io.Reader) (io.Reader, error) {
	switch method {
	case Store:
		return source, nil
	case Deflate:
		r := inflaters.Get().(io.Reader)
		return r, r.(flate.Resetter).Reset(source, nil)
	case Deflate64:
		return newDeflate64(source), nil
	}
	return nil, Entry{Method: method}.Supported()
}

// rangeReader reads a range of the archive in order.
type rangeReader struct {
	ctx         context.Context
	a           *Archive
	offset, end int64
}

func (r *rangeReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n := min(int64(len(p)), r.end-r.offset)
	if n <= 0 {
		return 0, io.EOF
	}
	if err := r.a.readAt(p[:n], r.offset); err != nil {
		return 0, err
	}
	r.offset += n
	return int(n), nil
}

// checkedReader compares size and CRC-32 with the directory at the end of the stream.
type checkedReader struct {
	r    io.Reader
	e    Entry
	left int64 // declared bytes still to come
	sum  hash.Hash32
	err  error
}

func checked(r io.Reader, e Entry) *checkedReader {
	return &checkedReader{r: r, e: e, left: e.Size, sum: crc32.NewIEEE()}
}

func (c *checkedReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		c.err = c.atEnd()
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.sum.Write(p[:n])
	c.left -= int64(n)
	if err == io.EOF && c.left == 0 {
		err = nil // settled by the next call
	}
	if err != nil {
		c.err = damaged(err)
	}
	return n, c.err
}

// atEnd makes sure that nothing more comes and the checksum is right.
func (c *checkedReader) atEnd() error {
	var one [1]byte
	n, err := io.ReadFull(c.r, one[:])
	switch {
	case n > 0:
		return refuse(SizeWrong, "The entry is longer than the list of contents says.")
	case !errors.Is(err, io.EOF):
		return damaged(err)
	case c.sum.Sum32() != c.e.CRC32:
		return refuse(ChecksumWrong, "The entry's checksum is wrong: it was damaged on the way or on the disk.")
	}
	return io.EOF
}

// damaged turns what a decompressor says into a reason; errors of the source and the context pass through.
func damaged(err error) error {
	var corrupt flate.CorruptInputError
	var internal flate.InternalError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(Truncated, "The entry is cut off: it is shorter than the list of contents says.")
	case errors.As(err, &corrupt) || errors.As(err, &internal) || errors.Is(err, errDeflate64):
		return refuse(EntryDamaged, "The entry's compressed data are damaged.")
	}
	return err
}
