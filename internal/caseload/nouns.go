package caseload

import (
	"io"
	"time"
)

// Organization is a clinic, lab or practice: the tenant. Nothing of one is ever shown to another.
type Organization struct {
	ID        OrganizationID
	Name      string
	CreatedAt time.Time
	Quota     int64 // the most it may keep, in bytes; 0: no limit
}

// Role is what a user may do within the organization.
type Role string

const (
	Admin  Role = "admin"  // everything, and users and tokens
	Member Role = "member" // opens cases, sends and deletes files
	Viewer Role = "viewer" // looks and downloads
)

// Roles returns every role, the most powerful first.
func Roles() []Role { return []Role{Admin, Member, Viewer} }

// Valid tells whether r is one of Roles.
func (r Role) Valid() bool { return r == Admin || r == Member || r == Viewer }

// CanWrite tells whether the role may open cases and send, complete, abort or delete files.
func (r Role) CanWrite() bool { return r == Admin || r == Member }

// CanAdminister tells whether the role may manage users and tokens.
func (r Role) CanAdminister() bool { return r == Admin }

// User is a person in one organization. Verbs take the acting User as an argument, so that authority is visible in
// every signature. A bearer token acts as its user, with at most the token's role.
type User struct {
	ID           UserID
	Organization OrganizationID
	Email        string
	Name         string
	Role         Role
	Disabled     bool
	CreatedAt    time.Time
	LastSeenAt   time.Time // zero: never signed in
}

// Token is a bearer token of the API. Its secret is stored hashed and shown once.
type Token struct {
	ID         TokenID
	User       UserID
	Name       string
	Role       Role // at most the user's own role
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // zero: never
	RevokedAt  time.Time // zero: valid
}

// Case is the folder of one patient's work.
type Case struct {
	ID           CaseID
	Organization OrganizationID
	Number       string // unique in the organization, proposed by the server ("2026-0042")
	Patient      string // label typed by the clinic; patient text, never logged
	Note         string
	CreatedBy    UserID
	CreatedAt    time.Time
	ChangedAt    time.Time // last change of the case or of any of its files
	Revision     int64     // grows with every change; live pages compare it
	FinishedAt   time.Time // when somebody said that the work is finished; zero: it is open
	DeletedAt    time.Time // zero: live
}

// CaseSummary is one line of the case list.
type CaseSummary struct {
	Case
	Files     int   // live files, arriving ones included
	Bytes     int64 // of acknowledged files
	Studies   int
	Series    int
	Images    int
	Meshes    int
	Photos    int
	Documents int
	Others    int
	Arriving  int       // planned or sending
	SentBytes int64     // of the arriving ones, as last reported
	DueBytes  int64     // size of the arriving ones
	HeardAt   time.Time // of the arriving ones: when something was last heard of one of them; set by the list of cases
	InWork    int       // stored or reading
	Attention int       // rejected, abandoned, or with a warning
}

// Route is the way a file's bytes take.
type Route string

const (
	Small  Route = "small"  // through the application server, streamed
	Direct Route = "direct" // from the browser to the store, in signed parts
)

// FileKind is what a file is by its content, never by its name.
type FileKind string

const (
	KindUnknown  FileKind = ""         // not read yet
	KindDICOM    FileKind = "dicom"    // one DICOM object
	KindDICOMDIR FileKind = "dicomdir" // the directory file of a DICOM medium (PS3.10)
	KindZIP      FileKind = "zip"
	KindSTL      FileKind = "stl"
	KindPLY      FileKind = "ply"
	KindOBJ      FileKind = "obj"
	KindJPEG     FileKind = "jpeg"
	KindPNG      FileKind = "png"
	KindPDF      FileKind = "pdf"
	KindOther    FileKind = "other"
)

// IsMesh tells whether files of the kind are surfaces of triangles.
func (k FileKind) IsMesh() bool { return k == KindSTL || k == KindPLY || k == KindOBJ }

// IsPhoto tells whether files of the kind are pictures of their own.
func (k FileKind) IsPhoto() bool { return k == KindJPEG || k == KindPNG }

// HasPreview tells whether a file of the kind, wherever it lies, has a preview of its own.
func (k FileKind) HasPreview() bool { return k.IsMesh() || k.IsPhoto() || k == KindPDF }

