// Package s3test runs a separate S3 server for tests: a stock versitygw in a process of its own (it can run but once in
// one), on a loopback port other than the application's, so that browsers meet it cross-origin. It never runs in the
// product. Importing it is enough for a test binary to be able to start itself again as that server.
package s3test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/objectstore"
)

const (
	serveVariable = "CASELOAD_S3TEST_SERVE" // its value is an Options as JSON
	ready         = "s3test ready"
	startTimeout  = 30 * time.Second
)

// Options of a server.
type Options struct {
	Dir       string // root of the objects; must exist
	Addr      string // host:port of loopback
	Bucket    string
	AccessKey string
	SecretKey string
	Origins   []string // that CORS allows; none: no CORS rules

	Users    map[string]string // further accounts, which may do what a bucket's policy says: secrets by access key
	Accounts string            // folder of the accounts; "": there are none but the first
	Versions string            // folder of the versions that buckets keep; "": none can
}

// Server is a running server and how to reach it.
type Server struct {
	Options
	Endpoint string // http://host:port
	Region   string
	process  *exec.Cmd
	stdin    io.Closer
}

// A test binary that was started again by Start serves and never comes to its tests.
func init() {
	said := os.Getenv(serveVariable)
	if said == "" {
		return
	}
	var o Options
	if err := json.Unmarshal([]byte(said), &o); err != nil {
		fmt.Fprintln(os.Stderr, "s3test:", err)
		os.Exit(2)
	}
	if err := Serve(context.Background(), o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "s3test:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Start runs a server with a bucket and fresh credentials until the test ends. CORS allows the origins.
func Start(t testing.TB, origins ...string) *Server {
	t.Helper()
	return StartWith(t, Options{Origins: origins})
}

// StartWithUsers runs a server that knows so many further accounts and can keep versions.
func StartWithUsers(t testing.TB, users int) *Server {
	t.Helper()
	o := Options{Users: map[string]string{}, Accounts: t.TempDir(), Versions: t.TempDir()}
	for range users {
		o.Users["USER"+rand.Text()[:12]] = rand.Text()
	}
	return StartWith(t, o)
}

// StartWith runs a server as the options say; where it lies and its credentials are made up.
func StartWith(t testing.TB, o Options) *Server {
	t.Helper()
	o.Dir, o.Bucket, o.AccessKey, o.SecretKey = t.TempDir(), "separate-bucket", "TEST"+rand.Text()[:12], rand.Text()
	s := &Server{Region: "us-east-1", Options: o}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = listener.Addr().String()
	s.Endpoint = "http://" + s.Addr
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
	t.Cleanup(func() { s.Kill(t) })
	return s
}

// Run starts the server's process; after Kill, again over the same objects and on the same address.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	said, err := json.Marshal(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command(os.Args[0])
	s.process.Env = append(os.Environ(), serveVariable+"="+string(said))
	s.process.Stderr = os.Stderr
	stdin, err := s.process.StdinPipe() // the server ends when this test process does, however that ends
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	started := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), ready) {
				started <- nil
				_, _ = io.Copy(io.Discard, stdout)
				return
			}
		}
		started <- fmt.Errorf("the server ended before it was ready")
	}()
	select {
	case err = <-started:
	case <-time.After(startTimeout):
		err = fmt.Errorf("the server was not ready in %v", startTimeout)
	}
	if err != nil {
		s.Kill(t)
		t.Fatal("s3test: ", err)
	}
}

// Kill ends the process with SIGKILL; a server already ended is fine.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.process == nil || s.process.Process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	_ = s.stdin.Close()
	s.process = nil
}

// Config is the store's, as the application would have it from its settings.
func (s *Server) Config() objectstore.Config {
	return objectstore.Config{
		Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket, PathStyle: true, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	}
}

// Environment returns the settings that make `caseload serve` use this server.
func (s *Server) Environment() []string {
	return []string{
		"USE_S3=True", "AWS_S3_ENDPOINT_URL=" + s.Endpoint, "AWS_S3_REGION_NAME=" + s.Region, "AWS_STORAGE_BUCKET_NAME=" + s.Bucket,
		"AWS_S3_ADDRESSING_STYLE=path", "AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey,
	}
}
