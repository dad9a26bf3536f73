package dicom_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// syntaxes are the transfer syntaxes of PS3.6 table A-1, retired ones too, but for those with an encoding of their own.
var syntaxes = strings.Fields(`
	1.2.840.10008.1.2.1.98 1.2.840.10008.1.2.4.50 1.2.840.10008.1.2.4.51 1.2.840.10008.1.2.4.52 1.2.840.10008.1.2.4.53
	1.2.840.10008.1.2.4.54 1.2.840.10008.1.2.4.55 1.2.840.10008.1.2.4.56 1.2.840.10008.1.2.4.57 1.2.840.10008.1.2.4.58
	1.2.840.10008.1.2.4.59 1.2.840.10008.1.2.4.60 1.2.840.10008.1.2.4.61 1.2.840.10008.1.2.4.62 1.2.840.10008.1.2.4.63
	1.2.840.10008.1.2.4.64 1.2.840.10008.1.2.4.65 1.2.840.10008.1.2.4.66 1.2.840.10008.1.2.4.70 1.2.840.10008.1.2.4.80
	1.2.840.10008.1.2.4.81 1.2.840.10008.1.2.4.90 1.2.840.10008.1.2.4.91 1.2.840.10008.1.2.4.92 1.2.840.10008.1.2.4.93
	1.2.840.10008.1.2.4.94 1.2.840.10008.1.2.4.100 1.2.840.10008.1.2.4.100.1 1.2.840.10008.1.2.4.101 1.2.840.10008.1.2.4.102
	1.2.840.10008.1.2.4.103 1.2.840.10008.1.2.4.104 1.2.840.10008.1.2.4.105 1.2.840.10008.1.2.4.106 1.2.840.10008.1.2.4.107
	1.2.840.10008.1.2.4.108 1.2.840.10008.1.2.4.110 1.2.840.10008.1.2.4.111 1.2.840.10008.1.2.4.112 1.2.840.10008.1.2.4.201
	1.2.840.10008.1.2.4.202 1.2.840.10008.1.2.4.203 1.2.840.10008.1.2.4.204 1.2.840.10008.1.2.5 1.2.840.10008.1.2.7.1
	1.2.840.10008.1.2.7.2 1.2.840.10008.1.2.7.3 1.2.840.10008.1.2.8.1`)

// What describes the image is found even behind it.
func TestRowsThatStandBehindTheImageAreFound(t *testing.T) {
	for _, o := range dicomtest.Hostiles() {
		if o.Name != "pixel data before rows and columns" {
			continue
		}
		source, size := o.Open()
		h, err := dicom.Read(t.Context(), source, size, dicom.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if in := dicom.Describe(h); in.Rows != 16 || in.Columns != 16 || in.Pixel == nil || in.Pixel.Length != 512 {
			t.Errorf("%d × %d, %+v", in.Rows, in.Columns, in.Pixel)
		}
		return
	}
	t.Error("there is no such object")
}

func TestTheHeaderIsReadInEveryTransferSyntax(t *testing.T) {
	for _, syntax := range syntaxes {
		h := read(t, dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Fragments: [][]byte{{1, 2}}}))
		if in := dicom.Describe(h); len(in.Warnings) > 0 || in.PatientID != "PH-0001" || !h.Pixel.Encapsulated {
			t.Errorf("%s: %+v %v", syntax, h.Pixel, in.Warnings)
		}
	}
	for _, syntax := range []string{"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"} { // JPIP, deflated: no pixels inside
		body := dicomtest.CT(dicomtest.CTOptions{NoPixels: true})
		file := append(dicomtest.Meta(syntax, dicomtest.CTClass, "2.25.30.1"), dicomtest.Deflate(dropMeta(body))...)
		if in := dicom.Describe(read(t, file)); len(in.Warnings) > 0 || in.PatientID != "PH-0001" {
			t.Errorf("%s: %v", syntax, in.Warnings)
		}
	}
	papyrus := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: retitle("1.2.840.10008.1.20")})
	if in := dicom.Describe(read(t, papyrus)); len(in.Warnings) > 0 || in.PatientID != "PH-0001" {
		t.Errorf("papyrus: %v", in.Warnings)
	}
}

