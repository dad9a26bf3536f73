package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// welcomePage is the form of the first run.
type welcomePage struct {
	Organization, Name, Email string
	Problem                   *formProblem
}

// showWelcome shows the first run; once there is a user it leads to the sign-in page.
func (s *Server) showWelcome(w http.ResponseWriter, r *http.Request) error {
	first, err := s.Store.NeedsFirstRun(r.Context())
	if err != nil {
		return err
	}
	if !first {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return nil
	}
	return s.render(w, r, http.StatusOK, "welcome.html", welcomePage{})
}

// createFirstAdmin makes the organization and its first administrator and signs him in.
func (s *Server) createFirstAdmin(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	user, err := s.firstAdmin(r)
	if err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		page := welcomePage{field(r, "organization"), field(r, "name"), field(r, "email"), problem}
		return s.render(w, r, problem.Status, "welcome.html", page)
	}
	if err := s.startSession(w, r, user); err != nil {
		return err
	}
	http.Redirect(w, r, "/cases", http.StatusSeeOther)
	return nil
}

func (s *Server) firstAdmin(r *http.Request) (user caseload.User, err error) {
	first, err := s.Store.NeedsFirstRun(r.Context())
	if err != nil {
		return user, err
	}
	if !first { // before a password is hashed for whoever asks
		return user, caseload.Errorf(caseload.Conflict, "Caseload is already set up.").WithHint("Sign in instead.")
	}
	organization, err := cleanLine(field(r, "organization"), "organization", maxLabel)
	if err != nil {
		return user, err
	}
	if organization == "" {
		return user, caseload.Errorf(caseload.Invalid, "The organization has no name.").WithField("organization")
	}
	user = caseload.User{Name: field(r, "name"), Role: caseload.Admin}
	if err := cleanUser(&user); err != nil {
		return user, err
	}
	if user.Email, err = cleanEmail(field(r, "email")); err != nil {
		return user, err
	}
	hash, err := HashPassword(r.Context(), r.PostFormValue("password"))
	if err != nil {
		return user, err
	}
	return s.Store.CreateFirstAdmin(r.Context(), organization, user, hash)
}
