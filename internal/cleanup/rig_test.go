package cleanup_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/minio/crc64nvme"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
)

// theStore is the embedded store of this test process: there can be but one.
var theStore *objectstore.Store

func TestMain(m *testing.M) { os.Exit(runWithStore(m)) }

func runWithStore(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cleanup-store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	embedded, err := objectstore.StartEmbedded(context.Background(), filepath.Join(dir, "store"), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	defer embedded.Close(context.Background()) //nolint:errcheck // the process ends
	theStore = embedded.Store()
	return pgtest.Main(m)
}

// bucket is the embedded store that notes what is thrown away, under a clock set by hand.
type bucket struct {
	*objectstore.Store
	now    func() time.Time
	marker *caseload.Marker
	oldest time.Time
	faults *faults

	mu      sync.Mutex
	open    []caseload.OpenUpload // strays, as the store would list them
	erased  []caseload.ObjectKey
	aborted []string
}

func (b *bucket) Marker(context.Context) (*caseload.Marker, time.Time, error) {
	return b.marker, b.now(), nil
}

func (b *bucket) WriteMarker(_ context.Context, m caseload.Marker) error {
	b.marker = &m
	return nil
}

func (b *bucket) OldestObject(context.Context) (time.Time, error) { return b.oldest, nil }

func (b *bucket) OpenUploads(_ context.Context, each func(caseload.OpenUpload) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.open {
		if err := each(u); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) Delete(ctx context.Context, key caseload.ObjectKey, version string) error {
	return b.faults.around("Delete", func() error {
		b.mu.Lock()
		b.erased = append(b.erased, key)
		b.mu.Unlock()
		return b.Store.Delete(ctx, key, version)
	})
}

func (b *bucket) AbortMultipart(ctx context.Context, key caseload.ObjectKey, id string) error {
	return b.faults.around("AbortMultipart", func() error {
		b.mu.Lock()
		b.aborted = append(b.aborted, id)
		b.mu.Unlock()
		return b.Store.AbortMultipart(ctx, key, id)
	})
}

// records is the database under the same clock.
type records struct {
	*store.Store
	now    func() time.Time
	faults *faults
}

func (r *records) Facts(ctx context.Context, gap time.Duration) (caseload.DatabaseFacts, error) {
	facts, err := r.Store.Facts(ctx, gap)
	facts.Now, facts.AwakeFrom = r.now(), time.Time{} // the tests' clock leaps; doubts about that have tests of their own
	return facts, err
}

func (r *records) CarryOut(ctx context.Context, p caseload.CleanupPlan, n int, due caseload.EraseAt) (i caseload.CleanupItem, err error) {
	err = r.faults.around("CarryOut", func() error { i, err = r.Store.CarryOut(ctx, p, n, due); return err })
	return i, err
}

func (r *records) SettleItem(ctx context.Context, p caseload.CleanupPlan, n int, why string) error {
	return r.faults.around("SettleItem", func() error { return r.Store.SettleItem(ctx, p, n, why) })
}

func (r *records) FinishStray(ctx context.Context, p caseload.CleanupPlan, n int) error {
	return r.faults.around("FinishStray", func() error { return r.Store.FinishStray(ctx, p, n) })
}

func (r *records) EndPlan(ctx context.Context, u caseload.User, id caseload.PlanID, s caseload.PlanState, d []caseload.Doubt) error {
	return r.faults.around("EndPlan", func() error { return r.Store.EndPlan(ctx, u, id, s, d) })
}

func (r *records) ReleaseTrash(ctx context.Context, org caseload.OrganizationID, now time.Time) (n int64, err error) {
	err = r.faults.around("ReleaseTrash", func() error { n, err = r.Store.ReleaseTrash(ctx, org, now); return err })
	return n, err
}

func (r *records) ClaimIntent(ctx context.Context, now time.Time) (in caseload.Intent, ok bool, err error) {
	err = r.faults.around("ClaimIntent", func() error { in, ok, err = r.Store.ClaimIntent(ctx, now); return err })
	return in, ok, err
}

func (r *records) FinishIntent(ctx context.Context, id caseload.IntentID) error {
	return r.faults.around("FinishIntent", func() error { return r.Store.FinishIntent(ctx, id) })
}

func (r *records) MarkAbandoned(ctx context.Context, ids []caseload.FileID, actor, reason string, at time.Time) (o []caseload.Outcome, err error) {
	err = r.faults.around("MarkAbandoned", func() error { o, err = r.Store.MarkAbandoned(ctx, ids, actor, reason, at); return err })
	return o, err
}

var errKilled = errors.New("killed here")

// faults ends the n-th step: a call passes one before it acts and one after. From there on every call fails, as after a kill.
type faults struct {
	mu    sync.Mutex
	steps int
	at    int // 0: never
	calls []string
}

func (f *faults) step(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps++
	f.calls = append(f.calls, call)
	if f.at > 0 && f.steps >= f.at {
		return errKilled
	}
	return nil
}

func (f *faults) around(call string, do func() error) error {
	if err := f.step(call + " before"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return f.step(call + " after")
}

func (f *faults) set(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps, f.at, f.calls = 0, at, nil
}

// rig is the clean-up and the uploads over a real database and the real store.
type rig struct {
	*transfer.Service
	t       testing.TB
	cleaner *cleanup.Service
	records *records
	bucket  *bucket
	faults  faults
	admin   caseload.User
	other   caseload.User
	mu      sync.Mutex
	offset  time.Duration
}

func onBothEngines(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newRig(t, sqliteURL(t))) })
	t.Run("postgres", func(t *testing.T) { test(t, newRig(t, pgtest.URL(t))) })
}

