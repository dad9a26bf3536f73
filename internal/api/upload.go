package api

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Upload says how UploadFile is to send a file. The zero value will do.
type Upload struct {
	Path        string // folder path within what the person dropped
	ContentType string
	ModifiedAt  time.Time
	Fingerprint string
	Parallel    int              // parts in flight at most; 0: 8
	Relay       bool             // send parts through the server: the store cannot be reached from here
	Limit       *rate.Limiter    // of the bytes, a second; nil: none
	Sent        func(size int64) // called from several goroutines, one at a time, with the bytes sent so far; nil: nobody asks
}

// UploadFile sends size bytes of body into a case under the given name, by whichever route the server decides, and
// returns the stored file. What fails on the way is tried again, part by part, as an Uploader does. When it gives up, or
// the context ends, the upload stays at the server and is abandoned in due time; the id is in the returned File.
func (c *Client) UploadFile(ctx context.Context, caseID, name string, body io.ReaderAt, size int64, how Upload) (File, error) {
	planned, err := c.Plan(ctx, caseID, "", []FileSpec{{
		Name: name, Path: how.Path, Size: size, ContentType: how.ContentType, ModifiedAt: how.ModifiedAt, Fingerprint: how.Fingerprint,
	}})
	switch {
	case err != nil:
		return File{}, fmt.Errorf("plan: %w", err)
	case len(planned.Files) != 1 || planned.Files[0].File == nil && planned.Files[0].Error == nil:
		return File{}, fmt.Errorf("plan: no answer for the file")
	case planned.Files[0].Error != nil:
		return File{}, fmt.Errorf("plan: %w", planned.Files[0].Error)
	}
	return c.SendFile(ctx, *planned.Files[0].File, body, how)
}

// SendFile sends the bytes of a planned file and completes it.
func (c *Client) SendFile(ctx context.Context, f File, body io.ReaderAt, how Upload) (File, error) {
	u := &Uploader{Client: c, Case: f.Case, Relay: how.Relay, Start: how.Parallel, Most: how.Parallel, Limit: how.Limit}
	if how.Sent != nil {
		u.Tell = func(e Notice) {
			if e.Stage == StageSending || e.Stage == StageStored {
				how.Sent(e.Sent)
			}
		}
	}
	r := u.newRun()
	it := &item{run: r, file: f, source: Source{
		Name: f.Name, Size: f.Size, Open: func() (Body, error) { return readerBody{body}, nil },
	}}
	var err error
	if f.Route == "small" {
		err = it.sendWhole(ctx)
	} else {
		err = it.sendParts(ctx)
	}
	if err == nil {
		it.tell(Notice{Stage: StageStored})
	}
	return it.file, err
}

// sendWhole sends a file of the small route by itself.
func (it *item) sendWhole(ctx context.Context) error {
	body, err := it.source.Open()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	size := it.file.Size
	if it.sum == "" {
		if it.sum, err = checksumOf(body, 0, size); err != nil {
			return err
		}
	}
	err = it.run.persist(ctx, it, func() (err error) {
		if err := it.run.pace.take(ctx); err != nil {
			return err
		}
		defer func() { it.run.pace.give(size, err) }()
		address := it.run.Client.Base + "/api/v1" + filePath(it.file.ID, "/content")
		return it.run.toServer(ctx, address, section(body, 0, size), size, "application/octet-stream", it.sum, it.move, &it.file)
	})
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}
