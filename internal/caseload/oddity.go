package caseload

// Oddity is something in the database that no healthy run of the program leaves behind.
type Oddity struct {
	Kind         OddityKind
	Organization OrganizationID
	Case         CaseID
	File         FileID // "" when it is not about one file
	ID           string // of the row meant: a file's, an intent's, a preview's
}

// OddityKind says what is odd.
type OddityKind string

const (
	UploadOverdue     OddityKind = "upload_overdue"        // an upload's deadline was long ago: no sweep looks at it
	ReadingOverdue    OddityKind = "reading_overdue"       // a stored file nobody reads
	IntentOverdue     OddityKind = "intent_overdue"        // a delete-intent nobody carries out
	IntentOfLive      OddityKind = "intent_of_live_file"   // a delete-intent for the object of a live file; it can be cancelled
	FileOfDeletedCase OddityKind = "file_of_deleted_case"  // a live file in a deleted case
	VersionsOutOfRow  OddityKind = "versions_out_of_order" // not exactly the latest version is plain; it can be put in order
	VersionOfNothing  OddityKind = "version_of_nothing"    // the first version does not exist
	PreviewOfNothing  OddityKind = "preview_of_nothing"    // of a series or file that is gone; it can be removed
	PreviewIncomplete OddityKind = "preview_incomplete"    // said to be made, without a picture; it can be made again
	PreviewDamaged    OddityKind = "preview_damaged"       // its bytes are not those that were made; it can be made again
	ImagesOfNothing   OddityKind = "images_of_deleted_file"
)

// OddityKinds returns every kind, in the order in which they are looked for.
func OddityKinds() []OddityKind {
	return []OddityKind{
		UploadOverdue, ReadingOverdue, IntentOverdue, IntentOfLive, FileOfDeletedCase, VersionsOutOfRow, VersionOfNothing,
		ImagesOfNothing, PreviewOfNothing, PreviewIncomplete, PreviewDamaged,
	}
}
