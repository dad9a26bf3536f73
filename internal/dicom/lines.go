package dicom

import (
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is one line of a header as people look through it: an element, or the beginning of an item of a sequence (Tag
// (FFFE,E000), its number in Item).
type Line struct {
	Depth   int    // sequences around it; 0 for the data set itself
	Item    int    // of an item: its number in the sequence, from 1; else 0
	Tag     Tag    //
	VR      VR     // as Element.VR; of a private element written as UN, the one its creator published
	Keyword string // "PatientID" (PS3.6); of private elements as published by the manufacturer; "" when nobody knows
	Name    string // the keyword in words, "Patient ID"
	Creator string // of a private element, who reserved its block (PS3.5 7.8.1); "" when the object does not say
	Length  int64  // of the value in bytes as claimed; Undefined when delimited
	Offset  int64  // of the value; see Element
	Text    string // the value as text on one line, without control characters; values are separated by backslashes
	Cut     bool   // Text is not all of the value, or the value was too long to be kept
}

// Lines goes through everything Read kept, private elements and items of sequences too, in the file's order. Text is cut
// to longest characters (at least 16); bytes without a textual form show as hexadecimal digits.
func (h *Header) Lines(longest int) iter.Seq[Line] {
	l := lister{longest: max(longest, 16)}
	return func(yield func(Line) bool) { l.list(h.Elements, &h.names, 0, yield) }
}

type lister struct{ longest int }

// list recurses as deep as sequences were kept, which Options.MaxDepth bounds.
func (l lister) list(elements []Element, names *charset, depth int, yield func(Line) bool) bool {
	names = names.charsetOf(elements)
	creators := creatorsOf(elements, names)
	for i := range elements {
		e := &elements[i]
		if !yield(l.line(e, names, creators[e.Tag.block()], depth)) {
			return false
		}
		for n := range e.Items {
			if !yield(Line{Depth: depth, Item: n + 1, Tag: tagItem, Offset: e.Items[n].Offset, Name: "Item " + strconv.Itoa(n+1)}) {
				return false
			}
			if !l.list(e.Items[n].Elements, names, depth+1, yield) {
				return false
			}
		}
	}
	return true
}

// block returns the private block an element belongs to, as the tag that reserves it; 0 for any other element.
func (t Tag) block() Tag {
	if !t.Private() || t.Element() < 0x1000 {
		return 0
	}
	return MakeTag(t.Group(), t.Element()>>8)
}

// creatorsOf returns who reserved which block of a data set (PS3.5 7.8.1); nil when it has no private elements.
func creatorsOf(elements []Element, names *charset) map[Tag]string {
	var out map[Tag]string
	for i := range elements {
		e := &elements[i]
		if !e.Tag.Private() || e.Tag.Element() < 0x10 || e.Tag.Element() > 0xFF {
			continue
		}
		if out == nil {
			out = map[Tag]string{}
		}
		text, _ := names.decode(e.Value, traitOf("LO"))
		out[e.Tag] = trimValue(displayable(text))
	}
	return out
}

func (l lister) line(e *Element, names *charset, creator string, depth int) Line {
	line := Line{Depth: depth, Tag: e.Tag, VR: e.VR, Creator: creator, Length: e.Length, Offset: e.Offset}
	entry, known := LookUp(e.Tag)
	if creator != "" {
		entry, known = LookUpPrivate(creator, e.Tag)
	}
	if known {
		line.Keyword, line.Name = entry.Keyword, entry.Name()
		if e.VR == VRUnknown && entry.VR != VRSequence {
			line.VR = entry.VR
		}
	}
	line.Text, line.Cut = l.text(e, line.VR, names)
	return line
}

// text returns the value for the screen and whether something of it is missing.
func (l lister) text(e *Element, vr VR, names *charset) (string, bool) {
	switch {
	case e.VR == VRSequence || len(e.Value) == 0:
		return "", e.VR != VRSequence && e.Length != 0
	case traitOf(vr).text:
		text, _ := names.decode(e.Value, traitOf(vr))
		return l.cut(displayable(trimEach(text, traitOf(vr))))
	case traitOf(vr).width > 0 && !isOther(vr):
		shown := *e
		shown.VR, shown.Value = vr, e.Value[:min(len(e.Value), 8*l.longest)]
		text, cut := l.cut(strings.Join(shown.strings(names), `\`))
		return text, cut || len(shown.Value) < len(e.Value)
	}
	most := e.Value[:min(len(e.Value), l.longest/2)]
	if asText := strings.TrimRight(string(e.Value), "\x00 "); vr == VRUnknown && printable(asText) {
		return l.cut(asText)
	}
	return hex.EncodeToString(most), len(most) < len(e.Value)
}

// trimEach removes the padding of every value.
func trimEach(text string, t *trait) string {
	if t.single || !strings.Contains(text, `\`) {
		return trimValue(text)
	}
	values := strings.Split(text, `\`)
	for i := range values {
		values[i] = trimValue(values[i])
	}
	return strings.Join(values, `\`)
}

// isOther reports whether the VR is a run of bytes or numbers without a textual form (PS3.5 6.2: OB, OD, OF, OL, OV, OW).
func isOther(vr VR) bool { return len(vr) == 2 && vr[0] == 'O' }

func (l lister) cut(text string) (string, bool) {
	n := 0
	for i := range text {
		if n++; n > l.longest {
			return text[:i], true
		}
	}
	return text, false
}

// printable reports whether the text is all plain ASCII, and not empty.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return text != ""
}

// displayable returns text on one line: line breaks and tabs as spaces, other control characters and those that change
// the direction of writing left out.
func displayable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\f':
			return ' '
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C:
			return -1
		case r == utf8.RuneError:
			return '\uFFFD'
		}
		return r
	}, text)
}

// String is the line as a dump prints it: "  (0010,0020) LO PatientID [12345]".
func (l Line) String() string {
	indent := strings.Repeat("  ", l.Depth)
	if l.Item > 0 {
		return fmt.Sprintf("%s  Item %d", indent, l.Item)
	}
	keyword := l.Keyword
	if keyword == "" {
		keyword = "?"
	}
	text := l.Text
	if l.Cut {
		text += "…"
	}
	if l.Creator != "" {
		keyword += " «" + l.Creator + "»"
	}
	return fmt.Sprintf("%s%s %s %s [%s]", indent, l.Tag, l.VR, keyword, text)
}
