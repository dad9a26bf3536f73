package api

import "time"

// Receipt answers GET /files/{file}/receipt and GET /drops/{drop}/receipt: what was delivered, as the server itself
// verified it, at the moment MadeAt. Complete means that every file was received and verified and has come to rest; what
// was deleted since is told apart, and of a deleted file nothing but when.
type Receipt struct {
	Organization ReceiptOrganization `json:"organization"`
	Case         ReceiptCase         `json:"case"`
	Drop         string              `json:"drop,omitempty"`
	Complete     bool                `json:"complete"`
	MadeAt       time.Time           `json:"made_at"`
	Files        []ReceiptFile       `json:"files"`
	Deleted      []ReceiptDeleted    `json:"deleted,omitempty"` // the first deleted first
}

// ReceiptDeleted is a file that was part of the drop and has been deleted.
type ReceiptDeleted struct {
	ID        string    `json:"id"`
	DeletedAt time.Time `json:"deleted_at"`
}

// ReceiptOrganization is the organization that received the files.
type ReceiptOrganization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ReceiptCase is the case they were sent to.
type ReceiptCase struct {
	ID     string `json:"id"`
	Number string `json:"number"`
}

// ReceiptFile is one file of the receipt. CRC64NVME and StoredAt are there once the store was seen to hold exactly these
// bytes, SHA256 and ReadyAt once the server has read them whole. A rejected file was received, too; it cannot be read.
type ReceiptFile struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Path      string        `json:"path"`
	Size      int64         `json:"size"`             // bytes
	SHA256    string        `json:"sha256,omitempty"` // hex
	CRC64NVME string        `json:"crc64nvme,omitempty"`
	State     string        `json:"state"`
	Reason    string        `json:"reason,omitempty"` // why rejected or abandoned
	SentBy    ReceiptPerson `json:"sent_by"`
	CreatedAt time.Time     `json:"created_at"`
	StoredAt  time.Time     `json:"stored_at,omitzero"`
	ReadyAt   time.Time     `json:"ready_at,omitzero"`
}

// ReceiptPerson is who began to send a file.
type ReceiptPerson struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}
