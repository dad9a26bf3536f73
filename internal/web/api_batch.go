package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// batchOverhead is what the heads and boundaries of a batch may take, in bytes.
const batchOverhead = caseload.MaxBatchFiles << 10

// maxPartHead is how many bytes may be read of the body to find the next part and its head, read-ahead included: our own
// clients' heads take less than 200. Without it a head could be as long as the body, in memory.
const maxPartHead = 16 << 10

// batchPiece is how many bytes of a batch are taken from the connection at once: mime/multipart itself takes 5 KiB.
const batchPiece = 64 << 10

// apiReceiveBatch takes many small files of one case in one request: multipart/mixed, each part with its file's id, its
// length and its checksum before its bytes, which are streamed on. Each part is answered by itself, in order.
func (s *Server) apiReceiveBatch(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if _, err := s.Store.Case(r.Context(), s.user(r), id); err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != api.BatchType || params["boundary"] == "" {
		return caseload.Errorf(caseload.Unsupported, "The body must be a batch of files.").
			WithHint("Send Content-Type: " + api.BatchType + "; boundary=….")
	}
	if err := s.streamBody(w, r, caseload.MaxBatchBytes+batchOverhead); err != nil {
		return err
	}
	b := newBatch(r.Body, params["boundary"])
	received, err := s.Transfer.ReceiveBatch(r.Context(), s.user(r), id, b.next)
	if err != nil && (len(received) == 0 || tooSlow(err) || caseload.KindOf(err) == caseload.TooLarge) {
		return err
	}
	out := api.Received{Files: make([]api.ReceivedFile, 0, len(received))}
	for _, f := range received {
		out.Files = append(out.Files, s.received(r, f))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) received(r *http.Request, f transfer.Received) api.ReceivedFile {
	if f.Err != nil {
		problem := s.problem(r, f.Err)
		return api.ReceivedFile{ID: string(f.ID), Error: &problem}
	}
	file := api.FromFile(f.File)
	return api.ReceivedFile{ID: string(f.ID), File: &file}
}

// batch reads a body part by part and holds it to the limits of one request.
type batch struct {
	body  boundedBody
	parts *multipart.Reader
	last  *multipart.Part
	files int
	bytes int64
}

func newBatch(body io.Reader, boundary string) *batch {
	b := &batch{body: boundedBody{body: bufio.NewReaderSize(body, batchPiece)}}
	b.parts = multipart.NewReader(&b.body, boundary)
	return b
}

// next returns the next part, whose body must be read before the one after it; what is left of the one before is passed over.
func (b *batch) next() (transfer.Parcel, error) {
	if b.last != nil {
		if _, err := io.Copy(io.Discard, b.last); err != nil {
			return transfer.Parcel{}, brokenBatch(err)
		}
	}
	b.body.bound(maxPartHead)
	part, err := b.parts.NextRawPart()
	b.body.free()
	switch {
	case err == io.EOF: //nolint:errorlint // a wrapped one means that the end is missing
		return transfer.Parcel{}, io.EOF
	case err != nil:
		return transfer.Parcel{}, brokenBatch(err)
	}
	b.last = part
	p := parcel(part)
	b.files++
	b.bytes += max(0, p.Length)
	if b.files > caseload.MaxBatchFiles || b.bytes > caseload.MaxBatchBytes {
		return transfer.Parcel{}, caseload.Errorf(caseload.TooLarge, "A batch holds at most %d files and %d bytes.", caseload.MaxBatchFiles, caseload.MaxBatchBytes).
			WithHint("Send the files in smaller batches; what was received of this one is kept.")
	}
	return p, nil
}

// wholePieces fills the buffers it is given: mime/multipart gives 5 KiB at most, and each piece is a write to the disk or
// to the store's connection.
type wholePieces struct{ io.Reader }

func (w wholePieces) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = w.Reader.Read(p[n:])
		n += more
	}
	return n, err
}

// boundedBody is a body of which, while it is bound, only so many bytes can be read.
type boundedBody struct {
	body    io.Reader
	isBound bool
	left    int
}

func (b *boundedBody) bound(most int) { b.isBound, b.left = true, most }
func (b *boundedBody) free()          { b.isBound = false }

func (b *boundedBody) Read(p []byte) (int, error) {
	if !b.isBound {
		return b.body.Read(p)
	}
	if b.left == 0 {
		return 0, errLongHead
	}
	n, err := b.body.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

var errLongHead = errors.New("the head of a part is too long")

func brokenBatch(err error) error {
	var tooLarge *http.MaxBytesError
	if tooSlow(err) || errors.As(err, &tooLarge) {
		return fmt.Errorf("read the next part: %s: %w", err.Error(), err)
	}
	return caseload.Errorf(caseload.Invalid, "The batch breaks off, or is not framed as its boundary says.").
		WithHint("Send the files that were not answered again.").WithCause(errors.New(err.Error()))
}

// parcel reads a part's head.
func parcel(part *multipart.Part) transfer.Parcel {
	id := strings.TrimSuffix(strings.TrimPrefix(part.Header.Get("Content-ID"), "<"), ">") // RFC 2392 writes it in brackets
	p := transfer.Parcel{File: caseload.FileID(cut(id, 64)), CRC64NVME: part.Header.Get(checksumHeader), Body: wholePieces{part}}
	length, err := strconv.ParseInt(part.Header.Get("Content-Length"), 10, 64)
	switch {
	case !caseload.ValidID(id):
		p.Err = caseload.Errorf(caseload.NotFound, "There is no such file.").WithHint("Content-ID of each part is the file's id.")
	case err != nil || length < 0:
		p.Err = caseload.Errorf(caseload.Invalid, "The part does not say how long it is.").WithHint("Send Content-Length.").WithField("length")
	case p.CRC64NVME == "":
		p.Err = checksumMissing("part")
	}
	p.Length = length
	return p
}