// File is one thing a person dropped, as named by them: the unit of upload, state and audit.
type File struct {
	ID           FileID
	Organization OrganizationID
	Case         CaseID
	Drop         DropID // what was dropped together; "" before drops were kept

	Name        string    // base name as dropped, NFC, control and bidi characters removed; kept to the download
	Path        string    // folder path within the drop, "/"-separated, "" for a single file; display only
	Size        int64     // bytes, as planned; equal to the object's once stored. With SizeOpen the most it may be
	ContentType string    // as claimed by the client; display only, never trusted
	ModifiedAt  time.Time // of the person's copy; zero: unknown
	Fingerprint string    // opaque, of the client, to find the same file again; at most 128 bytes of ASCII

	Family     FileID // the first version of the file that this is a version of; "" while it has but one
	Superseded bool   // a later version was received; this one is kept beneath it

	State  State
	Reason string // why rejected or abandoned, in plain words; no patient text
	Route  Route

	Object    ObjectKey
	UploadID  string // S3 multipart upload; "" before the first Sign and on the small route
	PartSize  int64  // bytes; 0 on the small route
	SentBytes int64  // as last reported while arriving; display only
	Deadline  time.Time
	Resumed   bool // a second plan was given this upload, which has several parts: they may be of two files that look alike

	Loose       bool      // sent by a client that says neither parts' checksums nor, perhaps, the size (stock Uppy)
	SizeOpen    bool      // of a loose file that is arriving: nobody said its size
	CancelledAt time.Time // when the client of a loose file gave it up; zero: it did not, or came back since

	CRC64NVME string // base64 of the 8 bytes, big endian, of the whole object, as the store observed it
	ETag      string // without quotes, as the store observed it
	VersionID string // "" when the bucket keeps no versions
	SHA256    string // lower-case hex, by the worker; "" until ready

	Kind         FileKind
	Warnings     []string // plain words, from reading; may hold patient text
	Contents     Contents
	EntriesDone  int // entries read so far, while reading
	EntriesTotal int
	BytesRead    int64 // from the store until the metadata was visible
	Attempt      int   // reading attempts begun; only grows, fences every later UPDATE of the same attempt
	Tries        int   // attempts that count towards giving up; an orderly stop gives its own back
	Reader       int   // ReaderVersion of the program that read it last
	Owner        string
	ReadingUntil time.Time // the lease

	CreatedBy  UserID
	CreatedAt  time.Time
	ChangedAt  time.Time
	StoredAt   time.Time
	MetadataAt time.Time // metadata became visible
	ReadyAt    time.Time
}

// Parts returns how many parts a direct upload has; 0 on the small route.
func (f File) Parts() int {
	if f.Route != Direct || f.PartSize <= 0 {
		return 0
	}
	return int((f.Size + f.PartSize - 1) / f.PartSize)
}

// Form tells whether the file comes as one form that its client posts to the store (a single upload of stock Uppy).
func (f File) Form() bool { return f.Loose && f.UploadID == "" }

// FormKey is where the store keeps what was posted until the server has taken it over to Object, where no client can
// write. A client may know it: it is the file's identifier.
func (f File) FormKey() ObjectKey { return ObjectKey(f.ID) }

// PartLength returns the length in bytes of part n (from 1), or 0 when there is no such part.
func (f File) PartLength(n int) int64 {
	parts := f.Parts()
	switch {
	case n < 1 || n > parts:
		return 0
	case n == parts:
		return f.Size - int64(parts-1)*f.PartSize
	default:
		return f.PartSize
	}
}

// Part is one piece of a multipart upload.
type Part struct {
	Number    int    // from 1
	Size      int64  // bytes
	CRC64NVME string // base64 of the 8 bytes, big endian
	ETag      string // without quotes; "" while it is only planned
}

// SignedRequest is one request to the store, signed. The client sends exactly Method, URL and Headers (and the body the
// headers speak of), nothing else.
type SignedRequest struct {
	Part      int // 0 when it is not about a part
	Method    string
	URL       string
	Headers   map[string]string // without Host and Content-Length, which the client's stack sets itself
	ExpiresAt time.Time
}

// SignedForm is one file's way to the store as a form (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html):
// the client posts Fields, then the bytes as "file". From a store that takes no forms it is a plain PUT without fields.
type SignedForm struct {
	Method    string
	URL       string
	Fields    map[string]string
	Headers   map[string]string
	ExpiresAt time.Time
}

