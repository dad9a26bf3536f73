package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/mustrun"
)

// TestBehindNginx and TestBehindCaddy run the real programs with the examples of deploy/, changed only in addresses and
// file names.
func TestBehindNginx(t *testing.T) { frontend(t, "nginx", nginx) }

func TestBehindCaddy(t *testing.T) { frontend(t, "caddy", caddy) }

// nginx returns its command for the example, on that address with that certificate.
func nginx(t *testing.T, dir, listen, behind string) *exec.Cmd {
	t.Helper()
	site := example(t, "nginx.conf", map[string]string{
		`listen 443 ssl;`: "listen " + listen + " ssl;", `127\.0\.0\.1:8080`: behind, `(?s)\nserver \{\n    listen 80;.*`: "\n",
		`/etc/ssl/caseload/fullchain\.pem`: dir + "/cert.pem", `/etc/ssl/caseload/privkey\.pem`: dir + "/key.pem",
		`/var/log/nginx/caseload\.log`: dir + "/access.log",
	})
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	main := fmt.Sprintf("daemon off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\n%s%s}\n", dir, temp, site)
	if os.Getuid() == 0 {
		main = "user root;\n" + main // the folder is the test's
	}
	write(t, dir+"/nginx.conf", main)
	return exec.Command("nginx", "-c", dir+"/nginx.conf", "-e", "stderr")
}

func caddy(t *testing.T, dir, listen, behind string) *exec.Cmd {
	t.Helper()
	site := example(t, "Caddyfile", map[string]string{
		`(?m)^caseload\.example \{`: "https://" + listen + " {\n\ttls " + dir + "/cert.pem " + dir + "/key.pem", `(?m)^\treverse_proxy 127\.0\.0\.1:8080`: "\treverse_proxy " + behind,
	})
	write(t, dir+"/Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+site)
	cmd := exec.Command("caddy", "run", "--config", dir+"/Caddyfile", "--adapter", "caddyfile")
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// example reads a file of deploy/ and makes the changes, each of which must fit.
func example(t *testing.T, name string, changes map[string]string) string {
	t.Helper()
	content, err := os.ReadFile("../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for from, to := range changes {
		pattern := regexp.MustCompile(from)
		if !pattern.MatchString(text) {
			t.Fatalf("deploy/%s has no %q any more", name, from)
		}
		text = pattern.ReplaceAllLiteralString(text, to)
	}
	return text
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func frontend(t *testing.T, name string, command func(t *testing.T, dir, listen, behind string) *exec.Cmd) {
	if _, err := exec.LookPath(name); err != nil {
		mustrun.Skip(t, name, "not installed here: apt-get install "+name)
	}
	listen, dir := freeAddress(t), t.TempDir()
	origin := "https://" + listen
	trusting := certificate(t, dir)
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_PUBLIC_URL="+origin, "CASELOAD_TRUSTED_PROXIES=127.0.0.1/32")
	s.serve([]string{"serve"})
	behind(t, command(t, dir, listen, s.address), origin, trusting)
	direct := s.newAdmin()
	p := direct.at(origin)

	// The small and the direct route, and both downloads: every signed address is the proxy's.
	wholeWay(t, p, trusting, origin)

	client := &api.Client{Base: origin, Token: p.token, HTTP: trusting}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	opened, err := client.CreateCase(ctx, api.NewCase{Number: "2026-0002", Patient: "Phantom"})
	if err != nil {
		t.Fatal(err)
	}
	content := phantom.Noise(9, 11<<20)
	relayed, err := client.UploadFile(ctx, opened.ID, "relayed.bin", bytes.NewReader(content), int64(len(content)), api.Upload{Relay: true})
	if err != nil || relayed.Route != "direct" {
		t.Errorf("parts by the relay: %v", err)
	}
	passesAsItComes(t, direct, p, trusting, opened.ID)
	isTold(t, direct, p, trusting, opened.ID)
	isSound(t, s, dir+"/cert.pem")
	if strings.Contains(read(t, filepath.Join(dir, "access.log")), "?") {
		t.Error("the access log has a query in it")
	}
}

// passesAsItComes: the server has the beginning of a request whose end is not sent yet.
func passesAsItComes(t *testing.T, direct, p person, through *http.Client, caseID string) {
	t.Helper()
	content := phantom.Noise(10, 3<<20)
	f, err := direct.plan(t.Context(), caseID, "slow.bin", len(content))
	if err != nil {
		t.Fatal(err)
	}
	body, end := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.base+"/api/v1/files/"+f.ID+"/content", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(content))
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("x-amz-checksum-crc64nvme", crc64nvme(content))
	answered := make(chan error, 1)
	go func() {
		answer, err := through.Do(r)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("answered %s", answer.Status)
			}
		}
		answered <- err
	}()
	if _, err := end.Write(content[:1<<20]); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "the server knows of the request before its end", func() (bool, error) {
		now, err := direct.file(t.Context(), f.ID)
		return now.State == "sending", err
	})
	go func() {
		_, _ = end.Write(content[1<<20:])
		_ = end.Close()
	}()
	if err := <-answered; err != nil {
		t.Errorf("a slow request: %v", err)
	}
}

// isTold: a live stream gets its first event while it stays open.
func isTold(t *testing.T, direct, p person, through *http.Client, caseID string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/v1/cases/"+caseID+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := through.Do(r)
	if err != nil {
		t.Fatalf("live stream: %v", err)
	}
	defer answer.Body.Close()
	if _, err := direct.plan(ctx, caseID, "told.bin", 1000); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for b := make([]byte, 4096); !strings.Contains(seen, "event: change"); {
		n, err := answer.Body.Read(b)
		if seen += string(b[:n]); err != nil {
			t.Fatalf("live stream: %v after %q", err, seen)
		}
	}
}

// isSound: the doctor finds nothing wrong with the example.
func isSound(t *testing.T, s *site, authority string) {
	t.Helper()
	cmd := s.command("doctor", "--json")
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+authority)
	said, err := cmd.Output()
	var report struct {
		Findings []struct{ Check, Level, Got string }
	}
	if fault := json.Unmarshal(said, &report); fault != nil {
		t.Fatalf("doctor: %v, %v: %s", err, fault, said)
	}
	tried := 0
	for _, f := range report.Findings {
		if strings.HasPrefix(f.Check, "front.") {
			if tried++; f.Level != "fine" {
				t.Errorf("doctor: %s %s: %s", f.Level, f.Check, f.Got)
			}
		}
	}
	if tried != 7 {
		t.Errorf("the doctor tried %d things of the way to Caseload: %s", tried, said)
	}
}

// behind starts the front end and waits until it answers; it ends with the test.
func behind(t *testing.T, cmd *exec.Cmd, origin string, trusting *http.Client) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		trusting.CloseIdleConnections()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	await(t, 30*time.Second, cmd.Path+" answers", func() (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", cmd.Path, err, said.String())
		default:
		}
		answer, err := trusting.Get(origin + "/healthz")
		if err != nil {
			return false, err
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
}

// certificate writes one for loopback into dir and returns a client that trusts it.
func certificate(t *testing.T, dir string) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "caseload test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, dir+"/cert.pem", string(cert))
	write(t, dir+"/key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 16}}
}

// read returns a file's text, "" when it is not there.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}
