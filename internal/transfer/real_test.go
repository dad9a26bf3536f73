package transfer_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
)

// theStore is the embedded store of this test process (there can be but one) and the address it is reached at.
var theStore struct {
	*objectstore.Store
	origin string
}

func TestMain(m *testing.M) { os.Exit(runWithStore(m)) }

func runWithStore(m *testing.M) int {
	dir, err := os.MkdirTemp("", "transfer-store")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	embedded, err := objectstore.StartEmbedded(context.Background(), filepath.Join(dir, "store"), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer embedded.Close(context.Background()) //nolint:errcheck // the process ends
	server := httptest.NewServer(embedded.Handler())
	defer server.Close()
	theStore.Store, theStore.origin = embedded.Store(), server.URL
	return pgtest.Main(m)
}

// realRig is the service over a real database and the real embedded store. Its clock is set by hand.
type realRig struct {
	*transfer.Service
	t        testing.TB
	store    *store.Store
	admin    caseload.User
	viewer   caseload.User
	stranger caseload.User // admin of another organization
	c        caseload.CaseID

	mu       sync.Mutex
	offset   time.Duration
	enqueued map[caseload.FileID]int
}

// onBothEngines runs the test over SQLite and over PostgreSQL.
func onBothEngines(t *testing.T, test func(t *testing.T, r *realRig)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newRealRig(t, sqliteURL(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newRealRig(t, pgtest.URL(t))) })
}

func sqliteURL(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "caseload.db") }

func newRealRig(t testing.TB, url string) *realRig {
	t.Helper()
	r := &realRig{t: t, enqueued: map[caseload.FileID]int{}}
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{URL: url, Now: r.now, Log: slog.New(slog.DiscardHandler)})
	r.must(err)
	t.Cleanup(func() { db.Close() })
	r.must(db.Migrate(ctx))
	db.SetEnqueue(func(_ context.Context, _ *sql.Conn, _ *sql.Tx, ids []caseload.FileID) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range ids {
			r.enqueued[id]++
		}
		return nil
	})
	r.store = db
	r.Service = r.another()
	r.admin, err = db.CreateFirstAdmin(ctx, "Clinic", caseload.User{Email: "admin@clinic.example", Name: "Admin", Role: caseload.Admin}, "hash")
	r.must(err)
	r.viewer = r.admin
	r.viewer.Role = caseload.Viewer
	other, err := db.CreateOrganization(ctx, "Lab")
	r.must(err)
	r.stranger, err = db.CreateUser(ctx, caseload.SystemActor, caseload.User{Organization: other.ID, Email: "admin@lab.example", Name: "Stranger", Role: caseload.Admin}, "hash")
	r.must(err)
	r.c = r.newCase("2026-0001")
	return r
}

// another is a second process over the same database and store.
func (r *realRig) another() *transfer.Service {
	limits := caseload.DefaultLimits()
	limits.DirectThreshold = 1000
	limits.MaxFileSize = 12 << 20
	return &transfer.Service{Records: r.store, Objects: theStore, Limits: limits, Now: r.now, Log: slog.New(slog.DiscardHandler), Release: r.release}
}

// release lets all trash go whose window is over.
func (r *realRig) release(ctx context.Context) error {
	_, err := r.store.ReleaseTrash(ctx, r.admin.Organization, r.now())
	return err
}

func (r *realRig) newCase(number string) caseload.CaseID {
	r.t.Helper()
	c, err := r.store.CreateCase(context.Background(), r.admin, caseload.Case{Number: number, Patient: "Somebody"})
	r.must(err)
	return c.ID
}

