package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// headSize is how much of a file decides what it is, in bytes.
const headSize = 4 << 10

// kindOf tells what a file of size bytes is by its first bytes (headSize of them, or all of a shorter file). The advice
// is for people; "" when there is none. Names never count.
func kindOf(head []byte, size int64) (kind caseload.FileKind, advice string) {
	switch {
	case isOffice(head):
		return caseload.KindOther, ""
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")), bytes.HasPrefix(head, []byte("PK\x07\x08")),
		bytes.HasPrefix(head, []byte("PK00PK\x03\x04")): // the last two: of one that was to be split, and was not (APPNOTE 8.5.4)
		return caseload.KindZIP, ""
	case len(head) >= 132 && string(head[128:132]) == "DICM":
		return caseload.KindDICOM, ""
	case bytes.HasPrefix(head, []byte("\xFF\xD8\xFF")):
		return caseload.KindJPEG, ""
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1A\n")):
		return caseload.KindPNG, ""
	case bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")): // ISO 32000-1 annex H.3.4.1
		return caseload.KindPDF, ""
	case isPLY(head):
		return caseload.KindPLY, ""
	case isTextSTL(head), isBinarySTL(head, size):
		return caseload.KindSTL, ""
	case adviceFor(head) != "": // before what lies packed in it is found: tar leaves it as it is
		return caseload.KindOther, adviceFor(head)
	case dicom.Sniff(head[:min(len(head), 1024)]):
		return caseload.KindDICOM, ""
	case isOBJ(head):
		return caseload.KindOBJ, ""
	case isWornSTL(head):
		return caseload.KindSTL, ""
	}
	return caseload.KindOther, ""
}

// isBinarySTL: an 80-byte header, the number of triangles, and exactly 50 bytes for each. At least one triangle:
// 84 zero bytes say nothing.
func isBinarySTL(head []byte, size int64) bool {
	n, fits := statedBySTL(head, size)
	return n > 0 && fits
}

// The bytes of a binary STL: its header with the number of triangles, and each of them.
const stlHeader, stlTriangle = 84, 50

// statedBySTL returns how many triangles a binary STL states, and whether its size fits; a text fits.
func statedBySTL(head []byte, size int64) (n int64, fits bool) {
	if isTextSTL(head) {
		return 0, true
	}
	if len(head) < stlHeader {
		return 0, false
	}
	n = int64(binary.LittleEndian.Uint32(head[stlHeader-4:]))
	return n, size == stlHeader+stlTriangle*n
}

// isTextSTL: "solid", and a facet within sight. Binary writers also begin their header with "solid".
func isTextSTL(head []byte) bool {
	text := bytes.ToLower(bytes.TrimLeft(head, " \t\r\n\uFEFF"))
	return bytes.HasPrefix(text, []byte("solid")) && readable(text) && bytes.Contains(text, []byte("facet"))
}

// isWornSTL recognises a binary STL whose size does not fit the number of triangles that it states, cut off or with something
// behind it, by its first triangles: four or more, all of finite points, and normals that are of length one or left out.
func isWornSTL(head []byte) bool {
	const fewest = 4
	if len(head) < stlHeader+fewest*stlTriangle {
		return false
	}
	normals := 0
	for b := head[stlHeader:]; len(b) >= stlTriangle; b = b[stlTriangle:] {
		var v [12]float64
		for i := range v {
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
			if !(math.Abs(v[i]) < 1e6) {
				return false
			}
		}
		switch length := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2]); {
		case math.Abs(length-1) < 0.01:
			normals++
		case length != 0:
			return false
		}
	}
	return normals >= fewest
}

// isOffice recognises a text, table or presentation of an office program, which is a ZIP to be looked at as a whole (ECMA-376 part 2,
// 10.2.7: the list of its parts, which these programs write first).
func isOffice(head []byte) bool {
	const name = "[Content_Types].xml"
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) && len(head) >= 30+len(name) && string(head[30:30+len(name)]) == name
}

