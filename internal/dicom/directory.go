package dicom

import "strings"

// DirectoryRecord is one record of a media directory (DICOMDIR, PS3.3 F.3.2.2): what its writer says lies on the medium.
// It is a hint for people. FileID must never be used as a path: it says nothing about what was sent.
type DirectoryRecord struct {
	Type   string // "PATIENT", "STUDY", "SERIES", "IMAGE", … (0004,1430)
	Parent int    // index of the record it belongs to; -1 at the top

	PatientName PersonName // of a patient's record
	PatientID   string
	UID         string   // Study, Series or SOP Instance UID, by type
	Description string   // of a study or series
	Modality    string   // of a series
	FileID      []string // Referenced File ID (0004,1500), its components; nil of records without a file
}

// The elements of directory records (PS3.3 F.3.2.2).
const (
	tagNextRecord        Tag = 0x00041400
	tagLowerRecord       Tag = 0x00041420
	tagRecordType        Tag = 0x00041430
	tagReferencedFileID  Tag = 0x00041500
	tagReferencedSOPUID  Tag = 0x00041511
	tagFirstRootRecord   Tag = 0x00041200
	maxDirectoryLevels       = 8 // PATIENT, STUDY, SERIES, IMAGE, and what may lie below (PS3.3 F.4)
	maxDirectoryFileName     = 64
)

// Directory returns the records of a media directory, each after the one it belongs to; nil for any other object. Which
// belongs to which is said by offsets into the file (PS3.3 F.3.2.2). Where those do not hold, the order and types of the
// records decide, and whole is false: so it is when the directory names records that are not there, or some twice.
func (h *Header) Directory() (records []DirectoryRecord, whole bool) {
	sequence := h.Find(TagDirectoryRecordSequence)
	if !h.IsDICOMDIR || sequence == nil {
		return nil, h.IsDICOMDIR
	}
	d := directory{h: h, items: sequence.Items, at: map[int64]int{}, seen: make([]bool, len(sequence.Items))}
	for i := range d.items {
		d.at[d.items[i].Offset] = i
	}
	d.follow(offsetOf(h.Find(tagFirstRootRecord)), -1, 0)
	if len(d.records) == len(d.items) && !d.broken {
		return d.records, true
	}
	return d.inOrder(), false
}

type directory struct {
	h       *Header
	items   []Item
	at      map[int64]int // offset of a record → its index
	seen    []bool
	records []DirectoryRecord
	broken  bool
}

// follow takes a record, those below it and those beside it. Each is taken once, so that circles end.
func (d *directory) follow(offset int64, parent, level int) {
	for offset != 0 {
		i, ok := d.at[offset]
		if !ok || d.seen[i] || level >= maxDirectoryLevels {
			d.broken = true
			return
		}
		d.seen[i] = true
		d.records = append(d.records, d.record(&d.items[i], parent))
		d.follow(offsetOf(d.items[i].Find(tagLowerRecord)), len(d.records)-1, level+1)
		offset = offsetOf(d.items[i].Find(tagNextRecord))
	}
}

// inOrder builds the tree from the order of the records: each belongs to the last one of a higher type.
func (d *directory) inOrder() []DirectoryRecord {
	ranks := map[string]int{"PATIENT": 1, "STUDY": 2, "SERIES": 3}
	out := make([]DirectoryRecord, 0, len(d.items))
	last := map[int]int{}
	for i := range d.items {
		r := d.record(&d.items[i], -1)
		rank, ok := ranks[r.Type]
		if !ok {
			rank = 4
		}
		for above := rank - 1; above > 0; above-- {
			if parent, ok := last[above]; ok {
				r.Parent = parent
				break
			}
		}
		last[rank] = len(out)
		for below := rank + 1; below <= 4; below++ {
			delete(last, below)
		}
		out = append(out, r)
	}
	return out
}

// offsetOf returns the offset an element holds (UL), 0 for none.
func offsetOf(e *Element) int64 {
	n, _ := e.Int()
	return int64(n)
}

func (d *directory) record(item *Item, parent int) DirectoryRecord {
	names := d.h.names.charsetOf(item.Elements)
	text := func(tag Tag) string {
		if values := item.Find(tag).strings(names); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	r := DirectoryRecord{Type: strings.ToUpper(text(tagRecordType)), Parent: parent, UID: text(tagReferencedSOPUID)}
	switch r.Type {
	case "PATIENT":
		r.PatientName, r.PatientID = nameOf(text(TagPatientName)), text(TagPatientID)
	case "STUDY":
		r.UID, r.Description = text(TagStudyInstanceUID), text(TagStudyDescription)
	case "SERIES":
		r.UID, r.Description, r.Modality = text(TagSeriesInstanceUID), text(TagSeriesDescription), text(TagModality)
	}
	for _, part := range item.Find(tagReferencedFileID).strings(names) {
		if part = displayable(part); len(r.FileID) < maxDirectoryLevels && len(part) <= maxDirectoryFileName {
			r.FileID = append(r.FileID, part)
		}
	}
	return r
}
