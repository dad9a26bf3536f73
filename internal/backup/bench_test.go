package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
)

// bench is an embedded set-up of its own: a database and the store's folder.
type bench struct {
	*testing.T
	data, backups string
	db            *store.Store
	folder        *objectstore.Folder
	admin         caseload.User
	c             caseload.Case
	at            time.Time
	contents      map[caseload.ObjectKey]string // of what was acknowledged
	troubles      []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		T: t, data: t.TempDir(), backups: filepath.Join(t.TempDir(), "backups"),
		at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), contents: map[caseload.ObjectKey]string{},
	}
	var err error
	b.db, err = store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(b.data, "caseload.db"), Now: func() time.Time { return b.at }})
	b.must(err)
	t.Cleanup(func() { _ = b.db.Close() })
	b.must(b.db.Migrate(t.Context()))
	b.db.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil })
	b.admin, err = b.db.CreateFirstAdmin(t.Context(), "Clinic", caseload.User{Email: "ada@clinic.example", Name: "Ada"}, "hash")
	b.must(err)
	b.c, err = b.db.CreateCase(t.Context(), b.admin, caseload.Case{Number: "2026-0001", Patient: "Phantom"})
	b.must(err)
	b.folder, err = objectstore.NewFolder(t.Context(), filepath.Join(b.data, "store"), nil)
	b.must(err)
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// receive stores a file and reads it whole.
func (b *bench) receive() caseload.File {
	b.Helper()
	ctx := b.Context()
	b.at = b.at.Add(time.Second)
	content := strings.Repeat(fmt.Sprintf("%d ", len(b.contents)), 50)
	placed, _, err := b.db.PlanFiles(ctx, b.admin, b.c.ID, "", []caseload.Proposal{{File: caseload.File{
		ID: caseload.NewID[caseload.FileID](b.at), Case: b.c.ID, Name: "scan.bin", Size: int64(len(content)), Route: caseload.Small,
		State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.at.Add(time.Hour),
	}}})
	b.must(err)
	f := placed[0].File
	_, err = b.db.BeginSending(ctx, f.ID, string(b.admin.ID), "", b.at.Add(time.Hour))
	b.must(err)
	crc := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, []byte(content)))
	b.must(b.folder.Place(ctx, f.Object, strings.NewReader(content), map[string][]byte{
		"etag": []byte("etag"), "checksums": []byte(`{"CRC64NVME":"` + crc + `"}`),
	}))
	o, err := b.folder.Head(ctx, f.Object, "")
	b.must(err)
	_, err = b.db.MarkStored(ctx, string(b.admin.ID), []caseload.Seen{{File: f.ID, Object: o}})
	b.must(err)
	read, err := b.db.StartReading(ctx, f.ID, "worker", b.at, b.at.Add(time.Minute))
	b.must(err)
	sum := sha256.Sum256([]byte(content))
	b.must(b.db.SaveMetadata(ctx, f.ID, read.Attempt, caseload.Findings{Kind: caseload.KindOther}))
	b.must(b.db.FinishReading(ctx, f.ID, read.Attempt, caseload.Receipt{SHA256: hex.EncodeToString(sum[:])}))
	b.contents[f.Object] = content
	return f
}

// erase deletes a file with no window at all, and carries the erasure out as the sweep does.
func (b *bench) erase(f caseload.File) {
	b.Helper()
	b.must(b.db.DeleteFile(b.Context(), b.admin, f.ID, caseload.EraseAt{Kept: b.at, Partial: b.at}))
	_, err := b.db.ReleaseTrash(b.Context(), b.admin.Organization, b.at)
	b.must(err)
	in, ok, err := b.db.ClaimIntent(b.Context(), b.at)
	if err != nil || !ok || in.Object != f.Object {
		b.Fatalf("intent %+v, due %v (%v)", in, ok, err)
	}
	b.must(os.Remove(b.path(f)))
	b.must(b.db.FinishIntent(b.Context(), in.ID))
	delete(b.contents, f.Object)
}

func (b *bench) path(f caseload.File) string {
	return filepath.Join(b.data, "store", "objects", "caseload-files", string(f.Object))
}

func (b *bench) service() *backup.Service {
	b.troubles = nil
	return &backup.Service{
		Copy: b.db.CopyTo, Objects: b.folder, Names: objectstore.NamesAfter, Now: func() time.Time { return b.at },
		Open: func(ctx context.Context, path string) (backup.Rows, error) { return store.OpenCopy(ctx, path) },
		Said: func(t backup.Trouble) { b.troubles = append(b.troubles, t.Text) },
	}
}

func (b *bench) take() backup.Report {
	b.Helper()
	b.at = b.at.Add(time.Second)
	r, err := b.service().Take(b.Context(), b.backups)
	b.must(err)
	return r
}

// restored brings the newest backup back and compares every acknowledged file with what was sent.
func (b *bench) restored() {
	b.Helper()
	latest, err := backup.Latest(b.backups)
	b.must(err)
	data := filepath.Join(b.TempDir(), "data")
	r, err := b.service().Restore(b.Context(), latest, data, target)
	b.must(err)
	folder, err := objectstore.OpenFolder(filepath.Join(data, "store"))
	b.must(err)
	for key, want := range b.contents {
		o, err := folder.Head(b.Context(), key, "")
		b.must(err)
		body, err := folder.Stream(b.Context(), o)
		b.must(err)
		got, err := io.ReadAll(body)
		b.must(errors.Join(err, body.Close()))
		if string(got) != want || o.ETag != "etag" || o.CRC64NVME == "" {
			b.Errorf("object %s came back as %d bytes, ETag %q, CRC %q", key, len(got), o.ETag, o.CRC64NVME)
		}
	}
	if r.Objects < int64(len(b.contents)) || r.Trouble != 0 {
		b.Errorf("%+v for %d files", r, len(b.contents))
	}
}

func target(ctx context.Context, dir string) (backup.Target, error) {
	return objectstore.NewFolder(ctx, dir, nil)
}

// source is the store's folder with something happening at a read.
type source struct {
	*objectstore.Folder
	read func(key caseload.ObjectKey) error
}

func (s source) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	if err := s.read(o.Key); err != nil {
		return nil, err
	}
	return s.Folder.Stream(ctx, o)
}

// flip changes one byte of a file.
func (b *bench) flip(path string) {
	b.Helper()
	content, err := os.ReadFile(path)
	b.must(err)
	content = bytes.Clone(content)
	content[len(content)/2] ^= 1
	b.must(os.Remove(path)) // not the file that a link shares
	b.must(os.WriteFile(path, content, 0o600))
}
