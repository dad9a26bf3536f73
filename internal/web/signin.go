package web

import (
	"errors"
	"net/http"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// authenticate checks an e-mail address and password typed by a person. Failures are counted against the account and
// against the address they come from; while either has to wait the answer is TooMany with the time to wait, whatever
// the password. A wrong password and an unknown or disabled account are told apart neither by the answer nor by time.
func (s *Server) authenticate(r *http.Request, email, password string) (caseload.User, error) {
	ctx, now := r.Context(), s.Now()
	email = strings.ToLower(strings.TrimSpace(email))
	keys := []string{"account:" + email, "address:" + s.address(r)}
	for _, key := range keys {
		wait, err := s.Store.SignInAllowed(ctx, key, now)
		if err != nil {
			return caseload.User{}, err
		}
		if wait > 0 {
			return caseload.User{}, retryAfter(caseload.Errorf(caseload.TooMany, "Too many attempts to sign in.").
				WithHint("Wait a moment, then try again."), wait)
		}
	}
	user, hash, err := s.Store.UserByEmail(ctx, email)
	known := err == nil && !user.Disabled
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		return caseload.User{}, err
	}
	if !known {
		hash = dummyHash()
	}
	right, err := VerifyPassword(ctx, hash, password)
	if err != nil {
		return caseload.User{}, err
	}
	if !known || !right {
		refused := caseload.Errorf(caseload.Unauthenticated, "The e-mail address or the password is wrong.").
			WithHint("Check both and try again.")
		return caseload.User{}, errors.Join(refused, s.Store.SignInFailed(ctx, keys, email, now))
	}
	return user, s.Store.SignInSucceeded(ctx, keys[:1], user) // the address earned no trust
}
