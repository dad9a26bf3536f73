// Package ingest turns stored bytes into what they are: the kind of a file by its content, the studies, series and
// instances it holds and where each one's bytes lie, and in a second pass the SHA-256 of the whole and the checksum of
// every archive entry. It reads by range out of the object store and never holds a file. It is safe to run twice on the
// same file: attempts are fenced (I7). It knows the database and the store only through the interfaces below.
package ingest

import (
	"context"
	"io"
	"log/slog"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// What a deployment runs with. Tests may take other values; every other place names these.
const (
	DefaultLease = 20 * time.Second // with jobs.SweepEvery, a killed reader's file is read again within a minute
	DefaultTries = 4
	DefaultKills = 2 * DefaultTries // docs/decisions/009
)

// Service reads files. All fields are required.
type Service struct {
	Records Records
	Objects Objects
	Owner   string        // names this process in leases: host, pid and a random suffix
	Lease   time.Duration // how long a lease lasts without renewal (DefaultLease); a lapsed one is taken over
	Tries   int           // the attempt from which on an error of the reader rejects the file (DefaultTries)
	Kills   int           // attempts that may end without a word, their process killed, before the next rejects the file (DefaultKills)
	Held    int64         // files of at most so many bytes are read into memory in one go (DefaultHeld); the others by range and as a stream
	Now     func() time.Time
	Log     *slog.Logger

	pause func(time.Duration) // of tests: instead of waiting for a store that does not answer
}

// Records is what ingest asks of the database. Every method after StartReading is fenced by the attempt: it answers
// Conflict when the file is no longer in state reading under that attempt, and then nothing has been changed.
type Records interface {
	// StartReading moves stored to reading, or takes over a reading whose lease is not after now, with attempt and tries
	// one higher, until the given moment. Conflict when another owner's lease is alive or the file is past reading;
	// NotFound when it does not exist; Gone when deleted.
	StartReading(ctx context.Context, id caseload.FileID, owner string, now, until time.Time) (caseload.File, error)
	// Renew extends the lease and keeps the progress shown to people.
	Renew(ctx context.Context, id caseload.FileID, attempt int, until time.Time, entriesDone, entriesTotal int) error
	// SaveMetadata replaces what earlier attempts on this file saved: kind, warnings, contents, and its instances with
	// their studies and series (upserted by UID within the case). One FileMetadata event.
	SaveMetadata(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings) error
	// FinishReading moves reading to ready.
	FinishReading(ctx context.Context, id caseload.FileID, attempt int, r caseload.Receipt) error
	// SaveRead is SaveMetadata and FinishReading in one.
	SaveRead(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) error
	// Reject moves reading to rejected with a reason in plain words.
	Reject(ctx context.Context, id caseload.FileID, attempt int, reason string) error
	// Release ends the lease now, gives the try back and enqueues the reading again: an orderly stop.
	Release(ctx context.Context, id caseload.FileID, attempt int) error
}

// Objects is what ingest asks of the object store. Every read is pinned to the verified object (VersionId or If-Match,
// I3): Conflict when the object is another one now, NotFound when it is gone, Unavailable when the store cannot answer.
type Objects interface {
	// ReadRange reads len(p) bytes of the object from off; io.EOF semantics of io.ReaderAt.
	ReadRange(ctx context.Context, o caseload.Object, p []byte, off int64) (int, error)
	// Stream reads the whole object once, in order.
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
}