// Each of these is accepted: the patient and the pixels are found, and the warning, if any, is the only one.
func TestIrregularBeginningsAndEncodingsAreAccepted(t *testing.T) {
	implicitBE := &dicomtest.Encoder{Implicit: true, BigEndian: true}
	cases := []struct {
		name string
		opt  dicomtest.CTOptions
		warn dicom.Code // "" when the object is as it should be
	}{
		{"DICM without a preamble", dicomtest.CTOptions{Tamper: func(b []byte) []byte { return b[128:] }}, dicom.WarnNoPreamble},
		{"a preamble without DICM", dicomtest.CTOptions{Tamper: func(b []byte) []byte { return append(b[:128:128], b[132:]...) }}, dicom.WarnNoPreamble},
		{"no group length", dicomtest.CTOptions{Tamper: func(b []byte) []byte { return append(b[:132:132], b[144:]...) }}, dicom.WarnMetaLength},
		{"no transfer syntax", dicomtest.CTOptions{Tamper: retitle("")}, dicom.WarnNoSyntax},
		{"no transfer syntax, implicit", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: retitle("")}, dicom.WarnNoSyntax},
		{"meta information in implicit encoding", dicomtest.CTOptions{Tamper: func(b []byte) []byte {
			return append(implicitMeta(), dropMeta(b)...)
		}}, dicom.WarnOtherSyntax},
		{"explicit announced, implicit written", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: retitle(dicomtest.ExplicitLE)}, dicom.WarnOtherSyntax},
		{"little endian announced, big endian written", dicomtest.CTOptions{Syntax: dicomtest.ExplicitBE, Tamper: retitle(dicomtest.ExplicitLE)}, dicom.WarnOtherSyntax},
		{"GE private, header little endian", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: retitle(dicom.GEPrivateBigEndian)}, ""},
		{"GE private, implicit big endian throughout", dicomtest.CTOptions{Encoder: implicitBE, Tamper: retitle(dicom.GEPrivateBigEndian)}, dicom.WarnOtherSyntax},
		{"deflated in a zlib wrapper", dicomtest.CTOptions{Tamper: func(b []byte) []byte {
			var out bytes.Buffer
			out.Write(dicomtest.Meta(dicomtest.Deflated, dicomtest.CTClass, "2.25.30.1"))
			w := zlib.NewWriter(&out)
			w.Write(dropMeta(b))
			w.Close()
			return out.Bytes()
		}}, ""},
		{"a value of odd length", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00281055, "LO", 3)
			e.WriteString("abc")
		}}, ""},
		{"a long representation with a short length", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Tag(0x00281055)
			e.WriteString("UT\x04\x00text")
		}}, dicom.WarnBadVR},
		{"two bytes that are no representation", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Tag(0x00281055)
			e.WriteString("??\x04\x00text")
		}}, dicom.WarnBadVR},
		{"a sequence under the name of text", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00281055, "LO", dicomtest.Undefined)
			e.Item(dicomtest.Undefined)
			e.Delimit(0xFFFEE00D)
			e.Delimit(0xFFFEE0DD)
		}}, dicom.WarnLength},
		{"a sequence of UN with a stated length", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Raw(0x00283010, "UN", []byte("\xFE\xFF\x00\xE0\x00\x00\x00\x00"))
		}}, ""},
		{"a sequence of stated length with a delimiter", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00283010, "SQ", 16)
			e.Item(0)
			e.Delimit(0xFFFEE0DD)
		}}, dicom.WarnStray},
		{"a sequence that holds something else", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { e.Raw(0x00283010, "SQ", []byte("no items")) }}, dicom.WarnSequence},
		{"an item in the other byte order", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00283010, "SQ", 8)
			e.WriteString("\xFF\xFE\xE0\x00\x00\x00\x00\x00")
		}}, dicom.WarnOtherSyntax},
		{"elements out of order, one twice", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Text(0x00100010, "PN", "Somebody^Else")
		}}, dicom.WarnOrder},
		{"zero bytes to the end of the block", dicomtest.CTOptions{Tamper: func(b []byte) []byte { return append(b, make([]byte, 700)...) }}, ""},
		{"native pixels under a compressed syntax", dicomtest.CTOptions{Tamper: retitle(dicomtest.JPEG)}, dicom.WarnOtherSyntax},
		{"fragments under a native syntax", dicomtest.CTOptions{Fragments: [][]byte{{1, 2}}}, dicom.WarnOtherSyntax},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := dicom.Describe(read(t, dicomtest.CT(c.opt)))
			if in.PatientID != "PH-0001" || in.PatientName != "Phantom^Jaw" || in.Rows != 16 || in.SOPInstanceUID != "2.25.30.1" || in.Pixel == nil {
				t.Errorf("lost: %+v", in)
			}
			for _, w := range in.Warnings {
				if w.Code != c.warn && w.Code != dicom.WarnNoMeta {
					t.Errorf("also %s", w)
				}
				if w.Offset == 0 && w.Tag == 0 && w.Code != dicom.WarnNoPreamble || w.Text == "" {
					t.Errorf("a warning without place or words: %+v", w)
				}
			}
			if c.warn != "" && !hasWarning(in.Warnings, c.warn) {
				t.Errorf("no %s in %v", c.warn, in.Warnings)
			}
		})
	}
}

