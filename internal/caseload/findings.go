package caseload

import "time"

// Findings is what reading found in one file. Saving it replaces whatever an earlier attempt on the same file saved.
type Findings struct {
	Kind      FileKind
	Warnings  []string // plain words, for people; may hold patient text
	Contents  Contents
	BytesRead int64 // from the store, until now
	Found     []Found
}

// Found is one DICOM instance together with the study and series it says it belongs to. Of Study and Series only the
// facts that the instance itself states are filled in.
type Found struct {
	Study    Study
	Series   Series
	Instance Instance
}

// Contents counts what a file holds by content. A file that is not an archive counts as one of its own kind.
type Contents struct {
	Entries   int `json:"entries,omitempty"` // of an archive and of the archives in it, folders left out
	Images    int `json:"images,omitempty"`  // DICOM instances
	Meshes    int `json:"meshes,omitempty"`
	Photos    int `json:"photos,omitempty"`
	Documents int `json:"documents,omitempty"`
	Others    int `json:"others,omitempty"`

	Ignored int      `json:"ignored,omitempty"` // Thumbs.db, __MACOSX and their like
	Junk    []string `json:"junk,omitempty"`    // what they are called, the first MaxJunkNames of them
	Report

	Enclosed []Enclosed `json:"enclosed,omitempty"` // of an archive, the first MaxEnclosed each of meshes, photos and documents
}

// Enclosed is a file inside a ZIP that is looked at by itself, a mesh, a photo or a document, and where its bytes lie.
type Enclosed struct {
	Kind FileKind `json:"kind"`
	EntryRef
}

// Receipt is the outcome of the whole pass over a file's bytes.
type Receipt struct {
	SHA256    string // lower-case hex
	Report    Report // added to that of the Findings
	Warnings  []string
	BytesRead int64
}

// Intent is the only thing through which an object is ever deleted (I6): a row that says which object, why, and from
// when on. It is claimed, re-checked against the live files, and only then carried out.
type Intent struct {
	ID           IntentID
	Organization OrganizationID
	File         FileID
	Object       ObjectKey
	UploadID     string // of an unfinished multipart upload to abort; "" when there is none
	VersionID    string
	Reason       string
	Kept         bool   // of a file that had been received
	Final        bool   // a person said: for good, now
	Marker       string // the delete marker over it; "": it is not hidden
}

// EraseAt is when the object of a file that is deleted may go, by what the file was just before.
type EraseAt struct {
	Kept    time.Time // it had been acknowledged: once the trash window is over
	Partial time.Time // it never was: as soon as no address signed before can bring bytes any more
}

// Of returns the moment for a file that was in the state.
func (e EraseAt) Of(s State) time.Time {
	if s.Acknowledged() {
		return e.Kept
	}
	return e.Partial
}
