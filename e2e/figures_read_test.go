//go:build bench

package e2e

// The figures of "Reading" in docs/benchmarks.md, each beside its peers in the same run: `make bench-read`. Peers that are
// not installed (python3-pydicom, dcmtk, orthanc) are left out and named.

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/dicom"
)

const plain = "../bench/read/plain.py"

// python is an interpreter that has pydicom; "" when there is none.
func python() string {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import pydicom").Run() == nil {
			return name
		}
	}
	return ""
}

// ran runs a command to its end and returns how long that took and what it printed.
func ran(t *testing.T, name string, args ...string) (time.Duration, []byte) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, complaints.String())
	}
	return time.Since(begun), out.Bytes()
}

// inPython runs plain.py and returns the seconds it measured itself: without the interpreter's start.
func inPython(t *testing.T, interpreter string, args ...string) time.Duration {
	t.Helper()
	_, out := ran(t, interpreter, append([]string{plain}, args...)...)
	var measured struct{ Seconds float64 }
	if err := json.Unmarshal(out, &measured); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return time.Duration(measured.Seconds * float64(time.Second))
}

// median runs each contender in turn, five times over, and returns the median of each.
func median(contenders map[string]func() time.Duration) map[string]time.Duration {
	times := map[string][]time.Duration{}
	for range 5 {
		for name, run := range contenders {
			times[name] = append(times[name], run())
		}
	}
	medians := map[string]time.Duration{}
	for name, all := range times {
		slices.Sort(all)
		medians[name] = all[len(all)/2]
	}
	return medians
}

func writeFile(t *testing.T, path string, body io.Reader) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeSlices writes n slices of 512 × 512 and returns their paths.
func writeSlices(t *testing.T, dir string, n int) []string {
	t.Helper()
	scan := phantom.Scan{Seed: 21, Patient: "Read^Slices", ID: "R-1", Slices: n, Size: 512}
	paths := make([]string, n)
	for i := range paths {
		paths[i] = writeFile(t, filepath.Join(dir, fmt.Sprintf("IM%05d", i+1)), bytes.NewReader(scan.Slice(i+1)))
	}
	return paths
}

