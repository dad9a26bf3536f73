package objectstore

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
)

// Put streams size bytes into a new object, in constant memory; the store verifies the checksum (base64 of the 8 bytes
// of CRC-64/NVME) before the object appears. It answers Conflict when the key exists already, Invalid when length or
// checksum are not as said or the body breaks off, Full or Unavailable when the store cannot take it. It returns only when the body's Read does:
// whoever hands in a body from the network gives it a read deadline.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (s *Store) Put(ctx context.Context, key caseload.ObjectKey, body io.Reader, size int64, crc64nvme string) error {
	ctx, guard := guardSource(ctx, body, size, s.pace.Stall)
	defer guard.stop()
	if s.inside != nil {
		return s.sorted("PutObject", guard.blame(s.inside.put(ctx, s.bucket, key, guard, size, crc64nvme)))
	}
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:            &s.bucket,
		Key:               aws.String(string(key)),
		Body:              guard,
		ContentLength:     &size,
		ContentType:       aws.String(opaqueType),
		ChecksumCRC64NVME: &crc64nvme,
		IfNoneMatch:       aws.String("*"),
	}, once, unsigned, s.inBulk)
	return s.sorted("PutObject", guard.blame(err))
}

// PutPart streams one part of a direct upload through us, for the browser that cannot reach the store. Kinds as Put;
// NotFound when the upload is not there any more.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
func (s *Store) PutPart(ctx context.Context, key caseload.ObjectKey, uploadID string, p caseload.Part, body io.Reader) error {
	ctx, guard := guardSource(ctx, body, p.Size, s.pace.Stall)
	defer guard.stop()
	if s.inside != nil {
		_, err := s.inside.putPart(ctx, s.bucket, key, uploadID, p, guard)
		return s.sorted("UploadPart", guard.blame(err))
	}
	_, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket:            &s.bucket,
		Key:               aws.String(string(key)),
		UploadId:          &uploadID,
		PartNumber:        aws.Int32(int32(p.Number)),
		Body:              guard,
		ContentLength:     &p.Size,
		ChecksumCRC64NVME: &p.CRC64NVME,
	}, once, unsigned, s.inBulk)
	return s.sorted("UploadPart", guard.blame(err))
}

// sourceGuard hands exactly size bytes of a body to the store and remembers whose fault it is when that fails: the
// body's (too short, too long, broken off) or the store's (it stopped taking bytes for the stall time while the body
// was not being waited for).
type sourceGuard struct {
	body   io.Reader
	left   int64
	fault  error
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func guardSource(ctx context.Context, body io.Reader, size int64, stall time.Duration) (context.Context, *sourceGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	g := &sourceGuard{body: body, left: size, cancel: cancel, stall: stall}
	g.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	return ctx, g
}

func (g *sourceGuard) Read(p []byte) (int, error) {
	g.timer.Stop()
	if g.fault != nil {
		return 0, g.fault
	}
	if g.left == 0 {
		return 0, g.end()
	}
	if int64(len(p)) > g.left {
		p = p[:g.left]
	}
	n, err := g.body.Read(p)
	g.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && g.left > 0:
		g.fault = caseload.Errorf(caseload.Invalid, "The file ended before its announced length.").
			WithHint("Send it again; if it changed meanwhile, choose it anew.").WithCause(io.ErrUnexpectedEOF)
		return n, g.fault
	case err != nil && !errors.Is(err, io.EOF):
		g.fault = caseload.Errorf(caseload.Invalid, "The connection was cut before the whole file had arrived.").
			WithHint("Send it again.").WithCause(err)
		return n, g.fault
	}
	if g.left > 0 {
		g.timer.Reset(g.stall) // after the last byte the transport's own answer timeout counts
	}
	return n, nil
}

// end makes sure that nothing follows the announced length.
func (g *sourceGuard) end() error {
	var more [1]byte
	n, err := io.ReadFull(g.body, more[:])
	if n > 0 {
		g.fault = caseload.Errorf(caseload.Invalid, "The file is longer than announced.").
			WithHint("It changed while it was sent: choose it anew.")
		return g.fault
	}
	if !errors.Is(err, io.EOF) {
		g.fault = caseload.Errorf(caseload.Invalid, "The connection was cut before the whole file had arrived.").
			WithHint("Send it again.").WithCause(err)
		return g.fault
	}
	return io.EOF
}

// blame returns what to report for the store's error: the body's own fault when there was one.
func (g *sourceGuard) blame(err error) error {
	if err != nil && g.fault != nil {
		return g.fault
	}
	return err
}

func (g *sourceGuard) stop() {
	g.timer.Stop()
	g.cancel(nil)
}
