package dicom

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PersonName is a value of representation PN: up to three writings of the same name (PS3.5 6.2.1.1). Each is a
// component group "family^given^middle^prefix^suffix".
type PersonName struct {
	Alphabetic  string
	Ideographic string
	Phonetic    string
}

// PersonName returns the first value of a top-level element of representation PN.
func (h *Header) PersonName(tag Tag) PersonName { return nameOf(h.String(tag)) }

// nameOf splits a decoded value into its component groups.
func nameOf(value string) PersonName {
	alphabetic, rest, _ := strings.Cut(value, "=")
	ideographic, rest, _ := strings.Cut(rest, "=")
	phonetic, _, _ := strings.Cut(rest, "=")
	return PersonName{trimGroup(alphabetic), trimGroup(ideographic), trimGroup(phonetic)}
}

// trimGroup removes what carries nothing at the end of a component group: spaces and empty components.
func trimGroup(group string) string { return strings.TrimSpace(strings.TrimRight(group, "^ ")) }

// String is the value as DICOM writes it, without empty groups at the end.
func (n PersonName) String() string {
	return strings.TrimRight(n.Alphabetic+"="+n.Ideographic+"="+n.Phonetic, "=")
}

// Display is the name as people read it. Western names stand as "Müller, Jürgen", prefix and suffix in their customary
// places. Korean and Chinese names stand as they are written, family before given without a comma ("임대석", "王小明"), a
// name with kana with a space ("山田 太郎"). Other writings follow in parentheses: "Hong, Gildong (홍길동)", "Yamada, Tarou
// (山田 太郎, やまだ たろう)". Of a Korean name the Hangul comes before the Hanja: it is how the person is called.
func (n PersonName) Display() string {
	groups := []string{n.Alphabetic, n.Ideographic, n.Phonetic}
	if written(n.Phonetic, unicode.Hangul) {
		groups[1], groups[2] = groups[2], groups[1]
	}
	spaced := written(strings.Join(groups, ""), unicode.Hiragana, unicode.Katakana)
	var shown []string
	for _, group := range groups {
		if text := displayGroup(group, spaced); text != "" && !slices.Contains(shown, text) {
			shown = append(shown, text)
		}
	}
	if len(shown) < 2 {
		return strings.Join(shown, "")
	}
	return shown[0] + " (" + strings.Join(shown[1:], ", ") + ")"
}

// displayGroup is one writing; spaced puts a space between family and given name of one that has no comma.
func displayGroup(group string, spaced bool) string {
	parts := strings.Split(group, "^")
	for len(parts) < 5 {
		parts = append(parts, "")
	}
	for i := range parts {
		parts[i] = strings.Join(strings.Fields(parts[i]), " ")
	}
	family, given, middle, prefix, suffix := parts[0], parts[1], parts[2], parts[3], parts[4]
	if written(family, eastern...) || family == "" && written(given, eastern...) {
		name := joinEastern(joinEastern(family, given, spaced), middle, spaced)
		return strings.Join(strings.Fields(prefix+" "+name+" "+suffix), " ")
	}
	name := family
	for _, next := range []string{strings.Join(strings.Fields(prefix+" "+given+" "+middle), " "), suffix} {
		if name != "" && next != "" {
			name += ", "
		}
		name += next
	}
	return name
}

// eastern are the scripts whose names put the family first and take no comma.
var eastern = []*unicode.RangeTable{unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana}

// joinEastern puts two parts of a name together, with a space where it is wanted or where another script meets.
func joinEastern(a, b string, spaced bool) string {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	if a == "" || b == "" || !spaced && unicode.In(last, eastern...) && unicode.In(first, eastern...) {
		return a + b
	}
	return a + " " + b
}

// written tells whether a letter of one of the scripts stands in the text.
func written(text string, scripts ...*unicode.RangeTable) bool {
	return strings.IndexFunc(text, func(r rune) bool { return unicode.In(r, scripts...) }) >= 0
}
