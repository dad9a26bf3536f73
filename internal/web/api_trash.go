package web

import (
	"context"
	"net/http"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func (s *Server) apiListTrash(w http.ResponseWriter, r *http.Request) error {
	trash, err := s.Store.Trash(r.Context(), s.user(r), s.Now().Add(-s.Limits.TrashWindow))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromTrash(trash))
}

func (s *Server) apiRestoreFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err == nil {
		err = noBody(r)
	}
	if err != nil {
		return err
	}
	f, err := s.Transfer.RestoreFile(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFile(f))
}

func (s *Server) apiRestoreCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err == nil {
		err = noBody(r)
	}
	if err != nil {
		return err
	}
	back, lost, err := s.Transfer.RestoreCase(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.RestoredCase{Case: api.FromCase(c), Restored: back, Lost: lost})
}

func (s *Server) apiPurgeFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	return s.apiPurge(w, r, func(ctx context.Context, user caseload.User) (time.Time, error) {
		return s.Store.PurgeFile(ctx, user, id)
	})
}

func (s *Server) apiPurgeCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	return s.apiPurge(w, r, func(ctx context.Context, user caseload.User) (time.Time, error) {
		return s.Store.PurgeCase(ctx, user, id)
	})
}

func (s *Server) apiPurge(w http.ResponseWriter, r *http.Request, purge func(context.Context, caseload.User) (time.Time, error)) error {
	if err := noBody(r); err != nil {
		return err
	}
	at, err := purge(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Purged{ErasedFrom: at.UTC()})
}

func (s *Server) apiFinishCase(w http.ResponseWriter, r *http.Request) error {
	var in api.Finish
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if err := s.Store.FinishCase(r.Context(), s.user(r), id, in.Finished); err != nil {
		return err
	}
	c, err := s.Store.Case(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromCase(c))
}