// Progress is a client's word on how far a file has got; display only.
type Progress struct {
	File FileID
	Sent int64 // bytes
}

// Object is what the server itself observed in the store.
type Object struct {
	Key       ObjectKey
	Size      int64
	CRC64NVME string // "" when the store keeps none
	ETag      string // without quotes
	VersionID string
}

// OpenObject is an object of the store opened for reads at many places. It is safe for use by several goroutines.
type OpenObject interface {
	io.ReaderAt
	io.Closer
}

// Declared is the whole of a small file as its sender declares it before the bytes: the one part of its manifest.
type Declared struct {
	File FileID
	Part Part
}

// Seen is the object that the store was seen to hold for a file.
type Seen struct {
	File   FileID
	Object Object
}

// Outcome is what came of one file among several that were to change in one transaction.
type Outcome struct {
	File File
	Won  bool  // this call changed its state; false: it stood there already
	Err  error // why it was refused, an *Error; the others are not affected
}

// Study is a DICOM study (PS3.3 A.1.2) within one case.
type Study struct {
	ID               StudyID
	Organization     OrganizationID
	Case             CaseID
	StudyInstanceUID string
	PatientName      string // readable form
	PatientID        string
	PatientBirthDate string // DICOM DA, YYYYMMDD
	PatientSex       string
	Date             string // DICOM DA
	Time             string // DICOM TM
	Description      string
	AccessionNumber  string
	Series           []Series
}

// Series is a DICOM series of a study, with the facts derived from its instances.
type Series struct {
	ID                SeriesID
	Study             StudyID
	SeriesInstanceUID string
	Number            string
	Modality          string
	Description       string
	Manufacturer      string
	Model             string
	TransferSyntax    string
	Rows, Columns     int
	Images            int // frames, all instances together
	Instances         int
	PixelSpacing      float64 // mm between columns; 0: unknown
	Spacing           float64 // mm between slices; 0: unknown
	SpacingSource     string
	Complete          bool
	Remarks           []Remark // what is missing or odd
	Note              string   // the same in one text; "" when nothing is
	Apart             []Group  // images in other planes than the stack: scouts
	Planning          []Check  // what planning software asks of a volume; nil without images
	Files             []FileID
	Members           []Instance // as stored; what the facts from Images on are derived from
}

// Group is the images of a series that lie in a plane of their own.
type Group struct {
	Plane         string // Axial, Coronal, Sagittal, Oblique
	Images        int
	Rows, Columns int // of the first image
}

// Patient is whom an image names.
type Patient struct {
	Name      string // readable form
	ID        string
	BirthDate string // DICOM DA
}

// String tells a patient from others, for people: "Kim, Minji (P-77)"; "" when nobody is named.
func (p Patient) String() string {
	if p.Name == "" || p.ID == "" {
		return p.Name + p.ID
	}
	return p.Name + " (" + p.ID + ")"
}

// Instance is one DICOM object and where its bytes lie. A ZIP stays one object; Entry says where in it.
type Instance struct {
	ID             InstanceID
	File           FileID
	SOPInstanceUID string
	SOPClassUID    string
	TransferSyntax string
	Number         int
	Rows, Columns  int
	Frames         int
	BitsAllocated  int
	Position       []float64 // ImagePositionPatient, mm; nil: absent
	Orientation    []float64 // ImageOrientationPatient; nil: absent
	PixelSpacing   []float64 // row, column, mm; nil: absent
	SliceThickness float64   // mm; 0: absent
	SpacingBetween float64   // mm; 0: absent
	FramePositions []float64 // mm along the normal, one a frame, of a multi-frame object that tells; nil: absent
	Patient        Patient   // whose image it says it is

	Entry EntryRef // where in a ZIP; zero Entry.Index −1 when the file is the object

	PixelOffset       int64 // from the start of the DICOM object; −1: no pixel data
	PixelLength       int64 // bytes; −1: undefined length
	PixelEncapsulated bool
	Warnings          []string
}

// EntryRef says where in a ZIP object an entry lies.
type EntryRef struct {
	Index      int     `json:"index"`      // in the central directory; −1: not in a ZIP
	Name       string  `json:"name"`       // display only
	Method     uint16  `json:"method"`     // ZIP compression method (APPNOTE 4.4.5)
	DataOffset int64   `json:"offset"`     // of the compressed bytes, from the start of the object
	Compressed int64   `json:"compressed"` // bytes
	Size       int64   `json:"size"`       // bytes when inflated; of a file that is the object 0, or its size when CRC32 is known
	CRC32      uint32  `json:"crc32"`
	Within     Packing `json:"within,omitzero"` // of a ZIP that lies compressed in the ZIP: DataOffset counts in its inflated bytes. Zero: none
}

