package store

import (
	"context"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// What a case can be found by: the words of its number and patient label, and of the patient names, patient ids and
// study UIDs read from its files. A term is folded (NFKC, then case folding); a query's word finds every term that begins
// with it. Words side by side in a script that sets no spaces are also kept in one piece ("山田 太郎": 山田太郎). A word with inner punctuation is also kept in its pieces ("kim-lee": kim, lee), and a piece in a script without
// spaces between family and given name with each of its endings ("김철수": 철수, 수).
const (
	maxTermLength = 128  // bytes; longer ones are cut, in queries too
	maxTerms      = 2000 // of one case: a hostile archive may name 20,000 studies
	maxWords      = 8    // of one query
)

// fold returns the form in which texts are compared.
func fold(s string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text(s))))
}

// searchWords splits a text into the words a person would type: at white space and at DICOM's and lists' separators.
func searchWords(s string) []string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool { return apart(r) || parts(r) })
	kept := words[:0]
	for _, w := range words {
		if w = cut(strings.TrimFunc(w, func(r rune) bool { return !wordly(r) })); w != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// apart reports whether the character stands between things that have nothing to do with each other.
func apart(r rune) bool {
	return unicode.IsControl(r) && !unicode.IsSpace(r) || strings.ContainsRune(`=,;/\|()[]{}<>"`, r)
}

// parts reports whether the character stands between parts of one thing, such as family and given name.
func parts(r rune) bool { return r == '^' || unicode.IsSpace(r) }

// eastern reports whether the character is of a script that writes names without spaces.
func eastern(r rune) bool {
	return unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

const maxJoined = 4 // words put together

// joinedWords returns, for each word of an eastern script that such words follow, all of them in one piece.
func joinedWords(s string) (joined []string) {
	for _, thing := range strings.FieldsFunc(fold(s), apart) {
		words := strings.FieldsFunc(thing, parts)
		for i := range words {
			n := i
			for n < len(words) && n-i < maxJoined && strings.IndexFunc(words[n], func(r rune) bool { return !eastern(r) }) < 0 {
				n++
			}
			if n-i > 1 {
				joined = append(joined, cut(strings.Join(words[i:n], "")))
			}
		}
	}
	return joined
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func cut(w string) string {
	if len(w) <= maxTermLength {
		return w
	}
	w = w[:maxTermLength]
	for !utf8.ValidString(w) {
		w = w[:len(w)-1]
	}
	return w
}

// terms returns the terms of a text; pieces tells whether words are taken apart.
func terms(s string, pieces bool, into map[string]bool) {
	for _, w := range searchWords(s) {
		into[w] = true
		if !pieces {
			continue
		}
		for _, piece := range strings.FieldsFunc(w, func(r rune) bool { return !wordly(r) }) {
			into[piece] = true
			for i, r := range piece {
				if i > 0 && eastern(r) {
					into[piece[i:]] = true
				}
			}
		}
	}
	if pieces {
		for _, w := range joinedWords(s) {
			into[w] = true
		}
	}
}

// rewriteTermsOf does the same for a case of which only the id is at hand.
func (t *tx) rewriteTermsOf(ctx context.Context, id caseload.CaseID) error {
	c, err := scanCase(t.QueryRowContext(ctx, `SELECT `+caseColumns+` FROM cases c WHERE c.id = $1`, string(id)).Scan)
	if err != nil {
		return err
	}
	return t.rewriteTerms(ctx, c)
}

// rewriteTerms makes the case's terms exactly what its row and its studies say now. The caller holds the case's lock.
func (t *tx) rewriteTerms(ctx context.Context, c caseload.Case) error {
	want := map[string]bool{}
	terms(c.Number, true, want)
	terms(c.Patient, true, want)
	rows, err := t.QueryContext(ctx, `SELECT patient_name, patient_id, study_uid FROM studies WHERE case_id = $1 ORDER BY id LIMIT $2`, string(c.ID), maxTerms)
	said, err := collect(rows, err, func(scan func(...any) error) (s [3]string, err error) { return s, scan(&s[0], &s[1], &s[2]) })
	if err != nil {
		return err
	}
	for _, s := range said {
		if len(want) >= maxTerms {
			break
		}
		terms(s[0], true, want)
		terms(s[1], true, want)
		terms(s[2], false, want)
	}
	rows, err = t.QueryContext(ctx, `SELECT term FROM case_terms WHERE case_id = $1`, string(c.ID))
	has, err := collect(rows, err, func(scan func(...any) error) (term string, err error) { return term, scan(&term) })
	if err != nil {
		return err
	}
	for _, term := range has {
		if want[term] {
			delete(want, term)
			continue
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM case_terms WHERE case_id = $1 AND term = $2`, string(c.ID), term); err != nil {
			return err
		}
	}
	missing := make([]string, 0, len(want))
	for term := range want {
		missing = append(missing, term)
	}
	sort.Strings(missing)
	return t.insertRows(ctx, `INSERT INTO case_terms (case_id, term, organization_id)`, "", len(missing), 3,
		func(i int) []any { return []any{string(c.ID), missing[i], string(c.Organization)} })
}
