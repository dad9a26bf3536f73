package web_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/preview"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
	"dcdentals.com/caseload/internal/web"
)

// embedded is the one object store of this process: it lives in the working directory, so there can be only one.
var embedded *objectstore.Embedded

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "caseload-web")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if embedded, err = objectstore.StartEmbedded(ctx, dir, slog.New(slog.DiscardHandler)); err != nil {
		panic(err)
	}
	defer func() { _ = embedded.Close(ctx) }()
	return m.Run()
}

// password is everybody's, and passwordHash its hash, made once: hashing is slow on purpose.
const password = "correct horse battery"

var passwordHash = sync.OnceValue(func() string {
	hash, err := web.HashPassword(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return hash
})

// clock is a clock a test can move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

// house is a whole server on a database of its own, with two organizations.
type house struct {
	t        testing.TB
	clock    *clock
	database string
	store    *store.Store
	verbs    *transfer.Service
	cleaner  *cleanup.Service
	server   *web.Server
	http     *httptest.Server
	log      *safeBuffer

	users  map[string]caseload.User // viewer, member, admin; foreign-admin of the other organization
	tokens map[string]string
}

// open starts a server; change may alter its configuration.
func open(t testing.TB, change ...func(*web.Config)) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{t: t, clock: &clock{}, log: &safeBuffer{}, users: map[string]caseload.User{}, tokens: map[string]string{}}
	var err error
	h.database = "sqlite:" + t.TempDir() + "/caseload.db"
	h.store, err = store.Open(ctx, store.Config{URL: h.database, Now: h.clock.now})
	must(t, err)
	t.Cleanup(func() { _ = h.store.Close() })
	must(t, h.store.Migrate(ctx))
	h.store.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil }) // nobody reads here
	h.people(ctx)
	h.server, h.http = h.serve(h.store, change...)
	return h
}

// serve starts another server process's worth on a database.
func (h *house) serve(s *store.Store, change ...func(*web.Config)) (*web.Server, *httptest.Server) {
	limits := caseload.DefaultLimits()
	limits.DirectThreshold, limits.MaxFileSize, limits.PartSize = 6<<20, 64<<20, 16<<20
	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	verbs := &transfer.Service{Records: s, Objects: embedded.Store(), Limits: limits, Now: h.clock.now, Log: log}
	cfg := web.Config{
		Cleanup: &cleanup.Service{
			Records: s, Objects: &ownBucket{Store: embedded.Store(), now: h.clock.now}, Uploads: verbs, Policy: cleanup.Off, Now: h.clock.now, Log: log,
			Rules: cleanup.Rules{OlderThan: 30 * 24 * time.Hour, Share: 50, AbandonAfter: limits.AbandonAfter, TrashWindow: limits.TrashWindow},
		},
		Store: s, Transfer: verbs, Reading: &ingest.Service{Objects: embedded.Store(), Now: h.clock.now, Log: log},
		Frames: &preview.Service{Objects: embedded.Store(), Now: h.clock.now, Log: log}, Limits: limits, Gateway: embedded.Handler(), Bucket: embedded.Bucket(),
		Log: log, Now: h.clock.now, Version: "test",
	}
	for _, c := range change {
		c(&cfg)
	}
	server := web.New(cfg)
	ts := httptest.NewServer(server.Handler())
	h.t.Cleanup(func() {
		server.Close()
		ts.Close()
	})
	h.verbs, h.cleaner = verbs, cfg.Cleanup
	return server, ts
}

// ownBucket is the store of all tests as if it were one test's own: its marker is this one's, and so is its clock.
type ownBucket struct {
	*objectstore.Store
	now func() time.Time

	mu     sync.Mutex
	marker *caseload.Marker
}

func (b *ownBucket) Marker(context.Context) (*caseload.Marker, time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.marker, b.now(), nil
}

func (b *ownBucket) WriteMarker(_ context.Context, m caseload.Marker) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.marker = &m
	return nil
}