// writeDeflated writes a ZIP of n deflated slices whose pixels compress as a scan's do, to about half.
func writeDeflated(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	scan := phantom.Scan{Seed: 22, Patient: "Read^Zipped", ID: "R-2", Slices: n, Size: 512}
	for i := range n {
		slice := scan.Slice(i + 1)
		for at := len(slice) - 2*512*512 + 1; at < len(slice); at += 2 {
			slice[at] = 3 // the high bytes are alike, the low ones noise
		}
		e, err := z.Create(fmt.Sprintf("DICOM/CT/IM%05d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write(slice); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// readHeaders reads the headers of files as the ingest does.
func readHeaders(t *testing.T, paths []string) (bytesRead int64) {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		h, err := dicom.Read(context.Background(), f, info.Size(), dicom.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if dicom.Describe(h).Rows != 512 {
			t.Fatal("the header was not read")
		}
		bytesRead += h.BytesRead
		f.Close()
	}
	return bytesRead
}

// TestReadingHeaders compares the header walker with pydicom and dcmdump over the same files in the page cache. The one file is
// read many times: a single header of 0.03 ms would tell how long an idle processor takes to wake up.
func TestReadingHeaders(t *testing.T) {
	dir := t.TempDir()
	volume, size := multiFrame(954)
	for _, set := range []struct {
		what  string
		files []string
	}{
		{"500 slices of 0.5 MB", writeSlices(t, dir, 500)},
		{"one multi-frame file of 500 MB, 100 times", slices.Repeat([]string{writeFile(t, filepath.Join(dir, "volume"), io.NewSectionReader(volume, 0, size))}, 100)},
	} {
		var bytesRead int64
		contenders := map[string]func() time.Duration{"ours": func() time.Duration {
			begun := time.Now()
			bytesRead = readHeaders(t, set.files)
			return time.Since(begun)
		}}
		if interpreter := python(); interpreter != "" {
			contenders["pydicom"] = func() time.Duration { return inPython(t, interpreter, append([]string{"headers"}, set.files...)...) }
		} else {
			t.Log("python3-pydicom is not installed: left out")
		}
		if dcmdump, err := exec.LookPath("dcmdump"); err == nil {
			contenders["dcmdump -M"] = func() time.Duration {
				took, _ := ran(t, dcmdump, append([]string{"-q", "-M"}, set.files...)...)
				return took
			}
		} else {
			t.Log("dcmtk is not installed: left out")
		}
		of := median(contenders)
		for name, took := range of {
			t.Logf("%s: %s %v, %.1f times ours", set.what, name, took.Round(10*time.Microsecond), took.Seconds()/of["ours"].Seconds())
		}
		t.Logf("%s: we read %.2f MB of them", set.what, float64(bytesRead)/1e6)
	}
}

// TestReadingCostPerSlice reports what a slice's header costs in series of 100 to 10,000 slices, and what the geometry of
// the whole series adds.
func TestReadingCostPerSlice(t *testing.T) {
	scan := phantom.Scan{Seed: 23, Patient: "Flat^Cost", ID: "R-3", Slices: 10_000, Size: 512}
	one := scan.Slice(1)
	at := bytes.Index(one, []byte(`-45\-45\0.3 `))
	for _, n := range []int{100, 1000, 10_000} {
		begun := time.Now()
		pictures := make([]dicom.Slice, 0, n)
		for i := range n {
			copy(one[at:], fmt.Sprintf(`-45\-45\%-4d`, i)[:12])
			h, err := dicom.Read(context.Background(), bytes.NewReader(one), int64(len(one)), dicom.Options{})
			if err != nil {
				t.Fatal(err)
			}
			pictures = append(pictures, dicom.SliceOf(dicom.Describe(h)))
		}
		read := time.Since(begun)
		begun = time.Now()
		g := dicom.Geometry(pictures)
		t.Logf("%d slices: %.1f µs a header, %.2f µs a slice for the geometry of all (%d images)", n,
			float64(read.Microseconds())/float64(n), float64(time.Since(begun).Microseconds())/float64(n), g.Images)
	}
}

// TestReadingDelivery compares the time from an upload's end until another connection reads its metadata over the API with
// the plain pipeline over the same object in the same store, and with Orthanc given the same file.
func TestReadingDelivery(t *testing.T) {
	dir := t.TempDir()
	volume, size := multiFrame(954)
	multi := writeFile(t, filepath.Join(dir, "volume.dcm"), io.NewSectionReader(volume, 0, size))
	zipped := filepath.Join(dir, "scan.zip")
	writeDeflated(t, zipped, 500)
	s := newSite(t)
	p := s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "READ-1", "Phantom")
	orthanc := startOrthanc(t)
	for _, path := range []string{zipped, multi} {
		what := filepath.Base(path)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		var ours, byServer, theirs []time.Duration
		var last api.File
		for i := range 3 {
			sent, err := admin.client().UploadFile(t.Context(), caseID, fmt.Sprintf("%d-%s", i, what), f, info.Size(), api.Upload{})
			if err != nil {
				t.Fatal(err)
			}
			seen := admin.seesMetadata(t, caseID, sent.ID)
			last = admin.ready(t, sent.ID, 5*time.Minute)
			ours = append(ours, seen.Sub(last.StoredAt))
			byServer = append(byServer, last.MetadataAt.Sub(last.StoredAt))
			if interpreter := python(); interpreter != "" {
				theirs = append(theirs, inPython(t, interpreter, "pipeline", admin.base+"/api/v1/files/"+sent.ID+"/content", admin.token))
			}
		}
		slices.Sort(ours)
		slices.Sort(byServer)
		t.Logf("%s, %.0f MB: upload's end → metadata read over the API %v, rows and commit included (the transaction began after %v); read %.2f MB of it; whole pass %.0f MB/s",
			what, float64(info.Size())/1e6, ours[1].Round(time.Millisecond), byServer[1].Round(time.Millisecond), float64(last.BytesRead)/1e6, float64(info.Size())/1e6/last.ReadyAt.Sub(last.MetadataAt).Seconds())
		if len(theirs) > 0 {
			slices.Sort(theirs)
			t.Logf("%s: the plain pipeline %v, %.1f times ours", what, theirs[1].Round(time.Millisecond), theirs[1].Seconds()/ours[1].Seconds())
		}
		if orthanc != "" {
			t.Logf("%s: Orthanc, sending included, %v", what, toOrthanc(t, orthanc, f, info.Size()).Round(time.Millisecond))
		}
		f.Close()
	}
	t.Logf("our one process with the store inside: peak %.1f MiB", float64(p.memory(t, "VmHWM"))/mib)
}

// seesMetadata asks the API every 2 ms, over a connection of its own, until it shows the file's metadata, and returns the
// time of that answer. The series must be there with it: they are written in the same transaction.
func (p person) seesMetadata(t *testing.T, caseID, id string) (seen time.Time) {
	t.Helper()
	for tick, deadline := time.NewTicker(2*time.Millisecond), time.Now().Add(time.Minute); seen.IsZero(); <-tick.C {
		f, err := p.file(t.Context(), id)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("no metadata of %s: %v", id, err)
		}
		if !f.MetadataAt.IsZero() {
			seen = time.Now()
		}
	}
	var found api.Studies
	if err := p.call(t.Context(), "GET", "/cases/"+caseID+"/studies", nil, &found); err != nil {
		t.Fatal(err)
	}
	for _, study := range found.Studies {
		for _, series := range study.Series {
			if slices.Contains(series.Files, id) {
				return seen
			}
		}
	}
	t.Fatalf("the metadata of %s are seen, its series are not", id)
	return seen
}

// startOrthanc runs Orthanc on loopback with a folder of its own and returns its address; "" when it is not installed.
func startOrthanc(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("Orthanc")
	if err != nil {
		t.Log("orthanc is not installed: left out")
		return ""
	}
	dir, address := t.TempDir(), freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	settings := fmt.Sprintf(`{"Name":"bench","StorageDirectory":%q,"IndexDirectory":%q,"HttpPort":%s,"DicomServerEnabled":false,
		"RemoteAccessAllowed":false,"AuthenticationEnabled":false,"Plugins":[]}`, dir, dir, port)
	path := writeFile(t, filepath.Join(dir, "orthanc.json"), strings.NewReader(settings))
	cmd := exec.Command(program, path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	await(t, time.Minute, "Orthanc answers", func() (bool, error) {
		answer, err := http.Get("http://" + address + "/system")
		if err == nil {
			answer.Body.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK, nil
	})
	return "http://" + address
}

// toOrthanc sends a file to Orthanc and returns how long it took until it had read and stored all of it.
func toOrthanc(t *testing.T, address string, f io.ReaderAt, size int64) time.Duration {
	t.Helper()
	begun := time.Now()
	answer, err := http.Post(address+"/instances", "application/octet-stream", io.NewSectionReader(f, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("Orthanc: %s %s %v", answer.Status, body, err)
	}
	return time.Since(begun)
}

// TestReadingWholePass reports how fast a GB is read through, beside what one core's SHA-256 and the store can do alone,
// and what memory a worker of its own took for it.
func TestReadingWholePass(t *testing.T) {
	s := newSite(t)
	p := s.serve([]string{"serve"})
	admin := s.newAdmin()
	caseID := admin.newCase(t, "READ-2", "Phantom")
	size := int64(1e9)
	sent, err := admin.client().UploadFile(t.Context(), caseID, "whole.bin", endless{size}, size, api.Upload{})
	if err != nil {
		t.Fatal(err)
	}
	ready := admin.ready(t, sent.ID, 5*time.Minute)
	pass := float64(size) / 1e6 / ready.ReadyAt.Sub(ready.MetadataAt).Seconds()

	begun := time.Now()
	body, err := admin.client().Download(t.Context(), sent.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Fatal(err)
	}
	body.Close()
	read := float64(size) / 1e6 / time.Since(begun).Seconds()
	begun = time.Now()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(endless{size}, 0, size)); err != nil {
		t.Fatal(err)
	}
	hash := float64(size) / 1e6 / time.Since(begun).Seconds()
	t.Logf("whole pass of 1 GB: %.0f MB/s; one core's SHA-256 %.0f MB/s, the store alone %.0f MB/s: %.2f of the slower (mark ≥ 0.8)",
		pass, hash, read, pass/min(hash, read))
	t.Logf("the one process with the store inside: peak %.1f MiB (mark for a worker ≤ 128)", float64(p.memory(t, "VmHWM"))/mib)
}
