// Package transfer moves bytes in and out: it plans uploads, signs each request to the store when its turn comes,
// receives small files, verifies and completes, hands out download links, and sweeps up what was left lying. It holds
// the upload protocol's invariants I1 to I8 (docs/design.md). It knows the database and the object store only through
// the two small interfaces below and nothing of HTTP, SQL or queues.
package transfer

import (
	"context"
	"io"
	"log/slog"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Service carries out the verbs. All exported fields but Release are required. It must not be copied once in use.
type Service struct {
	Records Records
	Objects Objects
	Limits  caseload.Limits
	Now     func() time.Time // the server's clock, the only one that counts
	Log     *slog.Logger

	// Release is asked before a sweep erases anything: it lets trash go that is past its window (package cleanup). An error
	// means that clock, database or store look wrong, and nothing at all is erased. nil: trash stays.
	Release func(ctx context.Context) error

	turns turns
	forms formWatch
}

// FileSpec is one file a client wants to send. Only Name and Size are required.
type FileSpec struct {
	Name        string
	Path        string // folder path within the drop
	Size        int64  // bytes; of a loose upload also SizeUnknown
	ContentType string
	ModifiedAt  time.Time
	Fingerprint string // base64 CRC-64/NVME of the first min(Size, 1 MiB) bytes; "": an unfinished upload is not found again
	CRC64NVME   string // base64, of the whole file; "": one that was received already is not found again
	Again       bool   // take it even if the case has received the same bytes
	Replaces    string // id of the received file of the case that this is a new version of; "": of none, unless by its name
}

// SizeUnknown is the Size of a file of which its client does not say it.
const SizeUnknown = -1

// Planned is the answer for one FileSpec: the row it has, or why there is none.
type Planned struct {
	caseload.Placed
	Err error // a *caseload.Error; the other files of the batch are not affected
}

// PartSpec names one part a client is about to send.
type PartSpec struct {
	Number    int    // from 1
	CRC64NVME string // base64 of the 8 bytes, big endian
}

// Link is a download link.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// SweepReport counts what one Sweep did.
type SweepReport struct {
	Completed, Abandoned, Postponed, Requeued, Erased, Hidden, Failed int
}

// Records is what transfer asks of the database. Every method that changes a state does so by compare-and-set and
// writes the audit event (I8), and where said a job or a delete-intent, in the same transaction. Methods that take a
// user answer NotFound for what is not in the user's organization and Gone for what was deleted there.
type Records interface {
	// PlanFiles finds the files among those of the case (caseload.Match) and inserts the others (state planned), under
	// the case's lock, so that of two at once the second finds the first one's row. Unfinished ones get the deadline,
	// ChangedAt and, when in parts, Resumed, unless they can stay as they are (Proposal.KnownAlive). A drop of "" is that of the first unfinished one, else a new one; it is returned. Invalid when the drop
	// is another case's. The case must be live. New files beyond the organization's quota carry an error instead of a row.
	PlanFiles(ctx context.Context, user caseload.User, c caseload.CaseID, drop caseload.DropID, files []caseload.Proposal) (
		[]caseload.Placed, caseload.DropID, error)
	// File returns one file of the user's organization.
	File(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error)
	// FileIn is File for a file of that case.
	FileIn(ctx context.Context, user caseload.User, c caseload.CaseID, id caseload.FileID) (caseload.File, error)
	// ArrivingIn returns those of the files that are planned or sending in that case of the user's organization, in no
	// order. NotFound or Gone for the case.
	ArrivingIn(ctx context.Context, user caseload.User, c caseload.CaseID, ids []caseload.FileID) ([]caseload.FileID, error)
	// BeginSending moves planned to sending and keeps uploadID if the row has none yet; on a row already sending it
	// only does the latter. It returns the row as it now stands: when its UploadID is another than the caller's, the
	// caller lost a race and aborts its own upload. Conflict in any other state.
	BeginSending(ctx context.Context, id caseload.FileID, actor, uploadID string, deadline time.Time) (caseload.File, error)
	// BeginReceiving moves each small file from planned to sending and records the part declared for it, in one
	// transaction; of one already sending it keeps the part recorded before. declared tells what each manifest holds
	// then. An outcome's own error is Conflict in any other state; the others are not affected.
	BeginReceiving(ctx context.Context, actor string, arriving []caseload.Declared, deadline time.Time) (outcomes []caseload.Outcome, declared []caseload.Part, err error)
	// RecordParts upserts the manifest (number, size, checksum; the last word on a part counts) of a file that is
	// sending, and sets its deadline and ChangedAt; with no parts it is the sign of life alone. It ends a cancel.
	RecordParts(ctx context.Context, id caseload.FileID, parts []caseload.Part, deadline time.Time) error
	// RecordCancel notes that the client of an arriving loose file gave it up, and sets its deadline.
	RecordCancel(ctx context.Context, id caseload.FileID, at, deadline time.Time) error
	// Parts returns the manifest in order.
	Parts(ctx context.Context, id caseload.FileID) ([]caseload.Part, error)
	// ReportProgress keeps the sent bytes of arriving files of the user's organization (never more than the size);
	// ids that do not fit are passed over.
	ReportProgress(ctx context.Context, user caseload.User, progress []caseload.Progress) error
	// MarkStored moves each file from sending to stored with what the store was seen to hold, and enqueues the readings,
	// in one transaction; what was posted as a form gets its delete-intent. Won is false when a row was already stored or
	// beyond. An outcome's own error is Conflict when the file is abandoned or deleted; the others are not affected.
	MarkStored(ctx context.Context, actor string, seen []caseload.Seen) ([]caseload.Outcome, error)
	// MarkAbandoned moves each file from planned or sending to abandoned and writes its delete-intent due at eraseAt, in one
	// transaction. Won as above. An outcome's own error is NotFound or Conflict; the others are not affected.
	MarkAbandoned(ctx context.Context, ids []caseload.FileID, actor, reason string, eraseAt time.Time) ([]caseload.Outcome, error)
	// DeleteFile moves any state to deleted and writes a delete-intent, due by the state the file was in.
	DeleteFile(ctx context.Context, user caseload.User, id caseload.FileID, due caseload.EraseAt) error
	// DeleteCase marks the case and all its files deleted, each with its delete-intent, due as above.
	DeleteCase(ctx context.Context, user caseload.User, id caseload.CaseID, due caseload.EraseAt) error
	// TrashedFile returns a deleted file that the user may have back; TrashedFiles those of a case. Kinds as documented there.
	TrashedFile(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.Trashed, error)
	TrashedFiles(ctx context.Context, user caseload.User, c caseload.CaseID) ([]caseload.Trashed, error)
	// RestoreFile moves deleted to stored, cancels the delete-intent unless it was ever claimed, and enqueues the reading, in
	// one transaction. RestoreCase does so for a case and those files that went with it.
	RestoreFile(ctx context.Context, user caseload.User, id caseload.FileID) (caseload.File, error)
	RestoreCase(ctx context.Context, user caseload.User, id caseload.CaseID, files []caseload.FileID) error
	// ReturnToTrash takes a released file back into the trash until the moment given, unless it was ever claimed.
	ReturnToTrash(ctx context.Context, user caseload.User, id caseload.FileID, until time.Time) error
	// RecordLink writes the FileLinked event.
	RecordLink(ctx context.Context, user caseload.User, id caseload.FileID) error
	// RecordQuarantine writes a FileQuarantined event and a warning on the file: the object is not the one verified.
	RecordQuarantine(ctx context.Context, id caseload.FileID, reason string) error

	// DueUploads returns at most limit arriving files whose deadline is not after now, oldest first.
	DueUploads(ctx context.Context, now time.Time, limit int) ([]caseload.File, error)
	// Postpone sets the deadline of an arriving file and nothing else: it is no sign of life (ChangedAt stays).
	Postpone(ctx context.Context, id caseload.FileID, deadline time.Time) error
	// RequeueLapsed enqueues the reading again of stored files whose deadline, and reading files whose lease, is not
	// after now (at most limit) and that do not wait in the queue already, pushing that deadline so that a second sweep
	// does not do it again at once.
	RequeueLapsed(ctx context.Context, now time.Time, limit int) (int, error)
	// ErasureDue tells whether any delete-intent is due at now, trash that was not released included.
	ErasureDue(ctx context.Context, now time.Time) (bool, error)
	// ClaimIntent picks one delete-intent due at now (trash only when it was released), re-checks under lock that no live file refers to its object, and
	// claims it for ten minutes. ok is false when none is due. An intent whose object is alive is cancelled, not returned.
	ClaimIntent(ctx context.Context, now time.Time) (in caseload.Intent, ok bool, err error)
	// HideIntent writes that the object of a claimed intent is hidden behind a delete marker, and gives the claim back: until
	// it is claimed anew it can be restored.
	HideIntent(ctx context.Context, id caseload.IntentID, marker string, until time.Time) error
	// FinishIntent marks a claimed intent done and writes the ObjectErased event.
	FinishIntent(ctx context.Context, id caseload.IntentID) error
}

// Objects is what transfer asks of the object store. Errors carry kinds: NotFound (no such key or upload), Conflict (the
// key exists already, 412), Invalid (checksum or length refused), Unavailable, Full. origin is the scheme and host under
// which the person's browser reached us ("https://caseload.example"); the embedded store's URLs are signed for it, an
// external store's for its own public endpoint.
type Objects interface {
	CreateMultipart(ctx context.Context, key caseload.ObjectKey) (uploadID string, err error)
	// SignPart binds the part's length and checksum; a length of 0 and a checksum of "" are left open.
	SignPart(ctx context.Context, origin string, key caseload.ObjectKey, uploadID string, p caseload.Part, expiry time.Duration) (caseload.SignedRequest, error)
	// SignForm signs the posting of one object of between least and most bytes under the key.
	SignForm(ctx context.Context, origin string, key caseload.ObjectKey, least, most int64, expiry time.Duration) (caseload.SignedForm, error)
	ListParts(ctx context.Context, key caseload.ObjectKey, uploadID string) ([]caseload.Part, error)
	// CompleteMultipart completes write-once with the full-object checksum ("": not known) and the object's size.
	CompleteMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string, parts []caseload.Part, size int64, crc64nvme string) error
	AbortMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string) error
	// Put streams size bytes write-once in constant memory; the store verifies the checksum.
	Put(ctx context.Context, key caseload.ObjectKey, body io.Reader, size int64, crc64nvme string) error
	// PutPart streams one part in constant memory (the relay when the browser cannot reach the store).
	PutPart(ctx context.Context, key caseload.ObjectKey, uploadID string, p caseload.Part, body io.Reader) error
	Head(ctx context.Context, key caseload.ObjectKey, versionID string) (caseload.Object, error)
	// Stream reads the whole object once, pinned to what was seen of it.
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
	// Sync makes verified objects durable (fsync of the embedded store's files); external stores already are. NotFound when
	// one of them is not there.
	Sync(ctx context.Context, keys ...caseload.ObjectKey) error
	// SignGet signs a download pinned to versionID when there is one, as attachment under the given name.
	SignGet(ctx context.Context, origin string, key caseload.ObjectKey, versionID, name, contentType string, expiry time.Duration) (caseload.SignedRequest, error)
	// Delete removes one object: that version when given, else all versions of the key; an absent key is no error.
	Delete(ctx context.Context, key caseload.ObjectKey, versionID string) error
	// Hide puts a delete marker over an object of a bucket that keeps versions and returns the marker's version; Unhide takes
	// every marker off.
	Hide(ctx context.Context, key caseload.ObjectKey) (marker string, err error)
	Unhide(ctx context.Context, key caseload.ObjectKey) error
}
