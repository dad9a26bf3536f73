package web

import (
	"net/http"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
)

// discardUploads gives up an unfinished upload of the case (file), or those of a folder that nobody goes on with
// (folder), and leads back to the case.
func (s *Server) discardUploads(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := caseID(r)
	if err != nil {
		return err
	}
	files, err := s.Store.CaseFiles(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	var unwanted []caseload.FileID
	lying, _ := leftLying(files, s.Now())
	for _, f := range lying {
		if string(f.ID) == field(r, "file") || folderKey(f.Path) == field(r, "folder") {
			unwanted = append(unwanted, f.ID)
		}
	}
	for batch := range slices.Chunk(unwanted, s.Transfer.Limits.MaxBatch) {
		if _, err := s.Transfer.AbortAll(r.Context(), s.user(r), id, batch); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/cases/"+string(id), http.StatusSeeOther)
	return nil
}
