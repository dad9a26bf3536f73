package web

import (
	"net/http"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// companionPart is a part as the plugin knows it.
type companionPart struct {
	PartNumber int    `json:"PartNumber"`
	Size       int64  `json:"Size,omitempty"`
	ETag       string `json:"ETag"` // as S3 writes it, in quotes; the plugin sends it back with or without them
}

// companionBegin plans a file that comes in parts.
func (s *Server) companionBegin(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var plan companionPlan
	if err := decodeKnown(r, &plan); err != nil {
		return err
	}
	spec, err := plan.spec()
	if err != nil {
		return err
	}
	f, err := s.Transfer.PlanLoose(r.Context(), s.user(r), id, spec)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		UploadID string `json:"uploadId"`
		Key      string `json:"key"`
	}{string(f.ID), string(f.ID)})
}

// companionSignPart signs the sending of one part.
func (s *Server) companionSignPart(w http.ResponseWriter, r *http.Request) error {
	number, err := partNumber(r.PathValue("number"))
	if err != nil {
		return err
	}
	signed, err := s.signLoose(r, []int{number})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		URL string `json:"url"`
	}{signed[0].URL})
}

// companionSignBatch signs the sending of several parts, as older versions of the plugin ask for.
func (s *Server) companionSignBatch(w http.ResponseWriter, r *http.Request) error {
	var numbers []int
	for text := range strings.SplitSeq(r.URL.Query().Get("partNumbers"), ",") {
		n, err := partNumber(text)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	signed, err := s.signLoose(r, numbers)
	if err != nil {
		return err
	}
	urls := map[string]string{}
	for _, q := range signed {
		urls[strconv.Itoa(q.Part)] = q.URL
	}
	return answer(w, http.StatusOK, map[string]any{"presignedUrls": urls})
}

func (s *Server) signLoose(r *http.Request, numbers []int) ([]caseload.SignedRequest, error) {
	c, id, err := uploadOf(r)
	if err != nil {
		return nil, err
	}
	signed, err := s.Transfer.SignLoose(r.Context(), s.user(r), c, id, s.origin(r), numbers)
	if err == nil {
		s.metrics.signed(len(signed))
	}
	return signed, err
}

// companionListParts tells which parts the store holds, all of them.
func (s *Server) companionListParts(w http.ResponseWriter, r *http.Request) error {
	c, id, err := uploadOf(r)
	if err != nil {
		return err
	}
	held, err := s.Transfer.HeldLoose(r.Context(), s.user(r), c, id)
	if err != nil {
		return err
	}
	parts := make([]companionPart, 0, len(held))
	for _, p := range held {
		parts = append(parts, companionPart{p.Number, p.Size, `"` + p.ETag + `"`})
	}
	return answer(w, http.StatusOK, parts)
}

// companionComplete finishes the upload of the parts the plugin names.
func (s *Server) companionComplete(w http.ResponseWriter, r *http.Request) error {
	c, id, err := uploadOf(r)
	if err != nil {
		return err
	}
	var in struct {
		Parts []companionPart `json:"parts"`
	}
	if err := decodeKnown(r, &in); err != nil {
		return err
	}
	said := make([]caseload.Part, 0, len(in.Parts))
	for _, p := range in.Parts {
		said = append(said, caseload.Part{Number: p.PartNumber, ETag: strings.Trim(p.ETag, `"`)})
	}
	f, err := s.Transfer.CompleteLoose(r.Context(), s.user(r), c, id, said)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.companionDone(r, f))
}

// companionCancel takes the plugin's word that the upload is given up; it may come back to it. The answer is JSON
// because versions 3 to 5 read it as such.
func (s *Server) companionCancel(w http.ResponseWriter, r *http.Request) error {
	c, id, err := uploadOf(r)
	if err != nil {
		return err
	}
	if err := s.Transfer.CancelLoose(r.Context(), s.user(r), c, id); err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct{}{})
}

// uploadOf takes the case and the upload out of the address. The upload's id and the key must name one file: what is
// known of it, and whose it is, the database says.
func uploadOf(r *http.Request) (caseload.CaseID, caseload.FileID, error) {
	c, err := caseID(r)
	if err != nil {
		return "", "", err
	}
	key, err := keyOf(r)
	if err == nil && r.PathValue("upload") != string(key) {
		err = caseload.Errorf(caseload.NotFound, "There is no such upload in this case.")
	}
	return c, key, err
}

func partNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, caseload.Errorf(caseload.Invalid, "The part's number must be a whole number from 1.").WithField("number")
	}
	return n, nil
}
