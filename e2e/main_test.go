// Package e2e runs the built binary as people and machines do: whole processes, real databases, real stores, real
// kills. The browser journeys beside it (*.test.mjs) do the same with Chromium.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/pgtest"
)

// program is the program under test: CASELOAD_TEST_BINARY, else built here.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// starts are carried out on one thread, which lives as long as the tests: the death signal of a process is tied to the
// thread that forks it, and Go ends a thread with the goroutine that was locked to it, whatever else it has forked before.
var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}

// begin starts a command that does not outlive the tests.
func begin(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	starts <- func() { begun <- cmd.Start() }
	return <-begun
}

func run(m *testing.M) int {
	if program = os.Getenv("CASELOAD_TEST_BINARY"); program == "" {
		dir, err := os.MkdirTemp("", "caseload-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "caseload")
		build := exec.Command("go", "build", "-o", program, "../cmd/caseload")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build caseload:", err)
			return 1
		}
	}
	return pgtest.Main(m)
}

// site is one installation: its settings and its log, which outlive each process.
type site struct {
	t       testing.TB
	dir     string   // the working directory; the data folder lies in it
	env     []string // settings, beside the bare minimum
	address string   // host:port, the same after every restart

	mu  sync.Mutex
	log bytes.Buffer // standard error of every process
}

// process is one running caseload.
type process struct {
	site  *site
	cmd   *exec.Cmd
	ready time.Duration // from the start to the ready line
	ended chan struct{}
	err   error // once ended
}

func newSite(t testing.TB, env ...string) *site {
	return &site{t: t, dir: t.TempDir(), address: freeAddress(t), env: env}
}

// freeAddress returns a loopback address nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *site) url() string { return "http://" + s.address }

func (s *site) data() string { return filepath.Join(s.dir, "caseload-data") }

// command returns a caseload command with the site's settings and none of the developer's.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "CASELOAD_ADDR=" + s.address}, s.env...)
	return cmd
}

// run carries out an administrator's command and returns what it printed.
func (s *site) run(stdin string, args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("caseload %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// serve starts a process and waits for its ready line. extra are further settings.
func (s *site) serve(args []string, extra ...string) *process {
	s.t.Helper()
	p, err := s.start(args, extra...)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

const startWithin = 30 * time.Second

func (s *site) start(args []string, extra ...string) (*process, error) {
	p := &process{site: s, cmd: s.command(args...), ended: make(chan struct{})}
	p.cmd.Env = append(p.cmd.Env, extra...)
	p.cmd.Stderr = s
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := begin(p.cmd); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, lines)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	s.t.Cleanup(p.kill)
	select {
	case line := <-ready:
		p.ready = time.Since(begun)
		if !strings.Contains(line, "ready") {
			<-p.ended
			return nil, fmt.Errorf("caseload %s did not start (%w): %q\n%s", strings.Join(args, " "), p.err, line, s.logged())
		}
		return p, nil
	case <-time.After(startWithin):
		p.kill()
		return nil, fmt.Errorf("caseload %s is not ready after %s\n%s", strings.Join(args, " "), startWithin, s.logged())
	}
}

// kill ends the process as a power cut does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
}

// stop asks the process to end and returns how it did.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(45 * time.Second):
		p.kill()
		return errors.New("it did not end within 45 s of SIGTERM")
	}
}

// Write keeps the log of the site's processes.
func (s *site) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// await asks again and again until done says so; it fails the test after within.
func await(t testing.TB, within time.Duration, what string, done func() (bool, error)) {
	t.Helper()
	var last error
	for tick, deadline := time.NewTicker(50*time.Millisecond), time.Now().Add(within); ; <-tick.C {
		ok, err := done()
		if ok {
			tick.Stop()
			return
		}
		if last = err; time.Now().After(deadline) {
			t.Fatalf("%s: not within %s (last: %v)", what, within, last)
		}
	}
}

// quick is a client for calls that must not hang.
var quick = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func get(ctx context.Context, url string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err := quick.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}
