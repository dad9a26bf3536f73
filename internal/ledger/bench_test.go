package ledger

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/memtest"
)

// synthetic lists so many keys without keeping any of them, each an object of 500,000 bytes; every 100,000th is nobody's. With
// versions there lie a replaced version of 7 bytes and a delete marker beneath each.
type synthetic struct {
	keys     int
	versions bool
}

// deep is how many entries a key has.
func (s synthetic) deep() int {
	if s.versions {
		return 3
	}
	return 1
}

func syntheticKey(n int) caseload.ObjectKey { return caseload.ObjectKey(fmt.Sprintf("f%032d", n)) }

func (s synthetic) KeepsVersions(context.Context) (bool, error) { return s.versions, nil }

func (s synthetic) List(_ context.Context, after caseload.Mark, _ bool, limit int) (page []caseload.Listed, more bool, err error) {
	from := 0 // of all entries
	if after.Key != "" {
		n, err := strconv.Atoi(strings.TrimLeft(string(after.Key[1:]), "0"))
		if err != nil {
			return nil, false, err
		}
		from = n * s.deep()
		if after.ID != "" {
			from = (n-1)*s.deep() + int(after.ID[0]-'0') + 1
		}
	}
	all, limit := s.keys*s.deep(), limit/s.deep()*s.deep() // whole keys
	for n := from; n < all && len(page) < limit; n++ {
		o := caseload.Listed{Mark: caseload.Mark{Key: syntheticKey(1 + n/s.deep())}}
		if s.versions {
			o.ID = strconv.Itoa(n % 3)
		}
		switch n % s.deep() {
		case 0:
			o.Current, o.Size = true, 500_000
		case 1:
			o.Size = 7
		default:
			o.Hides = true
		}
		page = append(page, o)
	}
	return page, from+len(page) < all, nil
}

func (synthetic) ListUploads(context.Context, caseload.Mark, int) ([]caseload.ListedUpload, bool, error) {
	return nil, false, nil
}

func (synthetic) ListParts(context.Context, caseload.ObjectKey, string) ([]caseload.Part, error) {
	return nil, orNotFound(nil)
}

func (synthetic) Head(context.Context, caseload.ObjectKey, string) (caseload.Object, error) {
	return caseload.Object{}, orNotFound(nil)
}

// BenchmarkLedger compares CASELOAD_BENCH_KEYS (20,000) keys with as many rows in SQLite, stops half-way and goes on as
// another process would. It tells keys per second and the most anonymous memory (package memtest) that the process held meanwhile.
func BenchmarkLedger(b *testing.B) {
	b.Run("objects", func(b *testing.B) { benchLedger(b, false) })
	b.Run("versions", func(b *testing.B) { benchLedger(b, true) })
}

func benchLedger(b *testing.B, versions bool) {
	keys := 20_000
	if said := os.Getenv("CASELOAD_BENCH_KEYS"); said != "" {
		var err error
		if keys, err = strconv.Atoi(said); err != nil {
			b.Fatal(err)
		}
	}
	w := newWorld(b, 1, versions)
	listed := synthetic{keys, versions}
	w.fill(keys)
	debug.FreeOSMemory()
	stop := memtest.Watch(b)
	for b.Loop() {
		s := w.service()
		s.sizes, s.Objects = nil, listed
		half, enough := context.WithCancel(b.Context())
		begun := time.Now()
		_, err := s.Run(half, func(l caseload.Ledger) {
			if l.Keys >= int64(keys*listed.deep()/2) {
				enough()
			}
		})
		enough()
		if err == nil {
			b.Fatal("it was not stopped half-way")
		}
		again := w.service()
		again.sizes, again.Objects = nil, listed
		l, err := again.Run(b.Context(), func(caseload.Ledger) {})
		must(b, err)
		if l.Keys != int64(keys*listed.deep()) {
			b.Fatalf("%d keys were compared, want %d", l.Keys, keys*listed.deep())
		}
		b.ReportMetric(float64(l.Keys)/time.Since(begun).Seconds(), "keys/s")
	}
	b.ReportMetric(float64(stop())/(1<<20), "MiB-anonymous")
	u, err := w.store.UsageOfAll(b.Context())
	must(b, err)
	var objects, bytes int64
	for _, sum := range u.Sums {
		if sum.Source == caseload.SourceObject {
			objects, bytes = objects+sum.Objects, bytes+sum.Bytes
		}
	}
	strange := keys / 100_000
	if versions {
		strange *= 2 // and the version beneath
	}
	if objects != int64(keys) || bytes != int64(keys)*500_000 || len(u.Lines) != strange {
		b.Fatalf("%d objects, %d bytes, %d lines; want %d, %d, %d", objects, bytes, len(u.Lines), keys, int64(keys)*500_000, strange)
	}
}

// fill makes the rows of all synthetic objects but every 100,000th, in one statement.
func (w *world) fill(keys int) {
	w.t.Helper()
	version := ""
	if w.bucket.versions {
		version = "0"
	}
	_, err := w.store.DB().ExecContext(context.Background(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint, state, route, object, part_size,
			sent_bytes, deadline, crc64nvme, etag, version_id, sha256, kind, created_by, created_at, changed_at, stored_at, metadata_at, ready_at)
		SELECT printf('%026d', i), $2, $3, 'x', '', 500000, '', 0, '', 'ready', 'small', printf('f%032d', i), 0, 500000, 0, 'c' || i, 'e', $5,
			printf('%064d', 0), 'zip', $4, 1, 1, 1, 1, 1 FROM n WHERE i % 100000 <> 0`,
		keys, string(w.users[0].Organization), string(w.cases[0].ID), string(w.users[0].ID), version)
	must(w.t, err)
}
