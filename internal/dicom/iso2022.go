package dicom

import (
	"strings"
	"unicode/utf8"

	textenc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const escape = 0x1B

// codeSet is one set of PS3.3 tables C.12-2 to C.12-4: how its characters stand in the bytes and what they mean.
type codeSet struct {
	g0     bool // characters stand below 0x80 (else above)
	width  int  // bytes of a character
	decode func(char []byte) (rune, bool)
}

// codeSets is keyed by the registration number of the defined term: "100" for ISO_IR 100 and ISO 2022 IR 100.
var codeSets = map[string]codeSet{
	"100": singleByte(charmap.ISO8859_1),
	"101": singleByte(charmap.ISO8859_2),
	"109": singleByte(charmap.ISO8859_3),
	"110": singleByte(charmap.ISO8859_4),
	"126": singleByte(charmap.ISO8859_7),
	"127": singleByte(charmap.ISO8859_6),
	"138": singleByte(charmap.ISO8859_8),
	"144": singleByte(charmap.ISO8859_5),
	"148": singleByte(charmap.ISO8859_9),
	"166": singleByte(charmap.Windows874), // TIS 620-2533 and a few more
	"203": singleByte(charmap.ISO8859_15),
	"13":  {width: 1, decode: halfWidthKatakana},
	"87":  {g0: true, width: 2, decode: doubleByte(japanese.EUCJP, nil)},
	"159": {g0: true, width: 2, decode: doubleByte(japanese.EUCJP, []byte{0x8F})},
	"149": {width: 2, decode: doubleByte(korean.EUCKR, nil)},
	"58":  {width: 2, decode: doubleByte(simplifiedchinese.GBK, nil)},
}

// ascii is the set of ISO-IR 6, and of ISO-IR 14 (JIS X 0201 romaji), whose yen sign and overline are left as the
// backslash and tilde they stand for in DICOM (PS3.5 6.1.2.5.3).
var ascii = codeSet{g0: true, width: 1, decode: func(char []byte) (rune, bool) { return rune(char[0]), true }}

// escapes lists the escape sequences of PS3.3 tables C.12-3 and C.12-4 (without the ESC byte) and the set each calls.
var escapes = []struct {
	sequence string
	set      codeSet
}{
	{"(B", ascii},
	{"(J", ascii},
	{")I", codeSets["13"]},
	{"-A", codeSets["100"]},
	{"-B", codeSets["101"]},
	{"-C", codeSets["109"]},
	{"-D", codeSets["110"]},
	{"-F", codeSets["126"]},
	{"-G", codeSets["127"]},
	{"-H", codeSets["138"]},
	{"-L", codeSets["144"]},
	{"-M", codeSets["148"]},
	{"-T", codeSets["166"]},
	{"-b", codeSets["203"]},
	{"$B", codeSets["87"]},
	{"$(D", codeSets["159"]},
	{"$)C", codeSets["149"]},
	{"$)A", codeSets["58"]},
	{"$@", codeSets["87"]},
	{"$(B", codeSets["87"]}, // older forms of JIS X 0208
}

func singleByte(table *charmap.Charmap) codeSet {
	return codeSet{width: 1, decode: func(char []byte) (rune, bool) {
		r := table.DecodeByte(char[0])
		return r, r != utf8.RuneError
	}}
}

// doubleByte decodes one character of a 94×94 set through its EUC form: both bytes above 0x80, after a prefix.
func doubleByte(euc textenc.Encoding, prefix []byte) func([]byte) (rune, bool) {
	return func(char []byte) (rune, bool) {
		in := append(append(make([]byte, 0, 4), prefix...), char[0]|0x80, char[1]|0x80)
		out, err := euc.NewDecoder().Bytes(in)
		if err != nil {
			return utf8.RuneError, false
		}
		r, size := utf8.DecodeRune(out)
		return r, r != utf8.RuneError && size == len(out)
	}
}

// halfWidthKatakana is the upper half of JIS X 0201 (ISO-IR 13).
func halfWidthKatakana(char []byte) (rune, bool) {
	if char[0] < 0xA1 || char[0] > 0xDF {
		return utf8.RuneError, false
	}
	return 0xFF61 + rune(char[0]-0xA1), true
}

// decodeExtended reads text with code extensions (ISO 2022, PS3.5 6.1.2.5). G0 holds the set of the bytes below 0x80,
// G1 of those above; escapes change one of them, and delimiters bring the first back (PS3.5 6.1.2.5.3). A byte without
// meaning becomes U+FFFD.
func (c charset) decodeExtended(b []byte) (text string, certain bool) {
	var out strings.Builder
	certain = true
	g0, g1 := ascii, c.initial
	for len(b) > 0 {
		if b[0] == escape {
			set, n := escapeAt(b)
			if n == 0 {
				certain = false
				b = b[1:]
				continue
			}
			if set.g0 {
				g0 = set
			} else {
				g1 = set
			}
			b = b[n:]
			continue
		}
		set := g0
		if b[0] >= 0x80 {
			set = g1
		} else if g0.width == 1 && resets(b[0]) || b[0] < 0x20 {
			g0, g1, set = ascii, c.initial, ascii
		} else if b[0] == ' ' {
			set = ascii
		}
		r, n, ok := set.next(b)
		certain = certain && ok
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String(), certain
}

// next decodes the character at the beginning of b.
func (s codeSet) next(b []byte) (r rune, n int, ok bool) {
	if s.decode == nil || len(b) < s.width {
		return utf8.RuneError, 1, false
	}
	if s.width == 2 && (b[1]^b[0])&0x80 != 0 {
		return utf8.RuneError, 1, false
	}
	r, ok = s.decode(b[:s.width])
	return r, s.width, ok
}

// resets reports whether the byte ends the reach of an escape: the delimiters of values and of name components.
func resets(c byte) bool { return c == '\\' || c == '^' || c == '=' }

// escapeAt returns the set called by the escape sequence at the beginning of b and the bytes it takes, 0 when unknown.
func escapeAt(b []byte) (codeSet, int) {
	for _, e := range escapes {
		if strings.HasPrefix(string(b[1:min(len(b), 4)]), e.sequence) {
			return e.set, 1 + len(e.sequence)
		}
	}
	return codeSet{}, 0
}
