package web

import (
	"regexp"
	"sort"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pattern recognises a sentence of the verbs that was made from a form of the catalogue ("said.{n} slices are missing:
// {slices}.") and knows the same form in another language.
type pattern struct {
	literal int    // bytes of the form that are no places to fill
	begins  string // what stands before the first place
	match   *regexp.Regexp
	form    string
}

var places = regexp.MustCompile(`\{[a-z]+\}`)

// patterns returns, by language, those of the catalogue's sentences that have places to fill, the most particular first.
var patterns = sync.OnceValue(func() map[string][]pattern {
	all := map[string][]pattern{}
	for lang, texts := range catalogue() {
		for key, form := range texts {
			sentence, ok := strings.CutPrefix(key, "said.")
			if !ok || !places.MatchString(sentence) {
				continue
			}
			for _, number := range strings.Split(sentence, "|") { // one, and any other number
				all[lang] = append(all[lang], newPattern(number, form))
			}
		}
		sort.Slice(all[lang], func(i, j int) bool {
			a, b := all[lang][i], all[lang][j]
			return a.literal > b.literal || a.literal == b.literal && a.match.String() < b.match.String()
		})
	}
	return all
})

func newPattern(sentence, form string) pattern {
	var expression strings.Builder
	literal, last := 0, 0
	for _, at := range places.FindAllStringIndex(sentence, -1) {
		expression.WriteString(regexp.QuoteMeta(sentence[last:at[0]]))
		literal += at[0] - last
		name := sentence[at[0]+1 : at[1]-1]
		what := ".+?"
		if name == "n" {
			what = `[\d,]+`
		}
		expression.WriteString("(?P<" + name + ">" + what + ")")
		last = at[1]
	}
	expression.WriteString(regexp.QuoteMeta(sentence[last:]))
	return pattern{literal + len(sentence) - last, sentence[:places.FindStringIndex(sentence)[0]], regexp.MustCompile("^(?s:" + expression.String() + ")$"), form}
}

// said returns a sentence of the verbs (the message or hint of an error, a reason, a remark) in this language where the
// catalogue has it, else as it was said. What stands before a colon ("CT Jaw: 1 slice is missing: 7.") may be a name, or
// a count ("3 images: the file ends inside an element").
func (l locale) said(sentence string) string {
	sentence = l.birthdays(sentence)
	if text, ok := l.sayPlain(sentence); ok {
		return text
	}
	for at := strings.Index(sentence, ": "); at >= 0; {
		if text, ok := l.sayPlain(sentence[at+2:]); ok {
			before := sentence[:at]
			if counted, ok := l.sayAgain(before); ok {
				before = counted
			}
			return before + ": " + text
		}
		next := strings.Index(sentence[at+2:], ": ")
		if next < 0 {
			break
		}
		at += 2 + next
	}
	return sentence
}

// remark is said, as a sentence with its capital and full stop, which remarks of the DICOM reader have not.
func (l locale) remark(text string) string {
	text = l.said(text)
	first, size := utf8.DecodeRuneInString(text)
	if last, _ := utf8.DecodeLastRuneInString(text); unicode.IsLetter(last) || unicode.IsNumber(last) || last == '"' || last == ')' {
		text += "."
	}
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// sayPlain is sayAgain, also for a remark of the DICOM reader that became a whole sentence: it has neither a capital nor a
// full stop by itself.
func (l locale) sayPlain(sentence string) (string, bool) {
	if text, ok := l.sayAgain(sentence); ok {
		return text, true
	}
	bare, whole := strings.CutSuffix(sentence, ".")
	if !whole || bare == "" || l.lang == languages[0] {
		return "", false
	}
	text, ok := l.sayAgain(strings.ToLower(bare[:1]) + bare[1:])
	return text + ".", ok
}

func (l locale) sayAgain(sentence string) (string, bool) { return l.sayWith(sentence, false) }

// sayWith is sayAgain; with parts, what fills a place is said again too where the catalogue has it ("after 30 days").
func (l locale) sayWith(sentence string, parts bool) (string, bool) {
	if text, ok := l.words["said."+sentence]; ok {
		return text, true
	}
	if l.lang == languages[0] || len(sentence) > longestSaid {
		return "", false
	}
	for _, p := range patterns()[l.lang] {
		if !strings.HasPrefix(sentence, p.begins) {
			continue
		}
		found := p.match.FindStringSubmatch(sentence)
		if found == nil {
			continue
		}
		var pairs []any
		for i, name := range p.match.SubexpNames() {
			if name != "" {
				pairs = append(pairs, name, l.sayPlace(name, found[i], parts))
			}
		}
		return fill(p.form, pairs), true
	}
	return "", false
}

// sayPlace says again what fills a place, with parts whatever the place is; else a list of patients and an image by itself.
func (l locale) sayPlace(name, value string, parts bool) string {
	if name == "patients" {
		list := strings.Split(value, "; ")
		for i, patient := range list {
			list[i] = l.sayPlace("", patient, true)
		}
		return strings.Join(list, "; ")
	}
	if parts || name == "first" {
		if text, ok := l.sayWith(value, true); ok {
			return text
		}
	}
	return value
}

// Where the sentences of ingest.Warn name days: "(P-77, born 1980-01-31)", "2 dates of birth: 1980-01-31, 1981-02-03".
var (
	bornOn       = regexp.MustCompile(`\bborn (\d{4}-\d{2}-\d{2})\b`)
	datesOfBirth = regexp.MustCompile(`\bdates of birth: [-\d, ]+`)
	isoDay       = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)
)

// birthdays tells the days of birth in a sentence as the reader writes dates.
func (l locale) birthdays(sentence string) string {
	told := func(day string) string { return l.dicomDate(strings.ReplaceAll(day, "-", "")) }
	sentence = datesOfBirth.ReplaceAllStringFunc(sentence, func(list string) string { return isoDay.ReplaceAllStringFunc(list, told) })
	return bornOn.ReplaceAllStringFunc(sentence, func(born string) string {
		return l.text("patient.born", "date", told(strings.TrimPrefix(born, "born ")))
	})
}

// longestSaid bounds what is compared with every form, in bytes.
const longestSaid = 2000