// Packing says how an entry of the outer ZIP that is a ZIP itself is stored.
type Packing struct {
	Method     uint16 `json:"method"`     // ZIP compression method; Size 0: there is no such ZIP
	DataOffset int64  `json:"offset"`     // of the compressed bytes, from the start of the object
	Compressed int64  `json:"compressed"` // bytes
	Size       int64  `json:"size"`       // bytes when inflated
}

// Event is one line of an organization's audit log, chained by hash to the one before.
type Event struct {
	Organization OrganizationID
	Seq          int64 // from 1, without gaps
	At           time.Time
	Actor        string // user id, or "system"
	Action       Action
	Case         CaseID // "" when not about a case
	File         FileID // "" when not about one file
	Detail       string // compact JSON of ids, numbers and states; no patient text
	Hash         string // lower-case hex SHA-256 over the previous hash and this line
}

// Action names what happened, noun first.
type Action string

const (
	OrganizationCreated Action = "organization.created"
	QuotaChanged        Action = "organization.quota_changed"
	UserCreated         Action = "user.created"
	UserChanged         Action = "user.changed"
	UserDisabled        Action = "user.disabled"
	PasswordChanged     Action = "user.password_changed"
	SignedIn            Action = "user.signed_in"
	SignInFailed        Action = "user.sign_in_failed"
	SignedOut           Action = "user.signed_out"
	TokenCreated        Action = "token.created"
	TokenRevoked        Action = "token.revoked"
	CaseCreated         Action = "case.created"
	CaseChanged         Action = "case.changed"
	CaseDeleted         Action = "case.deleted"
	FilesPlanned        Action = "files.planned"
	FilesResumed        Action = "files.resumed" // unfinished uploads were taken up again
	FileSending         Action = "file.sending"
	FileStored          Action = "file.stored"
	FileReading         Action = "file.reading"
	FileMetadata        Action = "file.metadata"
	FileReady           Action = "file.ready"
	FileRejected        Action = "file.rejected"
	FilesReindex        Action = "files.reindex" // somebody asked for files to be read again
	FileReindexed       Action = "file.reindexed"
	FileReplaced        Action = "file.replaced" // a later version was received; the detail names it
	FileLatest          Action = "file.latest"   // it is the latest version again: the later one was deleted
	FileAbandoned       Action = "file.abandoned"
	FileDeleted         Action = "file.deleted"
	FileLinked          Action = "file.linked" // a download link was given out
	FileQuarantined     Action = "file.quarantined"
	ObjectErased        Action = "object.erased"
	StoreUnreached      Action = "store.unreached"   // a browser or program could not reach the store by itself
	FileRepinned        Action = "file.repinned"     // its object was copied: the row names the copy, whose bytes were read and are the same
	ObjectLeftover      Action = "object.leftover"   // what a dead file left in the store is going to be erased
	OddityMended        Action = "oddity.mended"     // fsck put a row in order; the detail says which
	FileRestored        Action = "file.restored"     // it came back from the trash
	FilePurged          Action = "file.purged"       // a person said that its object is to go now
	CaseRestored        Action = "case.restored"     // it came back with what had gone with it
	FileReturned        Action = "file.returned"     // it was let go, and taken back into the trash
	ObjectHidden        Action = "object.hidden"     // it is behind a delete marker: the bucket keeps versions
	CaseFinished        Action = "case.finished"     // the work on it is done
	CaseReopened        Action = "case.reopened"     // it is not
	CleanupPlanned      Action = "cleanup.planned"   // what would go was written down
	CleanupApproved     Action = "cleanup.approved"  // a person, or the policy, said yes
	CleanupEnded        Action = "cleanup.ended"     // carried out, refused or dismissed
	CleanupUndone       Action = "cleanup.undone"    // a person took it back
	PartsErased         Action = "parts.erased"      // parts that no row knew were thrown away
	DatabaseAccepted    Action = "database.accepted" // a person said that this is the bucket's database
)

// SystemActor is the Actor of what no person did.
const SystemActor = "system"
