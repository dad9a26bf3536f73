package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
)

// casesOnPage is how many cases a page of the list holds.
const casesOnPage = 50

// casesPage is the list of cases.
type casesPage struct {
	Query, State string
	Filters      []filterLink
	Rows         []caseRow
	Older        string // address of the next page; "" on the last
	Later        bool   // this is not the first page
	CanWrite     bool
	Filtered     bool
	New          newCaseForm
	Unreached    []unreachedView // for administrators
}

// unreachedView tells of one reason for which the store was not reached lately.
type unreachedView struct{ Code, Text string }

// unreachedFor is how long administrators are told of it.
const unreachedFor = 7 * 24 * time.Hour

// newCaseForm is the field beside the list that opens a case.
type newCaseForm struct {
	Number, Patient string
	Problem         *formProblem
}

// filterLink is one choice of the state filter.
type filterLink struct {
	State, Label, Address string
	Chosen                bool
}

// caseRow is one line of the list.
type caseRow struct {
	ID, Number, Patient, Contents string
	State                         stateView
	Attention                     int
	Changed                       moment
}

// listCases shows the cases that fit the search and the filter in the address, newest first.
func (s *Server) listCases(w http.ResponseWriter, r *http.Request) error {
	return s.showCases(w, r, http.StatusOK, newCaseForm{})
}

func (s *Server) showCases(w http.ResponseWriter, r *http.Request, status int, form newCaseForm) error {
	user, l, query := s.user(r), localeOf(r), r.URL.Query()
	page := casesPage{Query: query.Get("q"), CanWrite: user.Role.CanWrite(), Later: query.Get("cursor") != "", New: form}
	for _, state := range []string{"", "arriving", "reading", "ready", "attention"} {
		chosen := state == query.Get("state")
		if chosen {
			page.State = state
		}
		page.Filters = append(page.Filters, filterLink{state, l.text("cases.filter." + state), casesAddress(page.Query, state, ""), chosen})
	}
	found, err := s.Store.Cases(r.Context(), user, store.CaseQuery{
		Text: page.Query, State: page.State, Cursor: query.Get("cursor"), Limit: casesOnPage,
	})
	if err != nil {
		return err
	}
	for _, c := range found.Cases {
		page.Rows = append(page.Rows, s.caseRow(l, c))
	}
	if found.Next != "" {
		page.Older = casesAddress(page.Query, page.State, found.Next)
	}
	if page.Unreached, err = s.unreached(r.Context(), l, user); err != nil {
		return err
	}
	page.Filtered = page.Query != "" || page.State != ""
	if page.CanWrite && page.New.Number == "" {
		if page.New.Number, err = s.Store.ProposeCaseNumber(r.Context(), user); err != nil {
			return err
		}
	}
	return s.render(w, r, status, "cases.html", page)
}

// unreached tells administrators why uploads went through the server lately; nothing to others.
func (s *Server) unreached(ctx context.Context, l locale, user caseload.User) (views []unreachedView, err error) {
	if !user.Role.CanAdminister() {
		return nil, nil
	}
	reports, err := s.Store.Unreached(ctx, user, s.Now().Add(-unreachedFor))
	for _, u := range reports {
		views = append(views, unreachedView{string(u.Code), l.count("unreached."+string(u.Code), u.Times)})
	}
	return views, err
}

func (s *Server) caseRow(l locale, c caseload.CaseSummary) caseRow {
	lying := 0
	if quiet := s.Now().Add(-silentAfter); c.Arriving > 0 && c.HeardAt.Before(quiet) && c.ChangedAt.Before(quiet) {
		lying = c.Arriving
	}
	return caseRow{
		ID: string(c.ID), Number: c.Number, Patient: c.Patient, Contents: l.contents(c), State: l.caseState(c, lying),
		Attention: c.Attention, Changed: l.when(c.ChangedAt, s.Now()),
	}
}

func casesAddress(text, state, cursor string) string {
	query := url.Values{}
	for name, value := range map[string]string{"q": text, "state": state, "cursor": cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return "/cases"
	}
	return "/cases?" + query.Encode()
}

// createCase opens a case and leads to it.
func (s *Server) createCase(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	c, err := s.chosenCase(r)
	if err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		return s.showCases(w, r, problem.Status, newCaseForm{field(r, "number"), field(r, "patient"), problem})
	}
	http.Redirect(w, r, "/cases/"+string(c.ID), http.StatusSeeOther)
	return nil
}

// chosenCase makes the case of the form. Where the person kept the proposed number it is proposed afresh, so that
// somebody who took it meanwhile does no harm.
func (s *Server) chosenCase(r *http.Request) (caseload.Case, error) {
	number := field(r, "number")
	if number == field(r, "proposed") {
		number = ""
	}
	return s.newCase(r, number, field(r, "patient"), "")
}
