package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/caseload"
)

// Upload says how UploadFile is to send a file. The zero value will do.
type Upload struct {
	Path        string // folder path within what the person dropped
	ContentType string
	ModifiedAt  time.Time
	Fingerprint string
	Parallel    int              // parts in flight; 0: 4
	Relay       bool             // send parts through the server: the store cannot be reached from here
	Sent        func(size int64) // called from several goroutines with the bytes sent so far; nil: nobody asks
}

// UploadFile sends size bytes of body into a case under the given name, by whichever route the server decides, and
// returns the stored file. What fails on the way is tried again, part by part. When it gives up, or the context ends,
// the upload stays at the server and is abandoned in due time; the id is in the returned File.
func (c *Client) UploadFile(ctx context.Context, caseID, name string, body io.ReaderAt, size int64, how Upload) (File, error) {
	planned, err := c.Plan(ctx, caseID, "", []FileSpec{{
		Name: name, Path: how.Path, Size: size, ContentType: how.ContentType, ModifiedAt: how.ModifiedAt, Fingerprint: how.Fingerprint,
	}})
	switch {
	case err != nil:
		return File{}, fmt.Errorf("plan: %w", err)
	case len(planned.Files) != 1:
		return File{}, fmt.Errorf("plan: %d answers for one file", len(planned.Files))
	case planned.Files[0].Error != nil:
		return File{}, fmt.Errorf("plan: %w", planned.Files[0].Error)
	}
	return c.SendFile(ctx, *planned.Files[0].File, body, how)
}

// SendFile sends the bytes of a planned file and completes it.
func (c *Client) SendFile(ctx context.Context, f File, body io.ReaderAt, how Upload) (File, error) {
	s := sending{client: c, file: f, body: body, how: how}
	if f.Route == "small" {
		return s.whole(ctx)
	}
	if err := s.parts(ctx); err != nil {
		return f, err
	}
	done, err := c.Complete(ctx, f.ID)
	if err != nil {
		return f, fmt.Errorf("complete: %w", err)
	}
	return done, nil
}

// sending is one file on its way.
type sending struct {
	client *Client
	file   File
	body   io.ReaderAt
	how    Upload
	sent   atomic.Int64
}

// whole sends a file of the small route.
func (s *sending) whole(ctx context.Context) (f File, err error) {
	sum, err := checksum(io.NewSectionReader(s.body, 0, s.file.Size))
	if err != nil {
		return s.file, err
	}
	err = s.client.try(ctx, true, func() error {
		return s.put(ctx, s.client.Base+"/api/v1"+filePath(s.file.ID, "/content"), 0, s.file.Size, sum, &f)
	})
	if err != nil {
		return s.file, fmt.Errorf("send: %w", err)
	}
	return f, nil
}

// parts sends all parts, several at once.
func (s *sending) parts(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, or(s.how.Parallel, 4)))
	for n := 1; n <= s.file.Parts; n++ {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := s.part(ctx, n); err != nil {
				return fmt.Errorf("send part %d of %d: %w", n, s.file.Parts, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// part sends one part: signed just before, and anew for every try, because an address may have expired meanwhile.
func (s *sending) part(ctx context.Context, n int) error {
	offset := int64(n-1) * s.file.PartSize
	length := min(s.file.PartSize, s.file.Size-offset)
	sum, err := checksum(io.NewSectionReader(s.body, offset, length))
	if err != nil {
		return err
	}
	return s.client.try(ctx, true, func() error {
		if s.how.Relay {
			return s.put(ctx, s.client.Base+"/api/v1"+filePath(s.file.ID, "/parts/"+strconv.Itoa(n)), offset, length, sum, nil)
		}
		signed, err := s.client.SignParts(ctx, s.file.ID, []PartSpec{{Number: n, CRC64NVME: sum}})
		if err != nil {
			return err
		}
		if len(signed) != 1 {
			return fmt.Errorf("%d addresses for one part", len(signed))
		}
		return s.putSigned(ctx, signed[0], offset, length)
	})
}

// put sends bytes to the server itself.
func (s *sending) put(ctx context.Context, address string, offset, length int64, sum string, out any) error {
	body := s.reader(offset, length)
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, address, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("X-Amz-Checksum-Crc64nvme", sum)
	err = s.client.send(r, out)
	body.settle(err)
	return err
}

// putSigned sends bytes to the store. A refusal is tried again with a new address: it may have expired on the way.
func (s *sending) putSigned(ctx context.Context, signed SignedRequest, offset, length int64) error {
	body := s.reader(offset, length)
	r, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.ContentLength = length
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	resp, err := s.client.http().Do(r)
	if err != nil {
		body.settle(err)
		return err
	}
	defer drain(resp)
	if resp.StatusCode < 300 {
		return nil
	}
	err = &storeError{resp.StatusCode}
	body.settle(err)
	return err
}

// storeError is a refusal by the store. It is no *Problem, so try sees it as a fault of the line and signs anew.
type storeError struct{ status int }

func (e *storeError) Error() string { return "the store answered " + strconv.Itoa(e.status) }

func (s *sending) reader(offset, length int64) *countedReader {
	return &countedReader{Reader: io.NewSectionReader(s.body, offset, length), sending: s}
}

// countedReader counts what is sent, and takes it back when it was in vain.
type countedReader struct {
	io.Reader
	sending *sending
	n       atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	r.sending.count(int64(n))
	return n, err
}

func (r *countedReader) settle(err error) {
	if err != nil {
		r.sending.count(-r.n.Swap(0))
	}
}

func (s *sending) count(n int64) {
	if sent := s.sent.Add(n); s.how.Sent != nil && n != 0 {
		s.how.Sent(sent)
	}
}

// Checksum returns the base64 of the CRC-64/NVME of everything r holds, as the API takes it.
func Checksum(r io.Reader) (string, error) { return checksum(r) }

func checksum(r io.Reader) (string, error) {
	var sum caseload.CRC64NVME
	if _, err := io.CopyBuffer(struct{ io.Writer }{&sum}, struct{ io.Reader }{r}, make([]byte, 256<<10)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return "", fmt.Errorf("read the file: %w", err)
	}
	return sum.String(), nil
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
