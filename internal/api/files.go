package api

import (
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// File is one thing a person sent, as named by them.
type File struct {
	ID          string    `json:"id"`
	Case        string    `json:"case"`
	Drop        string    `json:"drop,omitempty"` // what was dropped together
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	Size        int64     `json:"size"`
	ContentType string    `json:"content_type"`
	ModifiedAt  time.Time `json:"modified_at,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"`

	Family     string `json:"family,omitempty"`     // the same for all versions of one file; "" while it has but one
	Superseded bool   `json:"superseded,omitempty"` // a later version was received

	State     string `json:"state"`            // planned, sending, stored, reading, ready, rejected, abandoned
	Reason    string `json:"reason,omitempty"` // why rejected or abandoned
	Route     string `json:"route"`            // small, direct
	PartSize  int64  `json:"part_size"`        // bytes of every part but the last; 0 on the small route
	Parts     int    `json:"parts"`            // 0 on the small route
	SentBytes int64  `json:"sent_bytes"`
	Loose     bool   `json:"loose,omitempty"`     // sent by another client than ours (stock Uppy), which cuts its own parts
	SizeOpen  bool   `json:"size_open,omitempty"` // nobody said the size: until the file is stored, size is the most it may be

	CRC64NVME string `json:"crc64nvme,omitempty"` // base64 of the whole file's checksum, as the store observed it
	SHA256    string `json:"sha256,omitempty"`    // hex, once ready

	Kind         string            `json:"kind"` // by content; "" until read
	Warnings     []string          `json:"warnings"`
	Contents     caseload.Contents `json:"contents"`
	EntriesDone  int               `json:"entries_done"`
	EntriesTotal int               `json:"entries_total"`
	BytesRead    int64             `json:"bytes_read"`

	CreatedBy  string    `json:"created_by"`
	CreatedAt  time.Time `json:"created_at"`
	ChangedAt  time.Time `json:"changed_at"`
	StoredAt   time.Time `json:"stored_at,omitzero"`
	MetadataAt time.Time `json:"metadata_at,omitzero"`
	ReadyAt    time.Time `json:"ready_at,omitzero"`
}

// Files answers GET /cases/{case}/files, without older versions, and GET /files/{file}/versions, the latest first.
type Files struct {
	Files []File `json:"files"`
}

// Plan is the request of POST /cases/{case}/files.
type Plan struct {
	Drop  string     `json:"drop,omitempty"` // the drop these belong to; "": that of an upload that goes on, else a new one
	Files []FileSpec `json:"files"`
}

// FileSpec is one file a client wants to send. Only Name and Size are required.
type FileSpec struct {
	Name        string    `json:"name"`
	Path        string    `json:"path,omitempty"` // folder path within the drop
	Size        int64     `json:"size"`           // bytes
	ContentType string    `json:"content_type,omitempty"`
	ModifiedAt  time.Time `json:"modified_at,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"` // base64 CRC-64/NVME of the first min(size, 1 MiB) bytes
	CRC64NVME   string    `json:"crc64nvme,omitempty"`   // base64, of the whole file, when the client knows it
	Again       bool      `json:"again,omitempty"`       // take it even if the case has received the same bytes
	Replaces    string    `json:"replaces,omitempty"`    // id of the received file of the case that this is a new version of
}

// Planned answers POST /cases/{case}/files: one element for each file asked, in the same order.
type Planned struct {
	Drop  string        `json:"drop"`
	Files []PlannedFile `json:"files"`
}

// PlannedFile holds either the file and what is to be done, or why it cannot be taken.
type PlannedFile struct {
	File     *File    `json:"file,omitempty"`
	Resumed  bool     `json:"resumed,omitempty"`  // an unfinished upload of the same file: ask which parts are held, send the others
	Received bool     `json:"received,omitempty"` // the case has these bytes already: nothing is to be sent
	Error    *Problem `json:"error,omitempty"`
}

// Match is the request of POST /cases/{case}/match: which sizes in bytes a client has, at most 1,000 different ones. Files
// are the ids of those it asks about; without any, it asks about all of the case.
type Match struct {
	Sizes []int64  `json:"sizes"`
	Files []string `json:"files,omitempty"`
}

// Matched answers POST /cases/{case}/match: what the case has received of those sizes, at most 20,000. Only of files of
// these sizes a client needs the checksum to know whether they are there already. With ids it tells which small files
// have arrived though their answer was lost.
type Matched struct {
	Received  []MatchedFile `json:"received"`
	Truncated bool          `json:"truncated"` // there are more
}

// MatchedFile is an acknowledged file, by what it is told from others.
type MatchedFile struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Path      string `json:"path"`
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme"`
}

// SignParts is the request of POST /files/{file}/parts: the parts about to be sent.
type SignParts struct {
	Parts []PartSpec `json:"parts"`
}

// CompleteFile is the request of POST /files/{file}/complete, which may also come without a body.
type CompleteFile struct {
	CRC64NVME string `json:"crc64nvme,omitempty"` // of the whole file the client means, base64
}

// PartSpec names one part and the checksum of its bytes.
type PartSpec struct {
	Number    int    `json:"number"`    // from 1
	CRC64NVME string `json:"crc64nvme"` // base64 of the 8 bytes, big endian
}

// SignedParts answers POST /files/{file}/parts, in the order asked.
type SignedParts struct {
	Requests []SignedRequest `json:"requests"`
}

// SignedRequest is one request to the store. Send exactly the method, URL and headers.
type SignedRequest struct {
	Part      int               `json:"part"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// Parts answers GET /files/{file}/parts: what the store holds of an upload.
type Parts struct {
	Parts []Part `json:"parts"`
}

// Part is one piece the store holds.
type Part struct {
	Number    int    `json:"number"`
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme"`
}

// Link answers GET /files/{file}/link: a download link for a short while.
type Link struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Abandon is the request of POST /cases/{case}/abandon: the ids of the uploads to give up, at most 1,000.
type Abandon struct {
	Files []string `json:"files"`
}

// Abandoned answers it: the ids of those that were given up by it.
type Abandoned struct {
	Files []string `json:"files"`
}

// ProgressReport is the request of POST /progress.
type ProgressReport struct {
	Files []Progress `json:"files"`
}

// Progress says how many bytes of one file have left the client; display only.
type Progress struct {
	ID   string `json:"id"`
	Sent int64  `json:"sent"`
}
