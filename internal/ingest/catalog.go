package ingest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// catalog gathers the DICOM instances of one file and what is odd about them, in the file's order.
type catalog struct {
	contents caseload.Contents
	found    []caseload.Found

	notes    map[dicom.Code]*note
	patients []string
	seen     map[string]bool // SOP Instance UIDs
	doubled  int
	nameless int // without study, series or own UID
	series   map[string]*stack
	order    []string // of series
}

// note is one kind of complaint: how many images have it, and the words of the first.
type note struct {
	images int
	text   string
}

// stack is a series as far as this file knows it.
type stack struct {
	label  string
	slices []dicom.Slice
}

// add takes one instance. Without the UIDs that say where it belongs it counts as an image but is not catalogued.
func (c *catalog) add(in dicom.Instance, ref caseload.EntryRef) {
	c.contents.Images++
	c.note(in.Warnings)
	f := foundOf(in, ref)
	if f.Study.StudyInstanceUID == "" || f.Series.SeriesInstanceUID == "" || f.Instance.SOPInstanceUID == "" {
		c.nameless++
		return
	}
	if c.seen == nil {
		c.seen, c.series = map[string]bool{}, map[string]*stack{}
	}
	if c.seen[f.Instance.SOPInstanceUID] {
		c.doubled++
	}
	c.seen[f.Instance.SOPInstanceUID] = true
	if patient := f.Instance.Patient.String(); patient != "" && !slices.Contains(c.patients, patient) && len(c.patients) < 20 {
		c.patients = append(c.patients, patient)
	}
	s := c.series[f.Series.SeriesInstanceUID]
	if s == nil {
		s = &stack{label: seriesLabel(f.Series)}
		c.series[f.Series.SeriesInstanceUID] = s
		c.order = append(c.order, f.Series.SeriesInstanceUID)
	}
	s.slices = append(s.slices, dicom.SliceOf(in))
	c.found = append(c.found, f)
}

// unread notes an entry of an archive that could not be read, or not wholly.
func (c *catalog) unread(u caseload.Unread) { c.contents.Report.Add(u) }

// told are the complaints that people should see on the file, in this order; the others stay with the instance.
var told = []dicom.Code{
	dicom.WarnTruncated, dicom.WarnPixels, dicom.WarnUnreadable, dicom.WarnPolyglot, dicom.WarnUnknownSyntax,
	dicom.WarnCharset, dicom.WarnBudget, dicom.WarnDepth, dicom.WarnSequence, dicom.WarnLength, dicom.WarnPlanes,
	dicom.WarnGeometry, dicom.WarnSentAsText,
}

// note counts each kind of complaint once an image.
func (c *catalog) note(warnings []dicom.Warning) {
	once := map[dicom.Code]bool{}
	for _, w := range warnings {
		if once[w.Code] || !slices.Contains(told, w.Code) {
			continue
		}
		once[w.Code] = true
		if c.notes == nil {
			c.notes = map[dicom.Code]*note{}
		}
		if c.notes[w.Code] == nil {
			c.notes[w.Code] = &note{text: w.Text}
		}
		c.notes[w.Code].images++
	}
}

// findings closes the catalog.
func (c *catalog) findings(kind caseload.FileKind) caseload.Findings {
	f := caseload.Findings{Kind: kind, Contents: c.contents, Found: c.found}
	warn := func(format string, args ...any) {
		f.Warnings = append(f.Warnings, clean(fmt.Sprintf(format, args...), 500))
	}
	if len(c.patients) > 1 {
		warn("This file holds images of %d patients: %s.", len(c.patients), strings.Join(c.patients, "; "))
	}
	if c.doubled > 0 {
		warn("%s in this file more than once under the same identifier (SOP Instance UID). All are kept.", images(c.doubled, "image is", "images are"))
	}
	if c.nameless > 0 {
		warn("%s not say which study and series it belongs to. It is kept, but not listed among the scans.", images(c.nameless, "image does", "images do"))
	}
	for _, code := range told {
		if n := c.notes[code]; n != nil && c.contents.Images == 1 {
			warn("%s", sentence(n.text))
		} else if n != nil {
			warn("%s: %s", images(n.images, "image", "images"), n.text)
		}
	}
	for _, uid := range c.order { // behind what is damaged: a page has room for the first
		if s := c.series[uid]; len(s.slices) > 1 || s.slices[0].Frames > 1 {
			for _, r := range remarksOf(s.slices, dicom.Geometry(s.slices)) {
				warn("%s: %s", s.label, r.Text)
			}
		}
	}
	return f
}

