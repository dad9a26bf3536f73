package dicom

import (
	"bytes"
	"strings"
	"unicode/utf8"

	textenc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// charset turns the bytes of a text value into Unicode, as (0008,0005) Specific Character Set says (PS3.3 C.12.1.1.2,
// PS3.5 6.1). Its zero value is the default repertoire, ASCII.
type charset struct {
	stated  bool             // (0008,0005) names at least one set
	whole   textenc.Encoding // a multi-byte set without code extensions (GB18030, GBK); nil otherwise
	utf8    bool
	initial codeSet   // the set the value begins with, in G1 (and, for ISO_IR 13, also G0)
	allowed []codeSet // the sets escapes may switch to
	unknown []string  // terms nobody knows
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
		case "GBK", "GB2312":
			c.whole = simplifiedchinese.GBK
			continue
		}
		set, ok := codeSets[strings.TrimPrefix(strings.TrimPrefix(term, "ISO 2022 IR "), "ISO IR ")]
		if !ok {
			c.unknown = append(c.unknown, term)
			continue
		}
		if i == 0 {
			c.initial = set
		}
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
	case strings.HasPrefix(term, "ISO 8859 1") && len(term) == len("ISO 8859 1"):
		return "ISO IR 100"
	}
	return term
}

// decode returns the text of b and whether it is certain: every byte had a meaning in the stated set. Bytes above 127
// without a stated set are read as UTF-8 where they are that, else as Latin-1, and are not certain.
func (c charset) decode(b []byte) (text string, certain bool) {
	if plainASCII(b) {
		return string(b), true
	}
	switch {
	case c.utf8:
		return utf8OrLatin1(b)
	case c.whole != nil:
		out, err := c.whole.NewDecoder().Bytes(b)
		return string(out), err == nil && !bytes.ContainsRune(out, utf8.RuneError)
	case c.stated || bytes.IndexByte(b, escape) >= 0:
		return c.decodeExtended(b)
	}
	text, _ = utf8OrLatin1(b)
	return text, false
}

func utf8OrLatin1(b []byte) (string, bool) {
	if utf8.Valid(b) {
		return string(b), true
	}
	out, _ := charmap.ISO8859_1.NewDecoder().Bytes(b)
	return string(out), false
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

// resolveCharset reads (0008,0005) and notes text that could not be read with certainty.
func (h *Header) resolveCharset() {
	if e := h.Find(TagSpecificCharacterSet); e != nil {
		h.names = newCharset(splitValues(e.Value))
		for _, term := range h.names.unknown {
			h.warn(WarnCharset, TagSpecificCharacterSet, e.Offset, "the character set %.40q is not known", term)
		}
	}
	for _, e := range h.Elements {
		if !traitOf(e.VR).charset || plainASCII(e.Value) {
			continue
		}
		if _, certain := h.names.decode(e.Value); certain {
			continue
		}
		if h.names.stated {
			h.warn(WarnCharset, e.Tag, e.Offset, "the text holds bytes its character set does not have; they were guessed")
		} else {
			h.warn(WarnCharset, e.Tag, e.Offset, "the file names no character set for its text; it was read as UTF-8 or Latin-1")
		}
	}
}
