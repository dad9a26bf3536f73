package ingest_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/ingest"
)

// ct is a series of n axial slices, 0.3 mm apart, that planning software takes.
func ct(n int) caseload.Series {
	s := caseload.Series{Modality: "CT"}
	for i := range n {
		s.Members = append(s.Members, caseload.Instance{
			SOPInstanceUID: fmt.Sprint(i), Number: i + 1, Rows: 64, Columns: 64, Frames: 1, BitsAllocated: 16, PixelSpacing: []float64{0.3, 0.3},
			Position: []float64{-10, -10, math.Round(float64(i)*300) / 1000}, Orientation: []float64{1, 0, 0, 0, 1, 0}, SliceThickness: 0.3,
			Patient: caseload.Patient{Name: "Canary", ID: "1"},
		})
	}
	return s
}

func summed(s caseload.Series) caseload.Series {
	all := []caseload.Study{{Series: []caseload.Series{s}}}
	ingest.Summarize(all)
	return all[0].Series[0]
}

// What is stated of place, direction and pixel size and cannot be used is said of the series, not of its files alone.
func TestUnusableGeometryIsSaidOfTheSeries(t *testing.T) {
	unusable := func(said string) []string { return []string{said + `: "NaN"`} }
	for name, c := range map[string]struct {
		change func(s *caseload.Series)
		want   string
	}{
		"a sound volume": {func(*caseload.Series) {}, ""},
		"a position that is none": {func(s *caseload.Series) {
			m := &s.Members[3]
			m.Position, m.Warnings = nil, unusable(dicom.UnusablePosition)
		}, "1 image has no usable position in the body."},
		"a position is absent":        {func(s *caseload.Series) { s.Members[3].Position = nil }, ""},
		"no direction":                {func(s *caseload.Series) { s.Members[3].Orientation, s.Members[4].Orientation = nil, nil }, "2 images have no usable direction in the body: their planes are unknown."},
		"neither place nor direction": {func(s *caseload.Series) { s.Members[3].Orientation, s.Members[3].Position = nil, nil }, ""},
		"a volume without pixel size": {func(s *caseload.Series) {
			s.Members = s.Members[:1]
			s.Members[0].Frames, s.Members[0].SpacingBetween, s.Members[0].PixelSpacing = 390, 0.3, nil
		}, "390 images have no usable pixel size: nothing can be measured in them."},
		"a photo without": {func(s *caseload.Series) {
			s.Modality, s.Members = "XC", s.Members[:1]
			s.Members[0].PixelSpacing = nil
		}, ""},
		"a panorama of no pixel size": {func(s *caseload.Series) {
			s.Modality, s.Members = "PX", s.Members[:1]
			s.Members[0].PixelSpacing, s.Members[0].Warnings = nil, unusable(dicom.UnusableSpacing)
		}, "1 image has no usable pixel size: nothing can be measured in them."},
	} {
		t.Run(name, func(t *testing.T) {
			s := ct(20)
			c.change(&s)
			var told []string
			for _, r := range summed(s).Remarks {
				if r.Code == ingest.RemarkGeometry {
					told = append(told, r.Text)
				}
			}
			if got := strings.Join(told, "\n"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestThePlanningCheckSaysWhichPointFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *caseload.Series)
		want   string // the points that fail
	}{
		"a sound volume":     {func(*caseload.Series) {}, ""},
		"another modality":   {func(s *caseload.Series) { s.Modality = "MR" }, "modality: The modality is MR; CT is asked for."},
		"no modality":        {func(s *caseload.Series) { s.Modality = "" }, "modality: The images name no modality; CT is asked for."},
		"one slice":          {func(s *caseload.Series) { s.Members = s.Members[:1] }, "slices: One image is no volume; at least two slices are asked for.\nincrements: The slices carry no positions, so their distances cannot be checked."},
		"8 bits":             {func(s *caseload.Series) { s.Members[3].BitsAllocated = 8 }, "bits: The pixels have 16, 8 bits; 16 are asked for."},
		"turned by 20°":      {tilt(20), "orientation: The slices are turned 20.0° from axial; 15° are the most."},
		"turned by 14°":      {tilt(14), ""},
		"a slice is missing": {func(s *caseload.Series) { s.Members = append(s.Members[:9], s.Members[10:]...) }, "increments: Slices are missing."},
		"off by 0.002 mm":    {func(s *caseload.Series) { s.Members[5].Position[2] += 0.002 }, "increments: The distances of the slices differ by up to 0.002 mm; 0.001 mm are the most."},
		"off by 0.001 mm":    {func(s *caseload.Series) { s.Members[5].Position[2] += 0.001 }, ""},
		"a slice twice":      {func(s *caseload.Series) { s.Members[5].Position[2] = s.Members[6].Position[2] }, "increments: Slices are missing."},
		"two patients":       {func(s *caseload.Series) { s.Members[5].Patient.ID = "2" }, "patient: The images are of several patients: Canary (1); Canary (2)."},
		"a scout beside":     {func(s *caseload.Series) { s.Members[0].Orientation = []float64{0, 1, 0, 0, 0, -1} }, ""},
		"a multi-frame image with its spacing": {func(s *caseload.Series) {
			s.Members = s.Members[:1]
			s.Members[0].Frames, s.Members[0].SpacingBetween = 200, 0.3
		}, ""},
		"a multi-frame image without": {func(s *caseload.Series) {
			s.Members = s.Members[:1]
			s.Members[0].Frames = 200
		}, "increments: The slices carry no positions, so their distances cannot be checked."},
	} {
		t.Run(name, func(t *testing.T) {
			s := ct(20)
			c.change(&s)
			var failed []string
			points := summed(s).Planning
			for _, p := range points {
				if p.Text == "" {
					t.Errorf("%s says nothing", p.Code)
				}
				if !p.Passed {
					failed = append(failed, p.Code+": "+p.Text)
				}
			}
			if got := strings.Join(failed, "\n"); got != c.want || len(points) != 6 {
				t.Errorf("%d points; failed: %s\nwant: %s", len(points), got, c.want)
			}
		})
	}
}

// tilt turns the slices about x, and the way from slice to slice with them.
func tilt(degrees float64) func(s *caseload.Series) {
	return func(s *caseload.Series) {
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		for i := range s.Members {
			z := s.Members[i].Position[2]
			s.Members[i].Orientation, s.Members[i].Position = []float64{1, 0, 0, 0, cos, -sin}, []float64{0, z * sin, z * cos}
		}
	}
}

func TestASeriesSaysWhatIsOddAboutIt(t *testing.T) {
	s := ct(20)
	scout := s.Members[19]
	scout.SOPInstanceUID, scout.Rows, scout.Columns, scout.Orientation = "scout", 128, 512, []float64{0, 1, 0, 0, 0, -1}
	s.Members = append([]caseload.Instance{scout}, s.Members...)
	got := summed(s)
	if got.Rows != 64 || len(got.Apart) != 1 || got.Apart[0] != (caseload.Group{Plane: "Sagittal", Images: 1, Rows: 128, Columns: 512}) || !got.Complete ||
		got.Note != "1 image lies in another plane (sagittal), apart from the others, as scouts do." || got.Members[20].SOPInstanceUID != "scout" {
		t.Errorf("a scout: %d rows, apart %+v, note %q", got.Rows, got.Apart, got.Note)
	}
	s = ct(20)
	s.Members[4].Rows, s.Members[4].Columns, s.Members[7].PixelSpacing = 128, 96, []float64{0.25, 0.25}
	if got := summed(s).Note; got != "The images are not all of one size: 19 of 64 × 64, 1 of 96 × 128. The pixels are not all of one size: 19 of 0.3 mm, 1 of 0.25 mm." {
		t.Errorf("sizes: %q", got)
	}
	s = ct(1)
	s.Members[0].Frames, s.Members[0].FramePositions = 5, []float64{0, 0.3, 0.6, 1.2, 1.5}
	if got := summed(s); got.Images != 5 || got.Note != "1 slice is missing: 4." || got.SpacingSource != "positions" || got.Complete {
		t.Errorf("frames: %+v", got)
	}
}
