package web

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func previewID(r *http.Request) (caseload.PreviewID, error) {
	return pathID[caseload.PreviewID](r, "preview")
}

// apiListPreviews tells what there is to look at in a case.
func (s *Server) apiListPreviews(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if _, err := s.Store.Case(r.Context(), s.user(r), id); err != nil {
		return err
	}
	previews, err := s.Store.CasePreviews(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	out := api.Previews{Previews: make([]api.Preview, 0, len(previews))}
	for _, p := range previews {
		out.Previews = append(out.Previews, api.FromPreview(p))
	}
	return answer(w, http.StatusOK, out)
}

// apiShowPicture answers one picture. Its address holds the checksum, so a browser may keep it for ever, for itself.
func (s *Server) apiShowPicture(w http.ResponseWriter, r *http.Request) error {
	id, err := previewID(r)
	if err != nil {
		return err
	}
	p, err := s.Store.Picture(r.Context(), s.user(r), id, r.PathValue("view"), r.PathValue("sum"))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", p.Media)
	h.Set("Content-Length", strconv.Itoa(len(p.Bytes)))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	h.Set("ETag", `"`+p.SHA256+`"`)
	_, _ = w.Write(p.Bytes) // a client that has left hears nothing
	return nil
}

// apiOfferPicture takes the picture that a browser drew of an image which the server does not decode. It is not shown as
// it came: it is drawn anew first, by whoever makes previews.
func (s *Server) apiOfferPicture(w http.ResponseWriter, r *http.Request) error {
	id, err := previewID(r)
	if err != nil {
		return err
	}
	view := r.PathValue("view")
	if !slices.Contains(caseload.Views(), view) {
		return caseload.Errorf(caseload.NotFound, "There is no such view to hand in.").WithHint("A browser draws the view image, or the three planes.")
	}
	if err := s.streamBody(w, r, caseload.MaxOffer); err != nil {
		return err
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1A\n")) && !bytes.HasPrefix(b, []byte{0xFF, 0xD8, 0xFF}) {
		return caseload.Errorf(caseload.Invalid, "The body is neither a PNG nor a JPEG.")
	}
	if err := s.Store.OfferPicture(r.Context(), s.user(r), id, view, b); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
