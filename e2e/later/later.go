// Package later lets time go by for a site of the tests: what waits for a moment in its database waits that much less. It
// knows the columns that clean-up looks at. The audit log keeps its times.
package later

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Pass moves what a clean-up looks at into the past by d: ends of windows, claims, signs of life of uploads that have not
// arrived, changes and endings of cases. No process should be about to write the same rows.
func Pass(ctx context.Context, db *sql.DB, d time.Duration) error {
	ms := d.Milliseconds()
	for _, statement := range []string{
		`UPDATE intents SET due_at = due_at - %[1]d, created_at = created_at - %[1]d, claimed_until = CASE WHEN claimed_until > %[1]d THEN claimed_until - %[1]d ELSE claimed_until END`,
		`UPDATE files SET changed_at = changed_at - %[1]d, created_at = created_at - %[1]d WHERE state IN ('planned', 'sending', 'abandoned')`,
		`UPDATE cases SET changed_at = changed_at - %[1]d, finished_at = CASE WHEN finished_at > 0 THEN finished_at - %[1]d ELSE 0 END`,
	} {
		if _, err := db.ExecContext(ctx, fmt.Sprintf(statement, ms)); err != nil {
			return fmt.Errorf("let time go by: %w", err)
		}
	}
	return nil
}
