package dicom_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

func read(t testing.TB, b []byte) *dicom.Header {
	t.Helper()
	h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hasWarning(warnings []dicom.Warning, code dicom.Code) bool {
	return slices.ContainsFunc(warnings, func(w dicom.Warning) bool { return w.Code == code })
}

func TestAPlainSliceIsReadInEverySyntaxWithoutWarning(t *testing.T) {
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
		h := read(t, dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Number: 7}))
		in := dicom.Describe(h)
		if len(in.Warnings) > 0 {
			t.Errorf("%s: %v", syntax, in.Warnings)
		}
		if in.TransferSyntax != syntax || in.PatientName != "Phantom^Jaw" || in.Rows != 16 || in.InstanceNumber != 7 ||
			in.SeriesNumber != "3" || in.Modality != "CT" || in.BitsStored != 12 || in.Frames != 1 || in.PatientSex != "F" {
			t.Errorf("%s: %+v", syntax, in)
		}
		if !slices.Equal(in.Position, []float64{0, 0, 3.5}) || !slices.Equal(in.PixelSpacing, []float64{0.25, 0.3}) || in.SliceThickness != 0.5 {
			t.Errorf("%s: geometry %+v", syntax, in)
		}
		if h.Pixel == nil || h.Pixel.Length != 512 || h.Pixel.Encapsulated || h.Pixel.Truncated {
			t.Errorf("%s: pixels %+v", syntax, h.Pixel)
		}
	}
}

func TestPixelDataAreWhereTheHeaderSays(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Noise: 5})
	p := read(t, b).Pixel
	if p.Offset+p.Length != int64(len(b)) {
		t.Errorf("pixels end at %d of %d", p.Offset+p.Length, len(b))
	}
	b = dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.JPEG, Fragments: [][]byte{{1, 2, 3, 4}}})
	p = read(t, b).Pixel
	if !p.Encapsulated || binary.LittleEndian.Uint16(b[p.Offset:]) != 0xFFFE || p.Offset+p.Length != int64(len(b)) {
		t.Errorf("encapsulated: %+v of %d", p, len(b))
	}
}

// odd describes something the field writes; every one must give patient, rows and the warning.
func TestWhatTheFieldWritesIsReadAndNoted(t *testing.T) {
	cases := []struct {
		name string
		opt  dicomtest.CTOptions
		warn dicom.Code
	}{
		{"no preamble, meta group first", dicomtest.CTOptions{NoPreamble: true}, dicom.WarnNoPreamble},
		{"no meta at all", dicomtest.CTOptions{Tamper: dropMeta}, dicom.WarnNoMeta},
		{"no meta, implicit", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, Tamper: dropMeta}, dicom.WarnNoMeta},
		{"no meta, big endian", dicomtest.CTOptions{Syntax: dicomtest.ExplicitBE, Tamper: dropMeta}, dicom.WarnNoMeta},
		{"wrong group length", dicomtest.CTOptions{Tamper: patch(140, 0xFF, 0xFF)}, dicom.WarnMetaLength},
		{"implicit announced, explicit written", dicomtest.CTOptions{Tamper: replace(dicomtest.ExplicitLE+"\x00", dicomtest.ImplicitLE+"\x00\x00\x00")}, dicom.WarnOtherSyntax},
		{"unknown transfer syntax", dicomtest.CTOptions{Tamper: replace(dicomtest.ExplicitLE, "1.2.999.10008.1.2.1")}, dicom.WarnUnknownSyntax},
		{"deflated announced, plain written", dicomtest.CTOptions{Syntax: dicomtest.ExplicitLE, Tamper: retitle(dicomtest.Deflated)}, dicom.WarnOtherSyntax},
		{"GE private, big endian throughout", dicomtest.CTOptions{Syntax: dicomtest.ExplicitBE, Tamper: retitle(dicom.GEPrivateBigEndian)}, dicom.WarnOtherSyntax},
		{"implicit element in an explicit data set", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Implicit = true
			e.DS(0x00281052, 0)
			e.Implicit = false
			e.DS(0x00281053, 1)
		}}, dicom.WarnMixedVR},
		{"explicit element in an implicit data set", dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, BeforePixels: func(e *dicomtest.Encoder) {
			e.Implicit = false
			e.DS(0x00281052, -1000)
			e.Implicit = true
			e.DS(0x00281053, 1)
		}}, dicom.WarnMixedVR},
		{"stray item delimiter", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { e.Delimit(0xFFFEE00D) }}, dicom.WarnStray},
		{"stray item", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) { e.Item(0) }}, dicom.WarnStray},
		{"sequence closed before its item", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00283010, "SQ", dicomtest.Undefined)
			e.Item(dicomtest.Undefined)
			e.US(0x00283002, 1, 2, 3)
			e.Delimit(0xFFFEE0DD)
		}}, dicom.WarnStray},
		{"item longer than its sequence", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00283010, "SQ", 8)
			e.Item(5000)
		}}, dicom.WarnLength},
		{"a VR nobody knows", dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
			e.Tag(0x00291001)
			e.Write([]byte{'Z', 'Z', 0, 0, 4, 0, 0, 0, 1, 2, 3, 4})
		}}, dicom.WarnBadVR},
		{"too few pixels", dicomtest.CTOptions{Tamper: func(b []byte) []byte { return b[:len(b)-100] }}, dicom.WarnTruncated},
		{"zeros where the pixels should be", dicomtest.CTOptions{NoPixels: true, Tamper: func(b []byte) []byte { return append(b, make([]byte, 512)...) }}, dicom.WarnPadding},
		{"a polyglot", dicomtest.CTOptions{Tamper: patch(0, 'M', 'Z')}, dicom.WarnPolyglot},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := dicom.Describe(read(t, dicomtest.CT(c.opt)))
			if in.PatientID != "PH-0001" || in.Rows != 16 || in.SOPInstanceUID != "2.25.30.1" {
				t.Errorf("lost: %+v", in)
			}
			if !c.opt.NoPixels && in.Pixel == nil {
				t.Error("the pixels were not found")
			}
			if !hasWarning(in.Warnings, c.warn) {
				t.Errorf("no %s in %v", c.warn, in.Warnings)
			}
		})
	}
}

