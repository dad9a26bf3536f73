package ingest

import (
	"fmt"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// The points of Series.Planning: what programs that plan implants ask of a volume before they take it.
const (
	CheckModality    = "modality"
	CheckSlices      = "slices"
	CheckBits        = "bits"
	CheckOrientation = "orientation"
	CheckIncrements  = "increments"
	CheckPatient     = "patient"
)

// What those programs take at most.
const (
	mostFromAxial = 15    // degrees
	mostUneven    = 0.001 // mm
)

// planning tries each point on the images of a stack.
func planning(s *caseload.Series, stack []caseload.Instance, g dicom.Stack) []caseload.Check {
	frames := 0
	for _, m := range stack {
		frames += max(m.Frames, 1)
	}
	return []caseload.Check{
		checkModality(s.Modality), checkSlices(frames), checkBits(stack), checkOrientation(g),
		checkIncrements(stack, g), checkPatient(stack),
	}
}

func passed(code, format string, args ...any) caseload.Check {
	return caseload.Check{Code: code, Passed: true, Text: fmt.Sprintf(format, args...)}
}

func failed(code, format string, args ...any) caseload.Check {
	return caseload.Check{Code: code, Text: fmt.Sprintf(format, args...)}
}

func checkModality(modality string) caseload.Check {
	switch modality {
	case "CT":
		return passed(CheckModality, "The modality is CT.")
	case "":
		return failed(CheckModality, "The images name no modality; CT is asked for.")
	}
	return failed(CheckModality, "The modality is %s; CT is asked for.", modality)
}

func checkSlices(frames int) caseload.Check {
	if frames < 2 {
		return failed(CheckSlices, "One image is no volume; at least two slices are asked for.")
	}
	return passed(CheckSlices, "There are %d slices.", frames)
}

func checkBits(stack []caseload.Instance) caseload.Check {
	var found []string
	for _, m := range stack {
		if bits := fmt.Sprint(m.BitsAllocated); !slices.Contains(found, bits) && len(found) < 5 {
			found = append(found, bits)
		}
	}
	if len(found) == 1 && found[0] == "16" {
		return passed(CheckBits, "Each pixel has 16 bits.")
	}
	return failed(CheckBits, "The pixels have %s bits; 16 are asked for.", strings.Join(found, ", "))
}

func checkOrientation(g dicom.Stack) caseload.Check {
	switch {
	case g.FromAxial < 0:
		return failed(CheckOrientation, "The images do not say how they lie in the body.")
	case g.FromAxial > mostFromAxial:
		return failed(CheckOrientation, "The slices are turned %.1f° from axial; 15° are the most.", g.FromAxial)
	}
	return passed(CheckOrientation, "The slices are axial (%.1f° off).", g.FromAxial)
}

// checkIncrements believes a single multi-frame image that states the distance of its frames; else positions decide.
func checkIncrements(stack []caseload.Instance, g dicom.Stack) caseload.Check {
	const rounding = 1e-9 // mm, of the arithmetic
	switch {
	case len(stack) == 1 && g.SpacingSource == dicom.SpacingFromBetween:
		return passed(CheckIncrements, "The slices state one distance, %.4g mm.", g.Spacing)
	case g.SpacingSource != dicom.SpacingFromPositions:
		return failed(CheckIncrements, "The slices carry no positions, so their distances cannot be checked.")
	case len(g.Missing) > 0:
		return failed(CheckIncrements, "Slices are missing.")
	case g.Duplicates > 0:
		return failed(CheckIncrements, "Several slices lie at one place.")
	case g.Deviation > mostUneven+rounding:
		return failed(CheckIncrements, "The distances of the slices differ by up to %.3g mm; 0.001 mm are the most.", g.Deviation)
	}
	return passed(CheckIncrements, "The slices are evenly spaced, %.4g mm apart.", g.Spacing)
}

func checkPatient(stack []caseload.Instance) caseload.Check {
	var named []string
	for _, m := range stack {
		if name := m.Patient.String(); name != "" && !slices.Contains(named, name) && len(named) < 5 {
			named = append(named, name)
		}
	}
	switch len(named) {
	case 0:
		return failed(CheckPatient, "The images do not say whose they are.")
	case 1:
		return passed(CheckPatient, "All images are of one patient.")
	}
	return failed(CheckPatient, "The images are of several patients: %s.", strings.Join(named, "; "))
}
