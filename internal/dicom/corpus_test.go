package dicom_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
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
	Refers []string       `json:"referenced_files"` // of a media directory
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
			switch in := dicom.Describe(h); {
			case f.Expect == "record_with_warning" && len(in.Warnings) == 0:
				t.Error("no warning was given")
			case f.Expect == "record" && slices.ContainsFunc(in.Warnings, func(w dicom.Warning) bool { return w.Code != dicom.WarnPolyglot }):
				t.Errorf("warnings on a good file: %v", in.Warnings)
			}
			compareFrames(t, h, b, f)
			compareDirectory(t, h, f.Refers)
			if len(h.Elements) > 0 {
				asJSON(t, h, dicom.JSONOptions{Meta: true})
			}
		})
	}
}

// compareFrames holds the index of frames against the number of frames the truth states.
func compareFrames(t *testing.T, h *dicom.Header, b []byte, f corpusFile) {
	t.Helper()
	if f.Expect != "record" || h.Pixel == nil {
		return
	}
	index, got := frames(t, b)
	want := 1
	if n, ok := f.Truth["NumberOfFrames"].(float64); ok {
		want = int(n)
	}
	if index.Count != want || index.Truncated || len(index.Warnings) > 0 || len(got) != want || slices.ContainsFunc(got, func(frame []byte) bool { return len(frame) == 0 }) {
		t.Errorf("%d frames by %s, want %d; %v", index.Count, index.Boundaries, want, index.Warnings)
	}
}

// compareDirectory holds the records of a media directory against the files it refers to.
func compareDirectory(t *testing.T, h *dicom.Header, refers []string) {
	t.Helper()
	records, _ := h.Directory()
	var named []string
	for _, r := range records {
		if r.FileID != nil {
			named = append(named, strings.Join(r.FileID, "/"))
		}
	}
	want := slices.Clone(refers)
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("the directory names %q, want %q", named, want)
	}
}

// TestEveryCorpusSliceIsReadAsItsTruthSays looks into the archives: number, identity and geometry of every slice.
func TestEveryCorpusSliceIsReadAsItsTruthSays(t *testing.T) {
	folder, files := corpus.Files[struct {
		File, Expect string
		Truth        struct {
			PatientName, StudyInstanceUID, SeriesInstanceUID, Modality string
			Rows, Columns, Instances                                   int
			PixelSpacing                                               []float64
			SliceThickness                                             float64
			Files                                                      []struct {
				Path, SOPInstanceUID string
				InstanceNumber       int
				Position             []float64 `json:"ImagePositionPatient"`
			}
		}
	}](t)
	for _, f := range files {
		if f.Expect != "archive" {
			continue
		}
		archive, err := zip.OpenReader(filepath.Join(folder, f.File))
		if err != nil {
			t.Fatal(err)
		}
		images := map[string]dicom.Instance{}
		for _, entry := range archive.File {
			r, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			h, err := dicom.Read(t.Context(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
			if err == nil && !h.IsDICOMDIR {
				in := dicom.Describe(h)
				images[in.SOPInstanceUID] = in
			}
		}
		archive.Close()
		if len(images) != f.Truth.Instances {
			t.Errorf("%s: %d images, want %d", f.File, len(images), f.Truth.Instances)
		}
		for _, want := range f.Truth.Files {
			in := images[want.SOPInstanceUID]
			if in.InstanceNumber != want.InstanceNumber || !near(in.Position, want.Position) || !near(in.PixelSpacing, f.Truth.PixelSpacing) ||
				in.SliceThickness != f.Truth.SliceThickness || in.Rows != f.Truth.Rows || in.Columns != f.Truth.Columns || in.Modality != f.Truth.Modality ||
				in.StudyInstanceUID != f.Truth.StudyInstanceUID || in.SeriesInstanceUID != f.Truth.SeriesInstanceUID || in.PatientName != f.Truth.PatientName || len(in.Warnings) > 0 {
				t.Errorf("%s: %s is %+v", f.File, want.Path, in)
			}
		}
	}
}

func near(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-6 })
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