func dropMeta(b []byte) []byte {
	return b[144+binary.LittleEndian.Uint32(b[140:]):]
}

func patch(at int, with ...byte) func([]byte) []byte {
	return func(b []byte) []byte { copy(b[at:], with); return b }
}

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

// retitle gives the data set other meta information.
func retitle(syntax string) func([]byte) []byte {
	return func(b []byte) []byte {
		return append(dicomtest.Meta(syntax, dicomtest.CTClass, "2.25.30.1"), dropMeta(b)...)
	}
}

func TestNothingIsWrongWithTheseThoughTheyAreRare(t *testing.T) {
	cases := map[string]dicomtest.CTOptions{
		"UN of undefined length, implicit inside (CP-246)": {BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00291010, "UN", dicomtest.Undefined)
			e.Item(dicomtest.Undefined)
			inner := &dicomtest.Encoder{Implicit: true}
			inner.Text(0x00100020, "LO", "inside")
			e.Write(inner.Bytes())
			e.Delimit(0xFFFEE00D)
			e.Delimit(0xFFFEE0DD)
		}},
		"fragments outside the pixel data": {BeforePixels: func(e *dicomtest.Encoder) {
			e.Head(0x00291010, "OB", dicomtest.Undefined)
			e.Item(4)
			e.WriteString("abcd")
			e.Delimit(0xFFFEE0DD)
		}},
		"a known tag coded as UN":    {BeforePixels: func(e *dicomtest.Encoder) { e.Raw(0x00281052, "UN", []byte("-1000 ")) }},
		"an over-long decimal":       {BeforePixels: func(e *dicomtest.Encoder) { e.Text(0x00281052, "DS", "-1000.00000000000000000000001") }},
		"elements after the pixels":  {AfterPixels: func(e *dicomtest.Encoder) { e.Raw(0xFFFCFFFC, "OB", make([]byte, 64)) }},
		"pixel data inside an icon":  {BeforePixels: func(e *dicomtest.Encoder) { e.Sequence(0x00880200, true, icon) }},
		"empty elements of all kind": {BeforePixels: func(e *dicomtest.Encoder) { e.Text(0x00281052, "DS"); e.Sequence(0x00283010, false) }},
	}
	for name, opt := range cases {
		t.Run(name, func(t *testing.T) {
			b := dicomtest.CT(opt)
			for _, past := range []bool{false, true} {
				h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{PastPixelData: past})
				if err != nil || len(h.Warnings) > 0 || h.Pixel == nil || h.Pixel.Length != 512 {
					t.Errorf("past=%v: %v %v %+v", past, err, h.Warnings, h.Pixel)
				}
				if past && opt.AfterPixels != nil && h.Find(0xFFFCFFFC) == nil {
					t.Error("the element after the pixels is missing")
				}
			}
		})
	}
	b := dicomtest.CT(cases["a known tag coded as UN"])
	if v, ok := read(t, b).Float(0x00281052); !ok || v != -1000 {
		t.Errorf("UN value is %v", v)
	}
}

