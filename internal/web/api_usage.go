package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/api"
)

// apiShowQuota tells the limits of the user's organization.
func (s *Server) apiShowQuota(w http.ResponseWriter, r *http.Request) error {
	q, err := s.Store.Quota(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromQuotaState(q))
}

// apiSetQuota sets the limit that the organization gives itself.
func (s *Server) apiSetQuota(w http.ResponseWriter, r *http.Request) error {
	var in api.QuotaChange
	if err := decode(r, &in); err != nil {
		return err
	}
	q, err := s.Store.SetOwnQuota(r.Context(), s.user(r), in.Own)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromQuotaState(q))
}

// apiShowUsage tells what the user's organization keeps.
func (s *Server) apiShowUsage(w http.ResponseWriter, r *http.Request) error {
	u, err := s.Store.Usage(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.UsageFrom(u))
}
