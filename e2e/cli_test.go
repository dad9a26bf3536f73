package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// lineTo is a line to a site: everything a client sends passes it, and is counted. It keeps the Host, so the store's
// addresses are signed for the line itself.
type lineTo struct {
	*httptest.Server
	sent atomic.Int64 // bytes of bodies of PUTs

	mu   sync.Mutex
	hook func(w http.ResponseWriter, r *http.Request) (taken bool) // sees every request first
}

func newLine(t testing.TB, s *site) *lineTo {
	behind, err := url.Parse(s.url())
	if err != nil {
		t.Fatal(err)
	}
	l := &lineTo{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			r.Body = &countedBody{r.Body, &l.sent}
		}
		l.mu.Lock()
		hook := l.hook
		l.mu.Unlock()
		if hook == nil || !hook(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		l.CloseClientConnections()
		l.Close()
	})
	return l
}

func (l *lineTo) setHook(hook func(http.ResponseWriter, *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hook = hook
}

type countedBody struct {
	io.ReadCloser
	count *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.count.Add(int64(n))
	return n, err
}

// isPart tells a request that sends a part straight to the store.
func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

// cli is a caseload command of another computer: it knows the server by address and token only.
func (p person) cli(t testing.TB, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CASELOAD_URL=" + p.base, "CASELOAD_TOKEN=" + p.token}
	return cmd
}

// runCLI runs a command to its end and returns its exit code and what it printed.
func (p person) runCLI(t testing.TB, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := p.cli(t, dir, args...)
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	err := begin(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), wrong.String()
}

const mib = 1 << 20

// noise is n bytes of their own for every seed.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// smallParts makes parts of 5 MiB of what is 6 MiB or more.
var smallParts = []string{"CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB"}

// scanFolder writes a large file and small ones, with the same name in two folders, and returns the bytes by path.
func scanFolder(t testing.TB, dir string, large, small int) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"scan/volume.dcm": noise(large, 1)}
	for i := range small {
		files["scan/a/IM"+strconv.Itoa(i)] = noise(60_000+i, byte(i+2))
	}
	files["scan/b/IM0"] = noise(70_000, 200)
	for name, content := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// arrived fails the test unless the case holds exactly the files, byte for byte, and nothing unfinished.
func (p person) arrived(t testing.TB, caseID string, files map[string][]byte) {
	t.Helper()
	held, err := p.files(t.Context(), caseID)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range held {
		name := f.Path + "/" + f.Name
		want, ok := files[name]
		switch {
		case !ok || seen[name]:
			t.Errorf("the case holds %s (%s), which it should not", name, f.State)
		case f.CRC64NVME != crc64nvme(want):
			t.Errorf("%s (%s) has other bytes", name, f.State)
		}
		seen[name] = true
	}
	if len(seen) != len(files) {
		t.Errorf("the case holds %d of %d files", len(seen), len(files))
	}
}

