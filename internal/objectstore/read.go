package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"dcdentals.com/caseload/internal/caseload"
)

// Head returns what the store holds under the key, that version when given: size, checksum, ETag, version. NotFound when
// it holds nothing. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (s *Store) Head(ctx context.Context, key caseload.ObjectKey, versionID string) (caseload.Object, error) {
	in := &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String(string(key)), ChecksumMode: types.ChecksumModeEnabled}
	if versionID != "" {
		in.VersionId = &versionID
	}
	head := func() (*s3.HeadObjectOutput, error) { return s.client.HeadObject(ctx, in) }
	if s.inside != nil {
		head = func() (*s3.HeadObjectOutput, error) { return s.inside.head(ctx, in) }
	}
	out, err := head()
	if err != nil {
		return caseload.Object{}, s.sorted("HeadObject", err)
	}
	seen := aws.ToString(out.VersionId)
	if seen == "null" { // a bucket that keeps no versions
		seen = ""
	}
	return caseload.Object{
		Key:       key,
		Size:      aws.ToInt64(out.ContentLength),
		CRC64NVME: aws.ToString(out.ChecksumCRC64NVME),
		ETag:      unquote(out.ETag),
		VersionID: seen,
	}, nil
}

// ReadRange reads len(p) bytes of the object from off, pinned to its version and ETag, with io.ReaderAt's rules:
// io.EOF when fewer bytes are left. A broken answer is asked for again, at most three times in all. Conflict when the
// object is another one now. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Store) ReadRange(ctx context.Context, o caseload.Object, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: negative offset", off)
	}
	var end error
	if left := o.Size - off; int64(len(p)) > left {
		if left <= 0 {
			return 0, io.EOF
		}
		p, end = p[:left], io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	read, tries := 0, 0
	for {
		body, err := s.open(ctx, o, off+int64(read), off+int64(len(p))-1)
		if err != nil {
			return read, err
		}
		n, err := io.ReadFull(body, p[read:])
		_ = body.Close()
		read += n
		if read == len(p) {
			return read, end
		}
		if tries++; tries == attempts || ctx.Err() != nil || errors.Is(err, errStalled) {
			return read, s.sorted("GetObject", err)
		}
	}
}

// Open opens the object for reads at many places: each costs one read of a file when the store is this process's own, and a
// ReadRange otherwise. The object is pinned like ReadRange's, once, when it is opened: what is open stays what it was, as the
// embedded store never writes into a file that has a name. Close it; ctx ends its reads.
func (s *Store) Open(ctx context.Context, o caseload.Object) (caseload.OpenObject, error) {
	if s.inside == nil || o.Size == 0 {
		return &ranges{ctx, s, o}, nil
	}
	body, err := s.open(ctx, o, 0, o.Size-1)
	if err != nil {
		return nil, err
	}
	file, ok := body.(*insideBody)
	if !ok || file.at == nil {
		return &ranges{ctx, s, o}, body.Close()
	}
	return file, nil
}

// ranges is an object that is asked for range by range.
type ranges struct {
	ctx    context.Context
	store  *Store
	object caseload.Object
}

func (r *ranges) ReadAt(p []byte, off int64) (int, error) {
	return r.store.ReadRange(r.ctx, r.object, p, off)
}

func (*ranges) Close() error { return nil }

// Stream reads the whole object once, in order, pinned like ReadRange. When the answer breaks off it is asked for again
// from where it stood; a store that gives less than the least rate (256 KiB in 30 s) is given up as Unavailable.
func (s *Store) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	if o.Size == 0 {
		return io.NopCloser(errorReader{io.EOF}), nil
	}
	body, err := s.open(ctx, o, 0, o.Size-1)
	if err != nil {
		return nil, err
	}
	return &stream{ctx: ctx, store: s, object: o, body: body}, nil
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// stream is one pass over an object that survives a broken connection.
type stream struct {
	ctx    context.Context
	store  *Store
	object caseload.Object
	body   io.ReadCloser
	at     int64
	broken int // in a row, without a byte between them
}

func (r *stream) Read(p []byte) (int, error) {
	for {
		if r.at == r.object.Size {
			return 0, io.EOF
		}
		n, err := r.body.Read(p)
		r.at += int64(n)
		if n > 0 {
			r.broken = 0
			return n, nil // an error with it comes again with the next read
		}
		if err == nil {
			continue
		}
		_ = r.body.Close()
		if r.broken++; r.broken == attempts || r.ctx.Err() != nil || errors.Is(err, errStalled) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, r.store.sorted("GetObject", err)
		}
		body, openErr := r.store.open(r.ctx, r.object, r.at, r.object.Size-1)
		if openErr != nil {
			r.body = io.NopCloser(errorReader{openErr})
			return 0, openErr
		}
		r.body = body
	}
}

func (r *stream) Close() error { return r.body.Close() }

// open asks for the bytes first to last (inclusive) of exactly this object.
func (s *Store) open(ctx context.Context, o caseload.Object, first, last int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{
		Bucket: &s.bucket, Key: aws.String(string(o.Key)), Range: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
	}
	if o.ETag != "" {
		in.IfMatch = aws.String(`"` + o.ETag + `"`)
	}
	if o.VersionID != "" {
		in.VersionId = &o.VersionID
	}
	get := s.get
	if s.inside != nil {
		get = s.inside.get
	}
	body, got, err := get(ctx, in)
	if err != nil {
		return nil, s.sorted("GetObject", err)
	}
	if got != last-first+1 {
		_ = body.Close()
		return nil, caseload.Errorf(caseload.Conflict, "The stored object is not the one that was verified.").
			WithCause(fmt.Errorf("GetObject: %d bytes instead of %d", got, last-first+1))
	}
	return body, nil
}

// get asks a store for the bytes and returns how many it will give, at its pace.
func (s *Store) get(ctx context.Context, in *s3.GetObjectInput) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	out, err := s.client.GetObject(ctx, in, s.inBulk)
	if err != nil {
		cancel(nil)
		return nil, 0, err
	}
	return &pacedBody{body: out.Body, cancel: cancel, ctx: ctx, pace: s.pace}, aws.ToInt64(out.ContentLength), nil
}

// pace is the least a store must do.
type pace struct {
	Stall time.Duration // the window in which at least Least bytes must come, and the longest silence
	Least int64         // bytes
}

var defaultPace = pace{Stall: 30 * time.Second, Least: 256 << 10}

// pacedBody ends a body that comes slower than its pace. Only time spent waiting for the store counts.
type pacedBody struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	pace   pace
	waited time.Duration
	got    int64 // bytes since waited was last zero
}

func (b *pacedBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.pace.Stall-b.waited, func() { b.cancel(errStalled) })
	start := time.Now()
	n, err := b.body.Read(p)
	timer.Stop()
	b.waited += time.Since(start)
	if b.got += int64(n); b.got >= b.pace.Least {
		b.got, b.waited = 0, 0
	}
	if err != nil && errors.Is(context.Cause(b.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

func (b *pacedBody) Close() error {
	b.cancel(nil)
	return b.body.Close()
}
