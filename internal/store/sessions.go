package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// touchEvery is how often a session's or token's last use is written at most.
const touchEvery = time.Minute

func unauthenticated() error {
	return caseload.Errorf(caseload.Unauthenticated, "You are not signed in.").WithHint("Sign in and try again.")
}

// CreateSession keeps a session under the hash of its token. Sessions that have ended are removed on the way.
func (s *Store) CreateSession(ctx context.Context, tokenHash []byte, user caseload.UserID, now, absoluteUntil time.Time) (err error) {
	defer explain("create a session", &err)
	return s.write(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM sessions WHERE ends_at <= $1`, toMS(now)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, ends_at)
			VALUES ($1, $2, $3, $4, $5)`, hex.EncodeToString(tokenHash), string(user), toMS(now), toMS(now), toMS(absoluteUntil))
		return err
	})
}

// Session returns whose session it is and notes its use, at most once a minute. Unauthenticated when there is none, it
// has ended, was idle longer than idle, or the user is disabled.
func (s *Store) Session(ctx context.Context, tokenHash []byte, now time.Time, idle time.Duration) (u caseload.User, err error) {
	defer explain("read a session", &err)
	key := hex.EncodeToString(tokenHash)
	var seen, ends int64
	u, err = scanUser(func(into ...any) error {
		return s.reader.QueryRowContext(ctx, `SELECT u.id, u.organization_id, u.email, u.name, u.role, u.disabled_at, u.created_at,
			u.last_seen_at, s.last_seen_at, s.ends_at
			FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1`, key).Scan(append(into, &seen, &ends)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return caseload.User{}, unauthenticated()
	}
	if err != nil {
		return caseload.User{}, err
	}
	if u.Disabled || toMS(now) >= ends || now.Sub(fromMS(seen)) > idle {
		return caseload.User{}, unauthenticated()
	}
	if now.Sub(fromMS(seen)) >= touchEvery {
		s.note(ctx, func(ctx context.Context, t *tx) error {
			if _, err := t.ExecContext(ctx, `UPDATE sessions SET last_seen_at = $2 WHERE token_hash = $1`, key, toMS(now)); err != nil {
				return err
			}
			_, err := t.ExecContext(ctx, `UPDATE users SET last_seen_at = $2 WHERE id = $1`, string(u.ID), toMS(now))
			return err
		})
	}
	return u, nil
}

// EndSession removes the session and writes the SignedOut event; a session that is not there is no error.
func (s *Store) EndSession(ctx context.Context, tokenHash []byte) (err error) {
	defer explain("end a session", &err)
	return s.write(ctx, func(t *tx) error {
		var user caseload.UserID
		err := t.QueryRowContext(ctx, `DELETE FROM sessions WHERE token_hash = $1 RETURNING user_id`, hex.EncodeToString(tokenHash)).Scan(&user)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var org caseload.OrganizationID
		if err := t.QueryRowContext(ctx, `SELECT organization_id FROM users WHERE id = $1`, string(user)).Scan(&org); err != nil {
			return err
		}
		return t.record(ctx, org, newEvent(string(user), caseload.SignedOut, "", "", nil))
	})
}
