package dicom

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	textenc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// charset turns the bytes of a text value into Unicode, as (0008,0005) Specific Character Set says (PS3.3 C.12.1.1.2,
// PS3.5 6.1). Its zero value is the default repertoire, ASCII.
type charset struct {
	stated  bool             // (0008,0005) names at least one set
	whole   textenc.Encoding // a multi-byte set without code extensions (GB18030, GBK); nil otherwise
	utf8    bool
	latin1  bool      // the only set named is Latin-1, which software writes without looking
	initial codeSet   // the set the value begins with, in G1 (and, for ISO_IR 13, also G0)
	allowed []codeSet // the sets escapes may switch to
	unknown []string  // terms nobody knows
	foreign []string  // terms that are no defined terms of DICOM and yet clear
	guess   guess     // what bytes are that the stated set does not explain
}

// foreignSets are names of sets that DICOM does not define and the field writes.
var foreignSets = map[string]textenc.Encoding{
	"EUC KR": korean.EUCKR, "CP949": korean.EUCKR, "MS949": korean.EUCKR, "KS C 5601": korean.EUCKR, "KS X 1001": korean.EUCKR,
	"KS C 5601 1987": korean.EUCKR, "WINDOWS 949": korean.EUCKR, "SHIFT JIS": japanese.ShiftJIS, "SJIS": japanese.ShiftJIS,
	"CP932": japanese.ShiftJIS, "MS932": japanese.ShiftJIS, "WINDOWS 31J": japanese.ShiftJIS, "EUC JP": japanese.EUCJP,
	"GB2312": simplifiedchinese.GBK, "CP936": simplifiedchinese.GBK, "WINDOWS 1250": charmap.Windows1250,
	"WINDOWS 1251": charmap.Windows1251, "WINDOWS 1252": charmap.Windows1252, "WINDOWS 1253": charmap.Windows1253,
	"WINDOWS 1254": charmap.Windows1254, "WINDOWS 1255": charmap.Windows1255, "WINDOWS 1256": charmap.Windows1256,
}

// isoParts are the registration numbers of the parts of ISO 8859, which some write by name.
var isoParts = map[string]string{
	"1": "100", "2": "101", "3": "109", "4": "110", "5": "144", "6": "127", "7": "126", "8": "138", "9": "148", "11": "166", "15": "203",
}

// newCharset understands the values of (0008,0005). Spellings of the field ("ISO-IR 100", "ISO_2022_IR_87", "UTF-8")
// are taken for what they mean.
func newCharset(terms []string) charset {
	var c charset
	for i, term := range terms {
		term = plainTerm(term)
		if term == "" || term == "ISO IR 6" || term == "ISO 2022 IR 6" {
			continue
		}
		c.stated = true
		switch term {
		case "ISO IR 192":
			c.utf8 = true
			continue
		case "GB18030":
			c.whole = simplifiedchinese.GB18030
			continue
		case "GBK":
			c.whole = simplifiedchinese.GBK
			continue
		}
		if whole, ok := foreignSets[term]; ok {
			c.whole, c.foreign = whole, append(c.foreign, term)
			continue
		}
		number := strings.TrimPrefix(strings.TrimPrefix(term, "ISO 2022 IR "), "ISO IR ")
		set, ok := codeSets[number]
		if !ok {
			c.unknown = append(c.unknown, term)
			continue
		}
		if i == 0 {
			c.initial = set
		}
		c.latin1 = number == "100" && len(terms) == 1
		c.allowed = append(c.allowed, set)
	}
	if c.initial.decode == nil {
		c.initial = c.fallbackG1()
	}
	return c
}

// fallbackG1 is the set high bytes mean when no escape came first: the single G1 set the value allows. Writers forget
// to repeat the escape after a delimiter, which resets it.
func (c charset) fallbackG1() codeSet {
	for _, set := range c.allowed {
		if !set.g0 {
			return set
		}
	}
	return codeSet{}
}

// plainTerm brings the spellings of a defined term to one form.
func plainTerm(term string) string {
	term = strings.Join(strings.FieldsFunc(strings.ToUpper(term), func(r rune) bool { return r == ' ' || r == '_' || r == '-' }), " ")
	switch {
	case term == "UTF 8" || term == "UTF8":
		return "ISO IR 192"
	case strings.HasPrefix(term, "ISO2022"):
		return "ISO 2022" + strings.TrimPrefix(term, "ISO2022")
	case strings.HasPrefix(term, "ISOIR"):
		return "ISO IR" + strings.TrimPrefix(term, "ISOIR")
	case strings.HasPrefix(term, "ISO 8859 ") || strings.HasPrefix(term, "ISO8859 "):
		if number, ok := isoParts[term[strings.Index(term, "8859 ")+5:]]; ok {
			return "ISO IR " + number
		}
	}
	return term
}

// reading tells in which set text was read that its own declaration does not explain; "" when the declaration does.
type reading string

const (
	asUTF8     reading = "UTF-8"
	asLatin1   reading = "Latin-1"
	asDeclared reading = "the set declared, as far as it goes"
)

// decode returns the text of b, a value of the representation t, and how far it is to be trusted. Bytes above 127 that
// the declaration does not explain are read as UTF-8 where they are that, else as the set the object's names point to,
// else as Latin-1. A byte without any meaning becomes U+FFFD.
func (c *charset) decode(b []byte, t *trait) (string, reading) {
	if plainASCII(b) {
		return string(b), ""
	}
	var out strings.Builder
	out.Grow(len(b) + len(b)/2)
	doubt := c.write(&out, b, t)
	return out.String(), doubt
}

// doubt is what decode says of b, without making the text.
func (c *charset) doubt(b []byte, t *trait) reading {
	if plainASCII(b) {
		return ""
	}
	return c.write(nil, b, t)
}

