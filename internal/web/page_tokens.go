package web

import (
	"net/http"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// tokensPage is the bearer tokens and the form that makes one. Secret is shown once, in the answer that made it.
type tokensPage struct {
	Rows    []tokenRow
	Roles   []roleChoice
	Days    []dayChoice
	Name    string
	Secret  string
	Made    string
	Problem *formProblem
}

type tokenRow struct {
	ID, Name, Role         string
	Created, Used, Expires moment
	Revoked, Expired       bool
}

type dayChoice struct {
	Days   int
	Label  string
	Chosen bool
}

// listTokens shows the bearer tokens.
func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	return s.showTokens(w, r, http.StatusOK, tokensPage{Roles: localeOf(r).roles(caseload.Member)})
}

func (s *Server) showTokens(w http.ResponseWriter, r *http.Request, status int, page tokensPage) error {
	l, now := localeOf(r), s.Now()
	tokens, err := s.Store.Tokens(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	for _, t := range tokens {
		page.Rows = append(page.Rows, tokenRow{
			ID: string(t.ID), Name: t.Name, Role: l.text("role." + string(t.Role)), Created: l.when(t.CreatedAt, now),
			Used: l.when(t.LastUsedAt, now), Expires: l.when(t.ExpiresAt, now), Revoked: !t.RevokedAt.IsZero(),
			Expired: !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now),
		})
	}
	for _, days := range []int{30, 90, 365, 0} {
		page.Days = append(page.Days, dayChoice{days, l.text("tokens.days." + strconv.Itoa(days)), days == 90})
	}
	return s.render(w, r, status, "tokens.html", page)
}

// createToken makes a token and shows its secret, this once.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	token, secret, err := s.chosenToken(r)
	page := tokensPage{Roles: localeOf(r).roles(caseload.Role(field(r, "role"))), Made: token.Name, Secret: secret}
	if err != nil {
		problem, ok := asFormProblem(err)
		if !ok {
			return err
		}
		page.Name, page.Secret, page.Problem = field(r, "name"), "", problem
		return s.showTokens(w, r, problem.Status, page)
	}
	return s.showTokens(w, r, http.StatusCreated, page)
}

func (s *Server) chosenToken(r *http.Request) (caseload.Token, string, error) {
	days, err := strconv.Atoi(field(r, "days"))
	if err != nil || days < 0 || days > 3650 {
		return caseload.Token{}, "", caseload.Errorf(caseload.Invalid, "This is no number of days.").WithHint("Choose one of the list.").WithField("days")
	}
	var expires time.Time
	if days > 0 {
		expires = s.Now().Add(time.Duration(days) * 24 * time.Hour)
	}
	return s.newToken(r, field(r, "name"), caseload.Role(field(r, "role")), expires)
}

// revokeToken makes a token worthless.
func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := tokenID(r)
	if err != nil {
		return err
	}
	if err := s.Store.RevokeToken(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
	return nil
}
