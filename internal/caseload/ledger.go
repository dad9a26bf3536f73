package caseload

import "time"

// LedgerID names a ledger.
type LedgerID string

// Class is why the store holds some bytes, as the ledger explains them.
type Class string

const (
	ClassLive        Class = "live"        // the object of a file that was received
	ClassOlder       Class = "older"       // of an older version of a file
	ClassInFlight    Class = "in_flight"   // of a file that is arriving
	ClassAbandoned   Class = "abandoned"   // of an upload that was given up; a delete-intent will erase it
	ClassTrash       Class = "trash"       // of a deleted file; a delete-intent will erase it
	ClassReplaced    Class = "replaced"    // a version the bucket keeps beneath the one that counts
	ClassMarker      Class = "marker"      // a delete marker of the bucket: it holds no bytes and hides the versions beneath it
	ClassTrial       Class = "trial"       // left over from a test of the store, or the marker of its database
	ClassUnexplained Class = "unexplained" // nothing in the database speaks of it
	ClassMissing     Class = "missing"     // a received file whose object the store does not hold
)

// Classes returns every class, in the order in which people read them.
func Classes() []Class {
	return []Class{
		ClassLive, ClassOlder, ClassInFlight, ClassAbandoned, ClassTrash, ClassReplaced, ClassMarker, ClassTrial, ClassUnexplained, ClassMissing,
	}
}

// TrialPrefix begins the key of every object that a test of the store writes (doctor, `bucket test`). No key of a file
// begins so (NewObjectKey, File.FormKey).
const TrialPrefix = "caseload-"

// Source is what kind of thing of the store a sum is about.
type Source string

const (
	SourceObject  Source = "object"  // current objects: what `aws s3 ls --summarize` counts
	SourceVersion Source = "version" // versions that are not current, and delete markers
	SourceUpload  Source = "upload"  // parts of unfinished multipart uploads
	SourceRow     Source = "row"     // rows of the database without their object
)

// LedgerPhase is how far a ledger has got.
type LedgerPhase string

const (
	LedgerObjects   LedgerPhase = "objects"   // every object, in the order of the keys
	LedgerUploads   LedgerPhase = "uploads"   // the unfinished uploads the database knows of
	LedgerStrangers LedgerPhase = "strangers" // those it does not
	LedgerDone      LedgerPhase = "done"
)

// Mark is a place in a listing of the store: behind this key and, where there are several under it, this version or
// upload. The zero Mark is the beginning.
type Mark struct {
	Key ObjectKey
	ID  string
}

// Ledger is one comparison of the database with the bucket.
type Ledger struct {
	ID         LedgerID
	Phase      LedgerPhase
	Step       int64 // grows with every step that was written down
	Versions   bool  // every version of an object is listed, not only the current ones
	After      Mark  // where it goes on
	Keys       int64 // objects, versions and uploads looked at so far
	StartedAt  time.Time
	ChangedAt  time.Time
	FinishedAt time.Time // zero: under way
}

// LedgerSum is how much of one class there is in one organization.
type LedgerSum struct {
	Organization OrganizationID // "": nobody's
	Class        Class
	Source       Source
	Objects      int64 // or versions, uploads, rows
	Bytes        int64
}

// LedgerLine is one key that the ledger shows by itself. Keys hold no patient text.
type LedgerLine struct {
	Class        Class // ClassUnexplained or ClassMissing
	Object       ObjectKey
	VersionID    string
	UploadID     string         // of an unfinished upload
	Organization OrganizationID // "": nobody's
	File         FileID         // "": of no file
	Bytes        int64
	Why          string // one plain sentence
}

// MaxLedgerLines is how many lines of one class a ledger keeps; the sums count all of them.
const MaxLedgerLines = 1000

// LedgerStep is what one step of a ledger found, to be written down in one transaction.
type LedgerStep struct {
	Ledger Ledger // as it stands after the step; Step is the one this step follows
	Sums   []LedgerSum
	Lines  []LedgerLine
}

// LedgerRow is what the database says of one key of the store.
type LedgerRow struct {
	File         FileID
	Organization OrganizationID
	Object       ObjectKey // the key asked for: the file's object, or its form's
	State        State
	Superseded   bool
	Size         int64 // bytes
	UploadID     string
	VersionID    string
	Stored       bool // it was received once
	Form         bool // Object is what was posted, not the file's own object
	Intent       bool // an open delete-intent speaks of the key
}

// Listed is one object, or version of one, as the store lists it.
type Listed struct {
	Mark          // ID is the version; "" in a bucket without versions
	Size    int64 // bytes
	Current bool
	Hides   bool // a delete marker
}

// Behind returns where a listing goes on behind a page that holds something. Pages of versions end with a whole key, so that
// nobody goes on from a version that is erased meanwhile; only a key that fills the page alone is cut.
func Behind(page []Listed) Mark {
	last := page[len(page)-1]
	if last.ID == "" || page[0].Key != last.Key {
		return Mark{Key: last.Key}
	}
	return last.Mark
}

// NullVersion is the version of an object that was put while its bucket kept none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
const NullVersion = "null"

// ListedUpload is one unfinished multipart upload as the store lists it.
type ListedUpload struct {
	Mark    // ID is the upload's
	BegunAt time.Time
}
