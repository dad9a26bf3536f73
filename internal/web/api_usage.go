package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/api"
)

// apiShowUsage tells what the user's organization keeps.
func (s *Server) apiShowUsage(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Store.Usage(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.UsageFrom(u))
}
