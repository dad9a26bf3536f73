package preview

import (
	"bufio"
	"context"
	"io"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
)

// content is one DICOM object's bytes, in a file of its own or in a ZIP.
type content struct {
	io.ReaderAt
	size int64
}

// openContent returns the bytes of an instance. ahead is how many of the first of them are asked for at once.
func (w *work) openContent(m caseload.Instance, ahead int64) (content, error) {
	f, ok := w.order.Files[m.File]
	if !ok {
		return content{}, &unreadable{"The file is gone."}
	}
	stored := &stored{ctx: w.ctx, objects: w.Objects, object: objectOf(f)}
	e := m.Entry
	switch {
	case e.Index < 0:
		return content{&headed{r: stored, size: f.Size, ahead: ahead}, f.Size}, nil
	case e.DataOffset < 0 || e.Compressed < 0 || e.Size < 0 || e.DataOffset > f.Size || e.Compressed > f.Size-e.DataOffset:
		return content{}, &unreadable{"The place of the image in the ZIP is not known."}
	case e.Method == archive.Store:
		size := min(e.Size, e.Compressed)
		return content{&headed{r: io.NewSectionReader(stored, e.DataOffset, size), size: size, ahead: ahead}, size}, nil
	case e.Size > maxInflated:
		return content{}, &unreadable{"The image is too large inside its ZIP for a preview."}
	}
	open := func() (io.Reader, error) {
		section := io.NewSectionReader(stored, e.DataOffset, e.Compressed)
		return archive.Inflated(e.Method, bufio.NewReaderSize(section, int(min(e.Compressed, 1<<20))+1))
	}
	return content{&inflated{open: open, size: e.Size}, e.Size}, nil
}

// maxInflated is the largest entry of a ZIP that is inflated for a preview, in bytes.
const maxInflated = 1 << 30

// stored is an object as an io.ReaderAt.
type stored struct {
	ctx     context.Context
	objects Objects
	object  caseload.Object
}

func (s *stored) ReadAt(p []byte, off int64) (int, error) {
	return s.objects.ReadRange(s.ctx, s.object, p, off)
}

// headed asks for the beginning once and remembers it: a header, and of a small slice everything.
type headed struct {
	r     io.ReaderAt
	size  int64
	ahead int64
	head  []byte
}

func (h *headed) ReadAt(p []byte, off int64) (int, error) {
	if h.head == nil && h.ahead > 0 {
		head := make([]byte, min(h.size, h.ahead))
		if n, err := h.r.ReadAt(head, 0); err != nil && n < len(head) {
			return 0, err
		}
		h.head = head
	}
	if off >= 0 && off < int64(len(h.head)) && (off+int64(len(p)) <= int64(len(h.head)) || int64(len(h.head)) == h.size) {
		n := copy(p, h.head[off:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	return h.r.ReadAt(p, off)
}

// inflated is a compressed entry as an io.ReaderAt. What it gave first is remembered; further on it reads in order, and
// begins again when it has to go back.
type inflated struct {
	open func() (io.Reader, error)
	size int64
	head []byte
	r    io.Reader
	at   int64
	back int
}

const (
	headKept  = 1 << 20 // bytes
	mostBacks = 4       // times an entry is begun again
)

func (f *inflated) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0 || off >= f.size:
		return 0, io.EOF
	case f.r == nil:
		if err := f.begin(); err != nil {
			return 0, err
		}
		head := make([]byte, min(f.size, headKept))
		n, err := io.ReadFull(f.r, head)
		if f.head, f.at = head[:n], int64(n); err != nil {
			return 0, damaged(err)
		}
	}
	want := min(int64(len(p)), f.size-off)
	if off+want <= int64(len(f.head)) {
		n := copy(p[:want], f.head[off:])
		return n, ended(n, len(p))
	}
	if off < f.at {
		if f.back++; f.back > mostBacks {
			return 0, &unreadable{"The image lies in its ZIP in a way that takes too long."}
		}
		if err := f.begin(); err != nil {
			return 0, err
		}
	}
	skipped, err := io.CopyN(io.Discard, f.r, off-f.at)
	if f.at += skipped; err != nil {
		return 0, damaged(err)
	}
	n, err := io.ReadFull(f.r, p[:want])
	if f.at += int64(n); err != nil {
		return n, damaged(err)
	}
	return n, ended(n, len(p))
}

func (f *inflated) begin() (err error) {
	f.r, err = f.open()
	f.at = 0
	return err
}

// damaged keeps the store's errors and turns all others into a reason.
func damaged(err error) error {
	if caseload.KindOf(err) != caseload.Internal {
		return err
	}
	return &unreadable{"The image is damaged inside its ZIP."}
}

// ended is what io.ReaderAt adds to fewer bytes than asked for.
func ended(n, want int) error {
	if n < want {
		return io.EOF
	}
	return nil
}
