package objectstore

import (
	"errors"
	"io"
	"sync"

	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
)

// flight is who is at work on the parts of one upload. Parts get their place side by side (a reader's lock); completions and
// aborts wait for them and keep others from it (a writer's lock), but nobody waits for a body that is still coming.
type flight struct {
	sync.RWMutex
	uploadID string
	over     bool // completed or aborted
	aboard   int  // guarded by the backend's mutex
}

// board returns the upload's flight, which lasts until all who boarded it have left.
func (b *backend) board(uploadID string) (f *flight, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f = b.flights[uploadID]
	if f == nil {
		f = &flight{uploadID: uploadID}
		b.flights[uploadID] = f
	}
	f.aboard++
	return f, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if f.aboard--; f.aboard == 0 {
			delete(b.flights, uploadID)
		}
	}
}

// landing is the body of a part. Its end, which versitygw reads before it gives the part its place, waits until nobody
// completes or aborts the upload; when that has happened the end is an error, and the part gets no place. Without that
// versitygw makes the folder of an upload anew that is over, and one who replaces a part in a folder that is being removed
// tries for ever: its rename finds no folder, and the file it linked is gone with it (tmpfile.link).
type landing struct {
	io.Reader
	flight *flight
	holds  bool
}

func (l *landing) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if !errors.Is(err, io.EOF) || l.holds {
		return n, err
	}
	l.flight.RLock()
	if l.flight.over {
		l.flight.RUnlock()
		return n, s3err.GetNoSuchUploadErr(l.flight.uploadID)
	}
	l.holds = true
	return n, err
}

var _ middlewares.ChecksumReader = (*landing)(nil)

// Algorithm names the checksum that the body brings, as versitygw does.
func (l *landing) Algorithm() string {
	if brings, ok := l.Reader.(middlewares.ChecksumReader); ok {
		return brings.Algorithm()
	}
	return ""
}

// Checksum returns that checksum of what was read so far.
func (l *landing) Checksum() string {
	if brings, ok := l.Reader.(middlewares.ChecksumReader); ok {
		return brings.Checksum()
	}
	return ""
}

// landed is called once the part has its place, or has failed.
func (l *landing) landed() {
	if l.holds {
		l.flight.RUnlock()
	}
}
