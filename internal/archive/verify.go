package archive

import (
	"bufio"
	"context"
	"io"
)

// Check is what Verify looks at: an archive, whom to tell of each entry, and the archives inside it by the index of the
// entry that they are.
type Check struct {
	Archive *Archive
	Each    func(e Entry, err error)
	Inside  map[int]Check
}

// Verify reads the whole archive once from its first to its last byte and checks size and CRC-32 of every entry on the
// way, of the archives inside it too, calling Each with the entry and nil or the reason (*Refused). Folders are not
// called. The caller hashes the same bytes by giving an io.TeeReader: whole is read to its end. Memory is constant.
//
// Verify returns the context's error or a read error of whole; wrong entries are told only to Each.
func Verify(ctx context.Context, whole io.Reader, c Check) error {
	in := &countedReader{ctx: ctx, r: whole}
	buffered := bufio.NewReaderSize(in, 256<<10)
	position := func() int64 { return in.read - int64(buffered.Buffered()) }
	for _, i := range c.Archive.order {
		e := c.Archive.Entries[i]
		if e.Dir {
			continue
		}
		if _, err := io.CopyN(io.Discard, buffered, e.HeaderOffset-position()); err != nil && in.err != nil {
			return in.err
		}
		err := verifyEntry(ctx, buffered, e, c.Inside)
		if in.err != nil {
			return in.err
		}
		c.Each(e, err)
	}
	if _, err := io.Copy(io.Discard, buffered); err != nil {
		return err
	}
	return in.err
}

// verifyEntry checks the entry whose local header comes next. It may leave part of the entry unread.
func verifyEntry(ctx context.Context, in *bufio.Reader, e Entry, inside map[int]Check) error {
	if err := e.Supported(); err != nil {
		return err
	}
	b, err := in.Peek(localHeaderSize + len(e.raw))
	if err != nil {
		return damaged(err)
	}
	start, err := e.localHeader(b)
	if err != nil {
		return err
	}
	if _, err := in.Discard(int(start)); err != nil {
		return damaged(err)
	}
	source := &limitedByteReader{in, e.Compressed}
	inflated, err := inflate(e.Method, source)
	if err != nil {
		return err
	}
	if inner, ok := inside[e.Index]; ok {
		return Verify(ctx, checked(inflated, e), inner)
	}
	_, err = io.Copy(io.Discard, checked(inflated, e))
	return err
}

// limitedByteReader gives the next left bytes of a buffered reader. Being an io.ByteReader it keeps decompressors from
// reading ahead.
type limitedByteReader struct {
	in   *bufio.Reader
	left int64
}

func (l *limitedByteReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n, err := l.in.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (l *limitedByteReader) ReadByte() (byte, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	b, err := l.in.ReadByte()
	if err == nil {
		l.left--
	}
	return b, err
}

// countedReader counts what was read, remembers a real error of the source and obeys the context.
type countedReader struct {
	ctx  context.Context
	r    io.Reader
	read int64
	err  error
}

func (c *countedReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		c.err = err
		return 0, err
	}
	n, err := c.r.Read(p)
	c.read += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
