package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
)

// SessionAlive answers as Session does, without the user and without noting a use: a page that is only being told of
// changes does not keep its session alive.
func (s *Store) SessionAlive(ctx context.Context, tokenHash []byte, now time.Time, idle time.Duration) (err error) {
	defer explain("look at a session", &err)
	var seen, ends, disabled int64
	err = s.reader.QueryRowContext(ctx, `SELECT s.last_seen_at, s.ends_at, u.disabled_at
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1`, hex.EncodeToString(tokenHash)).Scan(&seen, &ends, &disabled)
	if errors.Is(err, sql.ErrNoRows) || err == nil && (disabled != 0 || toMS(now) >= ends || now.Sub(fromMS(seen)) > idle) {
		return unauthenticated()
	}
	return err
}
