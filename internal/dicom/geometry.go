package dicom

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Slice is what Geometry needs of one instance of a series.
type Slice struct {
	InstanceNumber int
	Frames         int
	Position       []float64 // mm, 3 or nil
	Orientation    []float64 // 6 or nil
	SliceThickness float64   // mm
	SpacingBetween float64   // mm
	FramePositions []float64 // mm along the normal, of a multi-frame instance
}

// SliceOf returns the part of an instance that Geometry needs.
func SliceOf(in Instance) Slice {
	return Slice{
		InstanceNumber: in.InstanceNumber, Frames: in.Frames, Position: in.Position, Orientation: in.Orientation,
		SliceThickness: in.SliceThickness, SpacingBetween: in.SpacingBetweenSlices, FramePositions: in.FramePositions,
	}
}

// Range is a run of slice numbers, both ends included.
type Range struct{ From, To int }

func (r Range) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d–%d", r.From, r.To)
}

// Where a Stack's spacing comes from, in order of trust.
const (
	SpacingFromPositions = "positions"
	SpacingFromBetween   = "SpacingBetweenSlices"
	SpacingFromThickness = "SliceThickness"
)

// Stack is the geometry of a series.
type Stack struct {
	Images        int     // frames of all instances
	Spacing       float64 // mm between neighbours, 0 when unknown
	SpacingSource string  // one of the SpacingFrom constants, or ""
	First, Last   float64 // mm along the normal, lowest and highest; 0 when unknown
	Missing       []Range // slice numbers, 1-based in the order of the stack, that are missing in the middle
	Uneven        bool    // distances differ by more than the tolerance and not by whole slices
	Deviation     float64 // mm, the largest difference of a distance from Spacing (or its multiple)
	Duplicates    int     // images at a place where another one is already
	Complete      bool    // nothing is missing, doubled or uneven, as far as can be told
	Note          string  // plain words; "" when all is fine
}

const (
	samePlace   = 0.001 // mm; nearer images are at the same place
	evenWithin  = 0.02  // of the spacing: a distance that differs more is uneven
	evenAtLeast = 0.011 // mm: writers round positions to two decimals
	maxMissing  = 10_000
)

// Geometry sums up the slices of a series: spacing, extent, gaps. Spacing comes from the positions along the slice
// normal (PS3.3 C.7.6.2.1.1), else Spacing Between Slices, else Slice Thickness; the Note says when it is the last.
// Images of another orientation (scouts) are left out of the stack and mentioned.
func Geometry(slices []Slice) Stack {
	var s Stack
	for _, slice := range slices {
		s.Images += max(slice.Frames, 1)
	}
	if s.Images == 0 {
		return s
	}
	places, others := placesAlongNormal(slices)
	var notes []string
	if others > 0 {
		notes = append(notes, fmt.Sprintf("%s not in the plane of the others", count(others, "image is", "images are")))
	}
	if len(places) >= 2 {
		notes = append(notes, s.fromPlaces(places)...)
	} else {
		if len(places) == 1 {
			s.First, s.Last = places[0], places[0]
		}
		notes = append(notes, s.fromNumbers(slices)...)
	}
	if s.Spacing == 0 {
		notes = append(notes, s.spacingFromTags(slices)...)
	}
	s.Complete = len(s.Missing) == 0 && !s.Uneven && s.Duplicates == 0
	s.Note = sentence(notes)
	return s
}

// placesAlongNormal returns the places in mm of all images of the most frequent orientation, sorted, and the number of
// positioned images in other planes.
func placesAlongNormal(stack []Slice) (places []float64, others int) {
	type plane struct {
		normal []float64
		places []float64
	}
	var planes []plane
	for _, slice := range stack {
		normal := normalOf(slice.Orientation)
		if normal == nil || len(slice.Position) != 3 && len(slice.FramePositions) == 0 {
			continue
		}
		i := slices.IndexFunc(planes, func(p plane) bool { return math.Abs(dot(p.normal, normal)) > 0.999 })
		if i < 0 {
			if len(planes) >= 16 {
				others++
				continue
			}
			planes, i = append(planes, plane{normal: normal}), len(planes)
		}
		p := &planes[i]
		found := slice.FramePositions
		if len(found) == 0 && slice.Frames <= 1 {
			found = []float64{dot(slice.Position, p.normal)}
		}
		if !slices.ContainsFunc(found, outOfReach) {
			p.places = append(p.places, found...)
		}
	}
	best := 0
	for i, p := range planes {
		others += len(p.places)
		if len(p.places) > len(planes[best].places) {
			best = i
		}
	}
	if len(planes) == 0 {
		return nil, 0
	}
	places = planes[best].places
	slices.Sort(places)
	return places, others - len(places)
}

