package dicom_test

import (
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// listed are the lines of the elements whose tag lies in [from, to], and of the items between them, as a dump shows them.
func listed(h *dicom.Header, from, to dicom.Tag, longest int) string {
	var out []string
	for line := range h.Lines(longest) {
		if line.Depth > 0 || line.Item > 0 || line.Tag >= from && line.Tag <= to {
			out = append(out, line.String())
		}
	}
	return strings.Join(out, "\n")
}

func TestEveryElementHasALinePrivateOnesToo(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{Charset: []string{"ISO_IR 100"}, BeforePixels: func(e *dicomtest.Encoder) {
		e.Text(0x00290011, "LO", "Vendor\x01 X")
		e.Text(0x00291101, "LO", "one ", " two")
		e.Raw(0x00291102, "UN", []byte{1, 2, 0xFF})
		e.Raw(0x00291202, "UN", []byte("plain"))
		e.Text(0x00400254, "LO", "a\r\nb\xe4\xd8\u202e")
		e.Text(0x00400280, "ST", `back\slash`)
		e.Raw(0x00400281, "SQ", nil)
		e.Sequence(0x00400555, true, func(e *dicomtest.Encoder) {
			e.FL(0x0040A161, 0.1, -2)
			e.UV(0x0040A162, 1<<63+1)
			e.Text(0x00430010, "LO", "GEMS_PARM_01")
			e.Raw(0x00431001, "UN", []byte{0xFE, 0xFF})
		}, func(e *dicomtest.Encoder) { e.Raw(0x00720026, "AT", []byte{0x10, 0, 0x20, 0}) })
	}}))
	want := `(0029,0011) LO PrivateCreator [Vendor X]
(0029,1101) LO ? «Vendor X» [one\two]
(0029,1102) UN ? «Vendor X» [0102ff00]
(0029,1202) UN ? [plain]
(0040,0254) LO PerformedProcedureStepDescription [a  bäØâ®]
(0040,0280) ST CommentsOnThePerformedProcedureStep [back\slash]
(0040,0281) SQ PerformedProcedureStepDiscontinuationReasonCodeSequence []
(0040,0555) SQ AcquisitionContextSequence []
  Item 1
  (0040,A161) FL FloatingPointValue [0.1\-2]
  (0040,A162) UV RationalNumeratorValue [9223372036854775809]
  (0043,0010) LO PrivateCreator [GEMS_PARM_01]
  (0043,1001) SS BitmapOfPrescanOptions «GEMS_PARM_01» [-2]
  Item 2
  (0072,0026) AT SelectorAttribute [00100020]`
	if got := listed(h, 0x00290000, 0x0040FFFF, 64); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestALineIsBoundedAndOneCanStopEarly(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{Charset: []string{"ISO_IR 192"}, BeforePixels: func(e *dicomtest.Encoder) {
		e.Text(0x00400280, "ST", strings.Repeat("임", 1000))
		e.Raw(0x00400281, "UN", make([]byte, 1000))
		e.Raw(0x00400282, "US", make([]byte, 1000))
		e.Raw(0x00400283, "OB", make([]byte, 100<<10))
		e.Text(0x00400284, "ST", "\u202e임대석\x07 치과병원 이천삼백번")
	}}))
	n := 0
	for line := range h.Lines(16) {
		if line.Tag.Group() == 0x0040 {
			if length := len([]rune(line.Text)); length > 16 || !line.Cut != (line.Text == "임대석 치과병원 이천삼백번") {
				t.Errorf("%s has %d characters, cut %v", line, length, line.Cut)
			}
		}
		n++
	}
	for range h.Lines(16) {
		n--
		if n == 5 {
			break
		}
	}
	if n != 5 {
		t.Errorf("%d lines left", n)
	}
}

func TestPrivateElementsAreKnownByTheirCreator(t *testing.T) {
	for _, c := range []struct {
		creator string
		tag     dicom.Tag
		keyword string
	}{
		{"GEMS_PARM_01", 0x00431001, "BitmapOfPrescanOptions"},
		{"GEMS_PARM_01", 0x0043AB01, "BitmapOfPrescanOptions"},
		{"GEMS_PARM_01", 0x00451001, ""},
		{"SIEMENS CSA HEADER", 0x00291008, "CSAImageHeaderType"},
		{"CMR42 CIRCLECVI", 0x00251010, "WorkspaceID"},
		{"CMR42 CIRCLECVI", 0x00251110, ""},
		{"PAPYRUS 3.0", 0x60051010, "OverlayRows"},
		{"nobody", 0x00431001, ""},
	} {
		entry, ok := dicom.LookUpPrivate(c.creator, c.tag)
		if ok != (c.keyword != "") || entry.Keyword != c.keyword || ok && entry.Tag != c.tag {
			t.Errorf("%s %s is %+v", c.creator, c.tag, entry)
		}
	}
}
