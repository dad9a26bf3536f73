package ingest

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// Whether two writings mean the same person. The rules are those of ui/src/preflight/person.ts, so that what is said
// after sending is what was said before; they work on names in their readable form.

// likeness is what comparing two writings tells.
type likeness int

const (
	unlike  likeness = iota // somebody else
	alike                   // the same person
	unknown                 // in different scripts, or one of them says nothing
)

// fold keeps the letters and digits of a text, without case and diacritics; "ü", "ue" and "u" are one.
func fold(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	text = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "æ", "a", "œ", "o").Replace(text)
	text = strings.NewReplacer("ae", "a", "oe", "o", "ue", "u").Replace(text)
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return r
		}
		return -1
	}, norm.NFC.String(text))
}

// nameWords are the words of a text, folded; those without a letter are no part of a name.
func nameWords(text string) []string {
	var words []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r)
	}) {
		if word = fold(word); strings.ContainsFunc(word, unicode.IsLetter) {
			words = append(words, word)
		}
	}
	return words
}

func eastern(r rune) bool {
	return unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// writing is a name in one script.
type writing struct {
	words   []string
	eastern bool
}

// joined are the words run together, family and given name in either order.
func (w writing) joined() []string {
	turned := slices.Clone(w.words)
	slices.Reverse(turned)
	return []string{strings.Join(w.words, ""), strings.Join(turned, "")}
}

// writingsOf parts a readable name, "Yamada, Tarou (山田 太郎)", by script.
func writingsOf(name string) []writing {
	var east, west writing
	east.eastern = true
	for _, word := range nameWords(name) {
		if strings.ContainsFunc(word, eastern) {
			east.words = append(east.words, word)
		} else {
			west.words = append(west.words, word)
		}
	}
	var all []writing
	for _, w := range []writing{west, east} {
		if len(w.words) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// compareNames compares two names in any order of their words, by any of their writings.
func compareNames(a, b string) likeness {
	result := unknown
	for _, one := range writingsOf(a) {
		for _, other := range writingsOf(b) {
			if one.eastern != other.eastern {
				continue
			}
			if slices.ContainsFunc(one.joined(), func(name string) bool { return slices.Contains(other.joined(), name) }) ||
				slices.Equal(slices.Sorted(slices.Values(one.words)), slices.Sorted(slices.Values(other.words))) {
				return alike
			}
			result = unlike
		}
	}
	return result
}

// comparePatients lets the name decide, and where it cannot (none, or another script), the ID; different dates of birth
// part namesakes.
func comparePatients(a, b caseload.Patient) likeness {
	sameID := a.ID != "" && a.ID == b.ID
	parted := a.BirthDate != "" && b.BirthDate != "" && a.BirthDate != b.BirthDate
	switch names := compareNames(a.Name, b.Name); {
	case names == alike && parted && !sameID:
		return unlike
	case names == unknown && sameID && !parted:
		return alike
	case names == unknown && a.Name == "" && b.Name == "" && a.ID != "" && b.ID != "" && !sameID:
		return unlike
	default:
		return names
	}
}

// compareToLabel compares a patient with what a person wrote on the case ("Kim Minji, implant 26"). Nothing written,
// nothing but numbers, or a name in another script claims nothing.
func compareToLabel(label string, p caseload.Patient) likeness {
	if p.ID != "" && slices.ContainsFunc(strings.FieldsFunc(label, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;/()", r) }),
		func(word string) bool { return fold(word) == fold(p.ID) }) {
		return alike
	}
	claimed, writings := nameWords(label), writingsOf(p.Name)
	if len(claimed) == 0 || len(writings) == 0 {
		return unknown
	}
	letters := fold(label)
	comparable := false
	labelled := slices.ContainsFunc(claimed, func(word string) bool { return strings.ContainsFunc(word, eastern) })
	for _, w := range writings {
		has := func(words []string) func(string) bool {
			return func(word string) bool { return slices.Contains(words, word) }
		}
		switch {
		case slices.ContainsFunc(w.joined(), func(name string) bool { return utf8.RuneCountInString(name) >= 2 && strings.Contains(letters, name) }),
			!slices.ContainsFunc(claimed, func(word string) bool { return !has(w.words)(word) }),
			len(w.words) >= 2 && has(claimed)(w.words[0]) && has(claimed)(w.words[1]):
			return alike
		}
		comparable = comparable || w.eastern == labelled
	}
	if comparable {
		return unlike
	}
	return unknown
}
