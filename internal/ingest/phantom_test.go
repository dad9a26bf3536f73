package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/corpus"
	"dcdentals.com/caseload/internal/mustrun"
)

// phantomTruth is what make_cbct.py says a correct reader finds.
type phantomTruth struct {
	StudyInstanceUID, SeriesInstanceUID, PatientID string
	Rows, Columns, Slices                          int
	SliceThickness                                 float64
}

// TestEveryQuirkOfThePhantomIsNamed holds the reader against the generator kept beside the corpus: scans as scanners write
// them, with the faults of the field.
func TestEveryQuirkOfThePhantomIsNamed(t *testing.T) {
	folder, _ := corpus.Files[struct{}](t)
	script := filepath.Join(filepath.Dir(folder), "make_cbct.py")
	python, err := exec.LookPath("python3")
	if _, missing := os.Stat(script); err != nil || missing != nil {
		mustrun.Skip(t, "corpus", "no python3, or no make_cbct.py beside the corpus")
	}
	const slices = 24
	for name, c := range map[string]struct {
		args   []string
		source string // of the spacing
		remark string // codes on the series
		warned string // on the file, or on its instances
		failed string // points of the planning check
	}{
		"slices in a ZIP":            {[]string{"--as", "zip"}, "positions", "", "", ""},
		"shuffled, German, junk":     {[]string{"--as", "zip", "--shuffle", "--names", "german", "--junk", "--store"}, "positions", "", "", ""},
		"without positions":          {[]string{"--as", "zip", "--quirks", "noipp"}, "SliceThickness", "spacing-from-thickness", "assumed to be the slice thickness", "orientation increments"},
		"without preamble":           {[]string{"--as", "zip", "--quirks", "nopreamble"}, "positions", "", "does not begin with 128 bytes and DICM", ""},
		"a CD":                       {[]string{"--as", "dicomdirzip"}, "positions", "", "", ""},
		"implicit":                   {[]string{"--as", "zip", "--ts", "implicit"}, "positions", "", "", ""},
		"enhanced, with groups":      {[]string{"--as", "multi", "--sop", "enhanced-ct"}, "positions", "", "", ""},
		"3D X-ray, with groups":      {[]string{"--as", "multi", "--sop", "xray3d-craniofacial"}, "positions", "", "", ""},
		"multi-frame without groups": {[]string{"--as", "multi", "--sop", "ct"}, "SpacingBetweenSlices", "", "", ""},
		"as Dolphin writes":          {[]string{"--as", "multi", "--sop", "ct", "--quirks", "dolphin"}, "SliceThickness", "spacing-from-thickness", "slice thickness", "increments"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			path := filepath.Join(t.TempDir(), "scan")
			args := append([]string{script, "--matrix", "64", "--slices", fmt.Sprint(slices), "--truth", path + ".json", "-o", path}, c.args...)
			if out, err := exec.CommandContext(ctx, python, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			content, err := os.ReadFile(path)
			must(t, err)
			text, err := os.ReadFile(path + ".json")
			must(t, err)
			var truth phantomTruth
			must(t, json.Unmarshal(text, &truth))
			r := newBench(t, content).read(t)
			all := studies(r)
			if r.State != caseload.Ready || len(all) != 1 || len(all[0].Series) != 1 || all[0].StudyInstanceUID != truth.StudyInstanceUID || all[0].PatientID != truth.PatientID {
				t.Fatalf("%s, %d studies", r.State, len(all))
			}
			s := all[0].Series[0]
			if s.SeriesInstanceUID != truth.SeriesInstanceUID || s.Images != slices || s.Rows != truth.Rows || s.Columns != truth.Columns || !s.Complete ||
				s.SpacingSource != c.source || math.Abs(s.Spacing-truth.SliceThickness) > 0.001 {
				t.Errorf("%d images, %d×%d, %g mm from %s, complete %v", s.Images, s.Columns, s.Rows, s.Spacing, s.SpacingSource, s.Complete)
			}
			var codes, failed []string
			for _, remark := range s.Remarks {
				codes = append(codes, remark.Code)
			}
			for _, p := range s.Planning {
				if !p.Passed {
					failed = append(failed, p.Code)
				}
			}
			warned := strings.Join(append(append([]string{}, r.found.Warnings...), s.Members[0].Warnings...), "\n")
			if strings.Join(codes, " ") != c.remark || strings.Join(failed, " ") != c.failed || !strings.Contains(warned, c.warned) || c.warned == "" && c.remark == "" && len(r.found.Warnings) > 0 {
				t.Errorf("remarks %v, failed %v, warned:\n%s", codes, failed, warned)
			}
			if n := r.found.Contents.NotRead + r.found.Contents.InPart + len(r.receipt.Report.Unread); n > 0 {
				t.Errorf("%d entries not read: %+v", n, r.found.Contents.Unread)
			}
		})
	}
}
