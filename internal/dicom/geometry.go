package dicom

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
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

// The codes of a Stack's Remarks.
const (
	RemarkApart         = "other-plane"
	RemarkDoubled       = "doubled"
	RemarkMissing       = "missing"
	RemarkUneven        = "uneven"
	RemarkTilt          = "gantry-tilt"
	RemarkShifted       = "shifted"
	RemarkNumbers       = "numbers"
	RemarkUnplaced      = "no-position"
	RemarkFromBetween   = "spacing-between-slices"
	RemarkFromThickness = "spacing-from-thickness"
	RemarkNoSpacing     = "spacing-unknown"
)

// Stack is the geometry of a series.
type Stack struct {
	Images        int     // frames of all instances
	Order         []int   // the slices by index, in the order of the stack; those without a place or apart come last
	Spacing       float64 // mm between neighbours, 0 when unknown
	SpacingSource string  // one of the SpacingFrom constants, or ""
	First, Last   float64 // mm along the normal, lowest and highest; 0 when unknown
	Missing       []Range // slice numbers, 1-based in the order of the stack, that are missing in the middle
	Uneven        bool    // distances differ by more than the tolerance and not by whole slices
	Deviation     float64 // mm, the largest difference of a distance from Spacing (or its multiple)
	Duplicates    int     // images at a place where another one is already
	Plane         string  // of the stack: Axial, Coronal, Sagittal, Oblique; "" when unknown
	FromAxial     float64 // degrees between the stack's plane and the axial one; −1 when unknown
	Tilt          float64 // degrees between the normal and the way from slice to slice: a tilted gantry
	Apart         []Group // images in other planes, scouts most often
	Complete      bool    // nothing is missing, doubled or uneven, as far as can be told
	Remarks       []caseload.Remark
	Note          string // the Remarks in one text; "" when all is fine
}

// Group is the images of a series that lie in a plane of their own.
type Group struct {
	Plane  string
	Images int
	Slices []int // indexes of the input
}

const (
	samePlace   = 0.001 // mm; nearer images are at the same place
	evenWithin  = 0.02  // of the spacing: a distance that differs more is uneven
	evenAtLeast = 0.011 // mm: writers round positions to two decimals
	maxMissing  = 10_000
	leastTilt   = 0.2 // degrees
	leastShift  = 0.1 // mm
)

// Geometry sums up the slices of a series: order, spacing, extent, gaps. Spacing comes from the positions along the slice
// normal (PS3.3 C.7.6.2.1.1), else Spacing Between Slices, else Slice Thickness; the Remarks say when it is the last.
// Images of another orientation (scouts) are left out of the stack and are groups of their own.
func Geometry(stack []Slice) Stack {
	s := Stack{FromAxial: -1}
	for _, slice := range stack {
		s.Images += max(slice.Frames, 1)
	}
	if s.Images == 0 {
		return s
	}
	main := s.part(stack)
	if len(main.places) >= 2 {
		s.fromPlaces(main.sorted())
		s.fromShifts(main)
	} else {
		if len(main.places) == 1 {
			s.First, s.Last = main.places[0].at, main.places[0].at
		}
		s.fromNumbers(stack)
	}
	if s.Spacing == 0 {
		s.spacingFromTags(stack)
	}
	s.Complete = len(s.Missing) == 0 && !s.Uneven && s.Duplicates == 0
	s.Note = caseload.Sentences(s.Remarks)
	return s
}

func (s *Stack) remark(code, format string, args ...any) {
	s.Remarks = append(s.Remarks, caseload.Remark{Code: code, Text: fmt.Sprintf(format, args...)})
}