func (b *ownBucket) OldestObject(context.Context) (time.Time, error) { return time.Time{}, nil }

func (h *house) people(ctx context.Context) {
	first, err := h.store.CreateFirstAdmin(ctx, "Clinic", caseload.User{Email: "admin@clinic.example", Name: "Admin", Role: caseload.Admin}, passwordHash())
	must(h.t, err)
	h.users["admin"] = first
	other, err := h.store.CreateOrganization(ctx, "Other")
	must(h.t, err)
	for name, u := range map[string]caseload.User{
		"member":        {Organization: first.Organization, Email: "member@clinic.example", Name: "Member", Role: caseload.Member},
		"viewer":        {Organization: first.Organization, Email: "viewer@clinic.example", Name: "Viewer", Role: caseload.Viewer},
		"foreign-admin": {Organization: other.ID, Email: "admin@other.example", Name: "Foreign", Role: caseload.Admin},
	} {
		h.users[name], err = h.store.CreateUser(ctx, caseload.SystemActor, u, passwordHash())
		must(h.t, err)
	}
	for name, u := range h.users {
		secret, hash := web.NewTokenSecret()
		must(h.t, h.store.CreateToken(ctx, u, caseload.Token{User: u.ID, Name: name, Role: u.Role}, hash))
		h.tokens[name] = secret
	}
}

// client returns the Go client acting as one of the users, every exchange checked against the OpenAPI document.
func (h *house) client(name string) *api.Client {
	return &api.Client{Base: h.http.URL, Token: h.tokens[name], HTTP: &http.Client{Transport: checkedTransport(h.t, h.http.URL)}, Pause: time.Millisecond, Attempts: 2}
}

// browser returns an HTTP client with cookies that follows no redirects.
func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// signIn signs a browser in through the page.
func (h *house) signIn(b *http.Client, email string) *http.Response {
	h.t.Helper()
	resp, err := b.PostForm(h.http.URL+"/sign-in", url.Values{"email": {email}, "password": {password}})
	must(h.t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("sign-in answered %d", resp.StatusCode)
	}
	return resp
}

// openCase makes a case of the clinic.
func (h *house) openCase() api.Case {
	h.t.Helper()
	c, err := h.client("member").CreateCase(h.t.Context(), api.NewCase{Patient: "Patient"})
	must(h.t, err)
	return c
}

// plan plans one file.
func (h *house) plan(caseID, name string, size int64) api.File {
	h.t.Helper()
	planned, err := h.client("member").Plan(h.t.Context(), caseID, "", []api.FileSpec{{Name: name, Size: size}})
	must(h.t, err)
	if planned.Files[0].Error != nil {
		h.t.Fatal(planned.Files[0].Error)
	}
	return *planned.Files[0].File
}

// stored sends one small file.
func (h *house) stored(caseID, name string, content []byte) api.File {
	h.t.Helper()
	f, err := h.client("member").UploadFile(h.t.Context(), caseID, name, bytes.NewReader(content), int64(len(content)), api.Upload{})
	must(h.t, err)
	return f
}

// ask sends a request as one of the users ("" for nobody) and returns the answer, its body closed.
func (h *house) ask(as, method, path, contentType, body string, header ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.http.URL+path, strings.NewReader(body))
	must(h.t, err)
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+h.tokens[as])
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return send(h.t, noRedirects, r)
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func send(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	must(t, err)
	return resp, text.String()
}

// safeBuffer is a log that a test reads while servers write it.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pattern returns n bytes that differ by seed.
func pattern(n int, seed byte) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%c-0123456789abcdef", seed)), n/18+1)[:n]
}

// crcOf is the checksum of content as the API takes it.
func crcOf(t testing.TB, content []byte) string {
	t.Helper()
	sum, err := api.Checksum(bytes.NewReader(content))
	must(t, err)
	return sum
}
