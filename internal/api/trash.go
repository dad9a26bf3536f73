package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Trash answers GET /trash: what the caller may have back, the newest first. Times are UTC.
type Trash struct {
	Files     []TrashedFile `json:"files"` // deleted one by one
	Cases     []TrashedCase `json:"cases"`
	Truncated bool          `json:"truncated"` // there is more than is told here
}

// TrashedFile is a deleted file whose object is kept.
type TrashedFile struct {
	ID        string    `json:"id"`
	Case      string    `json:"case"`
	Number    string    `json:"number"` // of its case
	Name      string    `json:"name"`
	Path      string    `json:"path"`
	Size      int64     `json:"size"` // bytes
	DeletedBy string    `json:"deleted_by"`
	DeletedAt time.Time `json:"deleted_at"`
	KeptUntil time.Time `json:"kept_until"`
	Erasing   bool      `json:"erasing"`   // it cannot come back any more
	Hidden    bool      `json:"hidden"`    // its time was over; the bucket still holds its version
	SameName  bool      `json:"same_name"` // the case has a file of this name again
}

// TrashedCase is a deleted case with those files that went with it.
type TrashedCase struct {
	Case      Case      `json:"case"`
	DeletedBy string    `json:"deleted_by,omitempty"`
	DeletedAt time.Time `json:"deleted_at"`
	KeptUntil time.Time `json:"kept_until,omitzero"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`
}

// RestoredCase answers POST /cases/{case}/restore.
type RestoredCase struct {
	Case     Case `json:"case"`
	Restored int  `json:"restored"` // files
	Lost     int  `json:"lost"`     // files that could not come back
}

// Purged answers POST /files/{file}/purge and /cases/{case}/purge.
type Purged struct {
	ErasedFrom time.Time `json:"erased_from"` // the first sweep after this moment erases it
}

// Finish is the request of POST /cases/{case}/finish.
type Finish struct {
	Finished bool `json:"finished"`
}

// FromTrash tells the trash as the contract does.
func FromTrash(t caseload.Trash) Trash {
	out := Trash{Files: make([]TrashedFile, 0, len(t.Files)), Cases: make([]TrashedCase, 0, len(t.Cases)), Truncated: t.More}
	for _, f := range t.Files {
		out.Files = append(out.Files, TrashedFile{
			ID: string(f.ID), Case: string(f.Case), Number: f.Number, Name: f.Name, Path: f.Path, Size: f.Size, DeletedBy: f.By,
			DeletedAt: utc(f.At), KeptUntil: utc(f.Until), Erasing: f.Claimed, Hidden: f.Hidden, SameName: f.SameName,
		})
	}
	for _, c := range t.Cases {
		out.Cases = append(out.Cases, TrashedCase{
			Case: FromCase(c.Case), DeletedBy: c.By, DeletedAt: utc(c.DeletedAt), KeptUntil: utc(c.Until), Files: c.Files, Bytes: c.Bytes,
		})
	}
	return out
}

// utc returns the moment in UTC, and none as none.
func utc(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.UTC()
}

// Trash returns what the caller may have back.
func (c *Client) Trash(ctx context.Context) (t Trash, err error) {
	return t, c.do(ctx, call{method: http.MethodGet, path: "/trash", out: &t, repeat: true})
}

// RestoreFile takes a deleted file out of the trash. A second call answers conflict.
func (c *Client) RestoreFile(ctx context.Context, id string) (f File, err error) {
	return f, c.do(ctx, call{method: http.MethodPost, path: filePath(id, "/restore"), out: &f})
}

// RestoreCase takes a deleted case out of the trash with the files that went with it. A second call answers conflict.
func (c *Client) RestoreCase(ctx context.Context, id string) (r RestoredCase, err error) {
	return r, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(id) + "/restore", out: &r, slow: true})
}

// PurgeFile lets a deleted file go for good before its time.
func (c *Client) PurgeFile(ctx context.Context, id string) (p Purged, err error) {
	return p, c.do(ctx, call{method: http.MethodPost, path: filePath(id, "/purge"), out: &p})
}

// PurgeCase lets everything that went with a deleted case go for good before its time.
func (c *Client) PurgeCase(ctx context.Context, id string) (p Purged, err error) {
	return p, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(id) + "/purge", out: &p})
}

// FinishCase says that the work on a case is finished, or that it is not, and returns the case.
func (c *Client) FinishCase(ctx context.Context, id string, finished bool) (changed Case, err error) {
	return changed, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(id) + "/finish", in: Finish{finished}, out: &changed, repeat: true})
}
