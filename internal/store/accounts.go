package store

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// NeedsFirstRun tells whether there is no user at all yet.
func (s *Store) NeedsFirstRun(ctx context.Context) (needs bool, err error) {
	defer explain("look for the first user", &err)
	var n int64
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 AS one FROM users LIMIT 1) AS any_user`).Scan(&n)
	return n == 0, err
}

// CreateFirstAdmin makes an organization and its first administrator. Conflict when any user exists.
func (s *Store) CreateFirstAdmin(ctx context.Context, organization string, u caseload.User, passwordHash string) (_ caseload.User, err error) {
	defer explain("create the first administrator", &err)
	err = s.write(ctx, func(t *tx) error {
		if s.engine == Postgres { // two first runs at once: SQLite has one writer anyway
			if _, err := t.ExecContext(ctx, `LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		var n int64
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return conflict("The first account was made already.").WithHint("Sign in, or ask an administrator for an account.")
		}
		org, err := t.createOrganization(ctx, organization)
		if err != nil {
			return err
		}
		u.Organization, u.Role = org.ID, caseload.Admin
		u, err = t.createUser(ctx, caseload.SystemActor, u, passwordHash)
		return err
	})
	return u, err
}

// CreateOrganization makes a tenant with an audit log of its own. Invalid when the name is empty.
func (s *Store) CreateOrganization(ctx context.Context, name string) (org caseload.Organization, err error) {
	defer explain("create an organization", &err)
	err = s.write(ctx, func(t *tx) error {
		org, err = t.createOrganization(ctx, name)
		return err
	})
	return org, err
}

func (t *tx) createOrganization(ctx context.Context, name string) (caseload.Organization, error) {
	org := caseload.Organization{
		ID:   caseload.NewID[caseload.OrganizationID](t.now),
		Name: strings.TrimSpace(text(name)), CreatedAt: fromMS(toMS(t.now)),
	}
	if org.Name == "" {
		return org, caseload.Errorf(caseload.Invalid, "The organization needs a name.").WithField("organization")
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)`,
		string(org.ID), org.Name, toMS(org.CreatedAt)); err != nil {
		return org, err
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO audit_heads (organization_id, seq, hash) VALUES ($1, 0, '')`, string(org.ID)); err != nil {
		return org, err
	}
	return org, t.record(ctx, org.ID, newEvent("", caseload.OrganizationCreated, "", "", nil))
}

func scanOrganization(scan func(...any) error) (o caseload.Organization, err error) {
	var created int64
	err = scan(&o.ID, &o.Name, &created, &o.Quota)
	o.CreatedAt = fromMS(created)
	return o, err
}

