package store

import (
	"context"
	"time"
)

// EndLeases ends the lease of every reading, and the claim of every preview, as of now, so that each can be taken over at once. It is for the one process
// of a SQLite database, before its workers start: whoever held the leases is gone.
func (s *Store) EndLeases(ctx context.Context, now time.Time) (err error) {
	defer explain("end leases", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `UPDATE files SET reading_until = $1, deadline = $1 WHERE state = 'reading'`, toMS(now))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE previews SET working_until = 0 WHERE working_until > 0`)
		return err
	})
}
