package store

import (
	"context"
	"database/sql"
	"errors"
	"sort"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Failed sign-ins are counted per key; a door uses one key for the account and one for the address it was tried from.
// Up to five failures within fifteen minutes cost nothing. From then on each one doubles a wait, five seconds at first,
// fifteen minutes at most, which a key leaves behind by thirty quiet minutes or by signing in.
const (
	freeFailures   = 5
	failureWindow  = 15 * time.Minute
	failureMemory  = 30 * time.Minute
	firstDelay     = 5 * time.Second
	longestDelay   = 15 * time.Minute
	failuresKeptOn = 24 * time.Hour
)

type failures struct {
	count       int64
	first, last time.Time
}

// forgotten tells whether the next failure starts the count anew.
func (f failures) forgotten(now time.Time) bool {
	if f.count >= freeFailures {
		return now.Sub(f.last) > failureMemory
	}
	return now.Sub(f.first) > failureWindow
}

// wait returns how long the key still has to wait at now.
func (f failures) wait(now time.Time) time.Duration {
	if f.count < freeFailures || f.forgotten(now) {
		return 0
	}
	delay := longestDelay
	if doublings := f.count - freeFailures; doublings < 10 {
		delay = min(firstDelay<<doublings, longestDelay)
	}
	return max(0, f.last.Add(delay).Sub(now))
}

func readFailures(ctx context.Context, q querier, query, key string) (f failures, err error) {
	var first, last int64
	err = q.QueryRowContext(ctx, query, key).Scan(&f.count, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return failures{}, nil
	}
	f.first, f.last = fromMS(first), fromMS(last)
	return f, err
}

const selectFailures = `SELECT failures, first_at, last_at FROM sign_in_failures WHERE key = $1`

// SignInAllowed returns how long the key has to wait before the next try; 0 when it may try now.
func (s *Store) SignInAllowed(ctx context.Context, key string, now time.Time) (retryAfter time.Duration, err error) {
	defer explain("read failed sign-ins", &err)
	f, err := readFailures(ctx, s.reader, selectFailures, text(key))
	return f.wait(now), err
}

// SignInFailed counts one failure for each key, and writes the SignInFailed event when the address has an account.
func (s *Store) SignInFailed(ctx context.Context, keys []string, email string, now time.Time) (err error) {
	defer explain("count a failed sign-in", &err)
	keys = append([]string(nil), keys...)
	sort.Strings(keys) // one order for the locks
	return s.write(ctx, func(t *tx) error {
		for _, key := range keys {
			f, err := readFailures(ctx, t, t.locked(selectFailures), text(key))
			if err != nil {
				return err
			}
			if f.count == 0 || f.forgotten(now) {
				f = failures{first: now}
			}
			if _, err := t.ExecContext(ctx, `INSERT INTO sign_in_failures (key, failures, first_at, last_at) VALUES ($1, 1, $2, $3)
				ON CONFLICT (key) DO UPDATE SET failures = $4, first_at = $2, last_at = $3`,
				text(key), toMS(f.first), toMS(now), f.count+1); err != nil {
				return err
			}
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM sign_in_failures WHERE last_at < $1`, toMS(now.Add(-failuresKeptOn))); err != nil {
			return err
		}
		u, err := scanUser(t.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE email = $1`, Email(email)).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.record(ctx, u.Organization, newEvent("", caseload.SignInFailed, "", "", detail{"user": u.ID}))
	})
}

// SignInSucceeded forgets the keys' failures, notes the moment and writes the SignedIn event. Give it the account's key
// only: an address does not become trustworthy by one account that signs in from it.
func (s *Store) SignInSucceeded(ctx context.Context, keys []string, user caseload.User) (err error) {
	defer explain("note a sign-in", &err)
	return s.write(ctx, func(t *tx) error {
		for _, key := range keys {
			if _, err := t.ExecContext(ctx, `DELETE FROM sign_in_failures WHERE key = $1`, text(key)); err != nil {
				return err
			}
		}
		n, err := t.exec(ctx, `UPDATE users SET last_seen_at = $3 WHERE id = $1 AND organization_id = $2`,
			string(user.ID), string(user.Organization), toMS(t.now))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("user")
		}
		return t.record(ctx, user.Organization, newEvent(string(user.ID), caseload.SignedIn, "", "", nil))
	})
}
