package dicom

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Instance is the flat description of one object: what a list, a search and a series summary need. Absent text is "",
// absent numbers are 0, absent vectors nil.
type Instance struct {
	PatientName      string // as DICOM writes it, decoded: "Hong^Gildong=洪^吉洞=홍^길동"
	Name             PersonName
	PatientID        string
	PatientBirthDate string // YYYYMMDD, or as written when that is no date
	PatientSex       string // M, F, O

	StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, SOPClassUID string

	StudyDate         string // YYYYMMDD
	StudyTime         string // HHMMSS.FFFFFF
	StudyDescription  string
	AccessionNumber   string
	SeriesDescription string
	SeriesNumber      string
	Modality          string
	Manufacturer      string
	ModelName         string
	TransferSyntax    string // UID; "" when the object does not say

	InstanceNumber  int
	Rows, Columns   int // pixels
	Frames          int // at least 1 when there are pixel data
	BitsAllocated   int
	BitsStored      int
	SamplesPerPixel int
	Photometric     string // "MONOCHROME2", "RGB", …

	Position             []float64 // x, y, z of the first pixel's centre in mm (PS3.3 C.7.6.2); of the first frame
	Orientation          []float64 // direction cosines of row and column (PS3.3 C.7.6.2)
	PixelSpacing         []float64 // mm: between rows, between columns (PS3.3 10.7.1.1)
	SliceThickness       float64   // mm
	SpacingBetweenSlices float64   // mm, (0018,0088)
	FramePositions       []float64 // mm along the normal, one a frame, of multi-frame objects that tell
	CharacterSets        []string  // (0008,0005) as written
	FunctionalGroups     bool      // an enhanced multi-frame object (PS3.3 C.7.6.16)

	Pixel    *PixelData
	Warnings []Warning
}

// Describe draws the flat facts out of a header. In enhanced multi-frame objects geometry comes from the functional
// groups (PS3.3 C.7.6.16.2). Numbers that contradict the pixel data found are added to the warnings.
func Describe(h *Header) Instance {
	in := Instance{
		TransferSyntax: h.TransferSyntax,
		InstanceNumber: h.count(TagInstanceNumber), Rows: h.count(TagRows), Columns: h.count(TagColumns),
		Frames: h.count(TagNumberOfFrames), BitsAllocated: h.count(TagBitsAllocated),
		BitsStored: h.count(TagBitsStored), SamplesPerPixel: h.count(TagSamplesPerPixel),
		CharacterSets: h.Strings(TagSpecificCharacterSet),
		Position:      exactly(3, h.Floats(TagImagePositionPatient)), Orientation: cosines(h.Floats(TagImageOrientationPatient)),
		PixelSpacing: apart(h.Floats(TagPixelSpacing)), Pixel: h.Pixel,
	}
	in.texts(h)
	in.Name = nameOf(in.PatientName)
	dated := in.datesPlain()
	in.SliceThickness = h.millimetres(TagSliceThickness)
	in.SpacingBetweenSlices = h.millimetres(TagSpacingBetweenSlices)
	in.fillUIDs(h)
	if in.Frames < 1 && h.Pixel != nil {
		in.Frames = 1
	}
	in.functionalGroups(h)
	if in.FramePositions == nil && in.Frames > 1 {
		in.FramePositions = in.gridOffsets(h)
	}
	in.Warnings = append(append(h.Warnings[:len(h.Warnings):len(h.Warnings)], dated...), in.check(h)...)
	in.Warnings = append(in.Warnings, in.unusable(h)...)
	return in
}

