package fsck_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onBoth runs the test on a fresh database of each engine.
func onBoth(t *testing.T, test func(b *bench)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "caseload.db"))) })
	t.Run("postgres", func(t *testing.T) { test(newBench(t, pgtest.URL(t))) })
}

// bench is a database and an embedded store's folder, which fit each other until the test damages one.
type bench struct {
	*testing.T
	url    string
	db     *store.Store
	dir    string // of the store
	folder *objectstore.Folder
	admin  caseload.User
	at     time.Time
	sent   int
}

func newBench(t *testing.T, url string) *bench {
	t.Helper()
	b := &bench{T: t, url: url, dir: t.TempDir(), at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	var err error
	b.db, err = store.Open(t.Context(), store.Config{URL: url, Now: func() time.Time { return b.at }})
	b.must(err)
	t.Cleanup(func() { _ = b.db.Close() })
	b.must(b.db.Migrate(t.Context()))
	b.db.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil })
	b.admin, err = b.db.CreateFirstAdmin(t.Context(), "Clinic", caseload.User{Email: "ada@clinic.example", Name: "Ada"}, "hash")
	b.must(err)
	b.folder, err = objectstore.NewFolder(t.Context(), b.dir, nil)
	b.must(err)
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// place puts an object into the folder as the gateway would.
func (b *bench) place(key caseload.ObjectKey, content []byte) caseload.Object {
	b.Helper()
	crc := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, content))
	b.must(b.folder.Place(b.Context(), key, bytes.NewReader(content), map[string][]byte{
		"etag": []byte(fmt.Sprintf("etag-%d", b.sent)), "checksums": []byte(`{"Algorithm":"CRC64NVME","Type":"FULL_OBJECT","CRC64NVME":"` + crc + `"}`),
	}))
	o, err := b.folder.Head(b.Context(), key, "")
	b.must(err)
	return o
}

// as brings a file with a case and an object of its own, where it has one, into the state.
func (b *bench) as(state caseload.State) caseload.File {
	b.Helper()
	ctx := b.Context()
	b.at, b.sent = b.at.Add(time.Second), b.sent+1
	c, err := b.db.CreateCase(ctx, b.admin, caseload.Case{Number: fmt.Sprintf("2026-%04d", b.sent), Patient: "Phantom"})
	b.must(err)
	content := []byte(strings.Repeat(fmt.Sprintf("%d ", b.sent), 100))
	placed, _, err := b.db.PlanFiles(ctx, b.admin, c.ID, "", []caseload.Proposal{{File: caseload.File{
		ID: caseload.NewID[caseload.FileID](b.at), Case: c.ID, Name: "scan.stl", Size: int64(len(content)), Route: caseload.Small,
		State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.at.Add(time.Hour),
	}}})
	b.must(err)
	f := placed[0].File
	if state == caseload.Planned {
		return f
	}
	_, err = b.db.BeginSending(ctx, f.ID, string(b.admin.ID), "", b.at.Add(time.Hour))
	b.must(err)
	if state == caseload.Sending {
		return f
	}
	o := b.place(f.Object, content)
	if state == caseload.Abandoned {
		_, err := b.db.MarkAbandoned(ctx, []caseload.FileID{f.ID}, "", "It never arrived.", b.at.Add(time.Hour))
		b.must(err)
		return b.stands(f)
	}
	_, err = b.db.MarkStored(ctx, string(b.admin.ID), []caseload.Seen{{File: f.ID, Object: o}})
	b.must(err)
	if state == caseload.Stored {
		return b.stands(f)
	}
	read, err := b.db.StartReading(ctx, f.ID, "worker", b.at, b.at.Add(time.Minute))
	b.must(err)
	switch state {
	case caseload.Reading:
	case caseload.Rejected:
		b.must(b.db.Reject(ctx, f.ID, read.Attempt, "It cannot be read."))
	default:
		sum := sha256.Sum256(content)
		b.must(b.db.SaveMetadata(ctx, f.ID, read.Attempt, caseload.Findings{Kind: caseload.KindSTL}))
		b.must(b.db.FinishReading(ctx, f.ID, read.Attempt, caseload.Receipt{SHA256: hex.EncodeToString(sum[:])}))
	}
	if state == caseload.Deleted {
		b.must(b.db.DeleteFile(ctx, b.admin, f.ID, caseload.EraseAt{Kept: b.at.Add(720 * time.Hour), Partial: b.at.Add(time.Hour)}))
	}
	return b.stands(f)
}

func (b *bench) stands(f caseload.File) caseload.File {
	b.Helper()
	f, err := b.db.FileOfObject(b.Context(), f.Object)
	b.must(err)
	return f
}

func (b *bench) path(f caseload.File) string {
	return filepath.Join(b.dir, "objects", "caseload-files", string(f.Object))
}

// meddle changes the database past every rule of the program.
func (b *bench) meddle(statement string, args ...any) {
	b.Helper()
	driver, address := "pgx", b.url
	if path, ok := strings.CutPrefix(b.url, "sqlite:"); ok {
		driver, address = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, address)
	b.must(err)
	defer db.Close()
	_, err = db.ExecContext(b.Context(), statement, args...)
	b.must(err)
}

// service looks at the bench; found collects what it says.
func (b *bench) service(found *[]fsck.Finding) *fsck.Service {
	return &fsck.Service{
		Rows: b.db, Objects: b.folder, Now: func() time.Time { return b.at },
		Said: func(f fsck.Finding) { *found = append(*found, f) },
	}
}

// run is one fsck: the kinds it found, in order, with "+" when repaired and "!" when lost.
func (b *bench) run(repair bool) (kinds []string, r fsck.Report) {
	b.Helper()
	var found []fsck.Finding
	s := b.service(&found)
	s.Repair = repair
	r, err := s.Run(b.Context())
	b.must(err)
	return marks(found), r
}

func marks(found []fsck.Finding) (kinds []string) {
	for _, f := range found {
		mark := ""
		switch {
		case f.Repaired:
			mark = "+"
		case f.Loss:
			mark = "!"
		}
		kinds = append(kinds, string(f.Kind)+mark)
	}
	slices.Sort(kinds)
	return kinds
}

// damage puts other bytes behind a file, its attributes kept.
func (b *bench) damage(f caseload.File, at int64) {
	b.Helper()
	file, err := os.OpenFile(b.path(f), os.O_RDWR, 0)
	b.must(err)
	defer file.Close()
	var one [1]byte
	_, err = file.ReadAt(one[:], at)
	b.must(err)
	one[0] ^= 1
	_, err = file.WriteAt(one[:], at)
	b.must(err)
}
