package api

import (
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Me answers GET /me: who the caller is and the limits uploads obey.
type Me struct {
	User         User         `json:"user"`
	Organization Organization `json:"organization"`
	Limits       Limits       `json:"limits"`
	Quota        *Quota       `json:"quota,omitempty"` // absent: no limit
}

// Quota is the most the organization may keep and what it keeps, in bytes.
type Quota struct {
	Limit int64 `json:"limit"`
	Used  int64 `json:"used"` // received and planned together
	Free  int64 `json:"free"`
}

// Organization is the tenant of the caller.
type Organization struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// Limits tells a client what will be taken and which way it will go.
type Limits struct {
	DirectThreshold int64 `json:"direct_threshold"` // bytes; a file of this size or more goes straight to the store
	MaxFileSize     int64 `json:"max_file_size"`    // bytes
	MaxBatch        int   `json:"max_batch"`        // files of one plan
	MaxBatchFiles   int   `json:"max_batch_files"`  // files of one PUT /cases/{case}/contents
	MaxBatchBytes   int64 `json:"max_batch_bytes"`  // bytes of its files in all
	URLExpiry       int64 `json:"url_expiry"`       // seconds
}

// User is a person of the organization.
type User struct {
	ID         string    `json:"id"`
	Email      string    `json:"email"`
	Name       string    `json:"name"`
	Role       string    `json:"role"` // admin, member, viewer
	Disabled   bool      `json:"disabled"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at,omitzero"`
}

// Users answers GET /users.
type Users struct {
	Users []User `json:"users"`
}

// NewUser is the request of POST /users.
type NewUser struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     string `json:"role"`
	Password string `json:"password"`
}

// UserChange is the request of PATCH /users/{user}; what is nil stays.
type UserChange struct {
	Name     *string `json:"name,omitempty"`
	Role     *string `json:"role,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
}

// Token is a bearer token without its secret.
type Token struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Role       string    `json:"role"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// Tokens answers GET /tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// NewToken is the request of POST /tokens. Role is at most the caller's own; ExpiresAt zero means never.
type NewToken struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// CreatedToken answers POST /tokens: the only time the secret is shown.
type CreatedToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// Case is the folder of one patient's work.
type Case struct {
	ID        string    `json:"id"`
	Number    string    `json:"number"`
	Patient   string    `json:"patient"`
	Note      string    `json:"note"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
	Revision  int64     `json:"revision"`
	// FinishedAt is when somebody said that the work is finished; absent: it is open.
	FinishedAt time.Time `json:"finished_at,omitzero"`

	// What everybody must see: another patient than the case's, several patients, one identifier for different images.
	// Only GET /cases/{case} looks for them; absent elsewhere.
	Warnings []caseload.Remark `json:"warnings,omitzero"`
}

// CaseSummary is one line of the case list.
type CaseSummary struct {
	Case
	Files     int   `json:"files"`
	Bytes     int64 `json:"bytes"`
	Studies   int   `json:"studies"`
	Series    int   `json:"series"`
	Images    int   `json:"images"`
	Meshes    int   `json:"meshes"`
	Photos    int   `json:"photos"`
	Documents int   `json:"documents"`
	Others    int   `json:"others"`
	Arriving  int   `json:"arriving"`
	SentBytes int64 `json:"sent_bytes"`
	DueBytes  int64 `json:"due_bytes"`
	InWork    int   `json:"in_work"`
	Attention int   `json:"attention"`
}

// Cases answers GET /cases: one page, newest first. Next is the cursor of the following page, "" on the last.
type Cases struct {
	Cases []CaseSummary `json:"cases"`
	Next  string        `json:"next"`
}

// NewCase is the request of POST /cases. An empty Number lets the server propose one.
type NewCase struct {
	Number  string `json:"number"`
	Patient string `json:"patient"`
	Note    string `json:"note"`
}

// CaseChange is the request of PATCH /cases/{case}; what is nil stays.
type CaseChange struct {
	Number  *string `json:"number,omitempty"`
	Patient *string `json:"patient,omitempty"`
	Note    *string `json:"note,omitempty"`
}

// Event is one line of a case's audit log. Detail is an object of ids, numbers and states.
type Event struct {
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Case   string    `json:"case,omitempty"`
	File   string    `json:"file,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Hash   string    `json:"hash"`
}

// Events answers GET /cases/{case}/events, newest first.
type Events struct {
	Events []Event `json:"events"`
}

// Study is a DICOM study found in the files of a case.
type Study struct {
	ID               string   `json:"id"`
	StudyInstanceUID string   `json:"study_instance_uid"`
	PatientName      string   `json:"patient_name"`
	PatientID        string   `json:"patient_id"`
	PatientBirthDate string   `json:"patient_birth_date"` // DICOM DA, YYYYMMDD
	PatientSex       string   `json:"patient_sex"`
	Date             string   `json:"date"` // DICOM DA
	Time             string   `json:"time"` // DICOM TM
	Description      string   `json:"description"`
	AccessionNumber  string   `json:"accession_number"`
	Series           []Series `json:"series"`
}

// Series is a DICOM series with what was derived from its instances.
type Series struct {
	ID                string   `json:"id"`
	SeriesInstanceUID string   `json:"series_instance_uid"`
	Number            string   `json:"number"`
	Modality          string   `json:"modality"`
	Description       string   `json:"description"`
	Manufacturer      string   `json:"manufacturer"`
	Model             string   `json:"model"`
	TransferSyntax    string   `json:"transfer_syntax"`
	Rows              int      `json:"rows"`
	Columns           int      `json:"columns"`
	Images            int      `json:"images"` // frames of all instances
	Instances         int      `json:"instances"`
	PixelSpacing      float64  `json:"pixel_spacing"` // mm between columns; 0: unknown
	Spacing           float64  `json:"spacing"`       // mm between slices; 0: unknown
	SpacingSource     string   `json:"spacing_source"`
	Complete          bool     `json:"complete"`
	Note              string   `json:"note"` // what is missing or odd; "" when nothing is
	Files             []string `json:"files"`

	Remarks  []caseload.Remark `json:"remarks"`  // what Note says, one by one
	Apart    []Group           `json:"apart"`    // images in other planes than the stack: scouts
	Planning []caseload.Check  `json:"planning"` // what planning software asks of a volume
}

// Group is the images of a series that lie in a plane of their own.
type Group struct {
	Plane   string `json:"plane"` // Axial, Coronal, Sagittal, Oblique
	Images  int    `json:"images"`
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
}

// Studies answers GET /cases/{case}/studies.
type Studies struct {
	Studies []Study `json:"studies"`
}