// Organizations returns all of them, the oldest first: for the command line only.
func (s *Store) Organizations(ctx context.Context) (all []caseload.Organization, err error) {
	defer explain("list organizations", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT id, name, created_at, `+leastLimit+` FROM organizations ORDER BY created_at, id`)
	return collect(rows, err, scanOrganization)
}

// Organization returns one. NotFound when there is none.
func (s *Store) Organization(ctx context.Context, id caseload.OrganizationID) (o caseload.Organization, err error) {
	defer explain("read an organization", &err)
	o, err = scanOrganization(s.reader.QueryRowContext(ctx, `SELECT id, name, created_at, `+leastLimit+` FROM organizations WHERE id = $1`, string(id)).Scan)
	return o, noRow(err, "organization")
}

// CreateUser makes an account in u.Organization. actor is a user id, or "" for the system. Conflict when the e-mail
// address is in use (in any organization), Invalid when it or the role cannot be.
func (s *Store) CreateUser(ctx context.Context, actor string, u caseload.User, passwordHash string) (_ caseload.User, err error) {
	defer explain("create a user", &err)
	err = s.write(ctx, func(t *tx) error {
		u, err = t.createUser(ctx, actor, u, passwordHash)
		return err
	})
	return u, err
}

func (t *tx) createUser(ctx context.Context, actor string, u caseload.User, passwordHash string) (caseload.User, error) {
	u.Email, u.Name = Email(u.Email), strings.TrimSpace(text(u.Name))
	if at := strings.IndexByte(u.Email, '@'); at < 1 || at == len(u.Email)-1 {
		return u, caseload.Errorf(caseload.Invalid, "This is no e-mail address.").WithField("email")
	}
	if !u.Role.Valid() {
		return u, caseload.Errorf(caseload.Invalid, "The role is admin, member or viewer.").WithField("role")
	}
	if u.ID == "" {
		u.ID = caseload.NewID[caseload.UserID](t.now)
	}
	u.CreatedAt, u.LastSeenAt, u.Disabled = fromMS(toMS(t.now)), fromMS(0), false
	_, err := t.ExecContext(ctx, `INSERT INTO users (id, organization_id, email, name, role, password_hash, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(u.ID), string(u.Organization), u.Email, u.Name, string(u.Role), passwordHash, toMS(u.CreatedAt))
	if duplicate(err) {
		return u, conflict("This e-mail address has an account already.").WithField("email")
	}
	if err != nil {
		return u, err
	}
	return u, t.record(ctx, u.Organization, newEvent(actor, caseload.UserCreated, "", "", detail{"user": u.ID, "role": u.Role}))
}

// Email returns the one form an address is kept and looked up in: NFKC, lower case, no white space around it.
func Email(address string) string {
	return strings.ToLower(strings.TrimSpace(norm.NFKC.String(text(address))))
}

const userColumns = `id, organization_id, email, name, role, disabled_at, created_at, last_seen_at`

func scanUser(scan func(...any) error) (u caseload.User, err error) {
	u, _, err = scanUserAnd(func(into ...any) error { return scan(into[:len(into)-1]...) })
	return u, err
}

// scanUserAnd reads userColumns and one text after them.
func scanUserAnd(scan func(...any) error) (u caseload.User, more string, err error) {
	var disabled, created, seen int64
	err = scan(&u.ID, &u.Organization, &u.Email, &u.Name, &u.Role, &disabled, &created, &seen, &more)
	u.Disabled, u.CreatedAt, u.LastSeenAt = disabled != 0, fromMS(created), fromMS(seen)
	return u, more, err
}

// Users returns the users of the user's organization, the oldest first.
func (s *Store) Users(ctx context.Context, user caseload.User) (all []caseload.User, err error) {
	defer explain("list users", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+userColumns+` FROM users WHERE organization_id = $1 ORDER BY created_at, id`,
		string(user.Organization))
	return collect(rows, err, scanUser)
}

// UserByEmail returns the account and its password hash; disabled accounts, too. NotFound when there is none.
func (s *Store) UserByEmail(ctx context.Context, email string) (u caseload.User, passwordHash string, err error) {
	defer explain("find a user", &err)
	u, passwordHash, err = scanUserAnd(s.reader.QueryRowContext(ctx,
		`SELECT `+userColumns+`, password_hash FROM users WHERE email = $1`, Email(email)).Scan)
	return u, passwordHash, noRow(err, "account")
}

// ChangeUser sets the name, role and whether the account is disabled, within the admin's organization. Disabling ends
// the user's sessions. Conflict when no enabled administrator would be left.
func (s *Store) ChangeUser(ctx context.Context, admin caseload.User, id caseload.UserID, name string, role caseload.Role, disabled bool) (err error) {
	defer explain("change a user", &err)
	if !role.Valid() {
		return caseload.Errorf(caseload.Invalid, "The role is admin, member or viewer.").WithField("role")
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.lockUsers(ctx, admin.Organization); err != nil {
			return err
		}
		u, err := scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1 AND organization_id = $2`,
			string(id), string(admin.Organization)).Scan)
		if err != nil {
			return noRow(err, "user")
		}
		var others int64
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM users
			WHERE organization_id = $1 AND role = 'admin' AND disabled_at = 0 AND id <> $2`,
			string(admin.Organization), string(id)).Scan(&others); err != nil {
			return err
		}
		if others == 0 && u.Role == caseload.Admin && !u.Disabled && (role != caseload.Admin || disabled) {
			return conflict("This is the organization's last administrator.").
				WithHint("Make someone else an administrator first.")
		}
		disabledAt := int64(0)
		if disabled {
			disabledAt = toMS(t.now)
		}
		if _, err := t.ExecContext(ctx, `UPDATE users SET name = $2, role = $3, disabled_at = $4 WHERE id = $1`,
			string(id), strings.TrimSpace(text(name)), string(role), disabledAt); err != nil {
			return err
		}
		action := caseload.UserChanged
		if disabled && !u.Disabled {
			action = caseload.UserDisabled
		}
		if disabled {
			if _, err := t.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = $1`, string(id)); err != nil {
				return err
			}
		}
		return t.record(ctx, admin.Organization, newEvent(string(admin.ID), action, "", "",
			detail{"user": id, "role": role, "disabled": disabled}))
	})
}

// lockUsers keeps the organization's accounts until the transaction ends, always in the same order.
func (t *tx) lockUsers(ctx context.Context, org caseload.OrganizationID) error {
	rows, err := t.QueryContext(ctx, t.locked(`SELECT id FROM users WHERE organization_id = $1 ORDER BY id`), string(org))
	_, err = collect(rows, err, func(scan func(...any) error) (id string, err error) { return id, scan(&id) })
	return err
}

// SetPassword replaces the password's hash and ends every session of the user but those with the token hashes in keep
// (the one the password was changed in). actor is a user id, or "" for the system. NotFound when there is no such user.
func (s *Store) SetPassword(ctx context.Context, actor string, id caseload.UserID, passwordHash string, keep ...[]byte) (err error) {
	defer explain("set a password", &err)
	if passwordHash == "" {
		return errors.New("no password hash")
	}
	return s.write(ctx, func(t *tx) error {
		var org caseload.OrganizationID
		err := t.QueryRowContext(ctx, `UPDATE users SET password_hash = $2 WHERE id = $1 RETURNING organization_id`,
			string(id), passwordHash).Scan(&org)
		if err != nil {
			return noRow(err, "user")
		}
		sessions, args := `DELETE FROM sessions WHERE user_id = $1`, []any{string(id)}
		for _, hash := range keep {
			args = append(args, hex.EncodeToString(hash))
			sessions += ` AND token_hash <> $` + strconv.Itoa(len(args))
		}
		if _, err := t.ExecContext(ctx, sessions, args...); err != nil {
			return err
		}
		return t.record(ctx, org, newEvent(actor, caseload.PasswordChanged, "", "", detail{"user": id}))
	})
}
