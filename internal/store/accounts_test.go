package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func TestTheFirstAdministratorIsMadeOnce(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := t.Context()
			s, err := Open(ctx, Config{URL: e.url(t)})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			must(t, s.Migrate(ctx))
			needs, err := s.NeedsFirstRun(ctx)
			must(t, err)
			if !needs {
				t.Error("an empty database needs no first run")
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			made := 0
			for i := range 8 {
				wg.Go(func() {
					_, err := s.CreateFirstAdmin(ctx, "Clinic", caseload.User{Email: fmt.Sprintf("a%d@b.example", i)}, "hash")
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						made++
					} else if caseload.KindOf(err) != caseload.Conflict {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			all, err := s.Organizations(ctx)
			must(t, err)
			if needs, _ := s.NeedsFirstRun(ctx); made != 1 || len(all) != 1 || needs {
				t.Errorf("%d administrators, %d organizations, needs first run: %v", made, len(all), needs)
			}
		})
	}
}

func TestAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		bob, err := b.s.CreateUser(ctx, string(b.admin.ID), caseload.User{Organization: b.admin.Organization, Email: " Bob@Clinic.Example ", Role: caseload.Member}, "one")
		must(t, err)
		_, err = b.s.CreateUser(ctx, "", caseload.User{Organization: b.other.Organization, Email: "BOB@clinic.example", Role: caseload.Viewer}, "x")
		wantKind(t, err, caseload.Conflict)
		for _, email := range []string{"", "bob", "@", "bob@"} {
			_, err = b.s.CreateUser(ctx, "", caseload.User{Organization: b.admin.Organization, Email: email, Role: caseload.Viewer}, "x")
			wantKind(t, err, caseload.Invalid)
		}
		_, err = b.s.CreateUser(ctx, "", caseload.User{Organization: b.admin.Organization, Email: "x@y.example", Role: "king"}, "x")
		wantKind(t, err, caseload.Invalid)
		found, hash, err := b.s.UserByEmail(ctx, "bob@CLINIC.example")
		must(t, err)
		if found != bob || hash != "one" {
			t.Errorf("found %+v with hash %q, want %+v", found, hash, bob)
		}
		_, _, err = b.s.UserByEmail(ctx, "nobody@clinic.example")
		wantKind(t, err, caseload.NotFound)

		wantKind(t, b.s.ChangeUser(ctx, b.admin, b.admin.ID, "Ada", caseload.Member, false), caseload.Conflict)
		wantKind(t, b.s.ChangeUser(ctx, b.admin, b.admin.ID, "Ada", caseload.Admin, true), caseload.Conflict)
		must(t, b.s.ChangeUser(ctx, b.admin, bob.ID, "Bob", caseload.Admin, false))
		var wg sync.WaitGroup // each lowers the other at once: one administrator must be left
		for _, id := range []caseload.UserID{b.admin.ID, bob.ID} {
			wg.Go(func() { _ = b.s.ChangeUser(ctx, b.admin, id, "", caseload.Viewer, false) })
		}
		wg.Wait()
		users, err := b.s.Users(ctx, b.admin)
		must(t, err)
		admins := 0
		for _, u := range users {
			if u.Role == caseload.Admin {
				admins++
			}
		}
		if admins != 1 {
			t.Errorf("%d administrators left, want 1", admins)
		}
	})
}

func TestSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		bob, err := b.s.CreateUser(ctx, "", caseload.User{Organization: b.admin.Organization, Email: "bob@clinic.example", Role: caseload.Member}, "one")
		must(t, err)
		const idle = 15 * time.Minute
		begin := func(token string) {
			t.Helper()
			must(t, b.s.CreateSession(ctx, []byte(token), bob.ID, b.now(), b.now().Add(2*time.Hour)))
		}
		valid := func(token string) error {
			u, err := b.s.Session(ctx, []byte(token), b.now(), idle)
			if err == nil && u.ID != bob.ID {
				t.Errorf("the session is %s's", u.ID)
			}
			return err
		}
		begin("one")
		for range 10 { // used every ten minutes it lives
			b.pass(10 * time.Minute)
			must(t, valid("one"))
		}
		b.pass(21 * time.Minute)
		wantKind(t, valid("one"), caseload.Unauthenticated) // the absolute end
		begin("two")
		b.pass(16 * time.Minute)
		wantKind(t, valid("two"), caseload.Unauthenticated) // idle
		begin("three")
		must(t, b.s.EndSession(ctx, []byte("three")))
		must(t, b.s.EndSession(ctx, []byte("three")))
		wantKind(t, valid("three"), caseload.Unauthenticated)
		begin("four")
		must(t, b.s.SetPassword(ctx, string(bob.ID), bob.ID, "two"))
		wantKind(t, valid("four"), caseload.Unauthenticated)
		begin("kept")
		begin("other")
		must(t, b.s.SetPassword(ctx, string(bob.ID), bob.ID, "three", []byte("kept")))
		must(t, valid("kept"))
		wantKind(t, valid("other"), caseload.Unauthenticated)
		begin("five")
		must(t, b.s.ChangeUser(ctx, b.admin, bob.ID, "Bob", caseload.Member, true))
		wantKind(t, valid("five"), caseload.Unauthenticated)
		begin("six")
		wantKind(t, valid("six"), caseload.Unauthenticated) // disabled
		wantKind(t, valid("never"), caseload.Unauthenticated)
	})
}

