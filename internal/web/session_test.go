package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/web"
)

// known tells whether the browser is signed in: a page is shown to it rather than the sign-in page.
func (h *house) known(b *http.Client) bool {
	h.t.Helper()
	resp, err := b.Get(h.http.URL + "/account")
	must(h.t, err)
	_ = resp.Body.Close()
	return resp.StatusCode == 200
}

func sessionCookie(t *testing.T, resp *http.Response) *http.Cookie {
	t.Helper()
	for _, c := range resp.Cookies() {
		if c.Name == "caseload" || c.Name == "__Host-caseload" {
			return c
		}
	}
	t.Fatalf("no session cookie in %v", resp.Header)
	return nil
}

func TestSigningInMakesANewSessionWhateverTheBrowserCameWith(t *testing.T) {
	h := open(t)
	address, err := url.Parse(h.http.URL)
	must(t, err)
	victim := h.browser()
	planted := strings.Repeat("A", 43)
	victim.Jar.SetCookies(address, []*http.Cookie{{Name: "caseload", Value: planted}})
	first := sessionCookie(t, h.signIn(victim, "member@clinic.example")).Value
	if first == planted || len(first) != 43 {
		t.Fatalf("the session is %q", first)
	}
	second := sessionCookie(t, h.signIn(victim, "member@clinic.example")).Value
	if second == first {
		t.Fatal("the second sign-in kept the session of the first")
	}
	for _, old := range []string{planted, first} {
		thief := h.browser()
		thief.Jar.SetCookies(address, []*http.Cookie{{Name: "caseload", Value: old}})
		if h.known(thief) {
			t.Error("an older session is still good")
		}
	}
	if !h.known(victim) {
		t.Error("the new session is not good")
	}
}

func TestSessionEndsWhenIdleAtItsEndAndBySigningOut(t *testing.T) {
	h := open(t)
	idle, absolute, leaving := h.browser(), h.browser(), h.browser()
	for _, b := range []*http.Client{idle, absolute, leaving} {
		h.signIn(b, "member@clinic.example")
		if !h.known(b) {
			t.Fatal("not signed in")
		}
	}
	resp, err := leaving.PostForm(h.http.URL+"/sign-out", nil)
	must(t, err)
	_ = resp.Body.Close()
	if c := sessionCookie(t, resp); c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("the cookie stays: %v", c)
	}
	if h.known(leaving) {
		t.Error("signed out, and still known")
	}
	h.clock.advance(14 * time.Minute)
	if !h.known(absolute) || !h.known(idle) {
		t.Error("ended within the idle time")
	}
	h.clock.advance(14 * time.Minute)
	if !h.known(absolute) {
		t.Error("being used did not keep it alive")
	}
	h.clock.advance(2 * time.Minute)
	if h.known(idle) {
		t.Error("16 minutes idle, and still known")
	}
	for range 50 { // in use all the time, but not for ever
		h.clock.advance(14 * time.Minute)
		h.known(absolute)
	}
	h.clock.advance(6 * time.Minute)
	if h.known(absolute) {
		t.Error("12 hours after sign-in still known")
	}
}

