package web

import "net/http"

// apiExamine examines the deployment and answers the report. Who asks while that is under way, or within seconds of the
// last time, gets the same one.
func (s *Server) apiExamine(w http.ResponseWriter, r *http.Request) error {
	report, err := s.examiner.whole(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, report)
}
