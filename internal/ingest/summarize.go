package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// The codes of the remarks on a series, beside those of dicom.Stack.
const (
	RemarkMatrix    = "matrix"
	RemarkPixelSize = "pixel-size"
	RemarkSentTwice = "sent-twice"
	RemarkGeometry  = "geometry"
)

// Summarize fills, for every series of the studies, what follows from its Members: Images and everything after it. It
// puts the Members in the order of the stack: by position, then those without one, then those in other planes, then
// what is no image, then further copies. It reads and writes nothing else.
func Summarize(studies []caseload.Study) {
	for i := range studies {
		st := studies[i]
		for j := range st.Series {
			for k := range st.Series[j].Members { // rows of before each image's own patient was kept
				if m := &st.Series[j].Members[k]; m.Patient == (caseload.Patient{}) {
					m.Patient = caseload.Patient{Name: st.PatientName, ID: st.PatientID, BirthDate: st.PatientBirthDate}
				}
			}
			summarize(&st.Series[j])
		}
	}
}

func summarize(s *caseload.Series) {
	members, copies := distinct(s.Members)
	*s = caseload.Series{
		ID: s.ID, Study: s.Study, SeriesInstanceUID: s.SeriesInstanceUID, Number: s.Number, Modality: s.Modality,
		Description: s.Description, Manufacturer: s.Manufacturer, Model: s.Model, Members: s.Members, Instances: len(s.Members),
	}
	if len(s.Members) == 0 {
		return
	}
	files, syntaxes := map[caseload.FileID]bool{}, map[string]int{}
	for _, m := range s.Members {
		files[m.File] = true
	}
	var pictures, others []caseload.Instance
	for _, m := range members {
		syntaxes[m.TransferSyntax]++
		if m.Rows == 0 || m.Columns == 0 {
			others = append(others, m) // a report, a plan: nothing to look at
		} else {
			pictures = append(pictures, m)
		}
	}
	s.Files = keysInOrder(files)
	s.TransferSyntax = mostFrequent(syntaxes, func(a, b string) bool { return a < b })
	g := look(s, pictures)
	s.Members = s.Members[:0:0]
	for _, i := range g.Order {
		s.Members = append(s.Members, pictures[i])
	}
	s.Members = append(append(s.Members, others...), copies...)
	if len(copies) > 0 {
		s.Remarks = append(s.Remarks, caseload.Remark{Code: RemarkSentTwice, Text: images(len(copies), "image was", "images were") + " sent more than once."})
	}
	s.Note = caseload.Sentences(s.Remarks)
}

// look fills what the images show together.
func look(s *caseload.Series, pictures []caseload.Instance) dicom.Stack {
	stacked := make([]dicom.Slice, len(pictures))
	for i, m := range pictures {
		stacked[i] = dicom.Slice{
			InstanceNumber: m.Number, Frames: m.Frames, Position: m.Position, Orientation: m.Orientation,
			SliceThickness: m.SliceThickness, SpacingBetween: m.SpacingBetween, FramePositions: m.FramePositions,
		}
	}
	g := dicom.Geometry(stacked)
	s.Images, s.Spacing, s.SpacingSource, s.Complete = g.Images, g.Spacing, g.SpacingSource, g.Complete || len(pictures) == 0
	s.Remarks = append(remarksOf(stacked, g), geometryRemarks(s.Modality, pictures, g)...)
	apart := map[int]bool{}
	for _, group := range g.Apart {
		first := pictures[group.Slices[0]]
		s.Apart = append(s.Apart, caseload.Group{Plane: group.Plane, Images: group.Images, Rows: first.Rows, Columns: first.Columns})
		for _, i := range group.Slices {
			apart[i] = true
		}
	}
	stack := make([]caseload.Instance, 0, len(pictures))
	for i, m := range pictures {
		if !apart[i] {
			stack = append(stack, m)
		}
	}
	sizes, pixels := map[string]int{}, map[string]int{}
	shape := map[[2]int]int{}
	for _, m := range stack {
		shape[[2]int{m.Rows, m.Columns}]++
		sizes[fmt.Sprintf("%d × %d", m.Columns, m.Rows)]++
		if len(m.PixelSpacing) == 2 {
			if s.PixelSpacing == 0 {
				s.PixelSpacing = m.PixelSpacing[1]
			}
			pixels[fmt.Sprintf("%.4g mm", m.PixelSpacing[1])]++
		}
	}
	size := mostFrequent(shape, func(a, b [2]int) bool { return a[0] > b[0] || a[0] == b[0] && a[1] > b[1] })
	s.Rows, s.Columns = size[0], size[1]
	if len(sizes) > 1 {
		s.Remarks = append(s.Remarks, caseload.Remark{Code: RemarkMatrix, Text: "The images are not all of one size: " + tally(sizes) + "."})
	}
	if len(pixels) > 1 {
		s.Remarks = append(s.Remarks, caseload.Remark{Code: RemarkPixelSize, Text: "The pixels are not all of one size: " + tally(pixels) + "."})
	}
	if len(stack) > 0 {
		s.Planning = planning(s, stack, g)
	}
	return g
}