func sqliteURL(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "caseload.db") }

func newRig(t testing.TB, url string) *rig {
	t.Helper()
	r := &rig{t: t}
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{URL: url, Now: r.now})
	r.must(err)
	t.Cleanup(func() { _ = db.Close() })
	r.must(db.Migrate(ctx))
	db.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil })
	r.records = &records{db, r.now, &r.faults}
	r.bucket = &bucket{Store: theStore, now: r.now, faults: &r.faults}
	limits := caseload.DefaultLimits()
	limits.DirectThreshold = 1000
	log := slog.New(slog.DiscardHandler)
	r.Service = &transfer.Service{Records: r.records, Objects: r.bucket, Limits: limits, Now: r.now, Log: log}
	r.cleaner = &cleanup.Service{
		Records: r.records, Objects: r.bucket, Uploads: r.Service, Policy: cleanup.Off, Now: r.now, Log: log,
		Rules: cleanup.Rules{OlderThan: 30 * 24 * time.Hour, FinishedAfter: 60 * 24 * time.Hour, Share: 1000, AbandonAfter: limits.AbandonAfter, TrashWindow: limits.TrashWindow},
	}
	r.Release = r.cleaner.Release
	r.admin, err = db.CreateFirstAdmin(ctx, "Clinic", caseload.User{Email: "a@clinic.example", Name: "A"}, "hash")
	r.must(err)
	org, err := db.CreateOrganization(ctx, "Lab")
	r.must(err)
	r.other, err = db.CreateUser(ctx, "", caseload.User{Organization: org.ID, Email: "b@lab.example", Role: caseload.Admin}, "hash")
	r.must(err)
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset += d
}

func (r *rig) newCase(number string) caseload.CaseID {
	r.t.Helper()
	c, err := r.records.CreateCase(context.Background(), r.admin, caseload.Case{Number: number})
	r.must(err)
	return c.ID
}

func (r *rig) plan(c caseload.CaseID, name string, size int) caseload.File {
	r.t.Helper()
	planned, _, err := r.Plan(context.Background(), r.admin, c, "", []transfer.FileSpec{{Name: name, Size: int64(size), Fingerprint: "print of " + name}})
	r.must(err)
	r.must(planned[0].Err)
	return planned[0].File
}

// content is the bytes of a file: no two are alike.
func content(f caseload.File) []byte {
	return bytes.Repeat([]byte(f.ID[25:]), int(f.Size))
}

func sum(b []byte) string {
	h := crc64nvme.New()
	_, _ = h.Write(b)
	return encode(h.Sum64())
}

// received is a small file that the store holds, read or not.
func (r *rig) received(c caseload.CaseID, name string, read bool) caseload.File {
	r.t.Helper()
	ctx := context.Background()
	f := r.plan(c, name, 100)
	b := content(f)
	f, err := r.Receive(ctx, r.admin, f.ID, bytes.NewReader(b), f.Size, sum(b))
	r.must(err)
	if read {
		f, err = r.records.StartReading(ctx, f.ID, "w", r.now(), r.now().Add(time.Minute))
		r.must(err)
		r.must(r.records.Reject(ctx, f.ID, f.Attempt, "It cannot be read."))
		f.State = caseload.Rejected
	}
	return f
}

// approve makes a plan and says yes to it.
func (r *rig) approve() caseload.CleanupPlan {
	r.t.Helper()
	p, err := r.cleaner.Plan(context.Background(), r.admin, 0)
	r.must(err)
	if p.State == caseload.PlanWaiting {
		p, err = r.cleaner.Approve(context.Background(), r.admin, p.ID, p.Share())
		r.must(err)
	}
	return p
}

func (r *rig) row(id caseload.FileID) caseload.State {
	r.t.Helper()
	f, err := r.records.File(context.Background(), r.admin, id)
	if caseload.KindOf(err) == caseload.Gone {
		return caseload.Deleted
	}
	r.must(err)
	return f.State
}

// held tells whether the store holds the object.
func (r *rig) held(key caseload.ObjectKey) bool {
	_, err := r.bucket.Head(context.Background(), key, "")
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		r.t.Fatal(err)
	}
	return err == nil
}

// stray begins an upload in the store that no row knows.
func (r *rig) stray(key caseload.ObjectKey, begun time.Time) caseload.OpenUpload {
	r.t.Helper()
	id, err := r.bucket.CreateMultipart(context.Background(), key)
	r.must(err)
	u := caseload.OpenUpload{Key: key, UploadID: id, Begun: begun}
	r.bucket.mu.Lock()
	defer r.bucket.mu.Unlock()
	r.bucket.open = append(r.bucket.open, u)
	return u
}

// complete sends a planned file whole, as a client does that comes back late.
func (r *rig) complete(f caseload.File) error {
	b := content(f)
	_, err := r.Receive(context.Background(), r.admin, f.ID, bytes.NewReader(b), f.Size, sum(b))
	return err
}

// resume plans a file again that was begun, as a client does that goes on.
func (r *rig) resume(c caseload.CaseID, name string) {
	_, _, _ = r.Plan(context.Background(), r.admin, c, "", []transfer.FileSpec{{Name: name, Size: 100, Fingerprint: "print of " + name}})
}

func number(n int) string { return fmt.Sprintf("C-%d", n) }
