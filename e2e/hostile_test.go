package e2e

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/archive/archivetest"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/pixels/pixelstest"
)

// attack is a file made to do harm, and its verdict: what it is kept as, and what has to be said of it, among warnings and
// reasons or as the reason why there is no preview. "" says that nothing may be: the file harms nobody, or its code stays with
// the image.
type attack struct {
	content []byte
	kind    string
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
		"100,000 entries":         {archivetest.Many(100_000), "zip", "are the limit"},
		"overlapping":             {archivetest.Overlapping(200, 1<<20), "zip", "overlap"},
		"quoted":                  {archivetest.Quoted(250, 100_000), "zip", "overlap"},
		"quoted, 1 GB":            {archivetest.Quoted(250, 4<<20), "zip", "times its size"},
		"4 GB out of nothing":     {archivetest.Sizes(0xFFFFFFF0, true), "zip", "no compression can do"},
		"two sizes":               {archivetest.Sizes(2000, false), "zip", "different sizes"},
		"two names":               {archivetest.Renamed(image), "zip", "different names"},
		"a password":              {archivetest.Encrypted(image), "zip", "protected by a password"},
		"nested, 5 levels":        {archivetest.Nested(5, 4, 1<<20), "zip", "inside an archive of the ZIP"},
		"a bomb inside":           {archivetest.Pack(archivetest.File{Name: "in.zip", Body: archivetest.Quoted(250, 4<<20)}, image), "zip", "times its size"},
		"a document and a ZIP":    {append([]byte("%PDF-1.7\n"), archivetest.Pack(image)...), "pdf", "The number of pages is not known."},
		"64k × 64k PNG":           {bombPNG(), "png", "65536 × 65536"},
		"a photo of nothing":      {append([]byte{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, 100)...), "jpeg", "The picture is damaged."},
		"STL of 2^32 triangles":   {claims, "other", ""},
		"text STL without an end": {append([]byte("solid x\nfacet normal 0 0 1\n"), bytes.Repeat([]byte("vertex 1e999 "), 50_000)...), "stl", "A line of the mesh is too long to be one."},
		"PLY of 2^31 faces":       {[]byte("ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nelement face 2147483647\nproperty list uchar int vertex_indices\nend_header\n" + strings.Repeat("\x00", 200)), "ply", "The mesh claims more than its size can hold."},
	}
	for name, b := range archivetest.Torn(1 << 20) {
		all["torn: "+name] = attack{b, "zip", cmp.Or(torn[name], "its list of contents is missing")}
	}
	for name, odd := range archivetest.Contradictory(image, archivetest.File{Name: "IM2", Body: dicomtest.CT(dicomtest.CTOptions{Number: 2})}) {
		all["contradictory: "+name] = attack{odd.Body, "zip", cmp.Or(odd.Said, contradictory[name])}
	}
	for _, h := range pixelstest.Hostiles() {
		all[h.Name] = attack{h.Body, cmp.Or(h.Kept, h.Format), h.Said}
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
		all["DICOM: "+o.Name] = attack{b, "dicom", sentenceOf(t, o.Verdict, b)}
	}
	all["DICOM: a ZIP around the image"] = attack{all["DICOM: a ZIP around the image"].content, "zip", "The ZIP begins behind 1190 bytes of something else"}
	return all
}

// onTheFile are the verdicts that people see on a file; the others stay with the image.
var onTheFile = []dicom.Code{dicom.WarnTruncated, dicom.WarnPixels, dicom.WarnPolyglot, dicom.WarnCharset, dicom.WarnBudget, dicom.WarnDepth, dicom.WarnLength, dicom.WarnGeometry, dicom.WarnSentAsText}

// sentenceOf is what the server has to say of an object whose verdict is the code, word for word. Where that code stays with
// the image, it is what is wrong besides; "" when nothing is.
func sentenceOf(t *testing.T, code string, b []byte) (said string) {
	h, err := dicom.Read(t.Context(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range dicom.Describe(h).Warnings {
		if slices.Contains(onTheFile, w.Code) && (said == "" || string(w.Code) == code) {
			said = w.Text[1:] // a sentence begins with a capital there
		}
	}
	return said
}

// torn is what has to be said of those ZIPs without their end that are more than cut off.
var torn = map[string]string{
	"a thousandfold": "times its size", "named empty entries": "20000 entries, the limit",
	"headers that reach beyond the file": "20000 entries, the limit", "one over all bytes": "cut off after entry 1",
}

// contradictory is the same of the ZIPs of which nothing is said before all of their bytes are read.
var contradictory = map[string]string{"another method in the entry itself": "name different compressions"}

// nameless is said besides of objects that do not belong to a series; most hostile ones do not.
const nameless = "1 image does not say which study and series it belongs to. It is kept, but not listed among the scans."

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
		text := strings.TrimSpace(strings.Join(said, "\n"))
		if f.State != "ready" || f.Kind != a.kind || !strings.Contains(text, a.said) || a.said == "" && text != "" && text != nameless {
			t.Errorf("%s: %s as %s, said: %.300q, want %s, %q", name, f.State, f.Kind, text, a.kind, a.said)
		} else {
			t.Logf("%s: %s as %s in %v, said: %.120q", name, f.State, f.Kind, f.ReadyAt.Sub(f.StoredAt).Round(time.Millisecond), text)
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
