//go:build bench

package e2e

// The figures of docs/benchmarks.md that need whole processes: `make bench` runs them and prints a line for each.
// They are measurements, not tests: they fail only when what they measure did not happen.

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/objectstore/s3test"
	"dcdentals.com/caseload/internal/pgtest"
)

// memory reads a figure of /proc/PID/status in bytes: VmRSS is what is resident now, VmHWM the most there ever was.
func (p *process) memory(t testing.TB, figure string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, figure+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s in /proc", figure)
	return 0
}

// webAlone starts one web process over PostgreSQL and a store of its own process, and an administrator.
func webAlone(t *testing.T, extra ...string) (*process, person) {
	t.Helper()
	s := newSite(t, "CASELOAD_DATABASE_URL="+pgtest.URL(t))
	store := s3test.Start(t, s.url())
	s.env = append(s.env, store.Environment()...)
	p := s.serve([]string{"serve", "--role", "web"}, extra...)
	return p, s.newAdmin()
}

// TestFigureConnections holds 1,000 direct uploads in flight from 1,000 connections, each with its parts signed and one
// PUT half sent to the store, and reports how much the web process grew: for files of 50 MB and, in a process of its
// own, of 1 GiB.
func TestFigureConnections(t *testing.T) {
	const uploads = 1000
	for _, size := range []int64{50_000_000, 1 << 30} {
		web, admin := webAlone(t)
		caseID := admin.newCase(t, "BENCH-1", "Phantom")
		inFlight(t, admin, caseID, size, uploads/10) // warm: pools, caches, the runtime's own growth
		idle := web.memory(t, "VmRSS")
		hold := inFlight(t, admin, caseID, size, uploads)
		peak := web.memory(t, "VmHWM")
		t.Logf("%d uploads of %d bytes in flight: web process idle %.1f MiB, at most %.1f MiB, %+.1f MiB (mark ≤ 48)",
			hold, size, float64(idle)/mib, float64(peak)/mib, float64(peak-idle)/mib)
		web.kill()
	}
}

// inFlight plans and signs n uploads on n connections, leaves each with a part half sent until all are, and gives up.
func inFlight(t *testing.T, admin person, caseID string, size int64, n int) int {
	t.Helper()
	var begun, done sync.WaitGroup
	begun.Add(n)
	done.Add(n)
	all := make(chan struct{})
	failed := make(chan error, n)
	for i := range n {
		go func() {
			defer done.Done()
			err := oneInFlight(t.Context(), admin, caseID, fmt.Sprintf("scan-%d.zip", i), size, &begun, all)
			if err != nil {
				failed <- err
			}
		}()
	}
	begun.Wait()
	held := n - len(failed)
	close(all)
	done.Wait()
	if len(failed) > 0 {
		t.Fatalf("%d of %d uploads failed: %v", len(failed), n, <-failed)
	}
	return held
}

func oneInFlight(ctx context.Context, admin person, caseID, name string, size int64, begun *sync.WaitGroup, all <-chan struct{}) error {
	arrived := sync.OnceFunc(begun.Done)
	defer arrived()
	connection := &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	defer connection.CloseIdleConnections()
	c := admin.client()
	c.HTTP, c.Attempts = &http.Client{Transport: connection}, 20
	planned, err := c.Plan(ctx, caseID, "", []api.FileSpec{{Name: name, Size: size}})
	if err != nil || planned.Files[0].Error != nil {
		return fmt.Errorf("plan: %w", err)
	}
	f := planned.Files[0].File
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64.Checksum([]byte(name), nvme)))
	var signed []api.SignedRequest
	for first := 1; first <= f.Parts; first += 8 { // as a browser does: a batch now, the next when its turn comes
		var parts []api.PartSpec
		for part := first; part < first+8 && part <= f.Parts; part++ {
			parts = append(parts, api.PartSpec{Number: part, CRC64NVME: sum})
		}
		if signed, err = c.SignParts(ctx, f.ID, parts); err != nil {
			return fmt.Errorf("sign: %w", err)
		}
	}
	put, err := halfPut(signed[0], f.PartSize)
	if err != nil {
		return err
	}
	defer put.Close()
	arrived()
	<-all
	_, err = c.Abort(ctx, f.ID)
	return err
}

