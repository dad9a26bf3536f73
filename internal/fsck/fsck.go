// Package fsck holds what the database says against what the store has: files without an object, objects without a file,
// other bytes than were verified, and rows that no healthy run leaves behind. It reads keys and rows in one order, a page of
// each at a time, so that its memory does not grow with them, and looks a second time before it says that something is
// wrong, since uploads and deletions go on meanwhile. It repairs only what can be undone or proved, never by erasing an
// object itself. It knows the database and the store through the two interfaces below.
package fsck

import (
	"context"
	"io"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Rows is what fsck asks of the database, across organizations: it is an administrator's tool on the server itself.
type Rows interface {
	// FilesByObject returns at most limit files in any state whose object's key is after the given one, in byte order.
	FilesByObject(ctx context.Context, after caseload.ObjectKey, limit int) ([]caseload.File, error)
	// KeptFiles returns at most limit acknowledged files whose id is after the given one, in order.
	KeptFiles(ctx context.Context, after caseload.FileID, limit int) ([]caseload.File, error)
	// FileOfObject returns the file in any state whose object, or posted form, has the key. NotFound when there is none.
	FileOfObject(ctx context.Context, key caseload.ObjectKey) (caseload.File, error)
	// ErasureIsDue tells whether an open delete-intent of the file names the key.
	ErasureIsDue(ctx context.Context, file caseload.FileID, key caseload.ObjectKey) (bool, error)
	// CaseNumber returns the number of a case, also of a deleted one.
	CaseNumber(ctx context.Context, id caseload.CaseID) (string, error)
	// Oddities visits what is odd at that moment.
	Oddities(ctx context.Context, now time.Time, visit func(caseload.Oddity) error) error

	// EraseLeftover writes a delete-intent for an object that a dead file left, due then, and the event. Conflict when the
	// file is alive or the intent exists.
	EraseLeftover(ctx context.Context, file caseload.FileID, key caseload.ObjectKey, due time.Time) error
	// Repin makes the file's row name the object as it was seen now, with the event. Conflict unless size, and the checksum
	// where it is known, are the row's.
	Repin(ctx context.Context, file caseload.FileID, seen caseload.Object) error
	// MendOddity puts in order what an oddity can be; mended is false when there is nothing to be done by a program.
	MendOddity(ctx context.Context, o caseload.Oddity) (mended bool, err error)
	// RecordQuarantine writes a FileQuarantined event and a warning on the file.
	RecordQuarantine(ctx context.Context, id caseload.FileID, reason string) error
}

// Objects is what fsck asks of the store.
type Objects interface {
	// Walk visits every object whose key is after the given one, in byte order, with the moment it was written. The
	// checksum may be missing.
	Walk(ctx context.Context, after caseload.ObjectKey, visit func(o caseload.Object, at time.Time) error) error
	// Head returns what is held under the key. NotFound when nothing is.
	Head(ctx context.Context, key caseload.ObjectKey, versionID string) (caseload.Object, error)
	// Stream reads an object once, in order. Conflict when it is another one now.
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
}

// Service does the work. Rows, Objects and Now are required.
type Service struct {
	Rows    Rows
	Objects Objects
	Now     func() time.Time
	Repair  bool                                   // mend what is safe
	Limit   func(ctx context.Context, n int) error // waits until n more bytes may be read; nil: no limit
	Said    func(Finding)                          // each finding, as it is made
	Passed  func(Progress)                         // how far it is, after every page or file; nil: nobody asks
	Kept    func(last caseload.FileID, r Report)   // of ReadAgain: everything up to here was looked at; nil: nobody asks
	Part    Subset                                 // of ReadAgain; the zero value is everything
}

// Kind is what a finding is about; stable, for programs. Beside these there are the kinds of caseload.Oddity.
type Kind string

const (
	Missing  Kind = "object_missing"   // an acknowledged file has no object
	Size     Kind = "size_differs"     // the object is longer or shorter
	Replaced Kind = "object_replaced"  // another object than the one verified, or the same one copied
	Checksum Kind = "checksum_differs" // other bytes
	Shadowed Kind = "object_shadowed"  // the pinned version is there, beneath another
	Leftover Kind = "object_leftover"  // the object of a file that is given up or deleted, and no delete-intent
	Unknown  Kind = "object_unknown"   // no file knows it
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Kind     Kind               `json:"kind"`
	Loss     bool               `json:"loss"` // an acknowledged file cannot be given back as it came
	File     caseload.FileID    `json:"file,omitempty"`
	Case     string             `json:"case,omitempty"` // its number
	Name     string             `json:"-"`              // the file's; it may hold patient text
	Object   caseload.ObjectKey `json:"object,omitempty"`
	Text     string             `json:"text"`
	Advice   string             `json:"advice"`
	Repaired bool               `json:"repaired"`
}

// Progress is how far a run is.
type Progress struct {
	Files   int64 `json:"files"`   // rows looked at
	Objects int64 `json:"objects"` // of the store, without what the program keeps there for itself
	Bytes   int64 `json:"bytes"`   // read again
}

// Report is what a run came to.
type Report struct {
	Progress
	Found    int `json:"found"`
	Losses   int `json:"losses"` // of Found, not repaired
	Repaired int `json:"repaired"`
}

// say counts a finding and hands it on.
func (s *Service) say(ctx context.Context, r *Report, f caseload.File, found Finding) error {
	if f.ID != "" {
		number, err := s.Rows.CaseNumber(ctx, f.Case)
		if err != nil && caseload.KindOf(err) != caseload.NotFound {
			return err
		}
		found.File, found.Case, found.Name = f.ID, number, f.Name
		if found.Object == "" {
			found.Object = f.Object
		}
	}
	r.Found++
	if found.Repaired {
		r.Repaired++
	} else if found.Loss {
		r.Losses++
	}
	s.Said(found)
	return nil
}

func (s *Service) passed(p Progress) {
	if s.Passed != nil {
		s.Passed(p)
	}
}