// A new password ends every session but the one it was set in, which goes on under a new secret: whoever has a copy of
// the old cookie is out, too.
func TestANewPasswordLeavesOneSignedInHereOnly(t *testing.T) {
	h := open(t)
	here, elsewhere := h.browser(), h.browser()
	old := sessionCookie(t, h.signIn(here, "member@clinic.example")).Value
	h.signIn(elsewhere, "member@clinic.example")
	set := func(current, next string) *http.Response {
		resp, err := here.PostForm(h.http.URL+"/account/password", url.Values{"current": {current}, "password": {next}})
		must(t, err)
		_ = resp.Body.Close()
		return resp
	}
	if resp := set("not "+password, "another horse battery"); resp.StatusCode != 400 {
		t.Fatalf("a wrong current password answered %d", resp.StatusCode)
	}
	if !h.known(elsewhere) {
		t.Fatal("a refused change signed somebody out")
	}
	if resp := set(password, "another horse battery"); resp.StatusCode != 303 || resp.Header.Get("Location") != "/account?changed" {
		t.Fatalf("answered %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if !h.known(here) {
		t.Error("signed out where the password was changed")
	}
	if h.known(elsewhere) {
		t.Error("still signed in elsewhere")
	}
	if got, _ := h.ask("", "GET", "/api/v1/me", "", "", "Cookie", "caseload="+old); got.StatusCode != 401 {
		t.Errorf("the old cookie answered %d", got.StatusCode)
	}
	if resp := set("another horse battery", password+" again"); resp.StatusCode != 303 {
		t.Errorf("the new password is not the current one: %d", resp.StatusCode)
	}
}

// The cookie of a server-side ended session must be worthless even to one who kept it.
func TestSignedOutSessionIsWorthless(t *testing.T) {
	h := open(t)
	b := h.browser()
	kept := sessionCookie(t, h.signIn(b, "member@clinic.example")).Value
	resp, err := b.PostForm(h.http.URL+"/sign-out", nil)
	must(t, err)
	_ = resp.Body.Close()
	if got, _ := h.ask("", "GET", "/api/v1/me", "", "", "Cookie", "caseload="+kept); got.StatusCode != 401 {
		t.Fatalf("a kept cookie answered %d", got.StatusCode)
	}
}

func TestCookieIsStrictByTheWayTheBrowserCame(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*web.Config)
		header []string
		cookie string
		secure bool
	}{
		"plain, from this computer":   {func(*web.Config) {}, nil, "caseload", false},
		"TLS at a trusted proxy":      {func(c *web.Config) { c.TrustProxy = true }, []string{"X-Forwarded-Proto", "https"}, "__Host-caseload", true},
		"a stranger's word for TLS":   {func(*web.Config) {}, []string{"X-Forwarded-Proto", "https"}, "caseload", false},
		"the public address is TLS":   {func(c *web.Config) { c.PublicURL = "https://caseload.example" }, []string{"Host", "caseload.example"}, "__Host-caseload", true},
		"beside a public TLS address": {func(c *web.Config) { c.PublicURL = "https://caseload.example" }, nil, "caseload", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, tc.change)
			form := url.Values{"email": {"member@clinic.example"}, "password": {password}}
			r, err := http.NewRequest("POST", h.http.URL+"/sign-in", strings.NewReader(form.Encode()))
			must(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if len(tc.header) == 2 && tc.header[0] == "Host" {
				r.Host = tc.header[1]
			} else if len(tc.header) == 2 {
				r.Header.Set(tc.header[0], tc.header[1])
			}
			resp, _ := send(t, noRedirects, r)
			c := sessionCookie(t, resp)
			if c.Name != tc.cookie || c.Secure != tc.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("cookie %+v", c)
			}
			if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts != "") != tc.secure {
				t.Errorf("HSTS %q", hsts)
			}
		})
	}
}

func TestGuessingPasswordsIsSlowedAndTellsNothing(t *testing.T) {
	h := open(t)
	try := func(email, pass string) (int, string, string) {
		form := url.Values{"email": {email}, "password": {pass}}
		resp, body := h.ask("", "POST", "/sign-in", "application/x-www-form-urlencoded", form.Encode())
		return resp.StatusCode, resp.Header.Get("Retry-After"), strings.ReplaceAll(body, email, "")
	}
	known, _, knownBody := try("member@clinic.example", "wrong")
	unknown, _, unknownBody := try("nobody@clinic.example", "wrong")
	if known != 401 || unknown != 401 || knownBody != unknownBody {
		t.Errorf("an account that is there answers %d, one that is not %d, alike: %v", known, unknown, knownBody == unknownBody)
	}
	for range 5 {
		try("member@clinic.example", "wrong")
	}
	status, wait, _ := try("member@clinic.example", password)
	if status != 429 || wait == "" {
		t.Errorf("after six failures even the right password answers %d, Retry-After %q; want 429", status, wait)
	}
	h.clock.advance(31 * time.Minute)
	if status, _, _ := try("member@clinic.example", password); status != http.StatusSeeOther {
		t.Errorf("after the wait the right password answers %d", status)
	}
}

func TestADisabledUserIsOutAtOnce(t *testing.T) {
	h := open(t)
	b := h.browser()
	h.signIn(b, "member@clinic.example")
	m := h.users["member"]
	must(t, h.store.ChangeUser(t.Context(), h.users["admin"], m.ID, m.Name, caseload.Member, true))
	if h.known(b) {
		t.Error("the session goes on")
	}
	if resp, _ := h.ask("member", "GET", "/api/v1/me", "", ""); resp.StatusCode != 401 {
		t.Errorf("the token answers %d", resp.StatusCode)
	}
}

func TestPasswordsAreKeptAsArgon2id(t *testing.T) {
	ctx := t.Context()
	hash, err := web.HashPassword(ctx, "pässwörter sind lang")
	must(t, err)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("kept as %s", hash)
	}
	for typed, want := range map[string]bool{
		"pässwörter sind lang":             true,
		"pa\u0308sswo\u0308rter sind lang": true, // as a Mac types it
		"passworter sind lang":             false,
		"":                                 false,
	} {
		if got, err := web.VerifyPassword(ctx, hash, typed); err != nil || got != want {
			t.Errorf("%q: %v %v", typed, got, err)
		}
	}
	for _, bad := range []string{"", "$argon2i$v=19$m=19456,t=2,p=1$AAAA$AAAA", "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "$2a$10$x"} {
		if _, err := web.VerifyPassword(ctx, bad, "x"); err == nil {
			t.Errorf("%q was taken for a hash", bad)
		}
	}
	for _, short := range []string{"", "123456789", "\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe", strings.Repeat("x", 257)} {
		if _, err := web.HashPassword(ctx, short); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%.20q was taken as a password", short)
		}
	}
}
