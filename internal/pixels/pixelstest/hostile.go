// Package pixelstest makes documents, pictures and meshes that are meant to hurt whoever looks into them. Everything
// follows from the arguments; nothing here is a harmful file in itself. For tests only.
package pixelstest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"math"
	"strings"
)

// Hostile is one such file.
type Hostile struct {
	Name    string
	Format  string // what it pretends to be: "pdf", "png", "jpeg", "stl", "ply" or "obj"
	Kept    string // what it is kept as when that is not its format: "other" when its size gives it away
	Body    []byte
	Verdict string // the code with which its decoding is refused; "" when it harms nobody
	Said    string // the reason in words; "" with no verdict
}

// Hostiles returns one file or more of every class.
func Hostiles() []Hostile { return append(append(documents(), pictures()...), meshes()...) }

// document is a PDF of these objects, numbered from 1, without a table of where they stand (ISO 32000-1, 7.5.2, 7.3.10).
func document(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return b.Bytes()
}

func documents() []Hostile {
	const catalog, unknown = "<</Type/Catalog/Pages 2 0 R>>", "The number of pages is not known."
	pdf := func(name string, body []byte) Hostile {
		return Hostile{Name: name, Format: "pdf", Body: body, Verdict: "unsupported", Said: unknown}
	}
	tree := func(count string) []byte {
		return document(catalog, "<</Type/Pages/Kids[3 0 R]/Count "+count+">>", "<</Type/Page/Parent 2 0 R>>")
	}
	ring := tree("1") // its table of places names itself as the one before it (7.5.5)
	ring = fmt.Appendf(ring, "xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 4/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", len(ring), len(ring))
	nested := "<</Type/Pages/Count 7>>"
	for range 60 {
		nested = "<</Type/ObjStm/N 1/First 4/Extends 1 0 R/Filter/FlateDecode>>stream\n" + packed(nested) + "\nendstream"
	}
	return []Hostile{
		pdf("PDF whose page tree is its own parent", document(catalog, "<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 1>>")),
		pdf("PDF whose page trees are each other's parents", document(catalog, "<</Type/Pages/Parent 3 0 R/Kids[3 0 R]/Count 1>>", "<</Type/Pages/Parent 2 0 R/Kids[2 0 R]/Count 1>>")),
		pdf("PDF of object streams in object streams, 60 deep", document(catalog, nested)),
		pdf("PDF of 2^63 pages", tree("9223372036854775807")),
		pdf("PDF of nine million pages", tree("9000000")),
		pdf("PDF of a million pages in 100 bytes", tree("1000000")),
		pdf("PDF of minus five pages", tree("-5")),
		pdf("PDF whose count is its own page tree", tree("2 0 R")),
		{Name: "PDF whose table of places is the one before itself", Format: "pdf", Body: ring},
	}
}

func packed(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // into memory
	_ = z.Close()
	return b.String()
}

// chunk is one chunk of a PNG (PNG 5.3).
func chunk(kind string, data string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// PNG is a grey PNG of w × h pixels, 8 bits each, interlaced or not, whose chunks before the end are given.
func PNG(w, h uint32, interlaced bool, chunks ...[]byte) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	header = append(header, 8, 0, 0, 0, 0)
	if interlaced {
		header[12] = 1
	}
	b := append([]byte("\x89PNG\r\n\x1A\n"), chunk("IHDR", string(header))...)
	return append(append(b, bytes.Join(chunks, nil)...), chunk("IEND", "")...)
}

func pictures() []Hostile {
	const damaged, claims = "The picture is damaged.", "The picture claims more pixels than its size can hold."
	bomb := packed(strings.Repeat("\x00", 64<<20))
	rows := packed(strings.Repeat("\x00", 16*17))
	var small bytes.Buffer
	_ = jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 64, 64)), nil) // into memory
	wide := bytes.Clone(small.Bytes())
	at := bytes.Index(wide, []byte{0xFF, 0xC0}) + 5
	binary.BigEndian.PutUint16(wide[at:], 7000)
	binary.BigEndian.PutUint16(wide[at+2:], 8000)
	return []Hostile{
		{Name: "PNG of 16 × 16 that inflates to 64 MB", Format: "png", Body: PNG(16, 16, false, chunk("IDAT", bomb)), Verdict: "damaged", Said: damaged},
		{Name: "PNG with a remark that inflates to 64 MB", Format: "png", Body: PNG(16, 16, false, chunk("zTXt", "remark\x00\x00"+bomb), chunk("IDAT", rows))},
		{Name: "PNG of 8000 × 7000 in 100 bytes", Format: "png", Body: PNG(8000, 7000, false, chunk("IDAT", rows)), Verdict: "size-mismatch", Said: claims},
		{Name: "interlaced PNG of 7000 × 7000 in 100 bytes", Format: "png", Body: PNG(7000, 7000, true, chunk("IDAT", rows)), Verdict: "size-mismatch", Said: claims},
		{Name: "JPEG of 8000 × 7000 in 1 KB", Format: "jpeg", Body: wide, Verdict: "size-mismatch", Said: claims},
	}
}

func meshes() []Hostile {
	const nowhere, corners = "A face of the mesh names a point that is not there.", "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
	obj := func(name, faces string) Hostile {
		return Hostile{Name: "OBJ " + name, Format: "obj", Body: []byte(corners + faces), Verdict: "damaged", Said: nowhere}
	}
	ply := func(name, kind string, indices ...any) Hostile {
		b := []byte("ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n" +
			"element face 1\nproperty list uchar " + kind + " vertex_indices\nend_header\n")
		b = append(append(b, make([]byte, 3*12)...), 3)
		for _, index := range indices {
			b, _ = binary.Append(b, binary.LittleEndian, index) // numbers of fixed size
		}
		return Hostile{Name: "PLY " + name, Format: "ply", Body: b, Verdict: "damaged", Said: nowhere}
	}
	stl := func(name string, count uint32, verdict, said string) Hostile {
		b := binary.LittleEndian.AppendUint32(make([]byte, 80), count)
		for i := range 3 {
			record := make([]byte, 50)
			binary.LittleEndian.PutUint32(record[24:], math.Float32bits(float32(1+i)))
			binary.LittleEndian.PutUint32(record[40:], math.Float32bits(1))
			b = append(b, record...)
		}
		return Hostile{Name: "STL of three triangles that says " + name, Format: "stl", Kept: "other", Body: b, Verdict: verdict, Said: said}
	}
	return []Hostile{
		obj("whose face names point 10^20", "f 1 2 99999999999999999999\n"),
		obj("whose face names point 2^63 - 1", "f 1 2 9223372036854775807\n"),
		obj("whose face names point -2^63", "f 1 2 -9223372036854775808\n"),
		obj("whose face names point 0", "f 0 1 2\n"),
		ply("whose face names point 2^32 - 1", "uint", uint32(0), uint32(1), uint32(math.MaxUint32)),
		ply("whose face names point -2^31", "int", int32(0), int32(1), int32(math.MinInt32)),
		ply("whose face names point 10^308", "double", 0.0, 1.0, 1e308),
		ply("whose face names a point that is no number", "double", 0.0, 1.0, math.NaN()),
		stl("none", 0, "size-mismatch", ""),
		stl("two", 2, "", ""),
		stl("four", 4, "size-mismatch", ""),
		stl("2^32 - 1", math.MaxUint32, "size-mismatch", ""),
	}
}
