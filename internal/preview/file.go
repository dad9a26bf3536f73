package preview

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pixels"
)

// drawFile makes the preview of a mesh, a photo or a document: of the file, or of one in it.
func (w *work) drawFile() (caseload.Preview, error) {
	f, ok := w.order.Files[w.order.File]
	if !ok {
		return none("The file is gone."), nil
	}
	if w.order.Entry > 0 {
		return w.drawEnclosed(f, w.order.Entry-1)
	}
	return w.drawWhole(f.Kind, f.Size, func(to io.Writer) error {
		body, err := w.Objects.Stream(w.ctx, objectOf(f))
		if err != nil {
			return err
		}
		defer body.Close()
		return copyAll(to, body, 256<<10)
	})
}

// Bounds of what is taken out of a ZIP for one preview, in bytes.
const (
	maxMeshInside = 256 << 20
	pieceInside   = 2 << 20 // asked of the store at once
)

// drawEnclosed makes the preview of the n-th thing in a ZIP that is looked at by itself. It is inflated as it is handed on, once
// for each time that the decoder reads it, and never beyond the size that the ZIP says.
func (w *work) drawEnclosed(f caseload.File, n int) (caseload.Preview, error) {
	if n >= len(f.Contents.Enclosed) {
		return none("It is not in the file any more."), nil
	}
	e := f.Contents.Enclosed[n]
	if e.Size > maxMeshInside || !e.Kind.IsMesh() && e.Size > pixels.MaxCoded {
		return caseload.Preview{}, &unreadable{"It is too large inside its ZIP for a preview."}
	}
	c, err := w.openEntry(f, e.EntryRef, 0)
	if err != nil {
		return caseload.Preview{}, err
	}
	return w.drawWhole(e.Kind, c.size, func(to io.Writer) error {
		return copyAll(to, io.NewSectionReader(c, 0, c.size), pieceInside)
	})
}

// drawWhole makes the preview of something of a kind that is decoded as a whole. feed writes all of its bytes; a mesh is read twice.
func (w *work) drawWhole(kind caseload.FileKind, size int64, feed func(to io.Writer) error) (caseload.Preview, error) {
	var job pixels.Job
	times := 1
	switch {
	case kind.IsMesh():
		job.Mesh, times = &pixels.Mesh{Format: string(kind), Size: size}, 2
	case kind.IsPhoto():
		job.Photo = &pixels.Photo{Size: size}
	case kind == caseload.KindPDF:
		job.PDF = &pixels.PDF{Size: size}
	default:
		return none("Files of this kind have no preview."), nil
	}
	return w.decode(job, func(to io.Writer) error {
		for range times {
			if err := feed(to); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyAll copies in pieces of at most the given number of bytes.
func copyAll(to io.Writer, from io.Reader, piece int) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, piece))
	return err
}

// objectOf is the verified object of a file, to which every read is pinned (I3).
func objectOf(f caseload.File) caseload.Object {
	return caseload.Object{Key: f.Object, Size: f.Size, CRC64NVME: f.CRC64NVME, ETag: f.ETag, VersionID: f.VersionID}
}

// kept checks a picture that comes out of a decoder, which has read a stranger's bytes, and takes its checksum.
func kept(p pixels.Picture) (caseload.Picture, error) {
	switch {
	case !slices.Contains(caseload.Views(), string(p.View)), p.Media != "image/png" && p.Media != "image/jpeg",
		p.Width < 1 || p.Width > pixels.MaxSide || p.Height < 1 || p.Height > pixels.MaxSide,
		len(p.Bytes) < 1 || len(p.Bytes) > caseload.MaxPicture:
		return caseload.Picture{}, fmt.Errorf("preview: the decoder answered with something else: %w", errors.ErrUnsupported)
	}
	sum := sha256.Sum256(p.Bytes)
	return caseload.Picture{
		View: string(p.View), Media: p.Media, Width: p.Width, Height: p.Height, SHA256: hex.EncodeToString(sum[:]), Bytes: p.Bytes,
	}, nil
}