// texts fills in what is text. Those of usual length, a UID's at most (PS3.5 6.2), lie in one piece of memory.
func (in *Instance) texts(h *Header) {
	const usual = 64
	fields := [...]struct {
		tag  Tag
		text *string
	}{
		{TagPatientName, &in.PatientName},
		{TagPatientID, &in.PatientID},
		{TagPatientBirthDate, &in.PatientBirthDate},
		{TagPatientSex, &in.PatientSex},
		{TagStudyInstanceUID, &in.StudyInstanceUID},
		{TagSeriesInstanceUID, &in.SeriesInstanceUID},
		{TagSOPInstanceUID, &in.SOPInstanceUID},
		{TagSOPClassUID, &in.SOPClassUID},
		{TagStudyDate, &in.StudyDate},
		{TagStudyTime, &in.StudyTime},
		{TagStudyDescription, &in.StudyDescription},
		{TagAccessionNumber, &in.AccessionNumber},
		{TagSeriesDescription, &in.SeriesDescription},
		{TagSeriesNumber, &in.SeriesNumber},
		{TagModality, &in.Modality},
		{TagManufacturer, &in.Manufacturer},
		{TagManufacturerModelName, &in.ModelName},
		{TagPhotometricInterpretation, &in.Photometric},
	}
	var ends [len(fields)]int
	all := make([]byte, 0, len(fields)*usual)
	for i, field := range fields {
		if plain, ok := h.Find(field.tag).plainText(); ok && len(plain) <= usual {
			all = append(all, plain...)
		} else {
			*field.text = h.String(field.tag)
		}
		ends[i] = len(all)
	}
	shared, from := string(all), 0
	for i, field := range fields {
		if from < ends[i] {
			*field.text = shared[from:ends[i]]
		}
		from = ends[i]
	}
}

// datesPlain brings dates and times to today's form and warns of those that are none.
func (in *Instance) datesPlain() (warnings []Warning) {
	for _, field := range []struct {
		tag   Tag
		text  *string
		plain func(string) (string, bool)
	}{
		{TagStudyDate, &in.StudyDate, plainDate}, {TagStudyTime, &in.StudyTime, plainTime}, {TagPatientBirthDate, &in.PatientBirthDate, plainDate},
	} {
		plain, ok := field.plain(*field.text)
		if *field.text = plain; !ok {
			warnings = append(warnings, Warning{WarnValue, field.tag, -1, fmt.Sprintf("the date or time is written %.20q", plain)})
		}
	}
	return warnings
}

// fillUIDs takes SOP class and instance from the file meta information where the data set lacks them (PS3.10 7.1).
func (in *Instance) fillUIDs(h *Header) {
	if in.SOPClassUID == "" {
		in.SOPClassUID = h.String(TagMediaStorageSOPClassUID)
	}
	if in.SOPInstanceUID == "" {
		in.SOPInstanceUID = h.String(TagMediaStorageSOPInstanceUID)
	}
}

// count returns a number that cannot be negative, 0 when absent.
func (h *Header) count(tag Tag) int {
	n, _ := h.Int(tag)
	return max(n, 0)
}

// millimetres returns a distance, 0 when absent. Some write it negative for the direction of the scan.
func (h *Header) millimetres(tag Tag) float64 {
	f, _ := h.Float(tag)
	return math.Abs(f)
}

// exactly returns the first n values, nil when there are fewer.
func exactly(n int, values []float64) []float64 {
	if len(values) < n {
		return nil
	}
	return values[:n:n]
}

// mostApart is the distance of pixels beyond which a number is none, in mm: ten metres.
const mostApart = 1e4

// apart returns the distances of rows and of columns, nil when they are no distances.
func apart(values []float64) []float64 {
	if values = exactly(2, values); values == nil {
		return nil
	}
	for i, v := range values {
		if values[i] = math.Abs(v); values[i] == 0 || values[i] > mostApart {
			return nil
		}
	}
	return values
}

// What is said of geometry that an object states and that cannot be used as it stands begins so.
const (
	UnusablePosition    = "the position in the body cannot be used as it is written"
	UnusableOrientation = "the orientation in the body cannot be used as it is written"
	UnusableSpacing     = "the pixel spacing cannot be used as it is written"
)