// implicitMeta is Meta without value representations.
func implicitMeta() []byte {
	e := &dicomtest.Encoder{Implicit: true}
	e.Text(0x00020002, "UI", dicomtest.CTClass)
	e.Text(0x00020003, "UI", "2.25.30.1")
	e.Text(0x00020010, "UI", dicomtest.ExplicitLE)
	out := append(make([]byte, 128), "DICM"...)
	return append(append(out, 2, 0, 0, 0, 4, 0, 0, 0, byte(e.Len()), 0, 0, 0), e.Bytes()...)
}

func TestGEPrivatePixelsAreBigEndianThoughTheHeaderIsNot(t *testing.T) {
	p := read(t, dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: retitle(dicom.GEPrivateBigEndian)})).Pixel
	if !p.BigEndian || p.Length != 512 {
		t.Errorf("%+v", p)
	}
}

func TestEveryRepresentationMayBeEmpty(t *testing.T) {
	vrs := strings.Fields("AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV")
	h := read(t, dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		for i, vr := range vrs {
			e.Head(0x00991000+uint32(i), vr, 0)
		}
	}}))
	for i, vr := range vrs {
		if e := h.Find(dicom.Tag(0x00991000 + i)); e == nil || string(e.VR) != vr || e.Length != 0 || e.Value != nil {
			t.Errorf("%s: %+v", vr, e)
		}
	}
	if len(h.Warnings) > 0 || h.Pixel == nil {
		t.Errorf("%v", h.Warnings)
	}
}

func TestADamagedDeflateStreamGivesWhatCameBefore(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.Deflated, Rows: 64, Noise: 7})
	in := dicom.Describe(read(t, b[:len(b)-4000]))
	if in.Rows != 64 || in.PatientID != "PH-0001" || !hasWarning(in.Warnings, dicom.WarnTruncated) || !in.Pixel.Truncated {
		t.Errorf("%+v %v", in.Pixel, in.Warnings)
	}
	in = dicom.Describe(read(t, b[:500])) // in the middle of the header
	if in.SOPInstanceUID != "2.25.30.1" || !hasWarning(in.Warnings, dicom.WarnTruncated) || in.Pixel != nil {
		t.Errorf("%+v", in)
	}
}

func TestEachBudgetEndsTheWalkWithAWarning(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		for i := range 2000 {
			e.Text(0x00990000+uint32(0x1000+i), "LO", "sixteen letters.")
		}
		for range 40 {
			e.Raw(0x00AA1000, "OB", make([]byte, 4000))
		}
	}})
	deflated := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.Deflated, Rows: 512})
	nested := dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { nest(e, 40) }})
	cases := []struct {
		name string
		file []byte
		opt  dicom.Options
		warn dicom.Code
	}{
		{"elements", b, dicom.Options{MaxElements: 100}, dicom.WarnBudget},
		{"kept bytes", b, dicom.Options{MaxKept: 20_000}, dicom.WarnBudget},
		{"header bytes", b, dicom.Options{MaxRead: 40_000}, dicom.WarnBudget},
		{"inflated bytes", deflated, dicom.Options{MaxInflated: 100_000}, dicom.WarnTruncated},
		{"depth", nested, dicom.Options{}, dicom.WarnDepth},
	}
	for _, c := range cases {
		h, err := dicom.Read(context.Background(), bytes.NewReader(c.file), int64(len(c.file)), c.opt)
		if err != nil || h.String(dicom.TagPatientID) != "PH-0001" || !hasWarning(h.Warnings, c.warn) {
			t.Errorf("%s: %v %v", c.name, err, h.Warnings)
		}
		if h, err = dicom.Read(context.Background(), bytes.NewReader(c.file), int64(len(c.file)), dicom.Options{MaxDepth: 64}); err != nil || len(h.Warnings) > 39 || h.Pixel == nil {
			t.Errorf("%s, without the bound: %v %v", c.name, err, h.Warnings)
		}
		if c.opt.MaxKept > 0 {
			if h, _ := dicom.Read(context.Background(), bytes.NewReader(c.file), int64(len(c.file)), c.opt); h.Pixel == nil {
				t.Error("the pixels were not found because values were not kept")
			}
		}
	}
}