func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		token := caseload.Token{ID: caseload.NewID[caseload.TokenID](b.now()), Name: "lab", Role: caseload.Viewer, ExpiresAt: b.now().Add(time.Hour)}
		must(t, b.s.CreateToken(ctx, b.admin, token, []byte("secret")))
		u, got, err := b.s.TokenUser(ctx, []byte("secret"), b.now())
		must(t, err)
		if u.ID != b.admin.ID || u.Role != caseload.Viewer || got.ID != token.ID {
			t.Errorf("the token acts as %+v", u)
		}
		_, _, err = b.s.TokenUser(ctx, []byte("other"), b.now())
		wantKind(t, err, caseload.Unauthenticated)
		_, _, err = b.s.TokenUser(ctx, []byte("secret"), b.now().Add(time.Hour))
		wantKind(t, err, caseload.Unauthenticated)
		all, err := b.s.Tokens(ctx, b.admin)
		must(t, err)
		if len(all) != 1 || all[0].LastUsedAt.IsZero() {
			t.Errorf("tokens: %+v", all)
		}
		viewer, err := b.s.CreateUser(ctx, "", caseload.User{Organization: b.admin.Organization, Email: "v@clinic.example", Role: caseload.Viewer}, "x")
		must(t, err)
		wantKind(t, b.s.RevokeToken(ctx, viewer, token.ID), caseload.NotFound) // a colleague's
		strong := caseload.Token{Role: caseload.Admin}
		must(t, b.s.CreateToken(ctx, viewer, strong, []byte("strong")))
		if u, _, err := b.s.TokenUser(ctx, []byte("strong"), b.now()); err != nil || u.Role != caseload.Viewer {
			t.Errorf("a viewer's token acts as %s (%v)", u.Role, err)
		}
		must(t, b.s.RevokeToken(ctx, b.admin, token.ID))
		_, _, err = b.s.TokenUser(ctx, []byte("secret"), b.now())
		wantKind(t, err, caseload.Unauthenticated)
	})
}

func TestFailedSignInsSlowDown(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		keys := []string{"account:ada@clinic.example", "address:192.0.2.1"}
		wait := func() time.Duration {
			t.Helper()
			d, err := b.s.SignInAllowed(ctx, keys[0], b.now())
			must(t, err)
			return d
		}
		before := b.fingerprint(b.admin.Organization)
		for i := range 4 {
			must(t, b.s.SignInFailed(ctx, keys, "ada@clinic.example", b.now()))
			if wait() != 0 {
				t.Fatalf("a wait after %d failures", i+1)
			}
		}
		if before == b.fingerprint(b.admin.Organization) {
			t.Error("failures leave no event")
		}
		last := time.Duration(0)
		for i := range 12 {
			must(t, b.s.SignInFailed(ctx, keys, "ada@clinic.example", b.now()))
			now := wait()
			if want := min(5*time.Second<<i, 15*time.Minute); now != want || now < last {
				t.Errorf("failure %d: wait %v, want %v", i+5, now, want)
			}
			last = now
		}
		b.pass(15 * time.Minute)
		if wait() != 0 {
			t.Error("the wait does not end")
		}
		must(t, b.s.SignInFailed(ctx, keys, "nobody@clinic.example", b.now()))
		if wait() != 15*time.Minute {
			t.Errorf("one wait served lets the next burst in: %v", wait())
		}
		must(t, b.s.SignInSucceeded(ctx, keys[:1], b.admin))
		other, err := b.s.SignInAllowed(ctx, keys[1], b.now())
		must(t, err)
		if wait() != 0 || other == 0 {
			t.Errorf("after signing in the account waits %v, the address %v", wait(), other)
		}
		b.pass(31 * time.Minute)
		must(t, b.s.SignInFailed(ctx, keys, "", b.now()))
		if d, _ := b.s.SignInAllowed(ctx, keys[1], b.now()); d != 0 {
			t.Errorf("a quiet half hour is not forgotten: %v", d)
		}
	})
}
