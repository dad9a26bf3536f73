package caseload

import (
	"fmt"
	"time"
)

// Limits every route obeys. cmd fills them from the settings; the zero value is not usable, DefaultLimits is.
type Limits struct {
	DirectThreshold int64         // bytes; a file of this size or more goes straight to the store (50,000,000)
	MaxFileSize     int64         // bytes; the largest file taken (1 GiB)
	URLExpiry       time.Duration // life of a signed URL (15 min; never more than MaxURLExpiry)
	PartSize        int64         // bytes of a part; 0 means by size: 8 MiB, 16 MiB above 192 MiB, 32 MiB above 512 MiB
	MaxParts        int           // parts of one upload (1,000: some stores allow no more)
	MaxBatch        int           // files of one Plan (1,000)
	AbandonAfter    time.Duration // an upload that is not whole this long after its last sign of life is abandoned (7 days)
	TrashWindow     time.Duration // a deleted file's object is kept this long (30 days)
	UndoWindow      time.Duration // where the bucket keeps versions: it is hidden for this long before its version goes (7 days); 0: it goes at once
}

// MaxURLExpiry is the ceiling for URLExpiry, whatever the settings say.
const MaxURLExpiry = time.Hour

// LateWrites is how long after an upload's end a byte could still arrive for its key: an address signed just before is
// good for at most an hour, and a body begun then is streamed for at most another.
const LateWrites = 2 * MaxURLExpiry

// MaxPartNumber is S3's own highest part number (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const MaxPartNumber = 10_000

// MinPartSize is S3's own least size of every part but the last, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const MinPartSize = 5 << 20

// What one request with many small files may hold: a second's worth of a fast line, so that a broken one costs little.
const (
	MaxBatchFiles = 256
	MaxBatchBytes = 32 << 20 // bytes of files, without what frames them
)

// MaxNameLength is the longest file name or folder path taken, in bytes of UTF-8.
const (
	MaxNameLength = 255
	MaxPathLength = 1024
)

// DefaultLimits returns the limits of a fresh installation.
func DefaultLimits() Limits {
	return Limits{
		DirectThreshold: 50_000_000,
		MaxFileSize:     1 << 30,
		URLExpiry:       15 * time.Minute,
		MaxParts:        1000,
		MaxBatch:        1000,
		AbandonAfter:    7 * 24 * time.Hour,
		TrashWindow:     30 * 24 * time.Hour,
		UndoWindow:      7 * 24 * time.Hour,
	}
}

// RouteFor returns the way a file of size bytes takes: the boundary itself goes direct.
func (l Limits) RouteFor(size int64) Route {
	if size >= l.DirectThreshold {
		return Direct
	}
	return Small
}

// PartSizeFor returns the size in bytes of every part but the last of a direct upload of size bytes. It stays the same
// for the life of the upload.
func (l Limits) PartSizeFor(size int64) int64 {
	part := l.PartSize
	if part == 0 {
		switch { // few enough to be cheap, small enough that the last ones end together on a slow line
		case size > 512<<20:
			part = 32 << 20
		case size > 192<<20:
			part = 16 << 20
		default:
			part = 8 << 20
		}
	}
	part = max(part, MinPartSize)
	const mib = 1 << 20
	if least := (size + int64(l.MaxParts) - 1) / int64(l.MaxParts); part < least {
		part = (least + mib - 1) / mib * mib
	}
	return part
}

// HumanBytes writes a limit the way people say it: "1 GiB", "50 MB", "1234 bytes".
func HumanBytes(n int64) string {
	units := []struct {
		size int64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1e9, "GB"}, {1e6, "MB"}, {1 << 10, "KiB"}, {1e3, "kB"}}
	for _, u := range units {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
