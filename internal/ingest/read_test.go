package ingest_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"), // the embedded store's, for the process's life
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

func TestAZIPOf300SlicesGivesOneCompleteSeriesAndEveryInstanceItsBytes(t *testing.T) {
	whole := caseZIP(t, 300)
	b := newBench(t, whole)
	r := b.read(t)
	if r.State != caseload.Ready || r.found.Kind != caseload.KindZIP {
		t.Fatalf("state %s, kind %s", r.State, r.found.Kind)
	}
	sum := sha256.Sum256(whole)
	if r.receipt.SHA256 != hex.EncodeToString(sum[:]) || r.receipt.BytesRead != int64(len(whole)) {
		t.Errorf("receipt %+v does not speak of these %d bytes", r.receipt, len(whole))
	}
	if enclosed := r.found.Contents.Enclosed; len(enclosed) != 3 || enclosed[0].Name != "Fall/upper.stl" {
		t.Errorf("to be looked at by themselves: %+v", enclosed)
	}
	r.found.Contents.Enclosed = nil
	want := caseload.Contents{Entries: 304, Images: 300, Meshes: 1, Photos: 1, Documents: 1, Others: 1, Ignored: 2, Junk: []string{"Thumbs.db", "__MACOSX"}}
	if got := fmt.Sprint(r.found.Contents); got != fmt.Sprint(want) {
		t.Errorf("contents %v, want %v", got, want)
	}
	if len(r.found.Warnings) > 0 || len(r.receipt.Warnings) > 0 {
		t.Errorf("warnings %q %q", r.found.Warnings, r.receipt.Warnings)
	}
	all := studies(r)
	if len(all) != 1 || len(all[0].Series) != 1 {
		t.Fatalf("%d studies", len(all))
	}
	s := all[0].Series[0]
	if s.Images != 300 || s.Instances != 300 || s.Rows != 64 || !s.Complete || s.Note != "" || s.SpacingSource != "positions" || s.Spacing < 0.299 || s.Spacing > 0.301 {
		t.Errorf("series %d images %d rows spacing %v from %q complete %v note %q", s.Images, s.Rows, s.Spacing, s.SpacingSource, s.Complete, s.Note)
	}
	if all[0].PatientName != "Canary, Zweigertsoda" {
		t.Errorf("patient %q", all[0].PatientName)
	}
	for _, m := range s.Members {
		original := slice(m.Number).bytes()
		inZIP := whole[m.Entry.DataOffset : m.Entry.DataOffset+m.Entry.Compressed]
		if m.Entry.Method == 8 {
			inflated, err := io.ReadAll(flate.NewReader(bytes.NewReader(inZIP)))
			if err != nil {
				t.Fatal(err)
			}
			inZIP = inflated
		}
		if !bytes.Equal(inZIP, original) {
			t.Fatalf("the entry of image %d does not lead to its bytes", m.Number)
		}
		pixels := original[len(original)-64*64*2:]
		if m.PixelEncapsulated || !bytes.Equal(original[m.PixelOffset:m.PixelOffset+m.PixelLength], pixels) {
			t.Fatalf("the pixels of image %d are not at %d", m.Number, m.PixelOffset)
		}
	}
}

func TestAMultiFrameFileIsReadAtItsHeadOnly(t *testing.T) {
	o := object{sop: "2.25.4", number: 1, frames: 200, rows: 256, columns: 256, thickness: 0.25, noPosition: true}
	b := newBench(t, o.bytes())
	r := b.read(t)
	if r.found.Kind != caseload.KindDICOM || r.found.BytesRead > 100<<10 || b.shelf.reads > 3 {
		t.Errorf("kind %s with %d bytes in %d reads", r.found.Kind, r.found.BytesRead, b.shelf.reads)
	}
	s := studies(r)[0].Series[0]
	if s.Images != 200 || s.Spacing != 0.25 || s.SpacingSource != "SliceThickness" || s.Note == "" {
		t.Errorf("series %+v", s)
	}
	if len(r.found.Warnings) == 0 || !strings.Contains(r.found.Warnings[0], "slice thickness") {
		t.Errorf("nobody is told that the spacing is a guess: %q", r.found.Warnings)
	}
}