// adviceForPicture says what to do about a picture of a format that is kept and not shown; "" when it is none.
func adviceForPicture(head []byte) string {
	name := ""
	switch {
	case len(head) < 16:
	case string(head[4:8]) == "ftyp": // ISO/IEC 14496-12 4.3
		name = map[string]string{"heic": "HEIC", "heix": "HEIC", "heim": "HEIC", "mif1": "HEIC", "msf1": "HEIC", "avif": "AVIF"}[string(head[8:12])]
	case string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		name = "WebP"
	case string(head[:4]) == "II*\x00", string(head[:4]) == "MM\x00*":
		name = "TIFF"
	case string(head[:4]) == "GIF8":
		name = "GIF"
	case string(head[:2]) == "BM" && string(head[6:10]) == "\x00\x00\x00\x00":
		name = "BMP"
	}
	if name == "" {
		return ""
	}
	return "This is a picture in the format " + name + ". It is kept, but not shown; send it as JPEG or PNG to have it shown."
}

func isPLY(head []byte) bool {
	return (bytes.HasPrefix(head, []byte("ply\n")) || bytes.HasPrefix(head, []byte("ply\r"))) && bytes.Contains(head, []byte("format "))
}

// isOBJ: text whose lines are those of Wavefront OBJ, with vertices among them or the material library that goes before.
func isOBJ(head []byte) bool {
	if len(head) < 6 || !readable(head) {
		return false
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) > 1 {
		lines = lines[:len(lines)-1] // the last one is cut off, or empty
	}
	known := map[string]bool{"o": true, "g": true, "s": true, "usemtl": true, "vt": true, "vn": true, "vp": true, "f": true, "l": true, "p": true, "mg": true}
	good := false
	for _, line := range lines {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
		case fields[0] == "v" && len(fields) >= 4 && number(fields[1]) && number(fields[2]) && number(fields[3]):
			good = true
		case fields[0] == "mtllib" && len(fields) >= 2:
			good = true
		case !known[fields[0]]:
			return false
		}
	}
	return good
}

// number tells whether s begins like a decimal number.
func number(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '.')
}

// readable tells whether b is text: no control characters but white space.
func readable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' {
			return false
		}
	}
	return true
}

// adviceForImage says what to do about a disc image (ISO 9660 6.7.1: its first descriptor stands at 32 KiB), which shows
// only there; "" when it is none.
func adviceForImage(r io.ReaderAt, size int64) string {
	const at = 32<<10 + 1
	magic := make([]byte, 5)
	if size < at+int64(len(magic)) {
		return ""
	}
	if n, _ := r.ReadAt(magic, at); n < len(magic) || string(magic) != "CD001" {
		return ""
	}
	return "This is a disc image (ISO); its contents are not looked into. Copy the files out of it and send the folder, or send a ZIP."
}

// carriesZIP tells whether a ZIP lies behind something else: a program that unpacks it, or what a download put in front (the lines
// of HTTP, a byte order mark), with the first entry in sight.
func carriesZIP(ctx context.Context, r *source, head []byte) bool {
	program := bytes.HasPrefix(head, []byte("MZ")) || bytes.HasPrefix(head, []byte("\x7FELF"))
	if !program && !bytes.Contains(head, []byte("PK\x03\x04")) {
		return false
	}
	_, err := archive.Open(ctx, directReader{r}, r.object.Size, archive.Limits{})
	return !errors.Is(err, archive.ErrNotZip)
}

// adviceFor says what to do about packed files that are kept but not looked into.
func adviceFor(head []byte) string {
	for magic, name := range map[string]string{
		"\x1F\x8B": "gzip", "Rar!\x1A\x07": "RAR", "7z\xBC\xAF\x27\x1C": "7z", "BZh": "bzip2", "\xFD7zXZ\x00": "xz", "\x28\xB5\x2F\xFD": "Zstandard",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return "This is a " + name + " archive; its contents are not looked into. Unpack it and send the folder, or send a ZIP."
		}
	}
	if len(head) >= 262 && string(head[257:262]) == "ustar" || isOldTar(head) {
		return "This is a tar archive; its contents are not looked into. Unpack it and send the folder, or send a ZIP."
	}
	return ""
}

// isOldTar recognises a tar archive of before POSIX, which has no mark of its own: the checksum of its first header is right, and
// stands there in octal digits (POSIX.1-2017, pax, "ustar Interchange Format": the sum of its 512 bytes with the sum itself as spaces).
func isOldTar(head []byte) bool {
	const from, to = 148, 156
	if len(head) < 512 || head[0] == 0 {
		return false
	}
	stated, err := strconv.ParseUint(strings.Trim(string(head[from:to]), " \x00"), 8, 32)
	sum := uint64((to - from) * ' ')
	for i, c := range head[:512] {
		if i < from || i >= to {
			sum += uint64(c)
		}
	}
	return err == nil && stated == sum
}
