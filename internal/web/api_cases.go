package web

import (
	"net/http"
	"strconv"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
)

// Lists answer this many lines when not asked otherwise, and at most this many.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func (s *Server) apiListCases(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "q", "state", "cursor", "limit")
	if err != nil {
		return err
	}
	limit, err := limitOf(q.Get("limit"))
	if err != nil {
		return err
	}
	page, err := s.Store.Cases(r.Context(), s.user(r), store.CaseQuery{
		Text: q.Get("q"), State: q.Get("state"), Cursor: q.Get("cursor"), Limit: limit,
	})
	if err != nil {
		return err
	}
	out := api.Cases{Cases: make([]api.CaseSummary, 0, len(page.Cases)), Next: page.Next}
	for _, c := range page.Cases {
		out.Cases = append(out.Cases, api.FromSummary(c))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiCreateCase(w http.ResponseWriter, r *http.Request) error {
	var in api.NewCase
	if err := decode(r, &in); err != nil {
		return err
	}
	c, err := s.newCase(r, in.Number, in.Patient, in.Note)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/cases/"+string(c.ID))
	return answer(w, http.StatusCreated, api.FromCase(c))
}

// newCase opens a case. Without a number the next one is proposed; when another request took it meanwhile, the one after.
func (s *Server) newCase(r *http.Request, number, patient, note string) (caseload.Case, error) {
	c := caseload.Case{Number: number, Patient: patient, Note: note}
	if err := cleanCase(&c, number != ""); err != nil {
		return caseload.Case{}, err
	}
	const attempts = 20
	for attempt := 1; ; attempt++ {
		if number == "" {
			proposed, err := s.Store.ProposeCaseNumber(r.Context(), s.user(r))
			if err != nil {
				return caseload.Case{}, err
			}
			c.Number = proposed
		}
		created, err := s.Store.CreateCase(r.Context(), s.user(r), c)
		if number == "" && caseload.KindOf(err) == caseload.Conflict && attempt < attempts {
			continue
		}
		return created, err
	}
}

func (s *Server) apiShowCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	files, err := s.Store.CaseFiles(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	studies, err := s.Store.CaseStudies(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	ingest.Summarize(studies)
	out := api.FromCase(c)
	out.Warnings = append([]caseload.Remark{}, ingest.Warn(c, studies, files)...)
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiChangeCase(w http.ResponseWriter, r *http.Request) error {
	var in api.CaseChange
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	c, err := s.Store.Case(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	replace(&c.Number, in.Number)
	replace(&c.Patient, in.Patient)
	replace(&c.Note, in.Note)
	if err := cleanCase(&c, true); err != nil {
		return err
	}
	if err := s.Store.ChangeCase(r.Context(), s.user(r), c); err != nil {
		return err
	}
	if c, err = s.Store.Case(r.Context(), s.user(r), id); err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromCase(c))
}

func (s *Server) apiDeleteCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := s.Transfer.DeleteCase(r.Context(), s.user(r), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiListStudies(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	studies, err := s.Store.CaseStudies(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	ingest.Summarize(studies)
	out := api.Studies{Studies: make([]api.Study, 0, len(studies))}
	for _, study := range studies {
		out.Studies = append(out.Studies, api.FromStudy(study))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiListEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	q, err := query(r, "limit", "before")
	if err != nil {
		return err
	}
	limit, err := limitOf(q.Get("limit"))
	if err != nil {
		return err
	}
	before, err := strconv.ParseInt(or(q.Get("before"), "0"), 10, 64)
	if err != nil || before < 0 {
		return caseload.Errorf(caseload.Invalid, "before must be a whole number.").WithField("before")
	}
	if _, err := s.Store.Case(r.Context(), s.user(r), id); err != nil {
		return err
	}
	events, err := s.Store.Events(r.Context(), s.user(r), store.EventQuery{Case: id, Limit: limit, Before: before})
	if err != nil {
		return err
	}
	out := api.Events{Events: make([]api.Event, 0, len(events))}
	for _, e := range events {
		out.Events = append(out.Events, api.FromEvent(e))
	}
	return answer(w, http.StatusOK, out)
}
