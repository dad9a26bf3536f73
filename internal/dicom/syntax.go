package dicom

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// encoding is how a data set is written (PS3.5 10 and annex A).
type encoding struct {
	explicit  bool
	bigEndian bool
}

var (
	implicitLE = encoding{}
	explicitLE = encoding{explicit: true}
	explicitBE = encoding{explicit: true, bigEndian: true}
	implicitBE = encoding{bigEndian: true}
)

func (e encoding) String() string {
	return map[encoding]string{
		implicitLE: "implicit little endian", explicitLE: "explicit little endian",
		explicitBE: "explicit big endian", implicitBE: "implicit big endian",
	}[e]
}

func (e encoding) order() binary.ByteOrder {
	if e.bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (e encoding) tag(b []byte) Tag { return MakeTag(e.uint16(b), e.uint16(b[2:])) }

// uint16 and uint32 read a number in this byte order, for the walker: calls through order's interface would be a good part of
// its time.
func (e encoding) uint16(b []byte) uint16 {
	if e.bigEndian {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (e encoding) uint32(b []byte) uint32 {
	if e.bigEndian {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// Transfer syntax UIDs that decide how the header is read (PS3.5 annex A, PS3.6 table A-1).
const (
	ImplicitVRLittleEndian = "1.2.840.10008.1.2"
	ExplicitVRLittleEndian = "1.2.840.10008.1.2.1"
	DeflatedExplicitVR     = "1.2.840.10008.1.2.1.99"
	ExplicitVRBigEndian    = "1.2.840.10008.1.2.2"
	EncapsulatedUncompress = "1.2.840.10008.1.2.1.98"
	GEPrivateBigEndian     = "1.2.840.113619.5.2" // implicit; GE writes the pixels, and some units all, in big endian
	jpipDeflate            = "1.2.840.10008.1.2.4.95"
	htj2kJPIPDeflate       = "1.2.840.10008.1.2.4.205"
	rleLossless            = "1.2.840.10008.1.2.5"
	papyrus                = "1.2.840.10008.1.20" // retired: PAPYRUS 3, implicit little endian
)

// maxUID is the greatest length of a UID in bytes (PS3.5 9.1).
const maxUID = 64

// syntaxEncoding returns the encoding a transfer syntax UID promises and whether the data set is deflated. Unknown UIDs
// promise explicit little endian, as every encapsulated syntax does (PS3.5 A.4).
func syntaxEncoding(uid string) (e encoding, deflated, known bool) {
	switch uid {
	case ImplicitVRLittleEndian, GEPrivateBigEndian, papyrus:
		return implicitLE, false, true
	case ExplicitVRBigEndian:
		return explicitBE, false, true
	case DeflatedExplicitVR, jpipDeflate, htj2kJPIPDeflate:
		return explicitLE, true, true
	case ExplicitVRLittleEndian, rleLossless, EncapsulatedUncompress:
		return explicitLE, false, true
	}
	for _, family := range []string{"1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.", "1.2.840.10008.1.2.8."} {
		known = known || strings.HasPrefix(uid, family)
	}
	return explicitLE, false, known
}

// syntaxIsNative reports whether pixel data of the transfer syntax stand there as they are, without fragments (PS3.5 A.1
// to A.3, A.5).
func syntaxIsNative(uid string) bool {
	switch uid {
	case ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVR, GEPrivateBigEndian, papyrus:
		return true
	}
	return false
}

// guessEncoding finds how the data set beginning with b is really written: as declared when that reads, else any
// encoding in which its first elements read. remaining is the number of bytes from b[0] to the end of the object.
func guessEncoding(b []byte, remaining int64, declared encoding) (encoding, bool) {
	for _, e := range []encoding{declared, explicitLE, implicitLE, explicitBE, implicitBE} {
		if readsAs(b, remaining, e) >= 2 {
			return e, true
		}
	}
	if _, ok := strictHead(b, declared); ok {
		return declared, true
	}
	for _, e := range []encoding{explicitLE, implicitLE, explicitBE, implicitBE} {
		if readsAs(b, remaining, e) == 1 {
			return e, true
		}
	}
	return declared, false
}

// readsAs counts, up to two, how many elements at the beginning of b make strict sense in the encoding: known VRs or
// known tags, lengths that fit, tags that ascend. An object that ends after one good element counts as two.
func readsAs(b []byte, remaining int64, e encoding) int {
	var last Tag
	for n := 0; n < 2; n++ {
		if n > 0 && (len(b) < 8 || remaining == 0) {
			return 2
		}
		head, ok := strictHead(b, e)
		if !ok || head.tag <= last && n > 0 || head.tag == 0 {
			return n
		}
		whole := int64(head.size) + head.length
		if head.length == Undefined {
			return n + 1
		}
		if whole > remaining {
			return n
		}
		last = head.tag
		remaining -= whole
		if whole > int64(len(b)) {
			return n + 1
		}
		b = b[whole:]
	}
	return 2
}

// strictHead reads an element head only if it is beyond doubt in the encoding.
func strictHead(b []byte, e encoding) (elementHead, bool) {
	if len(b) < 8 {
		return elementHead{}, false
	}
	tag := e.tag(b)
	if group := tag.Group(); group == 0 || group > 0x7FE0 {
		return elementHead{}, false
	}
	if e.explicit {
		head, ok := explicitHead(b, e)
		return head, ok && head.known
	}
	if _, looksExplicit := traits.find(b[4], b[5]); looksExplicit {
		return elementHead{}, false
	}
	head := implicitHead(b, e)
	_, standard := LookUp(tag)
	return head, standard || tag.Private()
}

// polyglots are the magic numbers other formats put where DICOM has its free preamble (PS3.10 7.1; CVE-2019-11687).
var polyglots = []struct{ magic, name string }{
	{"MZ", "PE"},
	{"\x7fELF", "ELF"},
	{"\xca\xfe\xba\xbe", "Mach-O"},
	{"\xcf\xfa\xed\xfe", "Mach-O"},
	{"\xfe\xed\xfa\xcf", "Mach-O"},
	{"#!", "script"},
	{"II*\x00", "TIFF"},
	{"MM\x00*", "TIFF"},
	{"II+\x00", "TIFF"},
	{"MM\x00+", "TIFF"},
	{"%PDF", "PDF"},
	{"PK\x03\x04", "ZIP"},
	{"<!", "HTML"},
	{"<?", "XML"},
	{"<h", "HTML"},
	{"<H", "HTML"},
	{"<s", "HTML"},
	{"\x89PNG", "PNG"},
	{"GIF8", "GIF"},
	{"\xff\xd8\xff", "JPEG"},
	{"BM", "BMP"},
	{"RIFF", "RIFF"},
	{"\x1f\x8b", "gzip"},
	{"Rar!", "RAR"},
	{"7z\xbc\xaf", "7z"},
	{"\xd0\xcf\x11\xe0", "OLE"},
}

// polyglotOf names the other format whose magic begins the preamble, "" when there is none.
func polyglotOf(preamble []byte) string {
	start := string(preamble[:min(len(preamble), 8)])
	for _, p := range polyglots {
		if strings.HasPrefix(start, p.magic) {
			return p.name
		}
	}
	return ""
}

// Sniff reports whether the beginning of a file looks like DICOM: "DICM" after a preamble of 128 bytes, "DICM" alone,
// or a data set whose first two elements read in one of the four encodings, or "DICM" behind something else. Give it the
// first 1,024 bytes, or all of a shorter file.
func Sniff(head []byte) bool {
	_, ok := locate(head, int64(max(len(head), 1<<20)))
	return ok
}

// locate returns where the first element stands in the object whose beginning is head.
func locate(head []byte, size int64) (start int64, ok bool) {
	switch {
	case len(head) >= 132 && string(head[128:132]) == "DICM":
		return 132, true
	case len(head) >= 4 && string(head[:4]) == "DICM":
		return 4, true
	}
	for _, start := range []int64{0, 128} {
		if int64(len(head)) <= start+8 {
			break
		}
		b := head[start:]
		for _, e := range []encoding{explicitLE, implicitLE, explicitBE, implicitBE} {
			group := e.tag(b).Group()
			if (group == 2 || group == 4 || group == 8) && readsAs(b, size-start, e) >= 2 {
				return start, true
			}
		}
	}
	return behind(head, size)
}

// farthest is how much else may stand in front of "DICM", in bytes: a preamble too long, a byte order mark, the lines that HTTP
// or MIME put before a body.
const farthest = 1 << 10

// behind returns where meta information begins that has something else than a preamble in front.
func behind(head []byte, size int64) (start int64, ok bool) {
	head = head[:min(len(head), farthest)]
	for at := 0; ; {
		next := bytes.Index(head[at:], []byte("DICM"))
		if next < 0 {
			return 0, false
		}
		at += next + 4
		b := head[at:]
		if len(b) < 8 {
			return 0, false
		}
		for _, e := range []encoding{explicitLE, implicitLE, explicitBE} {
			if e.tag(b).Group() == metaGroup && readsAs(b, size-int64(at), e) >= 1 {
				return int64(at), true
			}
		}
	}
}