// part puts the slices in order and says which lie in planes of their own. It returns the plane of the stack.
func (s *Stack) part(stack []Slice) plane {
	planes := planesOf(stack)
	main := 0
	for i, p := range planes {
		if len(p.places) > len(planes[main].places) {
			main = i
		}
	}
	rank := make([]int, len(stack)) // 0: in the stack, 1: without a place, 2: apart
	for i := range rank {
		rank[i] = 1
	}
	at := make([]float64, len(stack))
	var names []string
	apart := 0
	for i, p := range planes {
		for _, place := range p.places {
			if rank[place.slice] == 1 {
				at[place.slice] = place.at
			}
			rank[place.slice] = 0
			if i != main {
				rank[place.slice] = 2
			}
		}
		if i == main || len(p.places) == 0 {
			continue
		}
		s.Apart = append(s.Apart, p.group())
		apart += len(p.places)
		if name := strings.ToLower(p.name()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	s.Order = make([]int, len(stack))
	for i := range s.Order {
		s.Order[i] = i
	}
	slices.SortStableFunc(s.Order, func(a, b int) int {
		byNumber := cmp.Compare(stack[a].InstanceNumber, stack[b].InstanceNumber)
		if rank[a] == 0 && rank[b] == 0 {
			return cmp.Or(cmp.Compare(at[a], at[b]), byNumber)
		}
		return cmp.Or(cmp.Compare(rank[a], rank[b]), byNumber)
	})
	if len(planes) == 0 {
		return plane{}
	}
	s.Plane, s.FromAxial = planes[main].name(), planes[main].fromAxial()
	if apart > 0 {
		s.remark(RemarkApart, "%s in another plane (%s), apart from the others, as scouts do.", count(apart, "image lies", "images lie"), strings.Join(names, ", "))
	}
	if single := countRank(rank, 1, stack); single > 0 && len(planes[main].places) >= 2 {
		s.remark(RemarkUnplaced, "%s no position in the body.", count(single, "image has", "images have"))
	}
	return planes[main]
}

// countRank counts the single-frame slices of a rank.
func countRank(rank []int, want int, stack []Slice) (n int) {
	for i, r := range rank {
		if r == want && stack[i].Frames <= 1 {
			n++
		}
	}
	return n
}

// fromPlaces measures the sorted places: spacing is the median distance, gaps are whole multiples of it.
func (s *Stack) fromPlaces(places []float64) {
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
		s.remark(RemarkDoubled, "%s at a place where another one already is.", count(s.Duplicates, "image lies", "images lie"))
	}
	if len(distinct) < 2 {
		return
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
		s.remark(RemarkMissing, "%s.", missingNote(s.Missing, missing))
	}
	if s.Uneven {
		s.remark(RemarkUneven, "The slices are unevenly spaced (up to %.3g mm off).", s.Deviation)
	}
}

// fromShifts tells a tilted gantry (each slice is shifted by the same against the one before: the way from slice to slice
// is not the normal) from slices that lie out of line.
func (s *Stack) fromShifts(main plane) {
	first, last, ok := main.ends()
	if !ok {
		return
	}
	height := last.at - first.at
	shift := minus(last.beside, first.beside)
	tilt := math.Atan2(math.Sqrt(dot(shift, shift)), height) * 180 / math.Pi
	off := 0.0
	for _, p := range main.places {
		part := (p.at - first.at) / height
		aside := minus(p.beside, first.beside)
		for i := range aside {
			aside[i] -= part * shift[i]
		}
		off = max(off, math.Sqrt(dot(aside, aside)))
	}
	if tilt > leastTilt && math.Sqrt(dot(shift, shift)) > leastShift {
		s.Tilt = tilt
		s.remark(RemarkTilt, "The gantry was tilted by %.1f°: each slice is shifted against the one before.", tilt)
	}
	if off > leastShift {
		s.remark(RemarkShifted, "The slices do not lie in one line (up to %.3g mm beside it).", off)
	}
}

// fromNumbers looks for gaps in the instance numbers of single-frame images without usable positions.
func (s *Stack) fromNumbers(stack []Slice) {
	var numbers []int
	for _, slice := range stack {
		if slice.Frames > 1 || slice.InstanceNumber <= 0 {
			return
		}
		numbers = append(numbers, slice.InstanceNumber)
	}
	if len(numbers) < 2 {
		return
	}
	slices.Sort(numbers)
	missing := 0
	for i := 1; i < len(numbers); i++ {
		switch gap := numbers[i] - numbers[i-1] - 1; {
		case gap < 0:
			s.Duplicates++
		case gap > maxMissing:
			s.Missing = nil
			s.remark(RemarkNumbers, "The image numbers do not count the slices.")
			return
		case gap > 0:
			from := numbers[i-1] - numbers[0] + 2
			s.Missing = append(s.Missing, Range{from, from + gap - 1})
			missing += gap
		}
	}
	if s.Duplicates > 0 {
		s.remark(RemarkDoubled, "%s the number of another one.", count(s.Duplicates, "image has", "images have"))
	}
	if missing > 0 {
		s.remark(RemarkMissing, "%s (by image number).", missingNote(s.Missing, missing))
	}
}

// spacingFromTags takes the spacing from what the headers claim, where positions did not give it.
func (s *Stack) spacingFromTags(stack []Slice) {
	if s.Images < 2 {
		return
	}
	for _, slice := range stack {
		if slice.SpacingBetween > 0 {
			s.Spacing, s.SpacingSource = slice.SpacingBetween, SpacingFromBetween
			s.remark(RemarkFromBetween, "The slices carry no positions; their distance is taken from Spacing Between Slices.")
			return
		}
	}
	for _, slice := range stack {
		if slice.SliceThickness > 0 {
			s.Spacing, s.SpacingSource = slice.SliceThickness, SpacingFromThickness
			s.remark(RemarkFromThickness, "The slices carry no positions; their distance is assumed to be the slice thickness.")
			return
		}
	}
	s.remark(RemarkNoSpacing, "The distance of the slices is unknown.")
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

func median(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