// unusable warns of geometry that the object states and that cannot be used as it stands.
func (in *Instance) unusable(h *Header) (warnings []Warning) {
	for _, field := range [...]struct {
		tag  Tag
		lost bool
		said string
	}{
		{TagImagePositionPatient, in.Position == nil, UnusablePosition},
		{TagImageOrientationPatient, in.Orientation == nil, UnusableOrientation},
		{TagPixelSpacing, in.PixelSpacing == nil, UnusableSpacing},
	} {
		if e := h.Find(field.tag); field.lost && e != nil && len(trimBytes(e.Value)) > 0 {
			text := h.Strings(field.tag)
			warnings = append(warnings, Warning{WarnGeometry, field.tag, -1, fmt.Sprintf("%s: %.60q", field.said, strings.Join(text[:min(len(text), 6)], `\`))})
		}
	}
	return warnings
}

// cosines returns an orientation of two usable directions, else nil.
func cosines(values []float64) []float64 {
	if values = exactly(6, values); values == nil || normalOf(values) == nil {
		return nil
	}
	return values
}

// functionalGroups reads geometry from the shared and per-frame groups: plane position and orientation, pixel measures
// (PS3.3 C.7.6.16.2.1, .3, .4).
func (in *Instance) functionalGroups(h *Header) {
	frames, shared := h.Find(TagPerFrameFunctionalGroups), h.Find(TagSharedFunctionalGroups)
	in.FunctionalGroups = frames != nil || shared != nil
	if !in.FunctionalGroups {
		return
	}
	var first *Item
	if frames != nil && len(frames.Items) > 0 {
		first = &frames.Items[0]
	}
	var common *Item
	if shared != nil && len(shared.Items) > 0 {
		common = &shared.Items[0]
	}
	lookUp := func(sequence, tag Tag) []float64 {
		if values := macro(first, sequence, tag); values != nil {
			return values
		}
		return macro(common, sequence, tag)
	}
	if v := cosines(lookUp(TagPlaneOrientationSequence, TagImageOrientationPatient)); v != nil {
		in.Orientation = v
	}
	if v := exactly(3, lookUp(TagPlanePositionSequence, TagImagePositionPatient)); v != nil {
		in.Position = v
	}
	if v := apart(lookUp(TagPixelMeasuresSequence, TagPixelSpacing)); v != nil {
		in.PixelSpacing = v
	}
	if v := lookUp(TagPixelMeasuresSequence, TagSliceThickness); v != nil {
		in.SliceThickness = math.Abs(v[0])
	}
	if v := lookUp(TagPixelMeasuresSequence, TagSpacingBetweenSlices); v != nil {
		in.SpacingBetweenSlices = math.Abs(v[0])
	}
	if frames == nil {
		return
	}
	groups := frames.Items
	if n := len(groups); in.Frames > 1 && n != in.Frames {
		h.warn(WarnPlanes, TagPerFrameFunctionalGroups, -1, "the object describes %d frames and says that it has %d", n, in.Frames)
		groups = groups[:min(n, in.Frames)]
	}
	if normal := normalOf(in.Orientation); normal != nil && len(groups) >= in.Frames {
		if in.FramePositions = alongNormal(groups, normal); !onePlane(groups, normal) {
			in.FramePositions = nil
			h.warn(WarnPlanes, TagPlaneOrientationSequence, -1, "the frames lie in more than one plane")
		}
	}
}

// macro returns the numbers of a tag in the first item of a functional group's sequence, nil when absent.
func macro(group *Item, sequence, tag Tag) []float64 {
	if group == nil {
		return nil
	}
	s := group.Find(sequence)
	if s == nil || len(s.Items) == 0 {
		return nil
	}
	return s.Items[0].Find(tag).Floats()
}

// alongNormal returns the position of each frame along the normal, nil unless every frame has one.
func alongNormal(frames []Item, normal []float64) []float64 {
	out := make([]float64, 0, len(frames))
	for i := range frames {
		position := exactly(3, macro(&frames[i], TagPlanePositionSequence, TagImagePositionPatient))
		if position == nil {
			return nil
		}
		out = append(out, dot(position, normal))
	}
	return out
}

// onePlane reports whether no frame has an orientation of its own with another normal (PS3.3 C.7.6.16.2.4).
func onePlane(frames []Item, normal []float64) bool {
	for i := range frames {
		own := normalOf(exactly(6, macro(&frames[i], TagPlaneOrientationSequence, TagImageOrientationPatient)))
		if own != nil && math.Abs(dot(own, normal)) <= samePlane {
			return false
		}
	}
	return true
}

// gridOffsets returns the frame positions of a dose grid (PS3.3 C.8.8.3.2), relative to its first plane.
func (in *Instance) gridOffsets(h *Header) []float64 {
	offsets := h.Floats(TagGridFrameOffsetVector)
	normal := normalOf(in.Orientation)
	if len(offsets) != in.Frames || normal == nil || in.Position == nil {
		return nil
	}
	origin := dot(in.Position, normal) - offsets[0]
	out := make([]float64, len(offsets))
	for i, offset := range offsets {
		out[i] = origin + offset
	}
	return out
}

// check looks at what only the whole header shows: missing identity, and claims about the image that do not match the
// pixel data found, compared in 64 bits.
func (in *Instance) check(h *Header) []Warning {
	var out []Warning
	if !h.IsDICOMDIR && (in.SOPInstanceUID == "" || in.StudyInstanceUID == "" || in.SeriesInstanceUID == "") {
		out = append(out, Warning{WarnIdentity, 0, -1, "the object does not name its study, its series or itself"})
	}
	if frames := h.String(TagNumberOfFrames); frames != "" && in.Frames == 0 || in.Frames == 1 && frames != "" && !isOne(frames) {
		out = append(out, Warning{WarnValue, TagNumberOfFrames, -1, fmt.Sprintf("the number of frames is written %.20q", frames)})
	}
	if in.Pixel == nil {
		return out
	}
	if in.Rows == 0 || in.Columns == 0 {
		out = append(out, Warning{WarnPixels, in.Pixel.Tag, in.Pixel.Offset, "there are pixel data, but no rows or no columns of them"})
	}
	if want, ok := in.FrameBytes(); ok && !in.Pixel.Encapsulated {
		frames := int64(max(in.Frames, 1))
		if want > math.MaxInt64/frames || want*frames > in.Pixel.Length {
			out = append(out, Warning{WarnPixels, in.Pixel.Tag, in.Pixel.Offset, "rows, columns and frames claim more pixel data than there are"})
		}
	}
	if in.Frames > 1 && in.SpacingBetweenSlices == 0 && in.FramePositions == nil && in.SliceThickness > 0 {
		out = append(out, Warning{WarnSpacing, TagSliceThickness, -1, "the distance of the frames is known only from the slice thickness"})
	}
	return out
}

// isOne tells whether a number is written that is 1: some write integers as "1.0" or "01".
func isOne(text string) bool {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return err == nil && n == 1
}

// samplesOf returns how many samples a pixel of native pixel data takes: of YBR_FULL_422 and YBR_PARTIAL_422 every second pixel
// only has its chrominance (PS3.3 C.7.6.3.1.2).
func samplesOf(stated int, photometric string) int64 {
	if stated == 3 && (photometric == "YBR_FULL_422" || photometric == "YBR_PARTIAL_422") {
		return 2
	}
	return int64(max(stated, 1))
}

// FrameBytes returns the bytes of one frame of native pixel data; false when the claims are incomplete or absurd
// (more than 2^40 bytes). One-bit images count whole bytes (PS3.5 8.1.1).
func (in *Instance) FrameBytes() (int64, bool) {
	rows, columns, samples, bits := int64(in.Rows), int64(in.Columns), samplesOf(in.SamplesPerPixel, in.Photometric), int64(in.BitsAllocated)
	if rows == 0 || columns == 0 || bits == 0 || rows > 1<<16 || columns > 1<<16 || samples > 1<<8 || bits > 64 {
		return 0, false
	}
	return min((rows*columns*samples*bits+7)/8, 1<<40), rows*columns*samples*bits/8 <= 1<<40
}
