package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Me returns who the token acts as, and the limits uploads obey.
func (c *Client) Me(ctx context.Context) (me Me, err error) {
	return me, c.do(ctx, call{method: http.MethodGet, path: "/me", out: &me, repeat: true})
}

// CaseQuery narrows Cases. State is "", "arriving", "reading", "ready" or "attention"; Cursor the Next of the page
// before; Limit 0 means the server's own.
type CaseQuery struct {
	Text, State, Cursor string
	Limit               int
}

// Cases returns one page of cases, newest first.
func (c *Client) Cases(ctx context.Context, q CaseQuery) (page Cases, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"q": q.Text, "state": q.State, "cursor": q.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	return page, c.do(ctx, call{method: http.MethodGet, path: "/cases", query: query, out: &page, repeat: true})
}

// CreateCase opens a case. It is not repeated on a broken line: a second case might come of it.
func (c *Client) CreateCase(ctx context.Context, n NewCase) (made Case, err error) {
	return made, c.do(ctx, call{method: http.MethodPost, path: "/cases", in: n, out: &made})
}

// Case returns one case.
func (c *Client) Case(ctx context.Context, id string) (found Case, err error) {
	return found, c.do(ctx, call{method: http.MethodGet, path: "/cases/" + url.PathEscape(id), out: &found, repeat: true})
}

// ChangeCase changes what the change names and returns the case as it now is.
func (c *Client) ChangeCase(ctx context.Context, id string, change CaseChange) (changed Case, err error) {
	return changed, c.do(ctx, call{method: http.MethodPatch, path: "/cases/" + url.PathEscape(id), in: change, out: &changed, repeat: true})
}

// DeleteCase deletes a case and its files. A second call answers gone.
func (c *Client) DeleteCase(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/cases/" + url.PathEscape(id)})
}

// Files returns the files of a case.
func (c *Client) Files(ctx context.Context, caseID string) ([]File, error) {
	var out Files
	err := c.do(ctx, call{method: http.MethodGet, path: "/cases/" + url.PathEscape(caseID) + "/files", out: &out, repeat: true})
	return out.Files, err
}

// Unfinished returns the files of a case whose upload has not come to an end.
func (c *Client) Unfinished(ctx context.Context, caseID string) ([]File, error) {
	var out Files
	err := c.do(ctx, call{
		method: http.MethodGet, path: "/cases/" + url.PathEscape(caseID) + "/files", query: url.Values{"state": {"unfinished"}}, out: &out, repeat: true,
	})
	return out.Files, err
}

// Match returns what the case has received of these sizes (bytes, at most 1,000 different ones).
func (c *Client) Match(ctx context.Context, caseID string, sizes []int64) (out Matched, err error) {
	return out, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(caseID) + "/match", in: Match{Sizes: sizes}, out: &out, repeat: true})
}

// Arrived is Match for those of the case's files alone: which of them were received, of these sizes.
func (c *Client) Arrived(ctx context.Context, caseID string, sizes []int64, files []string) (out Matched, err error) {
	in := Match{Sizes: sizes, Files: files}
	return out, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(caseID) + "/match", in: in, out: &out, repeat: true})
}

// Plan says which files are to be sent. The answer has one element for each, in order; one that was refused carries
// its own problem. The drop is the answer's of the first plan of what was dropped together, "" for the first. It is not
// repeated on a broken line: without fingerprints a second row might come of it.
func (c *Client) Plan(ctx context.Context, caseID, drop string, files []FileSpec) (out Planned, err error) {
	return out, c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(caseID) + "/files", in: Plan{drop, files}, out: &out})
}

// Studies returns the DICOM studies found in the files of a case.
func (c *Client) Studies(ctx context.Context, caseID string) ([]Study, error) {
	var out Studies
	err := c.do(ctx, call{method: http.MethodGet, path: "/cases/" + url.PathEscape(caseID) + "/studies", out: &out, repeat: true})
	return out.Studies, err
}

// Events returns at most limit audit events of a case, newest first, with a seq smaller than before; 0 means the
// server's own limit, and from the newest on.
func (c *Client) Events(ctx context.Context, caseID string, limit int, before int64) ([]Event, error) {
	var out Events
	query := url.Values{}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if before != 0 {
		query.Set("before", strconv.FormatInt(before, 10))
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/cases/" + url.PathEscape(caseID) + "/events", query: query, out: &out, repeat: true})
	return out.Events, err
}

// File returns one file.
func (c *Client) File(ctx context.Context, id string) (f File, err error) {
	return f, c.do(ctx, call{method: http.MethodGet, path: filePath(id, ""), out: &f, repeat: true})
}

// Versions returns the received versions of a file, the latest first: the file alone when it has but one.
func (c *Client) Versions(ctx context.Context, id string) ([]File, error) {
	var out Files
	err := c.do(ctx, call{method: http.MethodGet, path: filePath(id, "/versions"), out: &out, repeat: true})
	return out.Files, err
}

// FileReceipt returns the delivery receipt of one file.
func (c *Client) FileReceipt(ctx context.Context, id string) (r Receipt, err error) {
	return r, c.do(ctx, call{method: http.MethodGet, path: filePath(id, "/receipt"), out: &r, repeat: true})
}

// DropReceipt returns the delivery receipt of everything that was dropped together.
func (c *Client) DropReceipt(ctx context.Context, drop string) (r Receipt, err error) {
	return r, c.do(ctx, call{method: http.MethodGet, path: "/drops/" + url.PathEscape(drop) + "/receipt", out: &r, repeat: true})
}

// DeleteFile deletes a file. A second call answers gone.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: filePath(id, "")})
}

