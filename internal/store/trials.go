package store

import (
	"context"
	"encoding/hex"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// BeginTrial keeps the hash of a trial's word until then. Trials that have ended are removed on the way.
func (s *Store) BeginTrial(ctx context.Context, wordHash []byte, now, until time.Time) (err error) {
	defer explain("begin a trial", &err)
	return s.write(ctx, func(t *tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM trials WHERE ends_at <= $1`, toMS(now)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO trials (word_hash, ends_at) VALUES ($1, $2)`, hex.EncodeToString(wordHash), toMS(until))
		return err
	})
}

// Trial returns NotFound unless a trial with this word is under way.
func (s *Store) Trial(ctx context.Context, wordHash []byte, now time.Time) (err error) {
	defer explain("look for a trial", &err)
	var n int
	if err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM trials WHERE word_hash = $1 AND ends_at > $2`, hex.EncodeToString(wordHash), toMS(now)).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return caseload.Errorf(caseload.NotFound, "There is nothing at this address.")
	}
	return nil
}

// EndTrial removes a trial; one that is not there is no error.
func (s *Store) EndTrial(ctx context.Context, wordHash []byte) (err error) {
	defer explain("end a trial", &err)
	return s.write(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM trials WHERE word_hash = $1`, hex.EncodeToString(wordHash))
		return err
	})
}