func icon(e *dicomtest.Encoder) {
	e.US(0x00280010, 64)
	e.Raw(0x7FE00010, "OW", make([]byte, 128))
}

func TestAHeaderTakesOneReadAndALargeImageNoMore(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Rows: 1024})
	h := read(t, b)
	if h.Reads != 1 || h.BytesRead > 32<<10 {
		t.Errorf("%d reads, %d bytes", h.Reads, h.BytesRead)
	}
}

// A header longer than the first read fills the rest of the same 32 KiB, and what is read is what stands there.
func TestALongHeaderIsReadOnInTheSameWindow(t *testing.T) {
	for _, long := range []int{7 << 10, 8 << 10, 9 << 10, 20 << 10, 40 << 10} {
		b := dicomtest.CT(dicomtest.CTOptions{Rows: 512, BeforePixels: func(e *dicomtest.Encoder) {
			for i := range long / 100 {
				e.Text(0x00291000+uint32(i), "LT", fmt.Sprintf("%092d", i))
			}
		}})
		h := read(t, b)
		for i := range long / 100 {
			if got := h.String(dicom.Tag(0x00291000 + i)); got != fmt.Sprintf("%092d", i) {
				t.Fatalf("%d bytes: value %d is %q", long, i, got)
			}
		}
		if most := int64(32<<10) * int64(1+long>>15); h.Pixel == nil || h.BytesRead > most || h.Reads > 2+long>>15 {
			t.Errorf("%d bytes: %d read in %d reads", long, h.BytesRead, h.Reads)
		}
	}
}

func TestClaimsOfEnormousImagesAreCompared(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Frames: 9, Tamper: func(b []byte) []byte {
		b = bytes.Replace(b, []byte("IS\x02\x009 "), []byte("IS\x0a\x002147483647"), 1)
		b = bytes.Replace(b, []byte("\x28\x00\x10\x00US\x02\x00\x10\x00"), []byte("\x28\x00\x10\x00US\x02\x00\xFF\xFF"), 1)
		return bytes.Replace(b, []byte("\x28\x00\x11\x00US\x02\x00\x10\x00"), []byte("\x28\x00\x11\x00US\x02\x00\xFF\xFF"), 1)
	}})
	in := dicom.Describe(read(t, b))
	if in.Rows != 65535 || in.Frames != 2147483647 || !hasWarning(in.Warnings, dicom.WarnPixels) {
		t.Errorf("%d × %d × %d, %v", in.Rows, in.Columns, in.Frames, in.Warnings)
	}
}

func TestOtherFilesAreNotDICOM(t *testing.T) {
	cases := map[string][]byte{
		"nothing": nil, "one byte": {8}, "text": []byte(strings.Repeat("Dear doctor, ", 50)),
		"zeros": make([]byte, 4096), "a JPEG": append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF"), make([]byte, 600)...),
		"a ZIP": dicomtest.ZIP(false, dicomtest.Named{Name: "a", Body: []byte("b")}),
	}
	for name, b := range cases {
		if _, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{}); !errors.Is(err, dicom.ErrNotDICOM) {
			t.Errorf("%s: %v", name, err)
		}
		if dicom.Sniff(b) {
			t.Errorf("%s: sniffed", name)
		}
	}
}

type brokenReader struct{ err error }

func (r brokenReader) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestOnlyTheSourceAndTheContextMakeErrors(t *testing.T) {
	broken := errors.New("the line dropped")
	if _, err := dicom.Read(context.Background(), brokenReader{broken}, 1000, dicom.Options{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := dicomtest.CT(dicomtest.CTOptions{})
	if _, err := dicom.Read(ctx, bytes.NewReader(b), int64(len(b)), dicom.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