// halfPut sends a signed request's head and 64 KiB of its body to the store and stays there.
func halfPut(signed api.SignedRequest, length int64) (net.Conn, error) {
	u, err := url.Parse(signed.URL)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", signed.Method, u.RequestURI(), u.Host, length)
	for name, value := range signed.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	head.WriteString("\r\n")
	head.Write(make([]byte, 64<<10))
	if _, err := conn.Write(head.Bytes()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// TestFigureSmallRoute forces 1 GiB through the server (threshold raised) and reports the web process's peak.
func TestFigureSmallRoute(t *testing.T) {
	web, admin := webAlone(t, "CASELOAD_DIRECT_THRESHOLD=2GiB")
	caseID := admin.newCase(t, "BENCH-2", "Phantom")
	idle := web.memory(t, "VmRSS")
	begun := time.Now()
	size := int64(1 << 30)
	f, err := admin.client().UploadFile(t.Context(), caseID, "big.bin", endless{size}, size, api.Upload{})
	if err != nil || f.Route != "small" {
		t.Fatalf("route %q: %v", f.Route, err)
	}
	took := time.Since(begun)
	t.Logf("1 GiB through the server: idle %.1f MiB, peak %.1f MiB (mark ≤ 64), %.0f MB/s with the checksum made first",
		float64(idle)/mib, float64(web.memory(t, "VmHWM"))/mib, float64(size)/1e6/took.Seconds())
}

// endless is size bytes that cost no memory.
type endless struct{ size int64 }

var static = phantom.Noise(7, mib)

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < e.size {
		c := copy(p[n:], static[off%mib:])
		c = int(min(int64(c), e.size-off))
		n, off = n+c, off+int64(c)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// spliced is a header followed by an endless body.
type spliced struct {
	head []byte
	body endless
}

func (s spliced) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(s.head)) {
		n = copy(p, s.head[off:])
		if n == len(p) {
			return n, nil
		}
	}
	m, err := s.body.ReadAt(p[n:], off+int64(n)-int64(len(s.head)))
	return n + m, err
}

// multiFrame is one CT object of that many frames of 512 × 512 × 16 bit (0.5 MiB a frame).
func multiFrame(frames int) (spliced, int64) {
	one := phantom.Scan{Seed: 11, Patient: "Frame^Multi", ID: "MF-1", Slices: 1, Size: 512}.Slice(1)
	head := one[:len(one)-512*512*2]
	count := []byte(fmt.Sprintf("%-4d", frames)) // (0028,0008) IS
	element := append([]byte{0x28, 0, 0x08, 0, 'I', 'S', byte(len(count)), 0}, count...)
	at := bytes.Index(head, []byte{0x28, 0, 0x10, 0, 'U', 'S'})
	body := int64(frames) * 512 * 512 * 2
	spliceHead := append(append(append([]byte{}, head[:at]...), element...), head[at:]...)
	binary.LittleEndian.PutUint32(spliceHead[len(spliceHead)-4:], uint32(body))
	return spliced{spliceHead, endless{body}}, int64(len(spliceHead)) + body
}

// TestFigureMetadata reports the time from the last byte's acknowledgement to visible metadata, and the share of the
// object that was read for it, for a 500 MB multi-frame file and a ZIP of 500 slices of 0.5 MB, on the embedded store.
// CASELOAD_BENCH_FILES names further files to measure, separated by commas.
func TestFigureMetadata(t *testing.T) {
	s := newSite(t)
	all := s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "BENCH-3", "Phantom")

	volume, size := multiFrame(954)
	figureMetadata(t, admin, caseID, "multi-frame", volume, size)

	path := filepath.Join(t.TempDir(), "scan.zip")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (phantom.Scan{Seed: 12, Patient: "Slice^Many", ID: "ZIP-1", Slices: 500, Size: 512}).WriteZIP(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	paths := []string{path}
	if more := os.Getenv("CASELOAD_BENCH_FILES"); more != "" {
		paths = append(paths, strings.Split(more, ",")...)
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		figureMetadata(t, admin, caseID, filepath.Base(path), file, info.Size())
		file.Close()
	}
	t.Logf("the one process with the store inside: peak %.1f MiB", float64(all.memory(t, "VmHWM"))/mib)
}

func figureMetadata(t *testing.T, admin person, caseID, what string, body io.ReaderAt, size int64) {
	t.Helper()
	begun := time.Now()
	f, err := admin.client().UploadFile(t.Context(), caseID, what, body, size, api.Upload{})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := time.Now()
	var seen time.Duration
	await(t, time.Minute, what+" has metadata", func() (bool, error) {
		f, err = admin.file(t.Context(), f.ID)
		seen = time.Since(acknowledged)
		return !f.MetadataAt.IsZero(), err
	})
	ready := admin.ready(t, f.ID, 5*time.Minute)
	t.Logf("%s, %.0f MB: sent at %.0f MB/s; last byte → metadata %d ms by the server's clock, seen by a client after %d ms; read %.2f MB = %.2f %% of it; whole pass done %.1f s after the last byte (%.0f MB/s)",
		what, float64(size)/1e6, float64(size)/1e6/acknowledged.Sub(begun).Seconds(),
		f.MetadataAt.Sub(f.StoredAt).Milliseconds(), seen.Milliseconds(), float64(f.BytesRead)/1e6, 100*float64(f.BytesRead)/float64(size),
		ready.ReadyAt.Sub(f.StoredAt).Seconds(), float64(size)/1e6/ready.ReadyAt.Sub(f.MetadataAt).Seconds())
}

// TestFigureFolder reports how fast a folder of 600 slices of 0.5 MB arrives by the small route, three at once as a
// browser does, and is read.
func TestFigureFolder(t *testing.T) {
	const slices = 600
	s := newSite(t)
	s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "BENCH-4", "Phantom")
	scan := phantom.Scan{Seed: 13, Patient: "Folder^Slices", ID: "F-1", Slices: slices, Size: 512}
	contents := make([][]byte, slices)
	specs := make([]api.FileSpec, slices)
	for i := range contents {
		contents[i] = scan.Slice(i + 1)
		specs[i] = api.FileSpec{Name: fmt.Sprintf("IM%04d", i+1), Path: "CT", Size: int64(len(contents[i]))}
	}
	begun := time.Now()
	planned, err := admin.client().Plan(t.Context(), caseID, "", specs)
	if err != nil {
		t.Fatal(err)
	}
	turns := make(chan int)
	var sending sync.WaitGroup
	for range 3 {
		sending.Go(func() {
			c := admin.client()
			for i := range turns {
				if _, err := c.SendFile(t.Context(), *planned.Files[i].File, bytes.NewReader(contents[i]), api.Upload{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range planned.Files {
		turns <- i
	}
	close(turns)
	sending.Wait()
	sent := time.Since(begun)
	await(t, 5*time.Minute, "all slices read", func() (bool, error) {
		files, err := admin.files(t.Context(), caseID)
		for _, f := range files {
			if f.State != "ready" {
				return false, err
			}
		}
		return len(files) == slices, err
	})
	t.Logf("%d slices of %.1f MB: received in %.1f s (%.0f files/s, %.0f MB/s), all read after %.1f s", slices, float64(len(contents[0]))/1e6,
		sent.Seconds(), slices/sent.Seconds(), float64(slices*len(contents[0]))/1e6/sent.Seconds(), time.Since(begun).Seconds())
}
