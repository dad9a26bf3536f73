package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

const (
	leftAfter    = 15 * time.Minute // a trial's object is left behind when it is older: no run takes as long
	mostLeft     = 1000             // objects and uploads that one run removes, each: one page of a listing
	mostVersions = 8                // of one object
)

// made is something that a trial put into the bucket.
type made struct {
	key     caseload.ObjectKey
	version string // "": the bucket keeps none
	upload  string // a multipart upload that was begun; "": an object
}

// remember notes what an answer says was made, so that it is removed whatever becomes of the trial.
func (t *trials) remember(got answer, method string, key caseload.ObjectKey, query string) {
	if !got.ok() || key == "" {
		return
	}
	values, _ := url.ParseQuery(query)
	switch _, begins := values["uploads"]; {
	case begins && method == http.MethodPost:
		var said struct{ UploadId string }
		if xml.Unmarshal(got.body, &said) == nil && said.UploadId != "" {
			t.made = append(t.made, made{key: key, upload: said.UploadId})
		}
	case method == http.MethodPut && !values.Has("partNumber"), method == http.MethodPost:
		version := got.header.Get("x-amz-version-id")
		if version == "null" {
			version = ""
		}
		t.made = append(t.made, made{key: key, version: version})
	}
}

// tidy removes what this run made. Only what cannot be removed is said.
func (t *trials) tidy(ctx context.Context) []Finding {
	ctx = context.WithoutCancel(ctx) // each call is bounded by itself
	left := 0
	for _, m := range t.made {
		if !t.remove(ctx, m) {
			left++
		}
	}
	t.made = nil
	return leftBehind("store.tidy", "Removing what these trials put into the bucket.", left)
}

// leftBehind says what is still there, if anything is.
func leftBehind(check, tried string, left int) []Finding {
	if left == 0 {
		return nil
	}
	return []Finding{{
		Check: check, Level: Note, Tried: tried, Got: fmt.Sprintf("%d of them could not be removed.", left),
		Means: "They are a few bytes each, under keys that begin with " + trialPrefix + "; the next run that may delete removes them.",
	}}
}

// remove deletes one object or aborts one upload; what is gone already counts as removed.
func (t *trials) remove(ctx context.Context, m made) bool {
	if !strings.HasPrefix(string(m.key), trialPrefix) {
		return false // nothing else is ever removed
	}
	a := ask{as: asServer, method: http.MethodDelete, key: m.key}
	switch {
	case m.upload != "":
		a.query = url.Values{"uploadId": {m.upload}}.Encode()
	case m.version != "":
		a.query = url.Values{"versionId": {m.version}}.Encode()
	}
	got := t.send(ctx, a)
	return got.ok() || got.status == http.StatusNotFound
}

// leftovers removes what a killed run left behind: objects and uploads under the trials' prefix and no other, and only
// old ones, since another run may be at work.
func (t *trials) leftovers(ctx context.Context) []Finding {
	left := 0
	for _, m := range append(t.leftObjects(ctx), t.leftUploads(ctx)...) {
		if !t.removeAll(ctx, m) {
			left++
		}
	}
	return leftBehind("store.leftovers", "Removing what an earlier run left behind.", left)
}

// removeAll removes an object with the versions it has.
func (t *trials) removeAll(ctx context.Context, m made) bool {
	for range mostVersions {
		if m.upload == "" {
			head := t.send(ctx, ask{as: asServer, method: http.MethodHead, key: m.key})
			if m.version = head.header.Get("x-amz-version-id"); m.version == "null" {
				m.version = ""
			}
			if head.status == http.StatusNotFound {
				return true
			}
		}
		if !t.remove(ctx, m) {
			return false
		}
		if m.upload != "" || m.version == "" {
			return true
		}
	}
	return true
}

func (t *trials) leftObjects(ctx context.Context) (left []made) {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: fmt.Sprintf("list-type=2&max-keys=%d&prefix=%s", mostLeft, trialPrefix)})
	var page struct {
		Contents []struct {
			Key          caseload.ObjectKey
			LastModified time.Time
		}
	}
	if !got.ok() || xml.Unmarshal(got.body, &page) != nil {
		return nil
	}
	for _, each := range page.Contents {
		if t.isLeft(each.Key, each.LastModified, got) {
			left = append(left, made{key: each.Key})
		}
	}
	return left
}

func (t *trials) leftUploads(ctx context.Context) (left []made) {
	got := t.send(ctx, ask{as: asServer, method: http.MethodGet, query: fmt.Sprintf("uploads&max-uploads=%d&prefix=%s", mostLeft, trialPrefix)})
	var page struct {
		Upload []struct {
			Key       caseload.ObjectKey
			UploadId  string
			Initiated time.Time
		}
	}
	if !got.ok() || xml.Unmarshal(got.body, &page) != nil {
		return nil
	}
	for _, each := range page.Upload {
		if t.isLeft(each.Key, each.Initiated, got) {
			left = append(left, made{key: each.Key, upload: each.UploadId})
		}
	}
	return left
}

// isLeft goes by the store's clock, which made both times; without one nothing is left.
func (t *trials) isLeft(key caseload.ObjectKey, at time.Time, got answer) bool {
	now, err := http.ParseTime(got.header.Get("Date"))
	return err == nil && strings.HasPrefix(string(key), trialPrefix) && !at.IsZero() && now.Sub(at) >= t.o.leftAfter()
}

func (o StoreOptions) leftAfter() time.Duration {
	if o.LeftAfter != 0 {
		return o.LeftAfter
	}
	return leftAfter
}

// formRequest makes the request of a signed form; the file comes last, as S3 wants it.
func formRequest(ctx context.Context, signed caseload.SignedForm, body []byte) (*http.Request, error) {
	var sent bytes.Buffer
	form := multipart.NewWriter(&sent)
	names := make([]string, 0, len(signed.Fields))
	for name := range signed.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := form.WriteField(name, signed.Fields[name]); err != nil {
			return nil, err
		}
	}
	file, err := form.CreateFormFile("file", "trial")
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(body); err != nil {
		return nil, err
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, &sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r, nil
}