func images(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sentence gives a remark its capital and full stop.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + strings.TrimRight(s[n:], ".") + "."
}

func seriesLabel(s caseload.Series) string {
	label := strings.TrimSpace(s.Modality + " " + s.Description)
	if label == "" {
		label = "Series " + s.Number
	}
	return strings.TrimSpace(label)
}

// foundOf turns what DICOM says into our nouns. All text is made safe to store: valid UTF-8 without control characters,
// of bounded length; numbers fit 32 bits.
func foundOf(in dicom.Instance, ref caseload.EntryRef) caseload.Found {
	st := caseload.Study{
		StudyInstanceUID: clean(in.StudyInstanceUID, maxUID), PatientName: clean(in.Name.Display(), maxText),
		PatientID: clean(in.PatientID, maxText), PatientBirthDate: clean(in.PatientBirthDate, 16), PatientSex: clean(in.PatientSex, 16),
		Date: clean(in.StudyDate, 16), Time: clean(in.StudyTime, 16),
		Description: clean(in.StudyDescription, maxText), AccessionNumber: clean(in.AccessionNumber, maxText),
	}
	i := caseload.Instance{
		SOPInstanceUID: clean(in.SOPInstanceUID, maxUID), SOPClassUID: clean(in.SOPClassUID, maxUID),
		TransferSyntax: clean(in.TransferSyntax, maxUID), Number: bounded(in.InstanceNumber),
		Rows: bounded(in.Rows), Columns: bounded(in.Columns), Frames: bounded(in.Frames), BitsAllocated: bounded(in.BitsAllocated),
		Position: in.Position, Orientation: in.Orientation, PixelSpacing: in.PixelSpacing,
		SliceThickness: in.SliceThickness, SpacingBetween: in.SpacingBetweenSlices,
		Entry: ref, PixelOffset: -1, Patient: caseload.Patient{Name: st.PatientName, ID: st.PatientID, BirthDate: st.PatientBirthDate},
	}
	if p := in.Pixel; p != nil && !p.Inflated { // deflated as a whole: no byte of the image lies in the object as such
		i.PixelOffset, i.PixelLength, i.PixelEncapsulated = p.Offset, p.Length, p.Encapsulated
		if p.Encapsulated {
			i.PixelLength = dicom.Undefined
		}
	}
	if len(in.FramePositions) > 1 && len(in.FramePositions) <= maxFrames {
		i.FramePositions = in.FramePositions
	}
	for _, w := range in.Warnings[:min(len(in.Warnings), maxWarnings)] {
		i.Warnings = append(i.Warnings, clean(w.Text, 200))
	}
	return caseload.Found{
		Study: st,
		Series: caseload.Series{
			SeriesInstanceUID: clean(in.SeriesInstanceUID, maxUID), Number: clean(in.SeriesNumber, 16), Modality: clean(in.Modality, 16),
			Description: clean(in.SeriesDescription, maxText), Manufacturer: clean(in.Manufacturer, maxText), Model: clean(in.ModelName, maxText),
		},
		Instance: i,
	}
}

// Longest texts kept, in bytes: a UID has at most 64 (PS3.5 6.2), three writings of a name 3 × 64 characters.
const (
	maxUID      = 64
	maxText     = 800
	maxWarnings = 10     // of one instance
	maxFrames   = 20_000 // of one instance, whose places are kept
)

// clean makes text of unknown origin safe to store and show.
func clean(s string, longest int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s))
	for len(s) > longest {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

func bounded(n int) int { return max(0, min(n, math.MaxInt32)) }

// keysInOrder returns the keys of a map, sorted.
func keysInOrder[V any](m map[caseload.FileID]V) []caseload.FileID {
	return slices.Sorted(maps.Keys(m))
}