// outOfReach reports whether a place cannot be meant: a kilometre from the origin, or no number.
func outOfReach(place float64) bool { return !(math.Abs(place) < 1e6) }

// fromPlaces measures the sorted places: spacing is the median distance, gaps are whole multiples of it.
func (s *Stack) fromPlaces(places []float64) (notes []string) {
	distinct := places[:1:1]
	for _, place := range places[1:] {
		if place-distinct[len(distinct)-1] < samePlace {
			s.Duplicates++
		} else {
			distinct = append(distinct, place)
		}
	}
	s.First, s.Last = distinct[0], distinct[len(distinct)-1]
	if s.Duplicates > 0 {
		notes = append(notes, fmt.Sprintf("%s at a place where another one already is", count(s.Duplicates, "image lies", "images lie")))
	}
	if len(distinct) < 2 {
		return notes
	}
	distances := make([]float64, len(distinct)-1)
	for i := range distances {
		distances[i] = distinct[i+1] - distinct[i]
	}
	s.Spacing, s.SpacingSource = median(distances), SpacingFromPositions
	tolerance := max(evenAtLeast, evenWithin*s.Spacing)
	number, missing := 1, 0
	for _, distance := range distances {
		steps := max(1, math.Round(distance/s.Spacing))
		off := math.Abs(distance - steps*s.Spacing)
		s.Deviation = max(s.Deviation, off)
		s.Uneven = s.Uneven || off > tolerance*steps
		if gap := int(min(steps-1, maxMissing)); gap > 0 {
			s.Missing = append(s.Missing, Range{number + 1, number + gap})
			missing += gap
			number += gap
		}
		number++
	}
	if len(s.Missing) > 0 {
		notes = append(notes, missingNote(s.Missing, missing))
	}
	if s.Uneven {
		notes = append(notes, fmt.Sprintf("the slices are unevenly spaced (up to %.3g mm off)", s.Deviation))
	}
	return notes
}

// fromNumbers looks for gaps in the instance numbers of single-frame images without usable positions.
func (s *Stack) fromNumbers(stack []Slice) (notes []string) {
	var numbers []int
	for _, slice := range stack {
		if slice.Frames > 1 || slice.InstanceNumber <= 0 {
			return nil
		}
		numbers = append(numbers, slice.InstanceNumber)
	}
	if len(numbers) < 2 {
		return nil
	}
	slices.Sort(numbers)
	missing := 0
	for i := 1; i < len(numbers); i++ {
		switch gap := numbers[i] - numbers[i-1] - 1; {
		case gap < 0:
			s.Duplicates++
		case gap > maxMissing:
			return []string{"the image numbers do not count the slices"}
		case gap > 0:
			from := numbers[i-1] - numbers[0] + 2
			s.Missing = append(s.Missing, Range{from, from + gap - 1})
			missing += gap
		}
	}
	if missing > 0 {
		notes = append(notes, missingNote(s.Missing, missing)+" (by image number)")
	}
	return notes
}

// spacingFromTags takes the spacing from what the headers claim, where positions did not give it.
func (s *Stack) spacingFromTags(stack []Slice) (notes []string) {
	if s.Images < 2 {
		return nil
	}
	for _, slice := range stack {
		if slice.SpacingBetween > 0 {
			s.Spacing, s.SpacingSource = slice.SpacingBetween, SpacingFromBetween
			return []string{"the slices carry no positions; their distance is taken from Spacing Between Slices"}
		}
	}
	for _, slice := range stack {
		if slice.SliceThickness > 0 {
			s.Spacing, s.SpacingSource = slice.SliceThickness, SpacingFromThickness
			return []string{"the slices carry no positions; their distance is assumed to be the slice thickness"}
		}
	}
	return []string{"the distance of the slices is unknown"}
}

// missingNote says which slices are missing, the first few of them by number.
func missingNote(missing []Range, total int) string {
	const shown = 5
	var parts []string
	for _, r := range missing[:min(len(missing), shown)] {
		parts = append(parts, r.String())
	}
	if len(missing) > shown {
		parts = append(parts, "…")
	}
	return fmt.Sprintf("%s missing: %s", count(total, "slice is", "slices are"), strings.Join(parts, ", "))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sentence joins notes to one text with a capital and a full stop.
func sentence(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	text := strings.Join(notes, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// normalOf returns the unit normal of an orientation (row × column), nil when it has none.
func normalOf(o []float64) []float64 {
	if len(o) != 6 {
		return nil
	}
	n := []float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	length := math.Sqrt(dot(n, n))
	if !(length > 0.1) || math.IsInf(length, 0) {
		return nil
	}
	return []float64{n[0] / length, n[1] / length, n[2] / length}
}

func dot(a, b []float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func median(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
