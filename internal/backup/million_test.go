package backup_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/memtest"
	"dcdentals.com/caseload/internal/store"
)

// synthetic holds the same byte under every key.
type synthetic struct{}

func (synthetic) Stream(context.Context, caseload.Object) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("x")), nil
}

func (synthetic) Attributes(caseload.ObjectKey) (map[string][]byte, error) {
	return map[string][]byte{"etag": []byte("e")}, nil
}

// BenchmarkBackup backs CASELOAD_BENCH_KEYS (2,000) files of one byte up twice: all of them are copied, then linked. It tells
// objects per second of both, and the most anonymous memory (package memtest) that the process held meanwhile.
func BenchmarkBackup(b *testing.B) {
	keys := benchKeys(b)
	db, err := store.Open(b.Context(), store.Config{URL: "sqlite:" + b.TempDir() + "/caseload.db"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil })
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	admin, err := db.CreateFirstAdmin(b.Context(), "Clinic", caseload.User{Email: "a@clinic.example"}, "hash")
	if err != nil {
		b.Fatal(err)
	}
	c, err := db.CreateCase(b.Context(), admin, caseload.Case{Number: "1"})
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	fill(b, db, c, keys, hex.EncodeToString(sum[:]), caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, []byte("x"))))
	debug.FreeOSMemory()
	stop := memtest.Watch(b)
	for b.Loop() {
		dir, begun := filepath.Join(b.TempDir(), "backups"), time.Now()
		for round := range 2 {
			s := &backup.Service{
				Copy: db.CopyTo, Objects: synthetic{}, Now: time.Now, Said: func(t backup.Trouble) { b.Error(t) },
				Open: func(ctx context.Context, path string) (backup.Rows, error) { return store.OpenCopy(ctx, path) },
			}
			r, err := s.Take(b.Context(), dir)
			if err != nil || r.Objects != int64(keys) || (r.Copied == 0) != (round == 1) {
				b.Fatalf("%+v (%v)", r, err)
			}
		}
		b.ReportMetric(float64(2*keys)/time.Since(begun).Seconds(), "objects/s")
	}
	b.ReportMetric(float64(stop())/(1<<20), "MiB-anonymous")
}

// benchKeys is CASELOAD_BENCH_KEYS, or few.
func benchKeys(b *testing.B) int {
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

// fill makes the rows of so many received files of one byte each, in one statement.
func fill(b *testing.B, db *store.Store, c caseload.Case, keys int, sum, crc string) {
	b.Helper()
	if _, err := db.DB().ExecContext(b.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint, state, route, object, part_size,
			sent_bytes, deadline, crc64nvme, etag, sha256, kind, created_by, created_at, changed_at, stored_at, metadata_at, ready_at)
		SELECT printf('%026d', i), $2, $3, 'x', '', 1, '', 0, '', 'ready', 'small', printf('f%032d', i), 0, 1, 0, $5, 'e',
			$6, 'zip', $4, 1, 1, 1, 1, 1 FROM n`,
		keys, string(c.Organization), string(c.ID), string(c.CreatedBy), crc, sum); err != nil {
		b.Fatal(err)
	}
}
