package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// bench is one migrated database with a clinic in it, and what a test needs to move files through it.
type bench struct {
	t     testing.TB
	s     *Store
	url   string
	admin caseload.User // of the clinic
	other caseload.User // an administrator of another organization

	mu    sync.Mutex
	at    time.Time
	asked []caseload.FileID // what the queue was asked for in transactions that were committed or not
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

// inAnHour is when what a test deletes is due, whatever it was.
func (b *bench) inAnHour() caseload.EraseAt {
	at := b.now().Add(time.Hour)
	return caseload.EraseAt{Kept: at, Partial: at}
}

func (b *bench) enqueued() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

func newBench(t testing.TB, url string) *bench {
	t.Helper()
	b := &bench{t: t, url: url, at: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	s, err := Open(t.Context(), Config{URL: url, Now: b.now})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(t.Context()))
	s.SetEnqueue(func(_ context.Context, conn *sql.Conn, tx *sql.Tx, ids []caseload.FileID) error {
		if conn == nil || tx == nil {
			return fmt.Errorf("the hook needs the connection and the transaction")
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked = append(b.asked, ids...)
		return nil
	})
	b.s = s
	b.admin, err = s.CreateFirstAdmin(t.Context(), "Clinic", caseload.User{Email: "ada@clinic.example", Name: "Ada"}, "hash")
	must(t, err)
	org, err := s.CreateOrganization(t.Context(), "Other clinic")
	must(t, err)
	b.other, err = s.CreateUser(t.Context(), "", caseload.User{Organization: org.ID, Email: "eve@other.example", Role: caseload.Admin}, "hash")
	must(t, err)
	return b
}

func sqliteURL(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "caseload.db")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err carries the kind.
func wantKind(t testing.TB, err error, kind caseload.Kind) {
	t.Helper()
	if err == nil || caseload.KindOf(err) != kind {
		t.Fatalf("got error %v, want one of kind %v", err, kind)
	}
}

func (b *bench) newCase(number, patient string) caseload.Case {
	b.t.Helper()
	c, err := b.s.CreateCase(b.t.Context(), b.admin, caseload.Case{Number: number, Patient: patient})
	must(b.t, err)
	return c
}

// plan plans one file for each name, 1,000 bytes long and small.
func (b *bench) plan(c caseload.CaseID, names ...string) []caseload.File {
	b.t.Helper()
	files := make([]caseload.File, len(names))
	for i, name := range names {
		files[i] = caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Case: c, Name: name, Size: 1000, Route: caseload.Small,
			State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		}
	}
	b.propose(c, "", files...)
	return files
}

// propose plans the files as they stand and returns what became of each.
func (b *bench) propose(c caseload.CaseID, drop caseload.DropID, files ...caseload.File) []caseload.Placed {
	b.t.Helper()
	proposals := make([]caseload.Proposal, len(files))
	for i, f := range files {
		proposals[i].File = f
	}
	placed, _, err := b.s.PlanFiles(b.t.Context(), b.admin, c, drop, proposals)
	must(b.t, err)
	return placed
}

// as moves a fresh file of the case into the state.
func (b *bench) as(c caseload.CaseID, state caseload.State) caseload.File {
	b.t.Helper()
	ctx := b.t.Context()
	f := b.plan(c, "scan.zip")[0]
	step := func(err error) { b.t.Helper(); must(b.t, err) }
	send := func() {
		_, err := b.s.BeginSending(ctx, f.ID, string(b.admin.ID), "", b.now().Add(time.Hour))
		step(err)
	}
	store := func() { send(); b.stored(f) }
	read := func() caseload.File {
		store()
		read, err := b.s.StartReading(ctx, f.ID, "worker", b.now(), b.now().Add(30*time.Second))
		step(err)
		return read
	}
	switch state {
	case caseload.Planned:
	case caseload.Sending:
		send()
	case caseload.Stored:
		store()
	case caseload.Reading:
		read()
	case caseload.Ready:
		step(b.s.SaveMetadata(ctx, f.ID, read().Attempt, caseload.Findings{Kind: caseload.KindOther}))
		step(b.s.FinishReading(ctx, f.ID, 1, caseload.Receipt{SHA256: strings.Repeat("a", 64)}))
	case caseload.Rejected:
		step(b.s.Reject(ctx, f.ID, read().Attempt, "It cannot be read."))
	case caseload.Abandoned:
		step(b.abandon(f).Err)
	case caseload.Deleted:
		step(b.s.DeleteFile(ctx, b.admin, f.ID, b.inAnHour()))
	}
	var stands caseload.File
	stands, err := scanFile(b.s.reader.QueryRowContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.id = $1`, string(f.ID)).Scan)
	step(err)
	if stands.State != state {
		b.t.Fatalf("the file is %s, want %s", stands.State, state)
	}
	return stands
}

// seen is what the store would be seen to hold for the file.
func seen(f caseload.File) caseload.Object {
	return caseload.Object{Key: f.Object, Size: f.Size, CRC64NVME: "AAAAAAAAAAA=", ETag: "etag"}
}

// markStored is MarkStored of one file.
func (b *bench) markStored(f caseload.File, o caseload.Object) (caseload.File, bool, error) {
	outcomes, err := b.s.MarkStored(b.t.Context(), string(b.admin.ID), []caseload.Seen{{File: f.ID, Object: o}})
	if err != nil {
		return caseload.File{}, false, err
	}
	return outcomes[0].File, outcomes[0].Won, outcomes[0].Err
}

func (b *bench) stored(f caseload.File) {
	b.t.Helper()
	_, won, err := b.markStored(f, seen(f))
	must(b.t, err)
	if !won {
		b.t.Fatal("MarkStored did not win")
	}
}

// abandon marks one file abandoned.
func (b *bench) abandon(f caseload.File) caseload.Outcome {
	outcomes, err := b.s.MarkAbandoned(b.t.Context(), []caseload.FileID{f.ID}, "", "It never arrived.", b.now().Add(time.Hour))
	if err != nil {
		return caseload.Outcome{Err: err}
	}
	return outcomes[0]
}
