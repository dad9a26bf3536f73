package backup_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/memtest"
	"dcdentals.com/caseload/internal/objectstore"
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
	keys := memtest.Keys(b)
	url := "sqlite:" + filepath.Join(b.TempDir(), "caseload.db")
	fill(b, url, keys)
	db, err := store.Open(b.Context(), store.Config{URL: url}) // anew, as the command does: with empty caches
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	debug.FreeOSMemory()
	stop := memtest.Watch(b)
	for b.Loop() {
		dir, begun := filepath.Join(b.TempDir(), "backups"), time.Now()
		for round := range 2 {
			s := &backup.Service{
				Copy: db.CopyTo, Objects: synthetic{}, Names: objectstore.NamesAfter, Now: time.Now, Said: func(t backup.Trouble) { b.Error(t) },
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

// fill makes a database with the rows of so many files.
func fill(b *testing.B, url string, keys int) {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
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
	memtest.Fill(b, db.DB(), c, keys, hex.EncodeToString(sum[:]), caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, []byte("x"))))
}
