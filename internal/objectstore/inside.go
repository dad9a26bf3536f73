package objectstore

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"

	"dcdentals.com/caseload/internal/caseload"
)

// inside is the way of this process's own bytes to the embedded store in it: the calls of the gateway's file backend that
// the gateway makes for a signed request, without the signing, the HTTP and the copies around them (decision 044). What
// the backend checks and what it leaves on the disk is the same.
type inside struct {
	gate  *gate
	files *backend
}

// enter is gate's, with the error of a store that is closed: its folder may be another store's by now.
func (i *inside) enter() (leave func(), err error) {
	leave, open := i.gate.enter()
	if !open {
		return nil, caseload.Errorf(caseload.Unavailable, "The embedded store is closed.").WithHint("Try again in a moment.")
	}
	return leave, nil
}

func (i *inside) put(ctx context.Context, bucket string, key caseload.ObjectKey, body io.Reader, size int64, crc64nvme string) error {
	leave, err := i.enter()
	if err != nil {
		return err
	}
	defer leave()
	_, err = i.files.put(ctx, s3response.PutObjectInput{
		Bucket: &bucket, Key: aws.String(string(key)), Body: endedBy(ctx, body), ContentLength: &size, ContentType: aws.String(opaqueType),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumCRC64NVME: &crc64nvme, IfNoneMatch: aws.String("*"),
	})
	return err
}

// putPart returns the part as the store holds it, its ETag in quotes. A checksum of "" is none that is declared.
func (i *inside) putPart(ctx context.Context, bucket string, key caseload.ObjectKey, uploadID string, p caseload.Part, body io.Reader) (caseload.Part, error) {
	leave, err := i.enter()
	if err != nil {
		return p, err
	}
	defer leave()
	in := &s3.UploadPartInput{
		Bucket: &bucket, Key: aws.String(string(key)), UploadId: &uploadID, PartNumber: aws.Int32(int32(p.Number)),
		Body: endedBy(ctx, body), ContentLength: &p.Size,
	}
	if p.CRC64NVME != "" {
		in.ChecksumCRC64NVME = &p.CRC64NVME
	}
	out, err := i.files.putPart(ctx, in)
	if err != nil {
		return p, err
	}
	p.ETag, p.CRC64NVME = aws.ToString(out.ETag), aws.ToString(out.ChecksumCRC64NVME)
	return p, nil
}

func (i *inside) head(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	leave, err := i.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	out, err := i.files.HeadObject(ctx, in)
	return out, i.files.answered(ctx, "HeadObject", err)
}

// get opens an object as GetObject does. The body ends with ctx.
func (i *inside) get(ctx context.Context, in *s3.GetObjectInput) (io.ReadCloser, int64, error) {
	leave, err := i.enter()
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	if in.IfMatch != nil {
		in.IfMatch = aws.String(unquote(in.IfMatch)) // as the gateway hands it over
	}
	out, err := i.files.GetObject(ctx, in)
	if err != nil {
		return nil, 0, i.files.answered(ctx, "GetObject", err)
	}
	if out.Body == nil {
		return nil, 0, fmt.Errorf("GetObject: no body")
	}
	at, _ := out.Body.(io.ReaderAt) // the file itself, when all of it was asked for
	return &insideBody{endedBy(ctx, out.Body), out.Body, ctx, at}, aws.ToInt64(out.ContentLength), nil
}

// insideBody is what get opens.
type insideBody struct {
	io.Reader
	io.Closer
	ctx context.Context
	at  io.ReaderAt // nil: only in order
}

// ReadAt implements io.ReaderAt until ctx ends; at must be there.
func (b *insideBody) ReadAt(p []byte, off int64) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.at.ReadAt(p, off)
}

// endedBy is body until ctx ends; reading a file asks no context by itself.
func endedBy(ctx context.Context, body io.Reader) io.Reader { return &endedBody{ctx, body} }

type endedBody struct {
	ctx  context.Context
	body io.Reader
}

func (b *endedBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.body.Read(p)
}
