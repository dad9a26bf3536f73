package ingest_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// The makers below write the synthetic files of these tests: explicit little endian DICOM (PS3.5 7.1, PS3.10 7.1) and
// ordinary ZIPs. Everything follows from the arguments.

const (
	ctImage    = "1.2.840.10008.5.1.4.1.1.2"
	explicitLE = "1.2.840.10008.1.2.1"
	studyUID   = "2.25.1001"
	seriesUID  = "2.25.2002"
	patient    = "Canary^Zweigertsoda" // must never be found in a log
)

type tag uint32

// object is one DICOM object to write.
type object struct {
	study, series, sop, class, patient, patientID string
	birth                                         string
	number, frames, rows, columns                 int
	z, thickness                                  float64
	noPosition, noPreamble                        bool
	pixels                                        int // bytes; 0: rows*columns*2*frames
	seed                                          uint64
}

// slice is axial slice n (from 1) of a series of 0.3 mm.
func slice(n int) object {
	return object{number: n, z: float64(n) * 0.3, sop: fmt.Sprintf("2.25.3003.%d", n), thickness: 0.3, rows: 64, columns: 64, seed: uint64(n)}
}

func element(b *bytes.Buffer, t tag, vr string, value []byte) {
	if len(value)%2 == 1 {
		pad := byte(' ')
		if vr == "UI" || vr == "OB" {
			pad = 0
		}
		value = append(value[:len(value):len(value)], pad)
	}
	_ = binary.Write(b, binary.LittleEndian, uint16(t>>16))
	_ = binary.Write(b, binary.LittleEndian, uint16(t))
	b.WriteString(vr)
	switch vr {
	case "OB", "OW", "UN", "SQ", "UT":
		b.Write([]byte{0, 0})
		_ = binary.Write(b, binary.LittleEndian, uint32(len(value)))
	default:
		_ = binary.Write(b, binary.LittleEndian, uint16(len(value)))
	}
	b.Write(value)
}

func text(b *bytes.Buffer, t tag, vr, value string) { element(b, t, vr, []byte(value)) }

func short(b *bytes.Buffer, t tag, value int) {
	element(b, t, "US", binary.LittleEndian.AppendUint16(nil, uint16(value)))
}

// header returns the bytes before the pixels, and how many bytes of pixels have to follow.
func (o object) header() ([]byte, int) {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	var b, meta bytes.Buffer
	class := or(o.class, ctImage)
	text(&meta, 0x00020002, "UI", class)
	text(&meta, 0x00020003, "UI", o.sop)
	text(&meta, 0x00020010, "UI", explicitLE)
	if !o.noPreamble {
		b.Write(make([]byte, 128))
		b.WriteString("DICM")
		element(&b, 0x00020000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(meta.Len())))
		b.Write(meta.Bytes())
	}
	text(&b, 0x00080016, "UI", class)
	text(&b, 0x00080018, "UI", o.sop)
	text(&b, 0x00080020, "DA", "20260314")
	text(&b, 0x00080060, "CS", "CT")
	text(&b, 0x00080070, "LO", "Caseload tests")
	text(&b, 0x0008103E, "LO", "Jaw")
	text(&b, 0x00100010, "PN", or(o.patient, patient))
	text(&b, 0x00100020, "LO", or(o.patientID, "P-1"))
	if o.birth != "" {
		text(&b, 0x00100030, "DA", o.birth)
	}
	if o.thickness > 0 {
		text(&b, 0x00180050, "DS", fmt.Sprint(o.thickness))
	}
	text(&b, 0x0020000D, "UI", or(o.study, studyUID))
	text(&b, 0x0020000E, "UI", or(o.series, seriesUID))
	text(&b, 0x00200011, "IS", "3")
	text(&b, 0x00200013, "IS", fmt.Sprint(o.number))
	if !o.noPosition {
		text(&b, 0x00200032, "DS", fmt.Sprintf(`-10\-10\%g`, o.z))
		text(&b, 0x00200037, "DS", `1\0\0\0\1\0`)
	}
	short(&b, 0x00280002, 1)
	text(&b, 0x00280004, "CS", "MONOCHROME2")
	if o.frames > 0 {
		text(&b, 0x00280008, "IS", fmt.Sprint(o.frames))
	}
	short(&b, 0x00280010, o.rows)
	short(&b, 0x00280011, o.columns)
	text(&b, 0x00280030, "DS", `0.3\0.3`)
	short(&b, 0x00280100, 16)
	short(&b, 0x00280101, 16)
	short(&b, 0x00280102, 15)
	short(&b, 0x00280103, 0)
	n := o.pixels
	if n == 0 {
		n = o.rows * o.columns * 2 * max(o.frames, 1)
	}
	b.WriteString("\xE0\x7F\x10\x00OW\x00\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint32(n))
	return b.Bytes(), n
}

// bytes returns the whole object; its pixels are noise that compresses by half.
func (o object) bytes() []byte {
	b, n := o.header()
	noise := rand.New(rand.NewPCG(o.seed, 7))
	for i := 0; i < n; i += 2 {
		b = append(b, byte(noise.Uint32()), 4)
	}
	return b[:len(b)-n%2]
}

// packed is one entry of a ZIP to write.
type packed struct {
	name  string
	body  []byte
	store bool
}

func zipOf(t testing.TB, entries ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		method := zip.Deflate
		if e.store || strings.HasSuffix(e.name, "/") {
			method = zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// caseZIP is what a clinic drops: n slices in two folders, junk, a mesh, a photo, a PDF.
func caseZIP(t testing.TB, n int) []byte {
	t.Helper()
	entries := []packed{{name: "Fall/"}, {name: "Fall/Thumbs.db", body: []byte("junk")}, {name: "__MACOSX/._IM1", body: []byte("junk")}}
	for i := 1; i <= n; i++ {
		entries = append(entries, packed{name: fmt.Sprintf("Fall/%d/IM%04d", i%2, i), body: slice(i).bytes(), store: i%3 == 0})
	}
	entries = append(entries,
		packed{name: "Fall/upper.stl", body: binarySTL(12)},
		packed{name: "Fall/face.dcm", body: []byte("\xFF\xD8\xFF\xE0 not really a photo")},
		packed{name: "Fall/report", body: []byte("%PDF-1.7\n%")},
		packed{name: "Fall/readme.txt", body: []byte("hello")},
	)
	return zipOf(t, entries...)
}

func binarySTL(triangles int) []byte {
	b := append([]byte("solid by a binary writer"), make([]byte, 84+50*triangles-24)...)
	binary.LittleEndian.PutUint32(b[80:], uint32(triangles))
	return b
}

// inflate undoes a ZIP's compression method.
func inflate(t testing.TB, b []byte, method uint16) []byte {
	t.Helper()
	if method == zip.Store {
		return b
	}
	whole, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}
