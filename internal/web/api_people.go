package web

import (
	"net/http"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func (s *Server) apiShowDocument(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(api.Document()) // a client that has left hears nothing
	return nil
}

func (s *Server) apiShowMe(w http.ResponseWriter, r *http.Request) error {
	user := s.user(r)
	organization, err := s.Store.Organization(r.Context(), user.Organization)
	if err != nil {
		return err
	}
	quota, err := s.Store.Quota(r.Context(), user)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Me{
		User:         api.FromUser(user),
		Organization: api.Organization{ID: string(organization.ID), Name: organization.Name, CreatedAt: organization.CreatedAt.UTC()},
		Limits: api.Limits{
			DirectThreshold: s.Limits.DirectThreshold, MaxFileSize: s.Limits.MaxFileSize, MaxBatch: s.Limits.MaxBatch,
			MaxBatchFiles: caseload.MaxBatchFiles, MaxBatchBytes: caseload.MaxBatchBytes,
			URLExpiry: int64(min(s.Limits.URLExpiry, caseload.MaxURLExpiry) / time.Second),
		},
		Quota: api.FromQuota(quota),
	})
}

func (s *Server) apiListUsers(w http.ResponseWriter, r *http.Request) error {
	users, err := s.Store.Users(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	out := api.Users{Users: make([]api.User, 0, len(users))}
	for _, u := range users {
		out.Users = append(out.Users, api.FromUser(u))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiCreateUser(w http.ResponseWriter, r *http.Request) error {
	var in api.NewUser
	if err := decode(r, &in); err != nil {
		return err
	}
	u, err := s.newUser(r, caseload.User{Email: in.Email, Name: in.Name, Role: caseload.Role(in.Role)}, in.Password)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, api.FromUser(u))
}

// newUser makes a user of the caller's organization.
func (s *Server) newUser(r *http.Request, u caseload.User, password string) (caseload.User, error) {
	var err error
	if u.Email, err = cleanEmail(u.Email); err != nil {
		return u, err
	}
	if err := cleanUser(&u); err != nil {
		return u, err
	}
	hash, err := HashPassword(r.Context(), password)
	if err != nil {
		return u, err
	}
	u.Organization = s.user(r).Organization
	return s.Store.CreateUser(r.Context(), string(s.user(r).ID), u, hash)
}

func (s *Server) apiChangeUser(w http.ResponseWriter, r *http.Request) error {
	var in api.UserChange
	id, err := userID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	u, err := s.colleague(r, id)
	if err != nil {
		return err
	}
	replace(&u.Name, in.Name)
	replace((*string)(&u.Role), in.Role)
	replace(&u.Disabled, in.Disabled)
	if err := cleanUser(&u); err != nil {
		return err
	}
	if err := s.Store.ChangeUser(r.Context(), s.user(r), id, u.Name, u.Role, u.Disabled); err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromUser(u))
}

// colleague returns a user of the caller's organization, or NotFound.
func (s *Server) colleague(r *http.Request, id caseload.UserID) (caseload.User, error) {
	users, err := s.Store.Users(r.Context(), s.user(r))
	if err != nil {
		return caseload.User{}, err
	}
	for _, u := range users {
		if u.ID == id {
			return u, nil
		}
	}
	return caseload.User{}, caseload.Errorf(caseload.NotFound, "There is no such user.")
}

func (s *Server) apiListTokens(w http.ResponseWriter, r *http.Request) error {
	tokens, err := s.Store.Tokens(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	out := api.Tokens{Tokens: make([]api.Token, 0, len(tokens))}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, api.FromToken(t))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiCreateToken(w http.ResponseWriter, r *http.Request) error {
	var in api.NewToken
	if err := decode(r, &in); err != nil {
		return err
	}
	t, secret, err := s.newToken(r, in.Name, caseload.Role(in.Role), in.ExpiresAt)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, api.CreatedToken{Token: api.FromToken(t), Secret: secret})
}

// newToken makes a bearer token that acts as the caller, with at most the role he has now. The secret is returned once
// and kept hashed.
func (s *Server) newToken(r *http.Request, name string, role caseload.Role, expires time.Time) (caseload.Token, string, error) {
	user, now := s.user(r), s.Now().UTC().Truncate(time.Millisecond)
	name, err := cleanLine(name, "name", maxLabel)
	if err != nil {
		return caseload.Token{}, "", err
	}
	if err := validRole(role); err != nil {
		return caseload.Token{}, "", err
	}
	switch {
	case name == "":
		return caseload.Token{}, "", caseload.Errorf(caseload.Invalid, "The token has no name.").WithHint("Name it after the program that will use it.").WithField("name")
	case role.CanAdminister() && !user.Role.CanAdminister(), role.CanWrite() && !user.Role.CanWrite():
		return caseload.Token{}, "", caseload.Errorf(caseload.Forbidden, "A token cannot do more than you may.").WithField("role")
	case !expires.IsZero() && !expires.After(now):
		return caseload.Token{}, "", caseload.Errorf(caseload.Invalid, "The token would have expired already.").WithField("expires_at")
	}
	secret, hash := NewTokenSecret()
	t := caseload.Token{ID: caseload.NewID[caseload.TokenID](now), User: user.ID, Name: name, Role: role, CreatedAt: now, ExpiresAt: expires.UTC()}
	return t, secret, s.Store.CreateToken(r.Context(), user, t, hash)
}

func (s *Server) apiRevokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := tokenID(r)
	if err != nil {
		return err
	}
	if err := s.Store.RevokeToken(r.Context(), s.user(r), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
