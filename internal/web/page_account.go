package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// accountPage is the person's own data and the form of a new password.
type accountPage struct {
	Role    string
	Changed bool
	Problem *formProblem
}

// showAccount shows who is signed in.
func (s *Server) showAccount(w http.ResponseWriter, r *http.Request) error {
	page := accountPage{Role: localeOf(r).text("role." + string(s.user(r).Role)), Changed: r.URL.Query().Has("changed")}
	return s.render(w, r, http.StatusOK, "account.html", page)
}

// changePassword sets a new password; the old one must be right. The person stays signed in here, under a new secret in
// case somebody has the old one, and nowhere else.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.setOwnPassword(r); err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		page := accountPage{Role: localeOf(r).text("role." + string(s.user(r).Role)), Problem: problem}
		return s.render(w, r, problem.Status, "account.html", page)
	}
	if err := s.startSession(w, r, s.user(r)); err != nil {
		return err
	}
	http.Redirect(w, r, "/account?changed", http.StatusSeeOther)
	return nil
}

func (s *Server) setOwnPassword(r *http.Request) error {
	user := s.user(r)
	if _, err := s.authenticate(r, user.Email, r.PostFormValue("current")); err != nil {
		if caseload.KindOf(err) == caseload.Unauthenticated { // he is signed in: 400, not 401
			return caseload.Errorf(caseload.Invalid, "This is not your current password.").WithField("current").WithCause(err)
		}
		return err
	}
	hash, err := HashPassword(r.Context(), r.PostFormValue("password"))
	if err != nil {
		return err
	}
	return s.Store.SetPassword(r.Context(), string(user.ID), user.ID, hash, exchangeOf(r).caller.session)
}