func TestAFolderOfSlicesReadAtTheSameTimeIsOneSeries(t *testing.T) {
	var contents [][]byte
	for n := 1; n <= 60; n++ {
		contents = append(contents, slice(n).bytes())
	}
	b := newBench(t, contents...)
	var wg sync.WaitGroup
	for _, id := range b.ids {
		wg.Go(func() {
			if err := b.Ingest(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var rows []row
	for _, id := range b.ids {
		rows = append(rows, b.ledger.row(id))
	}
	all := studies(rows...)
	if len(all) != 1 || len(all[0].Series) != 1 {
		t.Fatalf("%d studies", len(all))
	}
	if s := all[0].Series[0]; s.Images != 60 || len(s.Files) != 60 || !s.Complete {
		t.Errorf("%d images of %d files, complete %v", s.Images, len(s.Files), s.Complete)
	}
}

func TestSummarizeSaysWhatIsMissingAndWhatCameTwice(t *testing.T) {
	var entries []packed
	for n := 1; n <= 20; n++ {
		if n == 7 || n == 8 {
			continue
		}
		entries = append(entries, packed{name: fmt.Sprint("a/", n), body: slice(n).bytes()})
	}
	entries = append(entries, packed{name: "b/1", body: slice(1).bytes()})
	r := newBench(t, zipOf(t, entries...)).read(t)
	s := studies(r)[0].Series[0]
	if s.Complete || !strings.Contains(s.Note, "7–8") || !strings.Contains(s.Note, "1 image was sent more than once") || s.Images != 18 || s.Instances != 19 {
		t.Errorf("complete %v, %d images, %d instances, note %q", s.Complete, s.Images, s.Instances, s.Note)
	}
	if !strings.Contains(strings.Join(r.found.Warnings, "\n"), "more than once under the same identifier") {
		t.Errorf("warnings %q", r.found.Warnings)
	}
}

func TestWhatIsOddInAZIPIsToldAndNothingIsRejected(t *testing.T) {
	good := caseZIP(t, 12)
	other := slice(2)
	other.patient, other.patientID, other.study, other.series = "Somebody^Else", "P-2", "2.25.77", "2.25.78"
	nameless := slice(3)
	nameless.sop = ""
	locked := zipOf(t, packed{name: "IM1", body: slice(1).bytes()})
	for at, magic := range map[string]int{"PK\x03\x04": 6, "PK\x01\x02": 8} {
		locked[bytes.Index(locked, []byte(at))+magic] |= 1
	}
	flipped := zipOf(t, packed{name: "IM1", body: slice(1).bytes(), store: true}, packed{name: "IM2", body: slice(2).bytes(), store: true})
	flipped[len(flipped)/4] ^= 1
	for name, c := range map[string]struct {
		content []byte
		warning string
		images  int
		unread  int
	}{
		"two patients":          {zipOf(t, packed{name: "a", body: slice(1).bytes()}, packed{name: "b", body: other.bytes()}), "images of 2 patients: Canary, Zweigertsoda (P-1); Somebody, Else (P-2)", 2, 0},
		"an image without UID":  {zipOf(t, packed{name: "a", body: nameless.bytes()}), "does not say which study", 1, 0},
		"a password":            {locked, "protected by a password; send it without", 0, 1},
		"cut off":               {good[:len(good)*2/3], "cut off after entry 11; 8 of its files could be read", 8, 1},
		"a flipped bit":         {flipped, "1 entry of the ZIP is damaged", 2, 1},
		"a ZIP in the ZIP":      {zipOf(t, packed{name: "x.dat", body: good}), "", 12, 0},
		"an empty ZIP":          {zipOf(t), "", 0, 0},
		"only the magic of one": {[]byte("PK\x03\x04"), "cut off or damaged", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBench(t, c.content).read(t)
			warnings := strings.Join(append(r.found.Warnings, r.receipt.Warnings...), "\n")
			if r.State != caseload.Ready || r.found.Kind != caseload.KindZIP || !strings.Contains(warnings, c.warning) || c.warning == "" && warnings != "" {
				t.Errorf("state %s, kind %s, warnings %q", r.State, r.found.Kind, warnings)
			}
			if n := len(r.found.Contents.Unread) + len(r.receipt.Report.Unread); n != c.unread || r.found.Contents.Images != c.images {
				t.Errorf("%d images, unread %v %v", r.found.Contents.Images, r.found.Contents.Unread, r.receipt.Report.Unread)
			}
		})
	}
}

func TestNothingOfThePatientReachesTheLog(t *testing.T) {
	b := newBench(t, caseZIP(t, 5), []byte("other"), slice(1).bytes()[:700])
	b.shelf.objects["key01"] = panics{}
	for _, id := range b.ids {
		_ = b.Ingest(context.Background(), id)
	}
	if !strings.Contains(b.log.String(), "file read") {
		t.Fatal("the log is empty")
	}
	for _, canary := range []string{"Canary", "Zweigertsoda", "P-1", "IM0001", "Fall"} {
		if strings.Contains(b.log.String(), canary) {
			t.Errorf("%q stands in the log", canary)
		}
	}
}

type panics struct{}

func (panics) ReadAt([]byte, int64) (int, error) { panic("Canary^Zweigertsoda") }
