package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/corpus"
)

type corpusFile struct {
	File   string         `json:"file"`
	Expect string         `json:"expect"`
	Truth  map[string]any `json:"truth"`
}

func TestEveryCorpusFileIsIngestedAsItsTruthSays(t *testing.T) {
	folder, files := corpus.Files[corpusFile](t)
	for _, f := range files {
		t.Run(f.File, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join(folder, f.File))
			if err != nil {
				t.Fatal(err)
			}
			r := newBench(t, content).read(t)
			if r.State != caseload.Ready {
				t.Fatalf("state %s: %s", r.State, r.Reason)
			}
			str := func(field string) string { s, _ := f.Truth[field].(string); return s }
			num := func(field string) int { n, _ := f.Truth[field].(float64); return int(n) }
			switch f.Expect {
			case "archive":
				all := studies(r)
				if len(all) != 1 || all[0].StudyInstanceUID != str("StudyInstanceUID") || len(all[0].Series) != 1 {
					t.Fatalf("%d studies", len(all))
				}
				s := all[0].Series[0]
				if s.Instances != num("instances") || s.Rows != num("Rows") || s.Columns != num("Columns") || !s.Complete || s.TransferSyntax != str("TransferSyntaxUID") {
					t.Errorf("%d instances of %d×%d, complete %v, note %q", s.Instances, s.Rows, s.Columns, s.Complete, s.Note)
				}
				if len(r.found.Contents.Unread)+len(r.receipt.Report.Unread) > 0 {
					t.Errorf("unread %v %v", r.found.Contents.Unread, r.receipt.Report.Unread)
				}
			case "dicomdir":
				if r.found.Kind != caseload.KindDICOMDIR {
					t.Errorf("kind %q", r.found.Kind)
				}
			case "not_dicom":
				if r.found.Kind == caseload.KindDICOM {
					t.Errorf("kind %q", r.found.Kind)
				}
			default:
				compareWithTruth(t, r, str, num)
			}
		})
	}
}

func compareWithTruth(t *testing.T, r row, str func(string) string, num func(string) int) {
	t.Helper()
	if str("SOPInstanceUID") == "" || str("StudyInstanceUID") == "" || str("SeriesInstanceUID") == "" {
		if r.found.Kind == caseload.KindDICOM && len(r.found.Found) == 0 && len(r.found.Warnings) == 0 {
			t.Error("an image without identity is kept without a word")
		}
		return
	}
	if len(r.found.Found) != 1 {
		t.Fatalf("kind %q, %d instances, warnings %q", r.found.Kind, len(r.found.Found), r.found.Warnings)
	}
	f := r.found.Found[0]
	for field, got := range map[string]string{
		"StudyInstanceUID": f.Study.StudyInstanceUID, "PatientID": f.Study.PatientID,
		"SeriesInstanceUID": f.Series.SeriesInstanceUID, "Modality": f.Series.Modality,
		"SOPInstanceUID": f.Instance.SOPInstanceUID, "SOPClassUID": f.Instance.SOPClassUID, "TransferSyntaxUID": f.Instance.TransferSyntax,
	} {
		if want := str(field); want != "" && got != strings.TrimSpace(want) {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	for field, got := range map[string]int{"Rows": f.Instance.Rows, "Columns": f.Instance.Columns, "NumberOfFrames": f.Instance.Frames} {
		if want := num(field); want != 0 && got != want {
			t.Errorf("%s is %d, want %d", field, got, want)
		}
	}
}
