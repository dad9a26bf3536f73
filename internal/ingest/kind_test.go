package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// wornSTL is a binary STL of so many triangles that states another number.
func wornSTL(triangles int, stated uint32) []byte {
	b := make([]byte, 84)
	binary.LittleEndian.PutUint32(b[80:], stated)
	for i := range triangles {
		for _, v := range []float32{0, 0, 1, float32(i), 0, 0, float32(i + 1), 0, 0, float32(i), 1, 0} {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		b = append(b, 0, 0)
	}
	return b
}

func TestAFileIsWhatItsContentSays(t *testing.T) {
	picture := image.NewGray(image.Rect(0, 0, 8, 8))
	var photo, drawing, squeezed bytes.Buffer
	if err := jpeg.Encode(&photo, picture, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&drawing, picture); err != nil {
		t.Fatal(err)
	}
	gz := gzip.NewWriter(&squeezed)
	_, _ = gz.Write([]byte("solid facet"))
	_ = gz.Close()
	bare := slice(1)
	bare.noPreamble = true
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	longSTL := "solid jaw\n" + strings.Repeat("facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 0 1 0\nvertex 1 0 0\nendloop\nendfacet\n", 100)
	for name, c := range map[string]struct {
		content string
		kind    caseload.FileKind
		advice  string
	}{
		"DICOM with a preamble":               {string(slice(1).bytes()), caseload.KindDICOM, ""},
		"DICOM without":                       {string(bare.bytes()), caseload.KindDICOM, ""},
		"DICOM with a JPEG in its preamble":   {"\xFF\xD8\xFF" + string(slice(1).bytes()[3:]), caseload.KindDICOM, ""},
		"a ZIP":                               {string(caseZIP(t, 1)), caseload.KindZIP, ""},
		"an empty ZIP":                        {"PK\x05\x06" + strings.Repeat("\x00", 18), caseload.KindZIP, ""},
		"a ZIP once in parts":                 {"PK\x07\x08PK\x03\x04", caseload.KindZIP, ""},
		"a binary STL that begins with solid": {string(binarySTL(3)), caseload.KindSTL, ""},
		"a binary STL cut in a triangle":      {string(wornSTL(30, 30)[:900]), caseload.KindSTL, "claims 30 triangles, its size is that of 16"},
		"a binary STL that states fewer":      {string(wornSTL(30, 7)), caseload.KindSTL, "claims 7 triangles, its size is that of 30"},
		"a binary STL that states none":       {string(wornSTL(30, 0)), caseload.KindSTL, ""},
		"a binary STL with words behind it":   {string(wornSTL(30, 30)) + "exported by a scanner", caseload.KindSTL, ""},
		"numbers that are no STL":             {string(wornSTL(30, 30)[:84]) + strings.Repeat("\x00\x00\x80\x3F", 500), caseload.KindOther, ""},
		"an STL as text, in capitals":         {strings.ToUpper(longSTL), caseload.KindSTL, ""},
		"a letter by an office program":       {string(zipOf(t, packed{name: "[Content_Types].xml", body: []byte("<Types/>")}, packed{name: "word/document.xml", body: []byte("<w/>")})), caseload.KindOther, ""},
		"a photo of a telephone":              {"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", caseload.KindOther, "in the format HEIC"},
		"a TIFF":                              {"MM\x00*\x00\x00\x00\x08" + strings.Repeat("\x00", 90), caseload.KindOther, "in the format TIFF"},
		"a WebP":                              {"RIFF\x24\x00\x00\x00WEBPVP8 ", caseload.KindOther, "in the format WebP"},
		"a GIF":                               {"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00", caseload.KindOther, "in the format GIF"},
		"a BMP":                               {"BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00", caseload.KindOther, "in the format BMP"},
		"a film":                              {"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", caseload.KindOther, ""},
		"a binary STL one byte short":         {string(binarySTL(3)[1:]), caseload.KindOther, ""},
		"an STL without triangles":            {strings.Repeat("\x00", 84), caseload.KindOther, ""},
		"an STL as text":                      {longSTL, caseload.KindSTL, ""},
		"a text about solid things":           {"solid advice for everybody", caseload.KindOther, ""},
		"a PLY":                               {"ply\nformat ascii 1.0\nelement vertex 3\nend_header\n", caseload.KindPLY, ""},
		"a text that begins with ply":         {"ply\nwood", caseload.KindOther, ""},
		"an OBJ":                              {"# exported\nmtllib jaw.mtl\no jaw\nv 0.1 -2 3e1\nv 0 1 2\nvn 0 0 1\nf 1 2 3\n", caseload.KindOBJ, ""},
		"an OBJ cut in mid-line":              {"v 1 2 3\nv 1 2 3\nv 1.", caseload.KindOBJ, ""},
		"a letter":                            {"v for victory is what he wrote\nand f for forget it\n", caseload.KindOther, ""},
		"a JPEG":                              {photo.String(), caseload.KindJPEG, ""},
		"a PNG":                               {drawing.String(), caseload.KindPNG, ""},
		"a PDF":                               {"%PDF-1.4\n", caseload.KindPDF, ""},
		"a PDF behind a printer's words":      {"\x1b%-12345X@PJL\n%PDF-1.4\n", caseload.KindPDF, ""},
		"gzip":                                {squeezed.String(), caseload.KindOther, "gzip"},
		"RAR":                                 {"Rar!\x1A\x07\x01\x00", caseload.KindOther, "send a ZIP"},
		"7z":                                  {"7z\xBC\xAF\x27\x1C\x00\x04", caseload.KindOther, "send a ZIP"},
		"tar":                                 {string(tar), caseload.KindOther, "send a ZIP"},
		"nothing":                             {"", caseload.KindOther, ""},
		"one byte":                            {"v", caseload.KindOther, ""},
		"zeros":                               {strings.Repeat("\x00", 5000), caseload.KindOther, ""},
		"HTML":                                {"<!doctype html><script>alert(1)</script>", caseload.KindOther, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := ingest.Look(t.Context(), strings.NewReader(c.content), int64(len(c.content)))
			if err != nil {
				t.Fatal(err)
			}
			kind, advice := found.Kind, strings.Join(found.Warnings, "\n")
			if kind != c.kind || !strings.Contains(advice, c.advice) {
				t.Errorf("%q with advice %q, want %q", kind, advice, c.kind)
			}
			b := newBench(t, []byte(c.content))
			if r := b.read(t); r.State != caseload.Ready || r.found.Kind != c.kind {
				t.Errorf("read as %q, state %s", r.found.Kind, r.State)
			}
		})
	}
}
