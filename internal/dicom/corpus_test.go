package dicom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/corpus"
	"dcdentals.com/caseload/internal/dicom"
)

type corpusFile struct {
	File   string         `json:"file"`
	Expect string         `json:"expect"`
	Covers string         `json:"covers"`
	Truth  map[string]any `json:"truth"`
}

func TestEveryCorpusFileIsReadAsItsTruthSays(t *testing.T) {
	folder, files := corpus.Files[corpusFile](t)
	for _, f := range files {
		if f.Expect == "archive" {
			continue
		}
		t.Run(f.File, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(folder, f.File))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
			if took := time.Since(start); took > hang {
				t.Errorf("took %v", took)
			}
			switch {
			case f.Expect == "not_dicom":
				if !errors.Is(err, dicom.ErrNotDICOM) {
					t.Errorf("got %v, want ErrNotDICOM", err)
				}
				return
			case errors.Is(err, dicom.ErrNotDICOM) && f.Expect == "record_with_warning" && allNull(f.Truth):
				return // kept as an ordinary file, for a stated reason
			case err != nil:
				t.Fatal(err)
			}
			if testing.Verbose() {
				t.Log(f.Expect, h.Warnings)
			}
			compareTruth(t, h, f.Truth)
			if f.Expect == "dicomdir" != h.IsDICOMDIR {
				t.Errorf("IsDICOMDIR is %v", h.IsDICOMDIR)
			}
			if f.Expect == "record_with_warning" && len(dicom.Describe(h).Warnings) == 0 {
				t.Error("no warning was given")
			}
		})
	}
}

// compareTruth compares every field the manifest states.
func compareTruth(t *testing.T, h *dicom.Header, truth map[string]any) {
	t.Helper()
	in := dicom.Describe(h)
	have := map[string]string{
		"PatientName": in.PatientName, "PatientID": in.PatientID, "StudyInstanceUID": in.StudyInstanceUID,
		"SeriesInstanceUID": in.SeriesInstanceUID, "SOPInstanceUID": in.SOPInstanceUID, "SOPClassUID": in.SOPClassUID,
		"Modality": in.Modality, "Rows": number(in.Rows), "Columns": number(in.Columns),
		"NumberOfFrames": h.String(dicom.TagNumberOfFrames), "TransferSyntaxUID": in.TransferSyntax,
		"SpecificCharacterSet": strings.Join(in.CharacterSets, "|"),
	}
	for field, got := range have {
		var want string
		switch v := truth[field].(type) {
		case nil:
			continue
		case []any:
			parts := make([]string, len(v))
			for i := range v {
				parts[i] = fmt.Sprint(v[i])
			}
			want = strings.Join(parts, "|")
		default:
			want = fmt.Sprint(v)
		}
		if field == "PatientName" {
			got, want = strings.TrimRight(got, "^= "), strings.TrimRight(want, "^= ")
		}
		if got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// allNull reports whether the truth states no field: nobody can read the file.
func allNull(truth map[string]any) bool {
	for _, value := range truth {
		if value != nil {
			return false
		}
	}
	return true
}