// TestUploadGoesOnAfterAKill kills the program when half of the bytes have left and runs it again, twice: what arrived is
// not sent again, and a third run sends nothing.
func TestUploadGoesOnAfterAKill(t *testing.T) {
	s := newSite(t, smallParts...)
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "2026-1", "Phantom")
	line := newLine(t, s)
	p := admin.at(line.URL)
	dir := t.TempDir()
	files := scanFolder(t, dir, 80*mib, 60)
	size := int64(0)
	for _, content := range files {
		size += int64(len(content))
	}

	const kills, parallel = 2, 4
	for kill := range kills {
		cmd := p.cli(t, dir, "upload", "--case", "2026-1", "--parallel", strconv.Itoa(parallel), "scan")
		half := make(chan struct{})
		once := sync.Once{}
		due := size * int64(kill+1) / (kills + 1)
		line.setHook(func(http.ResponseWriter, *http.Request) bool {
			if line.sent.Load() >= due {
				once.Do(func() { close(half) })
			}
			return false
		})
		if err := begin(cmd); err != nil {
			t.Fatal(err)
		}
		select {
		case <-half:
		case <-time.After(2 * time.Minute):
			t.Fatal("half of the bytes never left")
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line.setHook(nil)
	code, stdout, stderr := p.runCLI(t, dir, "upload", "--case", "2026-1", "scan")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	admin.arrived(t, caseID, files)
	inFlight := int64(kills * parallel * 5 * mib)
	if sent := line.sent.Load(); sent > size*105/100+inFlight {
		t.Errorf("%d bytes left for %d, with %d kills of at most %d bytes in flight", sent, size, kills, inFlight/kills)
	}
	if !strings.Contains(stdout, "from an earlier try") {
		t.Errorf("nothing is said of what was there already:\n%s", stdout)
	}
	before := line.sent.Load()
	if code, stdout, stderr = p.runCLI(t, dir, "upload", "--case", "2026-1", "--json", "scan"); code != 0 || line.sent.Load() != before {
		t.Errorf("the last run ended with %d and sent %d bytes\n%s%s", code, line.sent.Load()-before, stdout, stderr)
	}
	var last struct {
		Event   string
		Outcome struct{ Received int }
	}
	text := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(text[len(text)-1]), &last); err != nil || last.Event != "end" || last.Outcome.Received != len(files) {
		t.Errorf("%+v %v", last, err)
	}
}

// TestUploadStopsInOrder ends an upload with SIGINT: it says how to go on and ends with 130.
func TestUploadStopsInOrder(t *testing.T) {
	s := newSite(t, smallParts...)
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	admin.newCase(t, "2026-1", "Phantom")
	line := newLine(t, s)
	dir := t.TempDir()
	scanFolder(t, dir, 20*mib, 1)
	cmd := admin.at(line.URL).cli(t, dir, "upload", "--case", "2026-1", "scan")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begun, over := make(chan struct{}), make(chan struct{})
	once := sync.Once{}
	line.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPart(r) {
			once.Do(func() { close(begun) })
			<-over
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if err := begin(cmd); err != nil {
		t.Fatal(err)
	}
	select {
	case <-begun:
	case <-time.After(time.Minute):
		t.Error("no part was sent")
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	close(over)
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(stderr.String(), `to go on: caseload upload --case "2026-1"`) {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
}

// TestWatchGoesOnOverKills kills a watch in mid-upload; the next one sends only what is missing.
func TestWatchGoesOnOverKills(t *testing.T) {
	s := newSite(t, smallParts...)
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	line := newLine(t, s)
	p := admin.at(line.URL)
	dir := t.TempDir()
	files := scanFolder(t, filepath.Join(dir, "in", "2026-5_Kim Minsu"), 40*mib, 20)
	size := int64(0)
	want := map[string][]byte{}
	for name, content := range files {
		size += int64(len(content))
		want["2026-5_Kim Minsu/"+name] = content
	}
	args := []string{"watch", "in", "--case-from", "name", "--settle", "100ms", "--every", "50ms", "--parallel", "3"}
	first := p.cli(t, dir, args...)
	half := make(chan struct{})
	once := sync.Once{}
	line.setHook(func(http.ResponseWriter, *http.Request) bool {
		if line.sent.Load() >= size/2 {
			once.Do(func() { close(half) })
		}
		return false
	})
	if err := begin(first); err != nil {
		t.Fatal(err)
	}
	select {
	case <-half:
	case <-time.After(2 * time.Minute):
		t.Fatal("half of the bytes never left")
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	line.setHook(nil)
	code, stdout, stderr := p.runCLI(t, dir, append(args, "--once")...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	opened, err := (&api.Client{Base: admin.base, Token: admin.token}).Cases(t.Context(), api.CaseQuery{})
	if err != nil || len(opened.Cases) != 1 || opened.Cases[0].Number != "2026-5" || opened.Cases[0].Patient != "Kim Minsu" {
		t.Fatalf("%+v %v", opened.Cases, err)
	}
	admin.arrived(t, opened.Cases[0].ID, want)
	if sent := line.sent.Load(); sent > size*105/100+3*5*mib {
		t.Errorf("%d bytes left for %d", sent, size)
	}
}
