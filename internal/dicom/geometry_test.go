package dicom_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// axial returns slices at z = from, from+step, … numbered from 1, shuffled.
func axial(n int, from, step float64) []dicom.Slice {
	out := make([]dicom.Slice, n)
	for i := range out {
		out[i] = dicom.Slice{
			InstanceNumber: i + 1, Frames: 1, Position: []float64{-80, -80, from + float64(i)*step},
			Orientation: []float64{1, 0, 0, 0, 1, 0}, SliceThickness: 1,
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// without drops the slices with these numbers.
func without(slices []dicom.Slice, from, to int) []dicom.Slice {
	var out []dicom.Slice
	for _, s := range slices {
		if s.InstanceNumber < from || s.InstanceNumber > to {
			out = append(out, s)
		}
	}
	return out
}

func TestAFullStackHasItsSpacingFromPositions(t *testing.T) {
	s := dicom.Geometry(axial(412, -30, 0.3))
	if s.Images != 412 || math.Abs(s.Spacing-0.3) > 1e-9 || s.SpacingSource != "positions" || !s.Complete || s.Note != "" ||
		s.First != -30 || math.Abs(s.Last-93.3) > 1e-9 {
		t.Errorf("%+v", s)
	}
}

func TestGapsAreNamedByNumber(t *testing.T) {
	s := dicom.Geometry(without(without(axial(412, 0, 0.3), 113, 118), 200, 200))
	if len(s.Missing) != 2 || s.Missing[0] != (dicom.Range{From: 113, To: 118}) || s.Missing[1] != (dicom.Range{From: 200, To: 200}) || s.Complete || s.Uneven {
		t.Errorf("%+v", s)
	}
	if s.Note != "7 slices are missing: 113–118, 200." {
		t.Errorf("note %q", s.Note)
	}
}

func TestUnevenDoubledAndTiltedStacks(t *testing.T) {
	slices := axial(50, 0, 1)
	slices[7].Position[2] += 0.2
	if s := dicom.Geometry(slices); !s.Uneven || s.Complete || len(s.Missing) > 0 {
		t.Errorf("uneven: %+v", s)
	}
	slices = axial(50, 0, 1)
	if s := dicom.Geometry(append(slices, slices[3])); s.Duplicates != 1 || s.Spacing != 1 || s.Complete {
		t.Errorf("doubled: %+v", s)
	}
	scout := dicom.Slice{Frames: 1, Position: []float64{0, 0, 0}, Orientation: []float64{1, 0, 0, 0, 0, -1}}
	if s := dicom.Geometry(append(axial(50, 0, 1), scout)); s.Images != 51 || s.Spacing != 1 || s.Note != "1 image lies in another plane (coronal), apart from the others, as scouts do." ||
		len(s.Apart) != 1 || s.Apart[0].Slices[0] != 50 || s.Order[50] != 50 || s.Plane != dicom.Axial || !s.Complete {
		t.Errorf("scout: %+v", s)
	}
	absurd := axial(10, 0, 1)
	absurd[0].Position, absurd[1].Position = []float64{0, 0, 1e308}, []float64{0, 0, -1e308}
	if s := dicom.Geometry(absurd); s.Images != 10 || math.IsNaN(s.Deviation) || math.Abs(s.Last) > 10 {
		t.Errorf("absurd positions: %+v", s)
	}
	rounded := axial(100, 0, 0)
	for i := range rounded {
		rounded[i].Position[2] = math.Round(float64(rounded[i].InstanceNumber)*0.333*100) / 100
	}
	if s := dicom.Geometry(rounded); s.Uneven || !s.Complete {
		t.Errorf("positions rounded to 0.01 mm: %+v", s)
	}
}

func TestTheOrderIsThatOfThePositions(t *testing.T) {
	stack := axial(30, 9, -0.5)
	stack[4].Position, stack[9].Position = nil, nil
	s := dicom.Geometry(stack)
	last := math.Inf(-1)
	for _, i := range s.Order[:28] {
		if z := stack[i].Position[2]; z <= last {
			t.Fatalf("%g after %g", z, last)
		} else {
			last = z
		}
	}
	if a, b := stack[s.Order[28]], stack[s.Order[29]]; a.Position != nil || b.Position != nil || a.InstanceNumber > b.InstanceNumber {
		t.Errorf("without a place: %+v, %+v", a, b)
	}
	if !strings.Contains(s.Note, "2 images have no position in the body.") {
		t.Errorf("note %q", s.Note)
	}
}

// A tilted gantry: the slices are turned about x, the table moves along z.
func TestATiltedGantryIsTold(t *testing.T) {
	stack := axial(60, 0, 1)
	sin, cos := math.Sincos(12 * math.Pi / 180)
	for i := range stack {
		stack[i].Orientation = []float64{1, 0, 0, 0, cos, -sin}
	}
	s := dicom.Geometry(stack)
	if math.Abs(s.Tilt-12) > 1e-6 || math.Abs(s.Spacing-cos) > 1e-9 || len(s.Remarks) != 1 || s.Remarks[0].Code != dicom.RemarkTilt || math.Abs(s.FromAxial-12) > 1e-6 {
		t.Errorf("%+v", s)
	}
	oblique := axial(60, 0, 1) // turned as a whole: the way from slice to slice is the normal
	for i := range oblique {
		at := oblique[i].Position[2]
		oblique[i].Orientation, oblique[i].Position = []float64{1, 0, 0, 0, cos, -sin}, []float64{0, at * sin, at * cos}
	}
	if s := dicom.Geometry(oblique); s.Tilt != 0 || s.Note != "" || !s.Complete {
		t.Errorf("oblique: %+v", s)
	}
	askew := axial(60, 0, 1)
	for i := range askew {
		if askew[i].InstanceNumber == 30 {
			askew[i].Position[0] += 5
		}
	}
	if s := dicom.Geometry(askew); s.Tilt != 0 || s.Note != "The slices do not lie in one line (up to 5 mm beside it)." {
		t.Errorf("askew: tilt %g, note %q", s.Tilt, s.Note)
	}
}

func TestWithoutPositionsTheHeadersAndNumbersDecide(t *testing.T) {
	slices := without(axial(50, 0, 1), 20, 22)
	for i := range slices {
		slices[i].Position = nil
	}
	s := dicom.Geometry(slices)
	if s.Spacing != 1 || s.SpacingSource != "SliceThickness" || len(s.Missing) != 1 || s.Missing[0] != (dicom.Range{From: 20, To: 22}) || !strings.Contains(s.Note, "thickness") {
		t.Errorf("%+v", s)
	}
	for i := range slices {
		slices[i].SpacingBetween = 0.5
	}
	if s = dicom.Geometry(slices); s.Spacing != 0.5 || s.SpacingSource != "SpacingBetweenSlices" {
		t.Errorf("%+v", s)
	}
	if s = dicom.Geometry(nil); s.Images != 0 || s.Note != "" {
		t.Errorf("nothing: %+v", s)
	}
	if s = dicom.Geometry([]dicom.Slice{{Frames: 40, SliceThickness: 0.4}}); s.Images != 40 || s.Spacing != 0.4 || s.SpacingSource != "SliceThickness" {
		t.Errorf("multi-frame: %+v", s)
	}
}

func TestFunctionalGroupsGiveTheGeometryOfEnhancedObjects(t *testing.T) {
	const frames = 5
	b := dicomtest.CT(dicomtest.CTOptions{Frames: frames, NoPosition: true, BeforePixels: func(e *dicomtest.Encoder) {
		e.Sequence(0x52009229, false, func(e *dicomtest.Encoder) {
			e.Sequence(0x00209116, false, func(e *dicomtest.Encoder) { e.DS(0x00200037, 1, 0, 0, 0, 1, 0) })
			e.Sequence(0x00289110, true, func(e *dicomtest.Encoder) {
				e.DS(0x00180050, 0.4)
				e.DS(0x00280030, 0.2, 0.2)
			})
		})
		var items []func(*dicomtest.Encoder)
		for i := range frames {
			items = append(items, func(e *dicomtest.Encoder) {
				e.Sequence(0x00209113, true, func(e *dicomtest.Encoder) { e.DS(0x00200032, 1, 2, float64(i)*0.4) })
			})
		}
		e.Sequence(0x52009230, true, items...)
	}})
	in := dicom.Describe(read(t, b))
	if len(in.FramePositions) != frames || in.FramePositions[4] != 1.6 || in.PixelSpacing[0] != 0.2 || in.SliceThickness != 0.4 || len(in.Warnings) > 0 {
		t.Errorf("%+v", in)
	}
	mixed := dicom.Describe(read(t, dicomtest.CT(dicomtest.CTOptions{Frames: 2, NoPosition: true, BeforePixels: func(e *dicomtest.Encoder) {
		frame := func(o ...float64) func(*dicomtest.Encoder) {
			return func(e *dicomtest.Encoder) {
				e.Sequence(0x00209113, true, func(e *dicomtest.Encoder) { e.DS(0x00200032, 1, 2, o[5]) })
				e.Sequence(0x00209116, true, func(e *dicomtest.Encoder) { e.DS(0x00200037, o...) })
			}
		}
		e.Sequence(0x52009230, true, frame(1, 0, 0, 0, 1, 0), frame(1, 0, 0, 0, 0, -1))
	}})))
	if mixed.FramePositions != nil || len(mixed.Warnings) == 0 || mixed.Warnings[0].Code != dicom.WarnPlanes {
		t.Errorf("frames of two planes: %v, %v", mixed.FramePositions, mixed.Warnings)
	}
	if s := dicom.Geometry([]dicom.Slice{dicom.SliceOf(in)}); s.Images != frames || math.Abs(s.Spacing-0.4) > 1e-9 || !s.Complete {
		t.Errorf("%+v", s)
	}
}
