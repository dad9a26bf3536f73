package ingest_test

import (
	"bytes"
	"compress/gzip"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

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
			kind, advice := ingest.KindOf([]byte(c.content))
			if kind != c.kind || !strings.Contains(advice, c.advice) || c.advice == "" && advice != "" {
				t.Errorf("%q with advice %q, want %q", kind, advice, c.kind)
			}
			b := newBench(t, []byte(c.content))
			if r := b.read(t); r.State != caseload.Ready || r.found.Kind != c.kind {
				t.Errorf("read as %q, state %s", r.found.Kind, r.State)
			}
		})
	}
}
