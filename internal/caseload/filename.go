package caseload

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CleanName returns the name of a file as it may be kept and shown: path separators end it (the last element counts),
// control, format and bidi characters are removed, surrounding white space goes. It answers Invalid when nothing
// readable is left, the name is not UTF-8, is a NUL trick or is longer than MaxNameLength bytes. The caller has already
// put it into NFC.
func CleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", Errorf(Invalid, "The file name is not valid UTF-8.").WithField("name")
	}
	if strings.ContainsRune(name, 0) {
		return "", Errorf(Invalid, "The file name holds a NUL character.").WithHint("Rename the file and send it again.").WithField("name")
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSpace(strings.Map(dropInvisible, name))
	if name == "" || name == "." || name == ".." {
		return "", Errorf(Invalid, "The file has no readable name.").WithHint("Give it a name and send it again.").WithField("name")
	}
	if len(name) > MaxNameLength {
		return "", Errorf(Invalid, "The file name is longer than %d bytes.", MaxNameLength).WithHint("Shorten it and send it again.").WithField("name")
	}
	return name, nil
}

// CleanPath returns the folder path of a dropped file for display: elements separated by "/", each cleaned like a name,
// "." and ".." left out. Unlike CleanName it never refuses; what is too long is cut at MaxPathLength bytes.
func CleanPath(path string) string {
	var kept []string
	for _, element := range strings.FieldsFunc(strings.ToValidUTF8(path, ""), func(r rune) bool { return r == '/' || r == '\\' }) {
		element = strings.TrimSpace(strings.Map(dropInvisible, element))
		if element != "" && element != "." && element != ".." {
			kept = append(kept, element)
		}
	}
	clean := strings.Join(kept, "/")
	for len(clean) > MaxPathLength {
		_, size := utf8.DecodeLastRuneInString(clean)
		clean = clean[:len(clean)-size]
	}
	return clean
}

// dropInvisible removes what a name can hide behind: controls (Cc), format characters (Cf: bidi overrides, zero-width
// marks), line and paragraph separators, and private or unassigned surrogates.
func dropInvisible(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
		return -1
	}
	return r
}

// PrintableASCII tells whether s holds at most that many bytes, each a printable character of ASCII or a blank.
func PrintableASCII(s string, most int) bool {
	if len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
