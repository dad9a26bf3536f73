package web

import (
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

// Longest values taken from people, in characters.
const (
	maxNumber = 64
	maxLabel  = 200
	maxNote   = 4000
	maxEmail  = 254 // RFC 5321, section 4.5.3.1.3
)

// cleanLine returns one line of text as it is kept: NFC, without control and bidi characters, without surrounding
// space. Invalid when it is longer than most characters or no text at all.
func cleanLine(text, field string, most int) (string, error) {
	return clean(text, field, most, false)
}

// cleanText is cleanLine for text of several lines.
func cleanText(text, field string, most int) (string, error) {
	return clean(text, field, most, true)
}

func clean(text, field string, most int, lines bool) (string, error) {
	if !utf8.ValidString(text) {
		return "", caseload.Errorf(caseload.Invalid, "The text is not valid UTF-8.").WithField(field)
	}
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case lines && (r == '\n' || r == '\t'):
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u200c':
			return -1
		}
		return r
	}, norm.NFC.String(text)))
	if utf8.RuneCountInString(text) > most {
		return "", caseload.Errorf(caseload.Invalid, "The text is longer than %d characters.", most).WithField(field)
	}
	return text, nil
}

// cleanCase cleans what a person typed into a case.
func cleanCase(c *caseload.Case, needNumber bool) (err error) {
	if c.Number, err = cleanLine(c.Number, "number", maxNumber); err != nil {
		return err
	}
	if needNumber && c.Number == "" {
		return caseload.Errorf(caseload.Invalid, "The case has no number.").WithField("number")
	}
	if c.Patient, err = cleanLine(c.Patient, "patient", maxLabel); err != nil {
		return err
	}
	c.Note, err = cleanText(c.Note, "note", maxNote)
	return err
}

// cleanEmail returns an e-mail address as it is kept: lower case, nothing but the address.
func cleanEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(norm.NFC.String(email)))
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > maxEmail {
		return "", caseload.Errorf(caseload.Invalid, "This is not an e-mail address.").WithHint("Write it as name@clinic.example.").WithField("email")
	}
	return email, nil
}

// cleanUser cleans the name and checks the role an administrator gave a user.
func cleanUser(u *caseload.User) (err error) {
	if u.Name, err = cleanLine(u.Name, "name", maxLabel); err != nil {
		return err
	}
	if u.Name == "" {
		return caseload.Errorf(caseload.Invalid, "The user has no name.").WithField("name")
	}
	return validRole(u.Role)
}

func validRole(role caseload.Role) error {
	if !role.Valid() {
		return caseload.Errorf(caseload.Invalid, "The role must be admin, member or viewer.").WithField("role")
	}
	return nil
}

// query returns the address's query. Invalid for a name the route does not know, or one given twice.
func query(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, caseload.Errorf(caseload.Invalid, "The query of the address is malformed.")
	}
	for name, values := range q {
		if !slices.Contains(known, name) {
			return nil, caseload.Errorf(caseload.Invalid, "The query holds a name that is not known.").WithField(cut(strings.ToValidUTF8(name, ""), 64))
		}
		if len(values) > 1 {
			return nil, caseload.Errorf(caseload.Invalid, "The query gives a name twice.").WithField(name)
		}
		if !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0) {
			return nil, caseload.Errorf(caseload.Invalid, "The query is not valid text.").WithField(name)
		}
	}
	return q, nil
}

func limitOf(text string) (int, error) {
	limit, err := strconv.Atoi(or(text, strconv.Itoa(defaultLimit)))
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, caseload.Errorf(caseload.Invalid, "limit must be a whole number from 1 to %d.", maxLimit).WithField("limit")
	}
	return limit, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// replace sets what a change names.
func replace[T any](field *T, change *T) {
	if change != nil {
		*field = *change
	}
}
