package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
)

// casePage is one case with everything in it.
type casePage struct {
	ID, Number, Patient, Note string
	Revision                  int64
	Opened, Finished          moment
	OpenedBy                  string
	CanWrite                  bool
	MaxFileSize               string
	Edit                      bool // the form is open
	Problem                   *formProblem

	Summary    string
	State      stateView
	Unfinished unfinishedView
	Warnings   []string // what everybody must see
	Studies    []studyView
	Groups     []groupView
	Activity   []activityView
}

// Empty tells whether nothing has been sent yet.
func (p casePage) Empty() bool { return len(p.Groups) == 0 }

// showCase shows what is in a case and how far it has got.
func (s *Server) showCase(w http.ResponseWriter, r *http.Request) error {
	return s.showCaseWith(w, r, http.StatusOK, nil)
}

// showCaseWith shows the case, and the change that was refused when there is one.
func (s *Server) showCaseWith(w http.ResponseWriter, r *http.Request, status int, problem *formProblem) error {
	ctx, user, l := r.Context(), s.user(r), localeOf(r)
	id, err := caseID(r)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(ctx, user, id)
	if err != nil {
		return err
	}
	files, err := s.Store.CaseFiles(ctx, user, id)
	if err != nil {
		return err
	}
	studies, err := s.Store.CaseStudies(ctx, user, id)
	if err != nil {
		return err
	}
	ingest.Summarize(studies)
	events, err := s.Store.Events(ctx, user, store.EventQuery{Case: id, Limit: eventsTold})
	if err != nil {
		return err
	}
	people, err := s.people(r)
	if err != nil {
		return err
	}
	summary := summarize(c, files, studies)
	unfinished := s.unfinished(l, files, people)
	page := casePage{
		ID: string(c.ID), Number: c.Number, Patient: c.Patient, Note: c.Note, Revision: c.Revision, Opened: l.when(c.CreatedAt, s.Now()), Finished: l.when(c.FinishedAt, s.Now()),
		OpenedBy: people[string(c.CreatedBy)], CanWrite: user.Role.CanWrite(), MaxFileSize: formatLimit(s.Limits.MaxFileSize),
		Summary: l.contents(summary), State: l.caseState(summary, unfinished.Files),
		Studies: l.studies(studies, files), Groups: s.groups(l, files, people, r.URL.Query().Get("folder")),
		Unfinished: unfinished, Activity: s.activity(l, events, files, people),
	}
	previews, err := s.Store.CasePreviews(ctx, user, id)
	if err != nil {
		return err
	}
	l.addPreviews(page.Studies, studies, page.Groups, previews, page.CanWrite)
	older, err := s.Store.OlderVersions(ctx, user, id)
	if err != nil {
		return err
	}
	tellOlder(page.Groups, files, older)
	for _, warning := range ingest.Warn(c, studies, files) {
		page.Warnings = append(page.Warnings, l.said(warning.Text))
	}
	s.addReceipts(l, page.Studies, studies, files)
	if problem != nil {
		page.Edit, page.Problem = true, problem
		page.Number, page.Patient, page.Note = field(r, "number"), field(r, "patient"), field(r, "note")
	}
	return s.render(w, r, status, "case.html", page)
}

// people maps the ids of the organization's users to their names.
func (s *Server) people(r *http.Request) (map[string]string, error) {
	users, err := s.Store.Users(r.Context(), s.user(r))
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range users {
		names[string(u.ID)] = u.Name
	}
	return names, nil
}

// changeCase changes number, patient label and note.
func (s *Server) changeCase(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := caseID(r)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	c.Number, c.Patient, c.Note = field(r, "number"), field(r, "patient"), field(r, "note")
	if err = cleanCase(&c, true); err == nil {
		err = s.Store.ChangeCase(r.Context(), s.user(r), c)
	}
	if err != nil {
		if problem, ok := asFormProblem(err); ok {
			return s.showCaseWith(w, r, problem.Status, problem)
		}
		return err
	}
	http.Redirect(w, r, "/cases/"+string(id), http.StatusSeeOther)
	return nil
}

// deleteCase deletes the case with everything in it and leads to the list.
func (s *Server) deleteCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := s.Transfer.DeleteCase(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/cases", http.StatusSeeOther)
	return nil
}
