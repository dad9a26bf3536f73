package preview

import (
	"bufio"
	"context"
	"io"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
)

// content is the bytes of an image, a mesh, a photo or a document, in a file of its own or in a ZIP.
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
	return w.openEntry(f, m.Entry, ahead)
}

// openEntry returns the bytes of an entry of a file that is a ZIP, or of the file itself. Nothing is inflated yet.
func (w *work) openEntry(f caseload.File, e caseload.EntryRef, ahead int64) (content, error) {
	stored := &stored{ctx: w.ctx, objects: w.Objects, object: objectOf(f)}
	var source io.ReaderAt = stored
	whole := f.Size
	if within := e.Within; within.Size > 0 { // it lies in a ZIP that is compressed in the ZIP: that one first
		if within.Size > maxInflatedTwice || !inside(within.DataOffset, within.Compressed, whole) {
			return content{}, &unreadable{"It lies in a ZIP inside the ZIP that is too large for a preview. Send that one by itself."}
		}
		source, whole = w.inflate(stored, within.Method, within.DataOffset, within.Compressed, within.Size), within.Size
	}
	switch {
	case e.Index < 0:
		return content{&headed{r: stored, size: f.Size, ahead: ahead}, f.Size}, nil
	case e.Size < 0 || !inside(e.DataOffset, e.Compressed, whole):
		return content{}, &unreadable{"Its place in the ZIP is not known."}
	case e.Method == archive.Store:
		size := min(e.Size, e.Compressed)
		return content{&headed{r: io.NewSectionReader(source, e.DataOffset, size), size: size, ahead: ahead}, size}, nil
	case e.Size > maxInflated:
		return content{}, &unreadable{"It is too large inside its ZIP for a preview."}
	}
	return content{w.inflate(source, e.Method, e.DataOffset, e.Compressed, e.Size), e.Size}, nil
}

// inflate is a compressed range of a source as an io.ReaderAt of size bytes.
func (w *work) inflate(source io.ReaderAt, method uint16, offset, compressed, size int64) *inflated {
	return &inflated{size: size, open: func() (io.Reader, error) {
		section := io.NewSectionReader(source, offset, compressed)
		return archive.Inflated(method, bufio.NewReaderSize(section, int(min(compressed, 1<<20))+1))
	}}
}

// inside tells whether a range lies in the first whole bytes.
func inside(offset, length, whole int64) bool {
	return offset >= 0 && length >= 0 && offset <= whole && length <= whole-offset
}

// maxInflated is the largest entry of a ZIP that is inflated for a preview, in bytes.
const maxInflated = 1 << 30

// maxInflatedTwice is the largest ZIP inside a ZIP that is inflated for a preview: each image of it begins it again.
const maxInflatedTwice = 64 << 20

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
			return 0, &unreadable{"It lies in its ZIP in a way that takes too long."}
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
	return &unreadable{"It is damaged inside its ZIP."}
}

// ended is what io.ReaderAt adds to fewer bytes than asked for.
func ended(n, want int) error {
	if n < want {
		return io.EOF
	}
	return nil
}
