package ingest

import (
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// Summarize fills, for every series of the studies, what follows from its Members: Images, Instances, Rows, Columns,
// Spacing, SpacingSource, PixelSpacing, Complete, Note, TransferSyntax and Files. It reads and writes nothing else.
func Summarize(studies []caseload.Study) {
	for i := range studies {
		for j := range studies[i].Series {
			summarize(&studies[i].Series[j])
		}
	}
}

func summarize(s *caseload.Series) {
	s.Instances, s.Images, s.Complete = len(s.Members), 0, false
	s.Rows, s.Columns, s.PixelSpacing, s.Spacing = 0, 0, 0, 0
	s.SpacingSource, s.TransferSyntax, s.Note, s.Files = "", "", "", nil
	if len(s.Members) == 0 {
		return
	}
	members, copies := distinct(s.Members)
	files := map[caseload.FileID]bool{}
	sizes, syntaxes := map[[2]int]int{}, map[string]int{}
	for _, m := range s.Members {
		files[m.File] = true
	}
	pictures := make([]dicom.Slice, 0, len(members))
	for _, m := range members {
		syntaxes[m.TransferSyntax]++
		if m.Rows == 0 || m.Columns == 0 {
			continue // a report, a plan: nothing to look at
		}
		sizes[[2]int{m.Rows, m.Columns}]++
		if s.PixelSpacing == 0 && len(m.PixelSpacing) == 2 {
			s.PixelSpacing = m.PixelSpacing[1]
		}
		pictures = append(pictures, dicom.Slice{
			InstanceNumber: m.Number, Frames: m.Frames, Position: m.Position, Orientation: m.Orientation,
			SliceThickness: m.SliceThickness, SpacingBetween: m.SpacingBetween,
		})
	}
	s.Files = keysInOrder(files)
	size := mostFrequent(sizes, func(a, b [2]int) bool { return a[0] > b[0] || a[0] == b[0] && a[1] > b[1] })
	s.Rows, s.Columns = size[0], size[1]
	s.TransferSyntax = mostFrequent(syntaxes, func(a, b string) bool { return a < b })

	g := dicom.Geometry(pictures)
	s.Images, s.Spacing, s.SpacingSource, s.Complete = g.Images, g.Spacing, g.SpacingSource, g.Complete
	s.Note = seriesNote(pictures, g)
	if len(pictures) == 0 {
		s.Complete = true
	}
	if len(sizes) > 1 {
		remark(s, "The images are not all of one size.")
	}
	if copies > 0 {
		remark(s, images(copies, "image was", "images were")+" sent more than once.")
	}
}

// seriesNote is the note of a stack, without the remark on missing positions when a single multi-frame image carries
// its own spacing: that is how such images are written (PS3.3 C.7.6.5).
func seriesNote(pictures []dicom.Slice, g dicom.Stack) string {
	if len(pictures) == 1 && g.SpacingSource == dicom.SpacingFromBetween {
		return ""
	}
	return g.Note
}

// distinct leaves out further copies of an instance: the same SOP Instance UID at the same place in the series.
func distinct(all []caseload.Instance) (members []caseload.Instance, copies int) {
	seen := map[string]bool{}
	for _, m := range all {
		key := fmt.Sprint(m.SOPInstanceUID, m.Position, m.Number, m.Frames)
		if seen[key] {
			copies++
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

// remark adds a sentence to the series' note.
func remark(s *caseload.Series, sentence string) {
	if s.Note != "" {
		s.Note += " "
	}
	s.Note += sentence
}
