package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/archive/archivetest"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// attack is a file made to do harm, and what has to be said of it: among warnings and reasons, or as the reason why there
// is no preview. "" asks only that the file is kept.
type attack struct {
	content []byte
	said    string
}

// mostSent is the size up to which the virtual objects of dicomtest are sent: the larger ones of a class differ from the
// smaller ones in nothing but their length, and are read where they are made.
const mostSent = 4 << 20

// attacks are one file or more of every class of the generators.
func attacks(t *testing.T) map[string]attack {
	image := archivetest.File{Name: "IM1", Body: dicomtest.CT(dicomtest.CTOptions{})}
	claims := make([]byte, 84+50)
	binary.LittleEndian.PutUint32(claims[80:], 1<<32-1)
	all := map[string]attack{
		"100,000 entries":         {archivetest.Many(100_000), "are the limit"},
		"overlapping":             {archivetest.Overlapping(200, 1<<20), "overlap"},
		"quoted":                  {archivetest.Quoted(250, 100_000), "overlap"},
		"quoted, 1 GB":            {archivetest.Quoted(250, 4<<20), "times its size"},
		"4 GB out of nothing":     {archivetest.Sizes(0xFFFFFFF0, true), "no compression can do"},
		"two sizes":               {archivetest.Sizes(2000, false), "different sizes"},
		"two names":               {archivetest.Renamed(image), "different names"},
		"a password":              {archivetest.Encrypted(image), "protected by a password"},
		"nested, 5 levels":        {archivetest.Nested(5, 4, 1<<20), "inside an archive of the ZIP"},
		"a bomb inside":           {archivetest.Pack(archivetest.File{Name: "in.zip", Body: archivetest.Quoted(250, 4<<20)}, image), "times its size"},
		"a document and a ZIP":    {append([]byte("%PDF-1.7\n"), archivetest.Pack(image)...), ""},
		"64k × 64k PNG":           {bombPNG(), "65536 × 65536"},
		"a photo of nothing":      {append([]byte{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, 100)...), "damaged"},
		"STL of 2^32 triangles":   {claims, ""},
		"text STL without an end": {append([]byte("solid x\nfacet normal 0 0 1\n"), bytes.Repeat([]byte("vertex 1e999 "), 50_000)...), "mesh"},
		"PLY of 2^31 faces":       {[]byte("ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nelement face 2147483647\nproperty list uchar int vertex_indices\nend_header\n" + strings.Repeat("\x00", 200)), "mesh"},
	}
	for name, b := range archivetest.Torn(1 << 20) {
		all["torn: "+name] = attack{b, ""}
	}
	for _, o := range dicomtest.Hostiles() {
		source, size := o.Open()
		if size > mostSent {
			continue
		}
		b := make([]byte, size)
		if _, err := source.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Fatal(o.Name, err)
		}
		said := ""
		if o.Verdict == string(dicom.WarnTruncated) || o.Verdict == string(dicom.WarnPolyglot) || o.Verdict == string(dicom.WarnDepth) {
			said = "." // any sentence: the verdict itself is compared where the reader is tested
		}
		all["DICOM: "+o.Name] = attack{b, said}
	}
	return all
}

// Every class of hostile file arrives at a running server at once: each is kept and named, nothing is stuck, and the
// process is as it was before.
func TestARunningServerIsAttackedWithEveryClass(t *testing.T) {
	s := newSite(t, "GOTRACEBACK=all", "CASELOAD_LOG_LEVEL=error")
	p := s.newAdmin()
	running := s.serve([]string{"serve"})
	caseID := p.newCase(t, "2026-0001", "Attacked")
	honest, err := p.upload(t.Context(), caseID, "scan.zip", scanOf(t))
	if err != nil {
		t.Fatal(err)
	}
	p.ready(t, honest.ID, time.Minute)
	p.previews(t, caseID, 1)
	before := running.resident(t)
	sent := map[string]string{}
	all := attacks(t)
	for name, a := range all {
		f, err := p.upload(t.Context(), caseID, fmt.Sprintf("%03d", len(sent)), a.content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sent[name] = f.ID
	}
	files := map[string]api.File{}
	for name, id := range sent {
		await(t, time.Minute, name+" read", func() (bool, error) {
			f, err := p.file(t.Context(), id)
			files[name] = f
			return f.State == "ready" || f.State == "rejected", err
		})
	}
	previews := p.previews(t, caseID, 1)
	for name, a := range all {
		f := files[name]
		said := append([]string{f.Reason, previews[f.ID].Reason}, f.Warnings...)
		for _, u := range f.Contents.Unread {
			said = append(said, u.Reason)
		}
		if text := strings.Join(said, "\n"); f.State != "ready" || !strings.Contains(text, a.said) {
			t.Errorf("%s: %s, said: %.300q, want %q", name, f.State, text, a.said)
		}
	}
	after := running.resident(t)
	t.Logf("%d files; resident %d MiB before, %d MiB after", len(all), before>>20, after>>20)
	if os.Getenv("CASELOAD_TEST_RACE") == "" && after > before+64<<20 {
		t.Errorf("resident memory grew from %d to %d MiB", before>>20, after>>20)
	}
	if again, err := p.upload(t.Context(), caseID, "again.zip", append(scanOf(t), 0)); err != nil || p.ready(t, again.ID, time.Minute).Contents.Images != 40 {
		t.Errorf("the next file is not read as before: %v", err)
	}
	for _, stack := range running.goroutines(t) {
		for _, reader := range []string{"internal/archive.", "internal/dicom.", "internal/ingest.", "os/exec."} {
			if strings.Contains(stack, reader) {
				t.Errorf("somebody still reads:\n%.1500s", stack)
			}
		}
	}
}

// resident is the process's resident memory in bytes.
func (p *process) resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "statm"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(status))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// goroutines ends the process with SIGQUIT, which makes Go print the stack of every goroutine, and returns them.
func (p *process) goroutines(t *testing.T) []string {
	t.Helper()
	before := len(p.site.logged())
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("it did not end on SIGQUIT")
	}
	stacks := strings.Split(p.site.logged()[before:], "\n\ngoroutine ")
	if len(stacks) < 10 || len(stacks) > 200 {
		t.Fatalf("%d goroutines were printed", len(stacks))
	}
	t.Logf("%d goroutines", len(stacks))
	return stacks
}
