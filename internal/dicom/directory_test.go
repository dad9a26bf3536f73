package dicom_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

func media() []byte {
	text := func(tag uint32, vr, value string) func(*dicomtest.Encoder) {
		return func(e *dicomtest.Encoder) { e.Text(tag, vr, value) }
	}
	image := func(uid string, path ...string) dicomtest.Record {
		return dicomtest.Record{Type: "IMAGE", Write: func(e *dicomtest.Encoder) {
			e.Text(0x00041500, "CS", path...)
			e.Text(0x00041511, "UI", uid)
		}}
	}
	series := func(uid string, images ...dicomtest.Record) dicomtest.Record {
		return dicomtest.Record{Type: "SERIES", Write: text(0x0020000E, "UI", uid), Below: images}
	}
	patient := func(name, study string, all ...dicomtest.Record) dicomtest.Record {
		return dicomtest.Record{Type: "PATIENT", Write: text(0x00100010, "PN", name), Below: []dicomtest.Record{
			{Type: "STUDY", Write: text(0x0020000D, "UI", study), Below: all},
		}}
	}
	return dicomtest.Directory(
		patient("Kim^Minji", "2.25.1", series("2.25.11", image("2.25.111", "DICOM", "S0", "I0"), image("2.25.112", "DICOM", "S0", "I1")), series("2.25.12", image("2.25.121", "..", "..", "ETC", "PASSWD"))),
		patient("Park^Jun", "2.25.2"),
	)
}

// told are the records by type, uid and the type of their parent.
func told(records []dicom.DirectoryRecord) string {
	var out []string
	for _, r := range records {
		parent := "-"
		if r.Parent >= 0 {
			parent = records[r.Parent].Type + " " + records[r.Parent].UID
		}
		out = append(out, r.Type+" "+r.UID+r.PatientName.Alphabetic+" < "+parent+" "+strings.Join(r.FileID, "/"))
	}
	return strings.Join(out, "\n")
}

const mediaTold = `PATIENT Kim^Minji < - 
STUDY 2.25.1 < PATIENT  
SERIES 2.25.11 < STUDY 2.25.1 
IMAGE 2.25.111 < SERIES 2.25.11 DICOM/S0/I0
IMAGE 2.25.112 < SERIES 2.25.11 DICOM/S0/I1
SERIES 2.25.12 < STUDY 2.25.1 
IMAGE 2.25.121 < SERIES 2.25.12 ../../ETC/PASSWD
PATIENT Park^Jun < - 
STUDY 2.25.2 < PATIENT  `

func TestADirectorySaysWhatLiesOnTheMedium(t *testing.T) {
	h := read(t, media())
	records, whole := h.Directory()
	if !h.IsDICOMDIR || !whole || told(records) != mediaTold {
		t.Errorf("whole %v\n%s", whole, told(records))
	}
	if records, _ := read(t, dicomtest.CT(dicomtest.CTOptions{})).Directory(); records != nil {
		t.Error("an image has records")
	}
}

func TestADirectoryWithWrongOffsetsIsReadInOrder(t *testing.T) {
	b := media()
	var links []int // places of the next-record offsets
	for at := range b {
		if bytes.HasPrefix(b[at:], []byte("\x04\x00\x00\x14UL\x04\x00")) {
			links = append(links, at+8)
		}
	}
	for name, offset := range map[string]uint32{"beyond the end": 1 << 30, "inside a record": 400} {
		wrong := slices.Clone(b)
		binary.LittleEndian.PutUint32(wrong[links[3]:], offset)
		if records, whole := read(t, wrong).Directory(); whole || told(records) != mediaTold {
			t.Errorf("%s: whole %v\n%s", name, whole, told(records))
		}
	}
	circle := slices.Clone(b)
	first := binary.LittleEndian.Uint32(circle[bytes.Index(circle, []byte("\x04\x00\x00\x12UL\x04\x00"))+8:])
	for _, at := range links {
		binary.LittleEndian.PutUint32(circle[at:], first)
	}
	if records, whole := read(t, circle).Directory(); whole || told(records) != mediaTold {
		t.Errorf("a circle: whole %v\n%s", whole, told(records))
	}
}
