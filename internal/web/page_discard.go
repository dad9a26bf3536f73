package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// discardedAtOnce bounds how many uploads one click gives up; the page shows what is left.
const discardedAtOnce = 1000

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
	discarded := 0
	lying, _ := leftLying(files, s.Now())
	for _, f := range lying {
		if string(f.ID) != field(r, "file") && folderKey(f.Path) != field(r, "folder") {
			continue
		}
		_, err := s.Transfer.Abort(r.Context(), s.user(r), f.ID)
		if kind := caseload.KindOf(err); err != nil && kind != caseload.Conflict && kind != caseload.Gone { // or it came to an end meanwhile
			return err
		}
		if discarded++; discarded == discardedAtOnce {
			break
		}
	}
	http.Redirect(w, r, "/cases/"+string(id), http.StatusSeeOther)
	return nil
}
