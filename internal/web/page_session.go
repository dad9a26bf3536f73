package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// signInPage is the form of signing in.
type signInPage struct {
	Email, Next string
	Problem     *formProblem
}

// showSignIn shows the form; on an empty database it leads to the first run.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	first, err := s.Store.NeedsFirstRun(r.Context())
	if err != nil {
		return err
	}
	if first {
		http.Redirect(w, r, "/welcome", http.StatusSeeOther)
		return nil
	}
	next := safeNext(r.URL.Query().Get("next"))
	if s.user(r).ID != "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return s.render(w, r, http.StatusOK, "sign-in.html", signInPage{Next: next})
}

// signIn checks e-mail and password and leads to where the person wanted to go.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	next := safeNext(r.PostFormValue("next"))
	user, err := s.authenticate(r, field(r, "email"), r.PostFormValue("password"))
	if err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		var wait *waitError
		if errors.As(err, &wait) {
			w.Header().Set("Retry-After", strconv.Itoa(int((wait.wait+time.Second-1)/time.Second)))
		}
		return s.render(w, r, problem.Status, "sign-in.html", signInPage{field(r, "email"), next, problem})
	}
	if err := s.startSession(w, r, user); err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// signOut ends the session.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.endSession(w, r); err != nil {
		return err
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	return nil
}