// write appends the text of b to out, which may be nil.
func (c *charset) write(out *strings.Builder, b []byte, t *trait) reading {
	switch {
	case c.otherwise(b, t) == asUTF8:
		put(out, b)
		return asUTF8
	case c.otherwise(b, t) != "":
		encoded(out, b, guessJapanese.encoding)
		return guessJapanese.name
	case c.whole != nil:
		if encoded(out, b, c.whole) {
			return ""
		}
		return asDeclared
	case c.utf8 && utf8.Valid(b):
		put(out, bytes.TrimPrefix(b, []byte("\uFEFF")))
		return ""
	case c.latin1 && utf8.Valid(b) && bytes.IndexByte(b, escape) < 0:
		put(out, b)
		return asUTF8
	case c.latin1 && c.guess.encoding != nil && encoded(nil, b, c.guess.encoding):
		encoded(out, b, c.guess.encoding)
		return c.guess.name
	case !c.utf8 && (c.stated && len(c.unknown) < 1 || len(c.allowed) > 0 || bytes.IndexByte(b, escape) >= 0):
		if c.extended(out, b, t) {
			return ""
		}
		return asDeclared
	case utf8.Valid(b):
		put(out, b)
		return asUTF8
	case c.guess.encoding != nil && encoded(nil, b, c.guess.encoding):
		encoded(out, b, c.guess.encoding)
		return c.guess.name
	}
	encoded(out, b, charmap.ISO8859_1)
	return asLatin1
}

// otherwise tells what text is in that the set declared has no characters for: UTF-8, which nothing else is by accident, or under
// ISO_IR 13, the half of Shift-JIS that it names, all of that. "" when the declaration explains it, or nothing does.
func (c *charset) otherwise(b []byte, t *trait) reading {
	if c.utf8 || !c.stated || c.latin1 || len(c.unknown) > 0 || bytes.IndexByte(b, escape) >= 0 {
		return ""
	}
	isUTF8 := utf8.Valid(b)
	if !isUTF8 && (c.initial.number != "13" || !shiftJISText(b)) {
		return ""
	}
	explained := false
	if c.whole != nil {
		// Chinese that everybody writes lies above 0xA0 (GB 2312); below, nearly any two bytes are some character of GBK.
		seldom := slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 && c <= 0xA0 })
		explained = encoded(nil, b, c.whole) && !(isUTF8 && seldom)
	} else {
		explained = c.extended(nil, b, t)
	}
	switch {
	case explained:
		return ""
	case isUTF8:
		return asUTF8
	}
	return guessJapanese.name
}

func put(out *strings.Builder, b []byte) {
	if out != nil {
		out.Write(b)
	}
}

// encoded appends b, decoded piece by piece, to out, which may be nil, and reports whether every byte had a meaning.
func encoded(out *strings.Builder, b []byte, set textenc.Encoding) bool {
	decoder, whole := set.NewDecoder(), true
	var piece [1 << 10]byte
	for len(b) > 0 {
		written, read, _ := decoder.Transform(piece[:], b, true)
		whole = whole && !bytes.ContainsRune(piece[:written], utf8.RuneError)
		put(out, piece[:written])
		if read == 0 && written == 0 {
			return false
		}
		b = b[read:]
	}
	return whole
}

// plainASCII reports whether the bytes mean the same in every set: no high byte, no escape.
func plainASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == escape {
			return false
		}
	}
	return true
}

// charsetOf returns the character set an item's own (0008,0005) states, else the one around it (PS3.5 7.5.3).
func (c *charset) charsetOf(elements []Element) *charset {
	for i := range elements {
		if elements[i].Tag > TagSpecificCharacterSet {
			break
		}
		if elements[i].Tag == TagSpecificCharacterSet && len(elements[i].Value) > 0 {
			own := newCharset(splitValues(elements[i].Value))
			own.guess = c.guess
			return &own
		}
	}
	return c
}

// resolveCharset reads (0008,0005) and notes text that its declaration does not explain.
func (h *Header) resolveCharset() {
	if e := h.Find(TagSpecificCharacterSet); e != nil {
		h.names = newCharset(splitValues(e.Value))
		for _, term := range h.names.unknown {
			h.warn(WarnCharset, TagSpecificCharacterSet, e.Offset, "the character set %.40q is not known", term)
		}
		for _, term := range h.names.foreign {
			h.warn(WarnCharset, TagSpecificCharacterSet, e.Offset, "the character set %.40q is not one of DICOM; it was understood all the same", term)
		}
	}
	if !h.names.stated || h.names.latin1 || h.names.utf8 || len(h.names.unknown) > 0 {
		h.names.guess = guessFrom(h.Elements)
	}
	h.noteDoubts(h.Elements, &h.names)
}

// noteDoubts warns of text that could not be read as declared, in sequences too.
func (h *Header) noteDoubts(elements []Element, names *charset) {
	for i := range elements {
		e := &elements[i]
		for j := range e.Items {
			h.noteDoubts(e.Items[j].Elements, names.charsetOf(e.Items[j].Elements))
		}
		t := traitOf(e.VR)
		if !t.charset {
			continue
		}
		switch doubt := names.doubt(e.Value, t); {
		case doubt == "":
		case doubt == asDeclared:
			h.warn(WarnCharset, e.Tag, e.Offset, "the text holds bytes its character set does not have; they were guessed")
		case names.stated:
			h.warn(WarnCharset, e.Tag, e.Offset, "the text is not in the character set the file names; it was read as %s", doubt)
		default:
			h.warn(WarnCharset, e.Tag, e.Offset, "the file names no character set for its text; it was read as %s", doubt)
		}
	}
}