// nest writes a sequence of stated length in a sequence, and so on.
func nest(e *dicomtest.Encoder, depth int) {
	if depth > 0 {
		e.Sequence(0x00081140, depth%2 == 0 && depth < 30, func(e *dicomtest.Encoder) { nest(e, depth-1) })
	}
}

func TestAValueIsNeverLongerThanWhatEnclosesIt(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		e.Head(0x00283010, "SQ", 20)
		e.Item(12)
		e.Head(0x00283006, "OB", 0xFFFFFFF0)
	}})
	h := read(t, b)
	if h.Pixel == nil || h.Pixel.Length != 512 || !hasWarning(h.Warnings, dicom.WarnLength) {
		t.Errorf("%v %+v", h.Warnings, h.Pixel)
	}
}

// enormous is an object of 6 GB: a head, zeros, a tail.
type enormous struct {
	head, tail []byte
	size       int64
	asked      int64
}

func (f *enormous) ReadAt(p []byte, offset int64) (int, error) {
	f.asked += int64(len(p))
	n := int(min(int64(len(p)), f.size-offset))
	clear(p[:n])
	if offset < int64(len(f.head)) {
		copy(p[:n], f.head[offset:])
	}
	if at := f.size - int64(len(f.tail)); offset+int64(n) > at {
		copy(p[max(0, at-offset):n], f.tail[max(0, offset-at):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestSixGigabytesAreSkippedByArithmetic(t *testing.T) {
	head := dicomtest.CT(dicomtest.CTOptions{Frames: 3, NoPixels: true})
	e := &dicomtest.Encoder{}
	e.Raw(0xFFFAFFFA, "SQ", nil)
	for _, claim := range []uint32{0xFFFFFFFE, 3_000_000_000} {
		pixels := &dicomtest.Encoder{}
		pixels.Head(0x7FE00010, "OW", claim)
		f := &enormous{head: append(bytes.Clone(head), pixels.Bytes()...), tail: e.Bytes()}
		f.size = int64(len(f.head)) + int64(claim) + int64(len(f.tail))
		h, err := dicom.Read(context.Background(), f, f.size, dicom.Options{PastPixelData: true})
		if err != nil || len(h.Warnings) > 0 || h.Pixel.Length != int64(claim) || h.Find(0xFFFAFFFA) == nil || f.asked > 100<<10 {
			t.Errorf("%d asked, %v %v %+v", f.asked, err, h.Warnings, h.Pixel)
		}
	}
}

func TestADeadlineInTheMiddleEndsTheWalkWithWhatWasRead(t *testing.T) {
	many := dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		for i := range 50_000 {
			e.Text(0x00990000+uint32(0x1000+i%1000), "LO", "sixteen letters.")
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	h, err := dicom.Read(ctx, &cancelling{bytes.NewReader(many), 0, cancel}, int64(len(many)), dicom.Options{})
	if !errors.Is(err, context.Canceled) || h.String(dicom.TagPatientID) != "PH-0001" {
		t.Errorf("%v %+v", err, h)
	}
}

// cancelling ends the context with the second read.
type cancelling struct {
	*bytes.Reader
	reads  int
	cancel func()
}

func (c *cancelling) ReadAt(p []byte, offset int64) (int, error) {
	if c.reads++; c.reads == 2 {
		c.cancel()
	}
	return c.Reader.ReadAt(p, offset)
}

func TestWarningsNameThePlace(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { e.Delimit(0xFFFEE00D) }})
	at := int64(bytes.Index(b, binary.LittleEndian.AppendUint32(nil, 0xE00DFFFE)))
	if w := read(t, b).Warnings; len(w) != 1 || w[0].Offset != at || w[0].Tag != 0xFFFEE00D {
		t.Errorf("%+v, want offset %d", w, at)
	}
}
