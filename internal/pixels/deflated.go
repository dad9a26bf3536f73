package pixels

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
)

// Deflated says that a native frame lies in a data set that is compressed as a whole (PS3.5 A.5): the stream holds Size bytes
// of it from its beginning (RFC 1951), of which the first Skip inflated ones are not the frame's.
type Deflated struct {
	Size int64 `json:"size"`
	Skip int64 `json:"skip"`
}

// maxSkip bounds what is inflated before a frame, in bytes: about half a second.
const maxSkip = 256 << 20

func (d *Deflated) check(f *Frame) error {
	switch {
	case f.Coding != Native || d.Size < 1 || d.Skip < 0:
		return refuse(BadJob, "The image lies in its file in a way that cannot be.")
	case d.Skip > maxSkip:
		return refuse(TooLarge, "The image lies too far behind in a file that is compressed as a whole.")
	}
	return nil
}

// open inflates up to the frame. What is damaged reads like what ends there; r's own errors stay.
func (d *Deflated) open(r io.Reader) (io.Reader, error) {
	inflated := inflating{flate.NewReader(r)}
	if _, err := io.CopyN(io.Discard, inflated, d.Skip); err != nil {
		return nil, cutShort(err)
	}
	return bufio.NewReaderSize(inflated, 64<<10), nil
}

// inflating ends where the compressed stream breaks the format's rules.
type inflating struct{ r io.Reader }

func (i inflating) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if _, damaged := errors.AsType[flate.CorruptInputError](err); damaged {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
