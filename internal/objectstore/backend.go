package objectstore

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"dcdentals.com/caseload/internal/caseload"
)

// backend is versitygw's file backend with five of its habits mended. Writes do not notice that the server is about to
// stop: their context would end with the first step of the shutdown and fail every upload under way. Completions of one
// key wait for each other: the second would be told "done" before the object is there. Objects are put together while their
// parts arrive. No part gets its place while its upload is completed or aborted, nor afterwards: it would make the upload's
// folder anew, or never end (flight.go). And faults go to our log, with their kind in
// the answer, not to stderr.
type backend struct {
	*posix.Posix
	log    *slog.Logger
	drafts *drafts

	mu        sync.Mutex
	completes map[string]*turn   // by key
	flights   map[string]*flight // by upload id
}

type turn struct {
	sync.Mutex
	waiting int
}

func newBackend(files *posix.Posix, drafts *drafts, log *slog.Logger) *backend {
	return &backend{Posix: files, drafts: drafts, log: log, completes: map[string]*turn{}, flights: map[string]*flight{}}
}

func (b *backend) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	return b.put(context.WithoutCancel(ctx), in)
}

// put is PutObject for a caller whose context may end it, up to the moment the object can be seen.
func (b *backend) put(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if (in.ChecksumAlgorithm == "" || in.ChecksumAlgorithm == types.ChecksumAlgorithmCrc64nvme) && !otherSums(
		in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumSHA1, in.ChecksumSHA256, in.ChecksumSHA512, in.ChecksumMD5,
		in.ChecksumXXHASH64, in.ChecksumXXHASH3, in.ChecksumXXHASH128) {
		in.Body = summed(in.Body, in.ChecksumCRC64NVME)
	}
	out, err := b.Posix.PutObject(ctx, in)
	return out, b.answered(ctx, "PutObject", err)
}

// otherSums tells whether one of the checksums is declared.
func otherSums(declared ...*string) bool {
	return slices.ContainsFunc(declared, func(sum *string) bool { return sum != nil })
}

func (b *backend) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput,
) (s3response.InitiateMultipartUploadResult, error) {
	out, err := b.Posix.CreateMultipartUpload(context.WithoutCancel(ctx), in)
	return out, b.answered(ctx, "CreateMultipartUpload", err)
}

func (b *backend) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	return b.putPart(context.WithoutCancel(ctx), in)
}

// putPart is UploadPart for a caller whose context may end it. Every upload here was begun with CRC-64/NVME
// (CreateMultipart), so a part that declares nothing has it taken all the same.
func (b *backend) putPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if !otherSums(in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumSHA1, in.ChecksumSHA256, in.ChecksumSHA512, in.ChecksumMD5,
		in.ChecksumXXHASH64, in.ChecksumXXHASH3, in.ChecksumXXHASH128) {
		in.Body = summed(in.Body, in.ChecksumCRC64NVME)
	}
	f, leave := b.board(aws.ToString(in.UploadId))
	defer leave()
	body := &landing{Reader: in.Body, flight: f}
	in.Body = body
	defer body.landed()
	out, err := b.Posix.UploadPart(ctx, in)
	if err == nil {
		b.drafts.arrive(aws.ToString(in.Key), aws.ToString(in.UploadId), aws.ToInt32(in.PartNumber))
	}
	return out, b.answered(ctx, "UploadPart", err)
}

func (b *backend) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	defer b.takeTurn(aws.ToString(in.Key))()
	work, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	defer fail(nil)
	f, leave := b.board(aws.ToString(in.UploadId))
	defer leave()
	f.Lock()
	defer f.Unlock()
	assemble, release := b.drafts.assembly(in, fail)
	defer func() { go release() }() // nobody waits for what the parts took to be free
	// A cancelled context ends a completion after its copying and before anything of it can be seen (lockObjectPublish).
	out, version, err := b.Posix.CompleteMultipartUploadWithCopy(work, in, assemble)
	if cause := context.Cause(work); cause != nil {
		err = cause
	}
	f.over = f.over || err == nil
	return out, version, b.answered(ctx, "CompleteMultipartUpload", err)
}

func (b *backend) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	f, leave := b.board(aws.ToString(in.UploadId))
	defer leave()
	f.Lock()
	defer f.Unlock()
	b.drafts.drop(aws.ToString(in.UploadId))
	err := b.Posix.AbortMultipartUpload(ctx, in)
	f.over = f.over || err == nil
	return b.answered(ctx, "AbortMultipartUpload", err)
}

// takeTurn waits for the other completions of the key and returns what ends the turn.
func (b *backend) takeTurn(key string) (done func()) {
	b.mu.Lock()
	t := b.completes[key]
	if t == nil {
		t = &turn{}
		b.completes[key] = t
	}
	t.waiting++
	b.mu.Unlock()
	t.Lock()
	return func() {
		t.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(b.completes, key)
		}
	}
}

// answered returns the error as the client may know it.
func (b *backend) answered(ctx context.Context, operation string, err error) error {
	var known s3err.S3Error
	var own *caseload.Error // of a body that this process itself hands in
	if noRoom(err) {
		b.drafts.dropAll() // what they hold is only for speed
	}
	switch {
	case err == nil || errors.As(err, &known) || errors.As(err, &own) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case noRoom(err):
		b.log.ErrorContext(ctx, "objectstore: the disk of the embedded store is full", "operation", operation)
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	}
	b.log.WarnContext(ctx, "objectstore: the embedded store could not carry out a request", "operation", operation, "error", err.Error())
	return s3err.GetAPIError(s3err.ErrInternalError)
}

// noRoom tells whether the disk or a quota is full. versitygw says so sometimes in its own words, sometimes in the system's.
func noRoom(err error) bool {
	var known s3err.APIError
	if errors.As(err, &known) {
		return known.Code == s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice).Code || known.Code == s3err.GetAPIError(s3err.ErrQuotaExceeded).Code
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
