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

// drawFile makes the preview of a file that is a mesh, a photo or a document.
func (w *work) drawFile() (caseload.Preview, error) {
	f, ok := w.order.Files[w.order.File]
	if !ok {
		return none("The file is gone."), nil
	}
	var job pixels.Job
	times := 1
	switch f.Kind {
	case caseload.KindSTL, caseload.KindPLY, caseload.KindOBJ:
		job.Mesh, times = &pixels.Mesh{Format: string(f.Kind), Size: f.Size}, 2
	case caseload.KindJPEG, caseload.KindPNG:
		job.Photo = &pixels.Photo{Size: f.Size}
	case caseload.KindPDF:
		job.PDF = &pixels.PDF{Size: f.Size}
	default:
		return none("Files of this kind have no preview."), nil
	}
	return w.decode(job, func(to io.Writer) error {
		for range times {
			if err := w.copy(to, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// copy writes the whole file.
func (w *work) copy(to io.Writer, f caseload.File) error {
	body, err := w.Objects.Stream(w.ctx, objectOf(f))
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{body}, make([]byte, 256<<10))
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
