package api

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/minio/crc64nvme"

	"dcdentals.com/caseload/internal/caseload"
)

// Source is one file to be sent: what it is called, and how to get at its bytes.
type Source struct {
	Name        string
	Path        string    // folder path within what the person sends, with slashes; "" for none
	Size        int64     // bytes
	ContentType string    // what the client takes it for; "" is as good
	ModifiedAt  time.Time // zero: unknown; then a file that changed in between is not recognized by its date

	// Open is called when the file's turn comes, several times in its life and possibly from several goroutines. A Body
	// that is no longer what the Source says returns a *ReadError.
	Open func() (Body, error)
}

// Body is an open Source. Its methods may be called from several goroutines.
type Body interface {
	io.ReaderAt
	io.Closer
	// Unchanged returns a *ReadError when the bytes are no longer those the Source told of.
	Unchanged() error
}

// ReadError is a fault on this side of the line: the file cannot be read, has changed or is gone. It is never tried
// again. caseload.KindOf tells them apart: Invalid, Conflict, NotFound.
type ReadError struct{ err *caseload.Error }

func (e *ReadError) Error() string { return e.err.Error() }
func (e *ReadError) Unwrap() error { return e.err }

var (
	errChanged = &ReadError{caseload.Errorf(caseload.Conflict, "The file changed while it was being sent.").
			WithHint("Nothing of it was kept. Send it again once nothing writes to it.")}
	errGone = &ReadError{caseload.Errorf(caseload.NotFound, "The file is gone.").
		WithHint("It was moved or deleted, or its drive was taken away.")}
)

// readError sorts what the file system says.
func readError(err error) error {
	var known *ReadError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return errGone
	case errors.Is(err, fs.ErrPermission):
		return &ReadError{caseload.Errorf(caseload.Invalid, "The file may not be read.").WithHint("Ask for the right to read it.").WithCause(cause(err))}
	}
	return &ReadError{caseload.Errorf(caseload.Invalid, "The file cannot be read.").WithHint("Copy it from its disk again, then send that.").WithCause(cause(err))}
}

// cause is what went wrong without the path, which whoever tells of the error knows.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// FileSource returns the Source of a file of this computer, as it is now. folder is the path shown for it. Anything but
// a plain file is a *ReadError.
func FileSource(name, folder string) (Source, error) {
	seen, err := os.Stat(name)
	switch {
	case err != nil:
		return Source{}, readError(err)
	case !seen.Mode().IsRegular():
		return Source{}, &ReadError{caseload.Errorf(caseload.Invalid, "This is no plain file.")}
	}
	return Source{
		Name: filepath.Base(name), Path: folder, Size: seen.Size(), ModifiedAt: seen.ModTime(),
		Open: func() (Body, error) { return openFile(name, seen) },
	}, nil
}

// localFile is a file of this computer that must stay as it was seen.
type localFile struct {
	*os.File
	seen fs.FileInfo
}

func openFile(name string, seen fs.FileInfo) (*localFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, readError(err)
	}
	body := &localFile{f, seen}
	if err := body.Unchanged(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return body, nil
}

func (f *localFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = readError(err)
	}
	return n, err
}

// Unchanged looks at the open file and at what now bears its name: a file that was replaced is another one.
func (f *localFile) Unchanged() error {
	now, err := f.Stat()
	if err != nil {
		return readError(err)
	}
	if now.Size() != f.seen.Size() || !now.ModTime().Equal(f.seen.ModTime()) {
		return errChanged
	}
	named, err := os.Stat(f.Name())
	if err != nil {
		return readError(err)
	}
	if !os.SameFile(named, now) {
		return errChanged
	}
	return nil
}

// readerBody is a Body over bytes that whoever gave them keeps as they are.
type readerBody struct{ io.ReaderAt }

func (readerBody) Close() error     { return nil }
func (readerBody) Unchanged() error { return nil }

// fingerprintSize is how much of a file its fingerprint covers, in bytes. The fingerprint of a file that is no longer is
// the checksum of the whole.
const fingerprintSize = 1 << 20

// checksumBuffer is read at once, in bytes: it stays in the processor's cache.
const checksumBuffer = 256 << 10

// buffers are used again: many small files are many checksums.
var buffers = sync.Pool{New: func() any { return new([checksumBuffer]byte) }}

// Checksum returns the base64 of the CRC-64/NVME of everything r holds, as the API takes it.
func Checksum(r io.Reader) (string, error) {
	sum, err := checksum(r, make([]byte, checksumBuffer))
	if err != nil {
		return "", fmt.Errorf("read the file: %w", err)
	}
	return caseload.FormatCRC64NVME(sum), nil
}

// checksum reads r to its end through buf.
func checksum(r io.Reader, buf []byte) (sum uint64, err error) {
	for {
		n, err := r.Read(buf)
		sum = crc64nvme.Update(sum, buf[:n])
		switch {
		case errors.Is(err, io.EOF):
			return sum, nil
		case err != nil:
			return 0, err
		}
	}
}

// checksumOf returns the checksum of length bytes of the body from offset. A body that is too short has changed.
func checksumOf(body io.ReaderAt, offset, length int64) (string, error) {
	section := io.NewSectionReader(body, offset, length)
	buf := buffers.Get().(*[checksumBuffer]byte)
	defer buffers.Put(buf)
	sum, err := checksum(section, buf[:])
	if err != nil {
		return "", readError(err)
	}
	if at, _ := section.Seek(0, io.SeekCurrent); at != length {
		return "", errChanged
	}
	return caseload.FormatCRC64NVME(sum), nil
}
