package api

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// BatchType is the content type of a batch, without its boundary (RFC 2046, section 5.1.3).
const BatchType = "multipart/mixed"

// Received answers PUT /cases/{case}/contents: one element for each part that was looked at, in order. A file that is
// missing in it was not looked at: send it again.
type Received struct {
	Files []ReceivedFile `json:"files"`
}

// ReceivedFile holds either the file that is kept or why it is not. ID is as the part said.
type ReceivedFile struct {
	ID    string   `json:"id"`
	File  *File    `json:"file,omitempty"`
	Error *Problem `json:"error,omitempty"`
}

// SmallFile is a planned file of the small route and its bytes.
type SmallFile struct {
	ID        string
	Body      io.ReaderAt
	Size      int64  // bytes
	CRC64NVME string // base64; "": SendBatch computes it, which reads the bytes once more
}

// SendBatch sends small files of one case in one request, at most Limits.MaxBatchFiles of them and Limits.MaxBatchBytes
// in all, and returns one answer for each, in order. What fails on the way as a whole is tried again, which is harmless; a
// file's own refusal (Error) is not. A file that the server did not get to see carries an error of the kind unavailable.
// sent, unless nil, is called from one goroutine at a time with the bytes of files handed to the line so far in this try.
func (c *Client) SendBatch(ctx context.Context, caseID string, files []SmallFile, sent func(size int64)) ([]ReceivedFile, error) {
	files = append([]SmallFile(nil), files...)
	for i, f := range files {
		if f.CRC64NVME != "" {
			continue
		}
		sum, err := checksumOf(f.Body, 0, f.Size)
		if err != nil {
			return nil, err
		}
		files[i].CRC64NVME = sum
	}
	var out Received
	err := c.try(ctx, true, func() error {
		out = Received{}
		body, err := newBatchBody(files, sent)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, c.Base+"/api/v1/cases/"+url.PathEscape(caseID)+"/contents", body)
		if err != nil {
			return fmt.Errorf("make request: %w", err)
		}
		r.ContentLength = body.length
		r.Header.Set("Content-Type", body.contentType)
		return c.send(r, &out)
	})
	if err != nil {
		return nil, err
	}
	return inOrder(files, out.Files), nil
}

// inOrder gives each file its answer.
func inOrder(files []SmallFile, answers []ReceivedFile) []ReceivedFile {
	all := make([]ReceivedFile, len(files))
	for i, f := range files {
		if i < len(answers) && answers[i].ID == f.ID {
			all[i] = answers[i]
			continue
		}
		all[i] = ReceivedFile{ID: f.ID, Error: &Problem{
			Status: http.StatusServiceUnavailable, Kind: "unavailable", Detail: "The server did not get to see this file.", Hint: "Send it again.",
		}}
	}
	return all
}

// batchBody is the body of one batch, read out of the files as it is sent.
type batchBody struct {
	io.Reader
	length      int64
	contentType string
}

func newBatchBody(files []SmallFile, sent func(int64)) (*batchBody, error) {
	var frame strings.Builder
	w := multipart.NewWriter(&frame)
	body := &batchBody{contentType: BatchType + "; boundary=" + w.Boundary()}
	var readers []io.Reader
	flush := func() {
		readers = append(readers, strings.NewReader(frame.String()))
		body.length += int64(frame.Len())
		frame.Reset()
	}
	count := func(int) {}
	if sent != nil {
		var total int64
		count = func(n int) { total += int64(n); sent(total) }
	}
	for _, f := range files {
		_, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Id": {f.ID}, "Content-Length": {strconv.FormatInt(f.Size, 10)}, "X-Amz-Checksum-Crc64nvme": {f.CRC64NVME},
		})
		if err != nil {
			return nil, fmt.Errorf("write the head of a part: %w", err)
		}
		flush()
		readers = append(readers, &countingReader{io.NewSectionReader(f.Body, 0, f.Size), count})
		body.length += f.Size
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write the end of the batch: %w", err)
	}
	flush()
	body.Reader = io.MultiReader(readers...)
	return body, nil
}

type countingReader struct {
	io.Reader
	count func(n int)
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.count(n)
	}
	return n, err
}
