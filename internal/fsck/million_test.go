package fsck_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
	"dcdentals.com/caseload/internal/memtest"
	"dcdentals.com/caseload/internal/store"
)

// synthetic lists so many objects without keeping any; every 100,000th is another than was verified, and one is nobody's.
type synthetic struct{ keys int }

func (s synthetic) object(n int) caseload.Object {
	o := caseload.Object{Key: caseload.ObjectKey(fmt.Sprintf("f%032d", n)), Size: 1, ETag: "e"}
	if n%100_000 == 0 {
		o.ETag = "another"
	}
	return o
}

func (s synthetic) Walk(_ context.Context, _ caseload.ObjectKey, visit func(caseload.Object, time.Time) error) error {
	for n := 1; n <= s.keys+1; n++ {
		if err := visit(s.object(n), time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func (s synthetic) Head(_ context.Context, key caseload.ObjectKey, _ string) (caseload.Object, error) {
	n, err := strconv.Atoi(strings.TrimLeft(string(key[1:]), "0"))
	return s.object(n), err
}

func (synthetic) Stream(context.Context, caseload.Object) (io.ReadCloser, error) {
	return nil, caseload.Errorf(caseload.NotFound, "synthetic")
}

// BenchmarkFsck holds CASELOAD_BENCH_KEYS (2,000) rows in SQLite against as many synthetic objects, then asks for oddities.
// It tells keys per second and the most anonymous memory (package memtest) that the process held from the first key to the
// last oddity.
func BenchmarkFsck(b *testing.B) {
	keys := memtest.Keys(b)
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
	memtest.Fill(b, db.DB(), c, keys, strings.Repeat("0", 64), "AAAAAAAAAAA=")
	debug.FreeOSMemory()
	stop := memtest.Watch(b)
	for b.Loop() {
		found, begun := 0, time.Now()
		s := &fsck.Service{
			Rows: db, Objects: synthetic{keys}, Now: time.Now, Said: func(fsck.Finding) { found++ },
		}
		r, err := s.Run(b.Context())
		if err != nil || r.Files != int64(keys) || r.Objects != int64(keys)+1 || found != keys/100_000+1 {
			b.Fatalf("%+v, %d found (%v)", r, found, err)
		}
		b.ReportMetric(float64(keys)/time.Since(begun).Seconds(), "keys/s")
	}
	b.ReportMetric(float64(stop())/(1<<20), "MiB-anonymous")
}
