package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/api"
)

// errorPage says what happened, whether anything was lost, and what to do next.
type errorPage struct {
	Status    int
	Title     string
	Message   string
	Lost      string
	Hint      string
	Reference string
}

// showError answers a problem as a page.
func (s *Server) showError(w http.ResponseWriter, r *http.Request, p api.Problem) error {
	l := localeOf(r)
	page := errorPage{
		Status: p.Status, Title: l.text("error." + p.Kind), Message: p.Detail, Hint: p.Hint,
		Reference: p.RequestID, Lost: l.text("error.unchanged"),
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		page.Lost = l.text("error.nothingLost")
	case p.Status >= http.StatusInternalServerError:
		page.Lost = l.text("error.maybeUnsaved")
	}
	return s.render(w, r, p.Status, "error.html", page)
}
