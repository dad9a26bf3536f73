package objectstore

import (
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"

	"dcdentals.com/caseload/internal/caseload"
)

// summedBody takes the CRC-64/NVME of a body on its way to a file and, at its end, refuses other bytes than declared.
// versitygw 1.8.0 would do the same by a table; for it this is a body that brings its checksum.
type summedBody struct {
	body io.Reader
	want string // base64, as S3 writes it; "": none was declared
	sum  uint64
}

var _ middlewares.ChecksumReader = (*summedBody)(nil)

// summed wraps a body whose request declares this CRC-64/NVME, or no checksum at all. A body in signed pieces that
// brings a checksum of its own stays as it is.
func summed(body io.Reader, declared *string) io.Reader {
	if brings, ok := body.(middlewares.ChecksumReader); ok && brings.Algorithm() != "" {
		return body
	}
	s := &summedBody{body: body}
	if declared != nil {
		s.want = *declared
	}
	return s
}

// Algorithm names the checksum as versitygw does.
func (*summedBody) Algorithm() string { return "crc64nvme" }

// Checksum returns that of what was read so far.
func (s *summedBody) Checksum() string { return caseload.FormatCRC64NVME(s.sum) }

func (s *summedBody) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.sum = crc64nvme.Update(s.sum, p[:n])
	if errors.Is(err, io.ErrUnexpectedEOF) { // a client that left: the checksum tells
		err = io.EOF
	}
	if errors.Is(err, io.EOF) && s.want != "" && s.Checksum() != s.want {
		return n, s3err.GetChecksumBadDigestErr(types.ChecksumAlgorithmCrc64nvme)
	}
	return n, err
}