// Link returns an address to download the file from for a short while.
func (c *Client) Link(ctx context.Context, id string) (l Link, err error) {
	return l, c.do(ctx, call{method: http.MethodGet, path: filePath(id, "/link"), out: &l, repeat: true})
}

// Download returns the bytes of a file; the caller closes them.
func (c *Client) Download(ctx context.Context, id string) (io.ReadCloser, error) {
	link, err := c.Link(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := c.http().Do(r) //nolint:bodyclose // the caller closes it
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer drain(resp)
		return nil, readProblem(resp)
	}
	return resp.Body, nil
}

// SignParts returns one signed request for each part, in order. At most 100 parts.
func (c *Client) SignParts(ctx context.Context, id string, parts []PartSpec) ([]SignedRequest, error) {
	var out SignedParts
	err := c.do(ctx, call{method: http.MethodPost, path: filePath(id, "/parts"), in: SignParts{parts}, out: &out, repeat: true})
	return out.Requests, err
}

// Parts returns the parts the store holds of an upload.
func (c *Client) Parts(ctx context.Context, id string) ([]Part, error) {
	var out Parts
	err := c.do(ctx, call{method: http.MethodGet, path: filePath(id, "/parts"), out: &out, repeat: true})
	return out.Parts, err
}

// Complete says that all parts are sent and returns the stored file. It may be called again. crc64nvme is the checksum of
// the whole file, by which the server tells it from another one that was sent under the same row; "" when it is not known.
func (c *Client) Complete(ctx context.Context, id, crc64nvme string) (f File, err error) {
	return f, c.do(ctx, call{method: http.MethodPost, path: filePath(id, "/complete"), in: CompleteFile{crc64nvme}, out: &f, repeat: true, slow: true})
}

// Abort gives up an upload. It may be called again.
func (c *Client) Abort(ctx context.Context, id string) (f File, err error) {
	return f, c.do(ctx, call{method: http.MethodPost, path: filePath(id, "/abort"), out: &f, repeat: true})
}

// AbortAll gives up those of the uploads that still arrive in the case, at most 1,000, and returns their ids. What was
// received, was given up before or is not of the case is passed over.
func (c *Client) AbortAll(ctx context.Context, caseID string, ids []string) ([]string, error) {
	var out Abandoned
	err := c.do(ctx, call{method: http.MethodPost, path: "/cases/" + url.PathEscape(caseID) + "/abandon", in: Abandon{ids}, out: &out, repeat: true})
	return out.Files, err
}

// ReportProgress says how far files have got, for people who look on.
func (c *Client) ReportProgress(ctx context.Context, progress []Progress) error {
	return c.do(ctx, call{method: http.MethodPost, path: "/progress", in: ProgressReport{progress}, repeat: true})
}

// Users returns the users of the organization.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var out Users
	err := c.do(ctx, call{method: http.MethodGet, path: "/users", out: &out, repeat: true})
	return out.Users, err
}

// CreateUser makes a user of the organization.
func (c *Client) CreateUser(ctx context.Context, n NewUser) (u User, err error) {
	return u, c.do(ctx, call{method: http.MethodPost, path: "/users", in: n, out: &u})
}

// ChangeUser changes what the change names and returns the user as he now is.
func (c *Client) ChangeUser(ctx context.Context, id string, change UserChange) (u User, err error) {
	return u, c.do(ctx, call{method: http.MethodPatch, path: "/users/" + url.PathEscape(id), in: change, out: &u, repeat: true})
}

// Tokens returns the caller's tokens, or an administrator's organization's.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var out Tokens
	err := c.do(ctx, call{method: http.MethodGet, path: "/tokens", out: &out, repeat: true})
	return out.Tokens, err
}

// CreateToken makes a bearer token that acts as the caller. Its secret is answered this once.
func (c *Client) CreateToken(ctx context.Context, n NewToken) (made CreatedToken, err error) {
	return made, c.do(ctx, call{method: http.MethodPost, path: "/tokens", in: n, out: &made})
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/tokens/" + url.PathEscape(id), repeat: true})
}

// FollowCase calls told with the revision of the case, at once and after every change, until the context or the stream
// ends. Nil means that the server ended the stream: follow again.
func (c *Client) FollowCase(ctx context.Context, id string, told func(revision int64)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+"/api/v1/cases/"+url.PathEscape(id)+"/live", nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := c.http().Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return readProblem(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var change struct {
			Revision int64 `json:"revision"`
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &change); err != nil {
				return fmt.Errorf("read event: %w", err)
			}
			told(change.Revision)
		}
	}
	return lines.Err()
}

func filePath(id, rest string) string { return "/files/" + url.PathEscape(id) + rest }
