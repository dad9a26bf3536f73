package web

import (
	"net/http"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// longestAge bounds the age of a plan's uploads: a hundred years.
const longestAge = 100 * 365 * 24 * time.Hour

func (s *Server) apiShowCleanup(w http.ResponseWriter, r *http.Request) error {
	plans, err := s.Store.Plans(r.Context(), s.user(r), plansShown)
	if err != nil {
		return err
	}
	rules := s.Cleanup.Rules
	out := api.Cleanup{
		Policy: string(s.Cleanup.Policy), OlderThan: int64(rules.OlderThan / time.Second), FinishedAfter: int64(rules.FinishedAfter / time.Second),
		TrashWindow: int64(s.Limits.TrashWindow / time.Second), Share: rules.Share.String(), Plans: make([]api.CleanupPlan, 0, len(plans)),
	}
	for _, p := range plans {
		out.Plans = append(out.Plans, api.FromPlan(p))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiPlanCleanup(w http.ResponseWriter, r *http.Request) error {
	var in api.NewPlan
	if err := decodeAny(r, &in); err != nil {
		return err
	}
	age := s.Cleanup.Rules.OlderThan
	if in.OlderThan != 0 {
		if in.OlderThan < int64(24*time.Hour/time.Second) || in.OlderThan > int64(longestAge/time.Second) {
			return caseload.Errorf(caseload.Invalid, "older_than is a number of seconds, a day (86400) at least.").WithField("older_than")
		}
		age = time.Duration(in.OlderThan) * time.Second
	}
	made, err := s.Cleanup.Plan(r.Context(), s.user(r), age)
	if err != nil {
		return err
	}
	return s.answerPlan(w, r, http.StatusCreated, made.ID, 0)
}

func (s *Server) apiShowPlan(w http.ResponseWriter, r *http.Request) error {
	id, err := planID(r)
	if err != nil {
		return err
	}
	q, err := query(r, "after")
	if err != nil {
		return err
	}
	after, err := strconv.Atoi(or(q.Get("after"), "0"))
	if err != nil || after < 0 {
		return caseload.Errorf(caseload.Invalid, "after must be a whole number.").WithField("after")
	}
	return s.answerPlan(w, r, http.StatusOK, id, after)
}

// answerPlan answers with one plan of the caller's organization and a page of its items.
func (s *Server) answerPlan(w http.ResponseWriter, r *http.Request, status int, id caseload.PlanID, after int) error {
	p, err := s.Store.Plan(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	items, err := s.Store.Items(r.Context(), id, after, itemsShown)
	if err != nil {
		return err
	}
	out := api.FromPlan(p)
	for _, i := range items {
		out.Items = append(out.Items, api.FromItem(i))
	}
	if len(items) == itemsShown {
		out.Next = items[len(items)-1].N
	}
	return answer(w, status, out)
}

func (s *Server) apiApprovePlan(w http.ResponseWriter, r *http.Request) error {
	var in api.ApprovePlan
	id, err := planID(r)
	if err != nil {
		return err
	}
	if err := decodeAny(r, &in); err != nil {
		return err
	}
	var told caseload.Share
	if in.Share != "" {
		if told, err = caseload.ParseShare(in.Share); err != nil {
			return err
		}
	}
	if _, err := s.Cleanup.Approve(r.Context(), s.user(r), id, told); err != nil {
		return err
	}
	return s.answerPlan(w, r, http.StatusOK, id, 0)
}

func (s *Server) apiDismissPlan(w http.ResponseWriter, r *http.Request) error {
	id, err := planID(r)
	if err == nil {
		err = noBody(r)
	}
	if err != nil {
		return err
	}
	if err := s.Cleanup.Dismiss(r.Context(), s.user(r), id); err != nil {
		return err
	}
	return s.answerPlan(w, r, http.StatusOK, id, 0)
}

func (s *Server) apiUndoPlan(w http.ResponseWriter, r *http.Request) error {
	id, err := planID(r)
	if err == nil {
		err = noBody(r)
	}
	if err != nil {
		return err
	}
	u, p, err := s.Cleanup.Undo(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.UndonePlan{Plan: api.FromPlan(p), Cases: u.Cases, Files: u.Files, Lost: u.Lost})
}
