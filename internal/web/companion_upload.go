package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// These are the routes of Uppy's Companion that the stock plugin @uppy/aws-s3 asks for, one tree of them for each case
// (docs/uppy.md). In every answer key and uploadId are the file's identifier: what the store calls them stays inside.

// companionPlan is what the plugin says of a file before it sends it, the same by query and by body.
type companionPlan struct {
	Filename string         `json:"filename"`
	Type     string         `json:"type"`
	Metadata map[string]any `json:"metadata"`
}

// companionForm is the answer to "where does this file go in one piece".
type companionForm struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Fields  map[string]string `json:"fields"`
	Headers map[string]string `json:"headers,omitempty"`
}

// companionDone is the answer to a complete upload.
type companionDone struct {
	Location string `json:"location"` // the file's page
	Key      string `json:"key"`
}

// companionSignForm plans a file that comes in one piece and signs the form it is posted as.
func (s *Server) companionSignForm(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return caseload.Errorf(caseload.Invalid, "The query of the address is malformed.")
	}
	plan := companionPlan{Filename: q.Get("filename"), Type: q.Get("type"), Metadata: map[string]any{}}
	for name, values := range q {
		if key, found := strings.CutPrefix(name, "metadata["); found {
			plan.Metadata[strings.TrimSuffix(key, "]")] = values[0]
		}
	}
	spec, err := plan.spec()
	if err != nil {
		return err
	}
	_, form, err := s.Transfer.PlanForm(r.Context(), s.user(r), id, spec, s.origin(r))
	if err != nil {
		return err
	}
	s.metrics.signed(1)
	return answer(w, http.StatusOK, companionForm{form.Method, form.URL, form.Fields, form.Headers})
}

// companionCompleteForm is for pages that want to hear when a posted form is stored; the plugin does not ask, and the
// server notices by itself.
func (s *Server) companionCompleteForm(w http.ResponseWriter, r *http.Request) error {
	c, err := caseID(r)
	if err != nil {
		return err
	}
	id, err := keyOf(r)
	if err != nil {
		return err
	}
	f, err := s.Transfer.Records.FileIn(r.Context(), s.user(r), c, id)
	if err != nil {
		return err
	}
	if !f.Form() {
		return caseload.Errorf(caseload.NotFound, "There is no such upload in this case.")
	}
	if f, err = s.Transfer.Complete(r.Context(), s.user(r), id, ""); err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.companionDone(r, f))
}

func (s *Server) companionDone(r *http.Request, f caseload.File) companionDone {
	return companionDone{Location: s.origin(r) + "/files/" + string(f.ID), Key: string(f.ID)}
}

// spec is what the plugin said, as the verbs take it.
func (p companionPlan) spec() (transfer.FileSpec, error) {
	size, err := p.size()
	if err != nil {
		return transfer.FileSpec{}, err
	}
	spec := transfer.FileSpec{Name: p.Filename, Size: size, ContentType: p.Type, Replaces: p.meta("replaces")}
	if folder := strings.LastIndexByte(p.meta("relativePath"), '/'); folder > 0 {
		spec.Path = p.meta("relativePath")[:folder]
	}
	return spec, nil
}

// meta is a field of the metadata as text; the plugin writes what is not there as "null" or "undefined".
func (p companionPlan) meta(name string) string {
	value, ok := p.Metadata[name]
	if text := fmt.Sprint(value); ok && value != nil && text != "null" && text != "undefined" {
		return text
	}
	return ""
}

// size is what the page put into the metadata as the file's size; SizeUnknown when it did not.
func (p companionPlan) size() (int64, error) {
	text := p.meta("size")
	if text == "" {
		return transfer.SizeUnknown, nil
	}
	size, err := json.Number(text).Int64()
	if err != nil || size < 0 {
		return 0, caseload.Errorf(caseload.Invalid, "The size in the metadata must be the file's, in bytes.").WithField("size")
	}
	return size, nil
}

// keyOf takes the file's identifier out of the query, where the plugin puts what we gave it as the key.
func keyOf(r *http.Request) (caseload.FileID, error) {
	key := r.URL.Query().Get("key")
	if !caseload.ValidID(key) {
		return "", caseload.Errorf(caseload.NotFound, "There is no such upload in this case.")
	}
	return caseload.FileID(key), nil
}
