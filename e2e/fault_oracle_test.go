package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// ledger is what the clients of a fault test remember: every file that was acknowledged to them.
type ledger struct {
	mu    sync.Mutex
	acked map[string]kept // by file id
}

type kept struct {
	size int
	sum  string
}

func newLedger() *ledger { return &ledger{acked: map[string]kept{}} }

// keep remembers an acknowledgement.
func (l *ledger) keep(id string, content []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[id] = kept{len(content), sha256hex(content)}
}

func (l *ledger) all() map[string]kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// embeddedObjects is where the embedded store keeps a site's objects.
func (s *site) embeddedObjects() string {
	return filepath.Join(s.data(), "store", "objects", "caseload-files")
}

// check is the oracle of the fault tests. It waits until everything stored is read, then compares what was acknowledged,
// the database, the store's folder, the bytes read back, and the audit chain. No good file may be rejected or given up.
func (l *ledger) check(t *testing.T, s *site, p person, objects string) {
	t.Helper()
	db := s.database()
	await(t, 3*time.Minute, "every stored file read", func() (bool, error) {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state IN ('stored', 'reading')`)
		return err == nil && n == 0, fmt.Errorf("%d left (%w)", n, err)
	})
	acked := l.all()
	if len(acked) == 0 {
		t.Error("nothing was acknowledged: the test proves nothing")
	}
	for id, want := range acked {
		f, err := p.file(t.Context(), id)
		if err != nil || f.State != "ready" || f.SHA256 != want.sum || f.Size != int64(want.size) {
			t.Errorf("acknowledged file %s: state %q (%s), size %d of %d, SHA-256 %q of %q (%v)", id, f.State, f.Reason, f.Size, want.size, f.SHA256, want.sum, err)
			continue
		}
		await(t, time.Minute, "the acknowledged file "+id, func() (bool, error) { // while previews are made the database may be busy: 503
			content, _, err := p.download(t.Context(), id)
			if err == nil && sha256hex(content) != want.sum {
				t.Errorf("acknowledged file %s gives other bytes", id)
			}
			return err == nil, err
		})
	}
	l.compareStore(t, s, objects, acked)
	for _, action := range []string{"file.stored", "file.ready"} {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files f WHERE f.state = 'ready' AND (SELECT count(*) FROM events e
			WHERE e.organization_id = f.organization_id AND e.file_id = f.id AND e.action = '`+action+`') <> 1`)
		if err != nil || n > 0 {
			t.Errorf("%d ready files do not have exactly one %s event (%v)", n, action, err)
		}
	}
	for _, wrong := range []string{`state = 'rejected'`, `state IN ('planned', 'sending') AND deadline > ` + fmt.Sprint(time.Now().Add(2*time.Hour).UnixMilli())} {
		if n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE `+wrong); err != nil || n > 0 {
			t.Errorf("%d files with %s (%v)", n, wrong, err)
		}
	}
	s.run("", "audit", "verify") // fails the test unless the chain holds
}

// compareStore holds the rows from stored on against the store's folder, both ways.
func (l *ledger) compareStore(t *testing.T, s *site, objects string, acked map[string]kept) {
	t.Helper()
	held := objectsIn(t, objects)
	rows, err := s.database().QueryContext(t.Context(), `SELECT id, object, size, state FROM files`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var id, object, state string
		var size int64
		if err := rows.Scan(&id, &object, &size, &state); err != nil {
			t.Fatal(err)
		}
		known[object] = true
		if state != "ready" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(objects, object))
		if err != nil || int64(len(content)) != size {
			t.Errorf("phantom: file %s is ready, but the store holds %d bytes of %d (%v)", id, len(content), size, err)
		} else if want, ok := acked[id]; ok && sha256hex(content) != want.sum {
			t.Errorf("file %s lies in the store with other bytes", id)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, object := range held {
		if !known[object] {
			t.Errorf("the store holds %s, which no row knows", object)
		}
	}
}

// objectsIn lists the keys in a store's folder.
func objectsIn(t testing.TB, folder string) (keys []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != string(caseload.MarkerKey) {
			keys = append(keys, e.Name())
		}
	}
	return keys
}

// answered is one answer with its headers, and the problem in it when it is one.
type answered struct {
	status  int
	header  http.Header
	body    []byte
	problem api.Problem
	took    time.Duration
}

// ask makes one request of the API and returns whatever was answered. body may be nil.
func (p person) ask(ctx context.Context, method, path string, body io.Reader, length int64, headers ...string) (a answered, err error) {
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, body)
	if err != nil {
		return a, err
	}
	if body != nil {
		r.ContentLength = length
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	begun := time.Now()
	answer, err := patient.Do(r)
	a.took = time.Since(begun)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	a.status, a.header = answer.StatusCode, answer.Header
	if a.body, err = io.ReadAll(answer.Body); err != nil {
		return a, err
	}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), api.ProblemType) {
		err = json.Unmarshal(a.body, &a.problem)
	}
	a.took = time.Since(begun)
	return a, err
}

// askJSON asks with a JSON body; in may be nil.
func (p person) askJSON(ctx context.Context, method, path string, in any) (answered, error) {
	if in == nil {
		return p.ask(ctx, method, path, nil, 0)
	}
	b, err := json.Marshal(in)
	if err != nil {
		return answered{}, err
	}
	return p.ask(ctx, method, path, strings.NewReader(string(b)), int64(len(b)), "Content-Type", "application/json")
}

// askPut sends a small file and returns whatever was answered.
func (p person) askPut(ctx context.Context, id string, content []byte, body io.Reader) (answered, error) {
	return p.ask(ctx, http.MethodPut, "/api/v1/files/"+id+"/content", body, int64(len(content)),
		"Content-Type", "application/octet-stream", "x-amz-checksum-crc64nvme", crc64nvme(content))
}

// patient is a client for answers that are late on purpose; who uses it looks at the time taken.
var patient = &http.Client{
	Timeout: 100 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// refused fails the test unless the answer is the problem of that kind and status, says what to do, and, for a fault that
// passes, when to try again; and came within the bound.
func refused(t *testing.T, what string, a answered, err error, status int, kind string, within time.Duration) {
	t.Helper()
	switch {
	case err != nil:
		t.Errorf("%s: no answer after %s: %v, want %d %s", what, a.took.Round(time.Millisecond), err, status, kind)
	case a.status != status || a.problem.Kind != kind:
		t.Errorf("%s: answered %d %q: %s; want %d %q", what, a.status, a.problem.Kind, a.body, status, kind)
	case a.problem.Detail == "" || a.problem.Hint == "" && status != http.StatusGone: // nothing can be done about a deletion
		t.Errorf("%s: the problem does not say what happened or what to do: %s", what, a.body)
	case a.took > within:
		t.Errorf("%s: answered after %s, want ≤ %s", what, a.took.Round(time.Millisecond), within)
	}
	if err == nil && (status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage) {
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 || n > 120 {
			t.Errorf("%s: Retry-After %q, want 1 to 120 seconds", what, a.header.Get("Retry-After"))
		}
	}
}

// sendPartFrom signs a part and sends it to the store from a body of its own pace.
func (p person) sendPartFrom(ctx context.Context, id string, n int, piece []byte, body io.Reader) error {
	signed, err := p.signPart(ctx, id, n, piece)
	if err != nil {
		return err
	}
	status, text, err := putSigned(ctx, signed, body, len(piece))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the store answered %d: %s", status, text)
	}
	return err
}

func (p person) signPart(ctx context.Context, id string, n int, piece []byte) (api.SignedRequest, error) {
	var signed api.SignedParts
	in := api.SignParts{Parts: []api.PartSpec{{Number: n, CRC64NVME: crc64nvme(piece)}}}
	if err := p.call(ctx, "POST", "/files/"+id+"/parts", in, &signed); err != nil {
		return api.SignedRequest{}, err
	}
	return signed.Requests[0], nil
}

// putSigned carries out a signed request and returns the store's answer.
func putSigned(ctx context.Context, signed api.SignedRequest, body io.Reader, length int) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, signed.Method, signed.URL, body)
	if err != nil {
		return 0, "", err
	}
	r.ContentLength = int64(length)
	for name, value := range signed.Headers {
		r.Header.Set(name, value)
	}
	answer, err := patient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}
