package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// powers orders the roles.
var powers = map[caseload.Role]int{caseload.Viewer: 1, caseload.Member: 2, caseload.Admin: 3}

// CreateToken keeps a bearer token of t.User ("" means the user himself) under the hash of its secret. NotFound when
// t.User is not in the user's organization.
func (s *Store) CreateToken(ctx context.Context, user caseload.User, t caseload.Token, secretHash []byte) (err error) {
	defer explain("create a token", &err)
	if t.User == "" {
		t.User = user.ID
	}
	if !t.Role.Valid() {
		return caseload.Errorf(caseload.Invalid, "The role is admin, member or viewer.").WithField("role")
	}
	return s.write(ctx, func(tx *tx) error {
		if t.ID == "" {
			t.ID = caseload.NewID[caseload.TokenID](tx.now)
		}
		n, err := tx.exec(ctx, `INSERT INTO tokens (id, user_id, name, role, secret_hash, created_at, expires_at)
			SELECT $1, id, $2, $3, $4, CAST($5 AS BIGINT), CAST($6 AS BIGINT) FROM users WHERE id = $7 AND organization_id = $8`,
			string(t.ID), strings.TrimSpace(text(t.Name)), string(t.Role), hex.EncodeToString(secretHash), toMS(tx.now),
			toMS(t.ExpiresAt), string(t.User), string(user.Organization))
		if duplicate(err) {
			return conflict("This token exists already.")
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("user")
		}
		return tx.record(ctx, user.Organization, newEvent(string(user.ID), caseload.TokenCreated, "", "",
			detail{"token": t.ID, "user": t.User, "role": t.Role}))
	})
}

const tokenColumns = `t.id, t.user_id, t.name, t.role, t.created_at, t.expires_at, t.last_used_at, t.revoked_at`

func scanToken(scan func(...any) error) (t caseload.Token, err error) {
	var created, expires, used, revoked int64
	err = scan(&t.ID, &t.User, &t.Name, &t.Role, &created, &expires, &used, &revoked)
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt, t.RevokedAt = fromMS(created), fromMS(expires), fromMS(used), fromMS(revoked)
	return t, err
}

// Tokens returns the user's own tokens; an administrator's answer holds the whole organization's. The newest first.
func (s *Store) Tokens(ctx context.Context, user caseload.User) (all []caseload.Token, err error) {
	defer explain("list tokens", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens t JOIN users u ON u.id = t.user_id
		WHERE u.organization_id = $1 AND (u.id = $2 OR $3 = 1) ORDER BY t.created_at DESC, t.id DESC`,
		string(user.Organization), string(user.ID), flag(user.Role.CanAdminister()))
	return collect(rows, err, scanToken)
}

// RevokeToken ends a token: one's own, or as an administrator any of the organization. NotFound otherwise; a token
// revoked before stays revoked.
func (s *Store) RevokeToken(ctx context.Context, user caseload.User, id caseload.TokenID) (err error) {
	defer explain("revoke a token", &err)
	return s.write(ctx, func(t *tx) error {
		var revoked int64
		err := t.QueryRowContext(ctx, `SELECT t.revoked_at FROM tokens t JOIN users u ON u.id = t.user_id
			WHERE t.id = $1 AND u.organization_id = $2 AND (u.id = $3 OR $4 = 1)`,
			string(id), string(user.Organization), string(user.ID), flag(user.Role.CanAdminister())).Scan(&revoked)
		if err != nil {
			return noRow(err, "token")
		}
		n, err := t.exec(ctx, `UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, string(id), toMS(t.now))
		if err != nil || n == 0 {
			return err
		}
		return t.record(ctx, user.Organization, newEvent(string(user.ID), caseload.TokenRevoked, "", "", detail{"token": id}))
	})
}

// TokenUser returns whose token it is, with the role lowered to the token's, and notes its use at most once a minute.
// Unauthenticated when there is none, it was revoked or has expired, or the user is disabled.
func (s *Store) TokenUser(ctx context.Context, secretHash []byte, now time.Time) (u caseload.User, t caseload.Token, err error) {
	defer explain("read a token", &err)
	key := hex.EncodeToString(secretHash)
	t, err = scanToken(s.reader.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens t WHERE t.secret_hash = $1`, key).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return u, caseload.Token{}, unauthenticated()
	}
	if err != nil {
		return u, caseload.Token{}, err
	}
	u, err = scanUser(s.reader.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, string(t.User)).Scan)
	if err != nil {
		return caseload.User{}, caseload.Token{}, err
	}
	if u.Disabled || !t.RevokedAt.IsZero() || (!t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)) {
		return caseload.User{}, caseload.Token{}, unauthenticated()
	}
	if powers[t.Role] < powers[u.Role] {
		u.Role = t.Role
	}
	if now.Sub(t.LastUsedAt) >= touchEvery {
		s.note(ctx, func(ctx context.Context, tx *tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE tokens SET last_used_at = $2 WHERE id = $1`, string(t.ID), toMS(now))
			return err
		})
	}
	return u, t, nil
}

// flag is a truth value as both engines keep it.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
