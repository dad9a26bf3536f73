package ingest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive/archivetest"
	"dcdentals.com/caseload/internal/caseload"
)

// Every hostile ZIP ends ready, kept, with its verdict by name; the reader's process goes on within 64 MiB of memory
// beyond idle, and reads the next file as before.
func TestEveryHostileZIPGetsItsVerdict(t *testing.T) {
	image := archivetest.File{Name: "IM1", Body: slice(1).bytes()}
	in := func(b []byte, store bool) []byte {
		return archivetest.Pack(archivetest.File{Name: "inside.zip", Body: b, Store: store}, image)
	}
	pdf := append([]byte("%PDF-1.7\n"), archivetest.Pack(image)...)
	for name, c := range map[string]struct {
		b      []byte
		kind   caseload.FileKind
		said   string // among warnings and reasons
		images int
	}{
		"100,000 entries":                   {archivetest.Many(100_000), "zip", "20000 are the limit", 0},
		"overlapping":                       {archivetest.Overlapping(200, 1<<20), "zip", "overlap", 0},
		"overlapping, 16 GB":                {archivetest.Overlapping(16_000, 1<<20), "zip", "times its size", 0},
		"quoted":                            {archivetest.Quoted(250, 100_000), "zip", "overlap", 0},
		"4 GB out of nothing":               {archivetest.Sizes(0xFFFFFFF0, true), "zip", "no compression can do", 0},
		"two sizes":                         {archivetest.Sizes(2000, false), "zip", "different sizes", 0},
		"two names":                         {archivetest.Renamed(image, archivetest.File{Name: "IM2", Body: slice(2).bytes()}), "zip", "different names", 1},
		"a password":                        {archivetest.Encrypted(image), "zip", "protected by a password; send it without", 0},
		"nested, 6 levels of 4":             {archivetest.Nested(6, 4, 1<<20), "zip", "inside an archive of the ZIP", 0},
		"a bomb inside, stored":             {in(archivetest.Quoted(250, 4<<20), true), "zip", "times its size", 1},
		"a bomb inside, compressed":         {in(archivetest.Overlapping(200, 1<<20), false), "zip", "overlap", 1},
		"100,000 entries inside":            {in(archivetest.Many(100_000), false), "zip", "are the limit", 1},
		"a password inside":                 {in(archivetest.Encrypted(image), true), "zip", "protected by a password", 1},
		"a ZIP inside, cut off":             {in(archivetest.Pack(image)[:5000], false), "zip", "cut off or damaged", 1},
		"one more than the limit, together": {in(archivetest.Many(19_999), true), "zip", "19998 are the limit", 1},
		"a program in front":                {append([]byte("MZ unpacks itself"), archivetest.Pack(image)...), "zip", "begins behind 17 bytes", 1},
		"a document that is a ZIP too":      {pdf, "pdf", "", 0},
		"a photo that is a ZIP too":         {append([]byte("\xFF\xD8\xFF\xE0"), archivetest.Pack(image)...), "jpeg", "", 0},
		"a way out of the folder":           {archivetest.Pack(archivetest.File{Name: "../../etc/passwd", Body: slice(1).bytes()}), "zip", "", 1},
		"200 MB of zeros":                   {archivetest.Pack(image, archivetest.File{Name: "IM2", Body: make([]byte, 200<<20)}), "zip", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.b)
			runtime.GC()
			stop := heap()
			idle := peakNow()
			r := b.read(t)
			peak := stop()
			all := append(append([]string{}, r.found.Warnings...), r.receipt.Warnings...)
			for _, u := range append(r.found.Contents.Unread, r.receipt.Report.Unread...) {
				all = append(all, u.Reason)
			}
			if text := strings.Join(all, "\n"); r.State != caseload.Ready || r.found.Kind != c.kind || r.found.Contents.Images != c.images || !strings.Contains(text, c.said) || c.said == "" && text != "" {
				t.Errorf("%s, kind %s, %d images, said:\n%.2000s", r.State, r.found.Kind, r.found.Contents.Images, text)
			}
			if peak > idle+64<<20 {
				t.Errorf("%d MiB beyond idle", (peak-idle)>>20)
			}
			if again := newBench(t, archivetest.Pack(image)).read(t); again.found.Contents.Images != 1 {
				t.Error("the next file is not read as before")
			}
		})
	}
}

// A ZIP whose parts contradict each other is read as far as it can be, and what contradicts is told.
func TestEveryContradictoryZIPIsReadAsFarAsItGoes(t *testing.T) {
	for name, odd := range archivetest.Contradictory(archivetest.File{Name: "IM1", Body: slice(1).bytes()}, archivetest.File{Name: "IM2", Body: slice(2).bytes()}) {
		t.Run(name, func(t *testing.T) {
			r := newBench(t, odd.Body).read(t)
			all := append(append([]string{}, r.found.Warnings...), r.receipt.Warnings...)
			for _, u := range append(r.found.Contents.Unread, r.receipt.Report.Unread...) {
				all = append(all, u.Reason)
			}
			if text := strings.Join(all, "\n"); r.State != caseload.Ready || r.found.Kind != caseload.KindZIP || r.found.Contents.Images != odd.Images || !strings.Contains(text, odd.Said) || odd.Said == "" && odd.Images == 2 && text != "" {
				t.Errorf("%s, kind %s, %d images of %d, said:\n%.1000s", r.State, r.found.Kind, r.found.Contents.Images, odd.Images, text)
			}
		})
	}
}

// A link in a ZIP is never followed, wherever it leads; what is beside it is read.
func TestLinksInAZIPAreNotFollowed(t *testing.T) {
	r := newBench(t, archivetest.Linked(archivetest.File{Name: "IM1", Body: slice(1).bytes()}, "IM1", "/etc/passwd", "../../../../etc/shadow", ".", "")).read(t)
	c := r.found.Contents
	if r.State != caseload.Ready || c.Images != 1 || c.NotRead != 5 || c.Others != 0 || c.Reasons["link"] != 5 {
		t.Fatalf("%s: %+v", r.State, c)
	}
	for _, u := range c.Unread {
		if u.Reason != "A link to another file is not followed." {
			t.Errorf("%+v", u)
		}
	}
}

// peakNow is the memory in use by objects at this moment.
func peakNow() uint64 { return heap()() }

// A ZIP may hold many ZIPs; only some are opened, and what is in all of them together is bounded.
func TestTheNumberOfZIPsInsideIsBounded(t *testing.T) {
	var files []archivetest.File
	for i := range 40 {
		files = append(files, archivetest.File{Name: fmt.Sprintf("scan%02d", i), Body: archivetest.Pack(archivetest.File{Name: "IM", Body: slice(i + 1).bytes(), Store: true}), Store: true})
	}
	r := newBench(t, archivetest.Pack(files...)).read(t)
	if c := r.found.Contents; c.Images != 32 || c.NotRead != 8 || !strings.Contains(c.Unread[0].Reason, "too many archives") {
		t.Errorf("%+v", c)
	}
	if !bytes.Equal(archivetest.Nested(1, 2, 10), archivetest.Nested(1, 2, 10)) {
		t.Error("the generators do not follow from their arguments alone")
	}
}
