package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// caller is who makes a request: a user with a session or with a bearer token, or nobody.
type caller struct {
	user    caseload.User
	session []byte          // SHA-256 of the session's secret; nil without one
	token   *caseload.Token // nil without one
}

func (c caller) known() bool { return c.user.ID != "" }

// user is the signed-in user; the zero User on routes that nobody needs to be signed in for.
func (s *Server) user(r *http.Request) caseload.User { return exchangeOf(r).caller.user }

// The session cookie. Over TLS the __Host- prefix makes browsers refuse it from a sister host or with a path
// (RFC 6265bis, section 4.1.3.2).
const (
	cookieName       = "caseload"
	secureCookieName = "__Host-caseload"
)

// identify tells who makes the request. A bearer token that is wrong is Unauthenticated at once; a session that has
// ended is simply nobody. Pages take sessions only.
func (s *Server) identify(r *http.Request, sessionOnly bool) (caller, error) {
	if secret, ok := bearer(r); ok && !sessionOnly {
		return s.identifyToken(r.Context(), secret)
	}
	cookie, err := r.Cookie(s.cookieName(r))
	if err != nil || cookie.Value == "" {
		return caller{}, nil
	}
	hash := hashSecret(cookie.Value)
	user, err := s.Store.Session(r.Context(), hash, s.Now(), s.SessionIdle)
	switch {
	case err == nil:
		return caller{user: user, session: hash}, nil
	case caseload.KindOf(err) == caseload.Unauthenticated:
		return caller{}, nil
	default:
		return caller{}, err
	}
}

// stillKnown tells whether who began a long answer may still have it: the session goes on, the token is valid. Asking
// does not keep the session alive.
func (s *Server) stillKnown(r *http.Request) bool {
	c := exchangeOf(r).caller
	if c.token != nil {
		secret, _ := bearer(r)
		_, err := s.identifyToken(r.Context(), secret)
		return caseload.KindOf(err) != caseload.Unauthenticated
	}
	err := s.Store.SessionAlive(r.Context(), c.session, s.Now(), s.SessionIdle)
	return caseload.KindOf(err) != caseload.Unauthenticated
}

// tokenPrefix lets people and scanners recognize a bearer token.
const tokenPrefix = "cl_"

// NewTokenSecret returns a fresh bearer token, 256 random bits in "cl_" and 43 characters, and what is stored of it.
func NewTokenSecret() (secret string, hash []byte) {
	secret = tokenPrefix + newSecret()
	return secret, hashSecret(secret)
}

func (s *Server) identifyToken(ctx context.Context, secret string) (caller, error) {
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) != len(tokenPrefix)+43 {
		return caller{}, badToken()
	}
	user, token, err := s.Store.TokenUser(ctx, hashSecret(secret), s.Now())
	switch caseload.KindOf(err) {
	case caseload.Internal:
		if err == nil {
			return caller{user: user, token: &token}, nil
		}
	case caseload.NotFound, caseload.Unauthenticated, caseload.Gone:
		return caller{}, badToken()
	}
	return caller{}, err
}

func badToken() error {
	return caseload.Errorf(caseload.Unauthenticated, "The bearer token is not valid.").
		WithHint("It may have been revoked or have expired. Ask an administrator for a new one.")
}

// bearer takes the token out of the Authorization header (RFC 6750, section 2.1).
func bearer(r *http.Request) (string, bool) {
	scheme, secret, found := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), found && strings.EqualFold(scheme, "Bearer")
}

// startSession signs the user in: a new session with a new secret begins, and whatever session the browser came with
// ends. When that fails, the browser keeps what it had.
func (s *Server) startSession(w http.ResponseWriter, r *http.Request, user caseload.User) error {
	secret, now := newSecret(), s.Now()
	if err := s.Store.CreateSession(r.Context(), hashSecret(secret), user.ID, now, now.Add(s.SessionAbsolute)); err != nil {
		return err
	}
	if old, err := r.Cookie(s.cookieName(r)); err == nil && old.Value != "" {
		if err := s.Store.EndSession(r.Context(), hashSecret(old.Value)); err != nil {
			return err
		}
	}
	s.setCookie(w, r, secret, s.SessionAbsolute)
	return nil
}

// endSession signs the user out, in the database and in the browser.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) error {
	if hash := exchangeOf(r).caller.session; hash != nil {
		if err := s.Store.EndSession(r.Context(), hash); err != nil {
			return err
		}
	}
	s.setCookie(w, r, "", -time.Second)
	return nil
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteLaxMode,
	})
}

func (s *Server) cookieName(r *http.Request) string {
	if s.secure(r) {
		return secureCookieName
	}
	return cookieName
}

// newSecret returns 256 random bits in 43 characters of base64url.
func newSecret() string {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("web: no randomness: " + err.Error()) // crypto/rand never fails on the systems we run on
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashSecret is what the database keeps of a session or token secret. A plain hash is enough: there are 256 random
// bits to guess.
func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
