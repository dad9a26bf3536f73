package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// gate stands before the store and stops the ledger inside: at the listing it is told to, it holds the request, and then
// answers nothing more until it is opened again.
type gate struct {
	store http.Handler

	mu    sync.Mutex
	hold  int           // this many listings are let through
	held  chan struct{} // closed when one is held
	lists []string      // where each listing was to begin
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); r.Method == http.MethodGet && (q.Has("list-type") || q.Has("versions")) {
		g.mu.Lock()
		g.lists = append(g.lists, q.Get("start-after")+q.Get("key-marker"))
		stopped := g.hold == 0
		if stopped {
			select {
			case <-g.held:
			default:
				close(g.held)
			}
		} else {
			g.hold--
		}
		g.mu.Unlock()
		if stopped {
			panic(http.ErrAbortHandler)
		}
	}
	g.store.ServeHTTP(w, r)
}

// open lets so many listings through from now on, and tells by the channel when the next one came.
func (g *gate) open(listings int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.held, g.lists = listings, make(chan struct{}), nil
	return g.held
}

func (g *gate) begun() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.lists)
}

// TestTheLedgerGoesOnInside stops a ledger over thousands of keys inside, again and again: by SIGKILL, and by a store that
// goes down. Whoever goes on begins behind the page that was written down last, and the sums are the bucket's; with and
// without versions.
func TestTheLedgerGoesOnInside(t *testing.T) {
	t.Parallel()
	const keys, page = 4_500, 1_000
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, engine.settings(t)...)
			versions := engine.name == "sqlite"
			remote := s3test.StartWith(t, s3test.Options{Versions: map[bool]string{true: t.TempDir()}[versions]})
			if versions {
				aws := miniotest.Client(remote.Config())
				if _, err := aws.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
					Bucket: &remote.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
				}); err != nil {
					t.Fatal(err)
				}
			}
			target, err := url.Parse(remote.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			g := &gate{store: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // the Host, which is signed, stays
				r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
				r.Out.Host = r.In.Host
			}}}
			g.open(-1)
			front := httptest.NewServer(g)
			t.Cleanup(front.Close)
			through := *remote
			through.Endpoint = front.URL
			s.env = append(s.env, through.Environment()...)
			s.env = append(s.env, "CASELOAD_LOG_LEVEL=warn")
			s.thousands(t, remote, keys)

			where := "" // the next listing begins here
			for stop := range 4 {
				held := g.open(1)
				cmd := s.command("usage", "--refresh")
				var said bytes.Buffer
				cmd.Stderr = &said
				if err := begin(cmd); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				select {
				case <-held:
				case err := <-ended:
					t.Fatalf("the ledger ended before it was stopped: %v\n%s", err, said.String())
				case <-time.After(30 * time.Second):
					_ = cmd.Process.Signal(syscall.SIGQUIT) // it says where it stands
					<-ended
					t.Fatalf("the ledger was not stopped: %s", said.String())
				}
				if stop%2 == 0 {
					_ = cmd.Process.Kill()
				}
				<-ended
				if code := cmd.ProcessState.ExitCode(); stop%2 == 1 && code != 69 {
					t.Errorf("with the store down: exit %d, %s", code, said.String())
				}
				lists := g.begun()
				if len(lists) < 2 || lists[0] != where || lists[1] <= lists[0] {
					t.Fatalf("stop %d: listed from %q, want from %q and then on", stop, lists, where)
				}
				where = lists[1]
			}
			g.open(-1)
			code, u, said := s.usage(t)
			if lists := g.begun(); code != 0 || lists[0] != where {
				t.Errorf("exit %d, it began at %q, want %q: %s", code, lists[0], where, said)
			}
			if u.Bucket == nil || u.Bucket.Objects != keys || u.Bucket.Bytes != 5*keys || u.Bucket.Versions != 0 || len(u.Missing) != 0 || u.Ledger.Keys != keys {
				t.Errorf("the ledger says %+v, %+v", u.Bucket, u.Ledger)
			}
			if where < fmt.Sprintf("f%032d", 3*page) {
				t.Errorf("it was stopped before %s only", where)
			}
		})
	}
}

// thousands puts so many received files of five bytes into the database and their objects into the store's folder: what it
// takes to receive them is not the ledger's matter.
func (s *site) thousands(t *testing.T, remote *s3test.Server, keys int) {
	t.Helper()
	admin := s.newAdmin()
	server := s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Ledger")
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	driver, address, number := "sqlite", "file:"+filepath.Join(s.data(), "caseload.db")+"?_pragma=busy_timeout(5000)", "printf('%032d', i)"
	for _, setting := range s.env {
		if url, ok := strings.CutPrefix(setting, "CASELOAD_DATABASE_URL="); ok {
			driver, address, number = "pgx", url, "lpad(CAST(i AS text), 32, '0')"
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// The marker of the database is no file; it is taken away, so that the figures are round.
	if err := os.Remove(filepath.Join(remote.Dir, remote.Bucket, string(caseload.MarkerKey))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < `+strconv.Itoa(keys)+`)
		INSERT INTO files (id, organization_id, case_id, name, path, size, content_type, modified_at, fingerprint, state, route, object, part_size,
			sent_bytes, deadline, crc64nvme, etag, sha256, kind, created_by, created_at, changed_at, stored_at, metadata_at, ready_at)
		SELECT substr(`+number+`, 7), c.organization_id, c.id, 'x', '', 5, '', 0, '', 'ready', 'small', 'f' || `+number+`, 0,
			5, 0, 'c' || i, 'e', `+number+` || `+number+`, 'zip', c.created_by, 1, 1, 1, 1, 1 FROM n, cases c WHERE c.id = '`+caseID+`'`); err != nil {
		t.Fatal(err)
	}
	for n := range keys {
		if err := os.WriteFile(filepath.Join(remote.Dir, remote.Bucket, fmt.Sprintf("f%032d", n+1)), []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
