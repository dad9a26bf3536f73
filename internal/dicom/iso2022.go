package dicom

import (
	"slices"
	"strings"
	"sync"
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
	number string // registration number; "" of ASCII
	g0     bool   // characters stand below 0x80 (else above)
	width  int    // bytes of a character
	decode func(char []byte) (rune, bool)
	loose  func(char []byte) (rune, bool) // what a pair of a high and a low byte means in an extension of the set; or nil
}

// codeSets is keyed by the registration number of the defined term: "100" for ISO_IR 100 and ISO 2022 IR 100.
var codeSets = map[string]codeSet{
	"100": singleByte("100", charmap.ISO8859_1),
	"101": singleByte("101", charmap.ISO8859_2),
	"109": singleByte("109", charmap.ISO8859_3),
	"110": singleByte("110", charmap.ISO8859_4),
	"126": singleByte("126", charmap.ISO8859_7),
	"127": singleByte("127", charmap.ISO8859_6),
	"138": singleByte("138", charmap.ISO8859_8),
	"144": singleByte("144", charmap.ISO8859_5),
	"148": singleByte("148", charmap.ISO8859_9),
	"166": singleByte("166", charmap.Windows874), // TIS 620-2533 and a few more
	"203": singleByte("203", charmap.ISO8859_15),
	"13":  {number: "13", width: 1, decode: halfWidthKatakana},
	"87":  {number: "87", g0: true, width: 2, decode: doubleByte(japanese.EUCJP, "")},
	"159": {number: "159", g0: true, width: 2, decode: doubleByte(japanese.EUCJP, "\x8F")},
	"149": {number: "149", width: 2, decode: doubleByte(korean.EUCKR, ""), loose: doubleLoose(korean.EUCKR)},
	"58":  {number: "58", width: 2, decode: doubleByte(simplifiedchinese.GBK, ""), loose: doubleLoose(simplifiedchinese.GBK)},
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

func singleByte(number string, table *charmap.Charmap) codeSet {
	return codeSet{number: number, width: 1, decode: func(char []byte) (rune, bool) {
		r := table.DecodeByte(char[0])
		return r, r != utf8.RuneError
	}}
}

// doubleByte decodes one character of a 94×94 set through its EUC form: both bytes above 0x80, after a prefix. The table
// is made at first use.
func doubleByte(euc textenc.Encoding, prefix string) func([]byte) (rune, bool) {
	table := sync.OnceValue(func() *[94 * 94]rune {
		var t [94 * 94]rune
		for i := range t {
			t[i] = one(euc, prefix+string([]byte{byte(0xA1 + i/94), byte(0xA1 + i%94)}))
		}
		return &t
	})
	return func(char []byte) (rune, bool) {
		first, second := int(char[0]&0x7F)-0x21, int(char[1]&0x7F)-0x21
		if first < 0 || first >= 94 || second < 0 || second >= 94 {
			return utf8.RuneError, false
		}
		r := table()[first*94+second]
		return r, r != utf8.RuneError
	}
}

// doubleLoose decodes the pairs of a high byte and a letter that Windows added to a 94×94 set (CP949, CP936). Backslash,
// caret and equals sign stay delimiters.
func doubleLoose(set textenc.Encoding) func([]byte) (rune, bool) {
	table := sync.OnceValue(func() map[[2]byte]rune {
		t := map[[2]byte]rune{}
		for first := 0x81; first <= 0xFE; first++ {
			for second := 0x41; second <= 0x7A; second++ {
				if second <= 'Z' || second >= 'a' {
					if r := one(set, string([]byte{byte(first), byte(second)})); r != utf8.RuneError {
						t[[2]byte{byte(first), byte(second)}] = r
					}
				}
			}
		}
		return t
	})
	return func(char []byte) (rune, bool) {
		r, ok := table()[[2]byte{char[0], char[1]}]
		return r, ok
	}
}

// one decodes the bytes of exactly one character; U+FFFD when they are none.
func one(set textenc.Encoding, bytes string) rune {
	out, err := set.NewDecoder().String(bytes)
	r, size := utf8.DecodeRuneInString(out)
	if err != nil || size != len(out) {
		return utf8.RuneError
	}
	return r
}

// halfWidthKatakana is the upper half of JIS X 0201 (ISO-IR 13).
func halfWidthKatakana(char []byte) (rune, bool) {
	if char[0] < 0xA1 || char[0] > 0xDF {
		return utf8.RuneError, false
	}
	return 0xFF61 + rune(char[0]-0xA1), true
}

// extended reads text with code extensions (ISO 2022, PS3.5 6.1.2.5) and appends it to out, which may be nil. G0 holds the
// set of the bytes below 0x80, G1 of those above; escapes change one of them, and control characters and delimiters bring
// the first back (PS3.5 6.1.2.5.3). It reports whether every byte had a meaning in a set that was declared.
func (c *charset) extended(out *strings.Builder, b []byte, t *trait) (certain bool) {
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
			certain = certain && c.allows(set)
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
		} else if g0.width == 1 && resets(b[0], t) || b[0] < 0x20 {
			g0, g1, set = ascii, c.initial, ascii
		} else if b[0] == ' ' {
			set = ascii
		}
		r, n, ok := set.next(b)
		certain = certain && ok
		if out != nil {
			out.WriteRune(r)
		}
		b = b[n:]
	}
	return certain
}

// allows reports whether (0008,0005) names the set. Romaji comes with half-width katakana (ISO-IR 13 and 14).
func (c *charset) allows(set codeSet) bool {
	return set.number == "" || slices.ContainsFunc(c.allowed, func(a codeSet) bool { return a.number == set.number })
}

// next decodes the character at the beginning of b.
func (s codeSet) next(b []byte) (r rune, n int, ok bool) {
	if s.decode == nil || len(b) < s.width {
		return utf8.RuneError, 1, false
	}
	if s.width == 2 && (b[1]^b[0])&0x80 != 0 {
		if s.loose != nil {
			if r, ok = s.loose(b); ok {
				return r, 2, false
			}
		}
		return utf8.RuneError, 1, false
	}
	r, ok = s.decode(b[:s.width])
	return r, s.width, ok
}

// resets reports whether the byte ends the reach of an escape: the delimiters of values and of name components.
func resets(c byte, t *trait) bool {
	return c == '\\' && !t.single || (c == '^' || c == '=') && t.vr == VRPersonName
}

// escapeAt returns the set called by the escape sequence at the beginning of b and the bytes it takes, 0 when unknown.
func escapeAt(b []byte) (codeSet, int) {
	next := string(b[1:min(len(b), 4)])
	for _, e := range escapes {
		if strings.HasPrefix(next, e.sequence) {
			return e.set, 1 + len(e.sequence)
		}
	}
	return codeSet{}, 0
}
