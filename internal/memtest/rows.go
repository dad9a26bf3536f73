package memtest

import (
	"database/sql"
	"os"
	"strconv"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

// Keys is CASELOAD_BENCH_KEYS, or few.
func Keys(b *testing.B) int {
	b.Helper()
	said := os.Getenv("CASELOAD_BENCH_KEYS")
	if said == "" {
		return 2_000
	}
	keys, err := strconv.Atoi(said)
	if err != nil {
		b.Fatal(err)
	}
	return keys
}

// Fill makes the rows of so many received files of one byte each in a SQLite database, in one statement.
func Fill(b *testing.B, db *sql.DB, c caseload.Case, keys int, sum, crc string) {
	b.Helper()
	if _, err := db.ExecContext(b.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint, state, route, object, part_size,
			sent_bytes, deadline, crc64nvme, etag, sha256, kind, created_by, created_at, changed_at, stored_at, metadata_at, ready_at)
		SELECT printf('%026d', i), $2, $3, 'x', '', 1, '', 0, '', 'ready', 'small', printf('f%032d', i), 0, 1, 0, $5, 'e',
			$6, 'zip', $4, 1, 1, 1, 1, 1 FROM n`,
		keys, string(c.Organization), string(c.ID), string(c.CreatedBy), crc, sum); err != nil {
		b.Fatal(err)
	}
}