// geometryRemarks tell of images whose place, direction or pixel size is stated in a way that cannot be used, or is missing where
// the rest of the geometry needs it: a position without a direction, a volume without the size of its pixels.
func geometryRemarks(modality string, pictures []caseload.Instance, g dicom.Stack) (remarks []caseload.Remark) {
	volume := (modality == "CT" || modality == "MR") && g.Images > 1
	for _, fact := range []struct {
		unusable string
		lost     func(caseload.Instance) (lost, needed bool)
		say      string
	}{
		{dicom.UnusablePosition, func(m caseload.Instance) (bool, bool) { return m.Position == nil, false }, "%s no usable position in the body."},
		{dicom.UnusableOrientation, func(m caseload.Instance) (bool, bool) { return m.Orientation == nil, m.Position != nil }, "%s no usable direction in the body: their planes are unknown."},
		{dicom.UnusableSpacing, func(m caseload.Instance) (bool, bool) { return m.PixelSpacing == nil, volume }, "%s no usable pixel size: nothing can be measured in them."},
	} {
		n := 0
		for _, m := range pictures {
			stated := slices.ContainsFunc(m.Warnings, func(text string) bool { return strings.HasPrefix(text, fact.unusable) })
			if lost, needed := fact.lost(m); lost && (stated || needed) {
				n += max(1, m.Frames)
			}
		}
		if n > 0 {
			remarks = append(remarks, caseload.Remark{Code: RemarkGeometry, Text: fmt.Sprintf(fact.say, images(n, "image has", "images have"))})
		}
	}
	return remarks
}

// tally says how many there are of each, the most frequent first: "60 of 512 × 512, 1 of 256 × 256".
func tally(counts map[string]int) string {
	const shown = 4
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, 0, shown+1)
	for i, key := range keys {
		if i == shown {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%d of %s", counts[key], key))
	}
	return strings.Join(parts, ", ")
}

// remarksOf are the remarks on a stack, without the one on missing positions when a single multi-frame image carries its
// own spacing: that is how such images are written (PS3.3 C.7.6.5).
func remarksOf(pictures []dicom.Slice, g dicom.Stack) []caseload.Remark {
	if len(pictures) == 1 && g.SpacingSource == dicom.SpacingFromBetween {
		return slices.DeleteFunc(g.Remarks, func(r caseload.Remark) bool { return r.Code == dicom.RemarkFromBetween })
	}
	return g.Remarks
}

// distinct leaves out further copies of an instance: the same SOP Instance UID at the same place in the series.
func distinct(all []caseload.Instance) (members, copies []caseload.Instance) {
	seen := map[string]bool{}
	for _, m := range all {
		key := fmt.Sprint(m.SOPInstanceUID, m.Position, m.Number, m.Frames)
		if seen[key] {
			copies = append(copies, m)
			continue
		}
		seen[key] = true
		members = append(members, m)
	}
	return members, copies
}

// mostFrequent returns the key counted most often; before tells which of two equals comes first.
func mostFrequent[K comparable](counts map[K]int, before func(a, b K) bool) (best K) {
	most := 0
	for k, n := range counts {
		if n > most || n == most && before(k, best) {
			best, most = k, n
		}
	}
	return best
}