func (r *realRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *realRig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

func (r *realRig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset += d
}

func (r *realRig) jobs(id caseload.FileID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.enqueued[id]
}

func (r *realRig) file(id caseload.FileID) caseload.File {
	r.t.Helper()
	f, err := r.store.File(context.Background(), r.admin, id)
	r.must(err)
	return f
}

// planned plans one file of that size.
func (r *realRig) planned(size int) caseload.File {
	r.t.Helper()
	planned, _, err := r.Plan(context.Background(), r.admin, r.c, "", []transfer.FileSpec{{Name: "스캔.bin", Size: int64(size)}})
	r.must(err)
	r.must(planned[0].Err)
	return planned[0].File
}

func partOf(f caseload.File, b []byte, n int) []byte {
	from := int64(n-1) * f.PartSize
	return b[from : from+f.PartLength(n)]
}

// signed signs one part of b.
func (r *realRig) signed(f caseload.File, b []byte, n int) (caseload.SignedRequest, error) {
	requests, err := r.Sign(context.Background(), r.admin, f.ID, theStore.origin, []transfer.PartSpec{{Number: n, CRC64NVME: checksum(partOf(f, b, n))}})
	if err != nil {
		return caseload.SignedRequest{}, err
	}
	return requests[0], nil
}

// send does what a browser does with a signed request and returns the status.
func send(t testing.TB, signed caseload.SignedRequest, body []byte) int {
	t.Helper()
	request, err := http.NewRequest(signed.Method, signed.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0 // the store hung up on a body it does not want
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body) //nolint:errcheck // only to keep the connection
	return response.StatusCode
}

// sent is a direct file whose parts are all in the store.
func (r *realRig) sent(b []byte) caseload.File {
	r.t.Helper()
	f := r.planned(len(b))
	for n := 1; n <= f.Parts(); n++ {
		signed, err := r.signed(f, b, n)
		r.must(err)
		if status := send(r.t, signed, partOf(f, b, n)); status != http.StatusOK {
			r.t.Fatalf("part %d: status %d", n, status)
		}
	}
	return f
}

func (r *realRig) receive(f caseload.File, b []byte) (caseload.File, error) {
	return r.Receive(context.Background(), r.admin, f.ID, bytes.NewReader(b), int64(len(b)), checksum(b))
}

// download follows a link.
func (r *realRig) download(id caseload.FileID) ([]byte, error) {
	r.t.Helper()
	link, err := r.Link(context.Background(), r.viewer, id, theStore.origin)
	if err != nil {
		return nil, err
	}
	response, err := http.Get(link.URL)
	r.must(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

// events counts the audit events of an action about a file.
func (r *realRig) events(id caseload.FileID, action caseload.Action) (n int) {
	r.t.Helper()
	events, err := r.store.Events(context.Background(), r.admin, store.EventQuery{File: id, Limit: 1000})
	r.must(err)
	for _, e := range events {
		if e.Action == action {
			n++
		}
	}
	return n
}

// nothingLeft checks that the store holds neither an object nor a part of the file.
func (r *realRig) nothingLeft(f caseload.File, uploadID string) {
	r.t.Helper()
	if o, err := theStore.Head(context.Background(), f.Object, ""); caseload.KindOf(err) != caseload.NotFound {
		r.t.Errorf("an object of %d bytes was left behind (%v)", o.Size, err)
	}
	if uploadID == "" {
		return
	}
	parts, err := theStore.ListParts(context.Background(), f.Object, uploadID)
	if len(parts) > 0 || err != nil && caseload.KindOf(err) != caseload.NotFound {
		r.t.Errorf("%d parts were left behind (%v)", len(parts), err)
	}
}

// wantStored checks a file that was acknowledged: its row, its bytes by a link, one event, one job.
func (r *realRig) wantStored(id caseload.FileID, b []byte) {
	r.t.Helper()
	f := r.file(id)
	if f.State != caseload.Stored || f.Size != int64(len(b)) || f.CRC64NVME != checksum(b) || f.ETag == "" || f.Deadline.IsZero() {
		r.t.Errorf("row: state %s, size %d, checksum %q, etag %q, deadline %v", f.State, f.Size, f.CRC64NVME, f.ETag, f.Deadline)
	}
	if got, err := r.download(id); err != nil || !bytes.Equal(got, b) {
		r.t.Errorf("download: %d bytes, %v; want %d", len(got), err, len(b))
	}
	if n := r.events(id, caseload.FileStored); n != 1 || r.jobs(id) != 1 {
		r.t.Errorf("%d stored events and %d jobs, want one of each", n, r.jobs(id))
	}
}
