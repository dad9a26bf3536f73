package dicom

import "strings"

// PersonName is a value of representation PN: up to three writings of the same name (PS3.5 6.2.1.1). Each is a
// component group "family^given^middle^prefix^suffix".
type PersonName struct {
	Alphabetic  string
	Ideographic string
	Phonetic    string
}

// PersonName returns the first value of a top-level element of representation PN.
func (h *Header) PersonName(tag Tag) PersonName {
	groups := strings.SplitN(h.String(tag), "=", 4)
	for len(groups) < 3 {
		groups = append(groups, "")
	}
	return PersonName{trimGroup(groups[0]), trimGroup(groups[1]), trimGroup(groups[2])}
}

// trimGroup removes what carries nothing at the end of a component group: spaces and empty components.
func trimGroup(group string) string { return strings.TrimSpace(strings.TrimRight(group, "^ ")) }

// String is the value as DICOM writes it, without empty groups at the end.
func (n PersonName) String() string {
	return strings.TrimRight(n.Alphabetic+"="+n.Ideographic+"="+n.Phonetic, "=")
}

// Display is the name as people read it: "Müller, Jürgen"; with other writings in parentheses, "Hong, Gildong (洪 吉洞,
// 홍 길동)". Prefix and suffix follow their customary places.
func (n PersonName) Display() string {
	first := displayAlphabetic(n.Alphabetic)
	var others []string
	for _, group := range []string{n.Ideographic, n.Phonetic} {
		if words := strings.Join(strings.FieldsFunc(group, isCaret), " "); words != "" {
			others = append(others, words)
		}
	}
	switch {
	case len(others) == 0:
		return first
	case first == "":
		return strings.Join(others, ", ")
	}
	return first + " (" + strings.Join(others, ", ") + ")"
}

func isCaret(r rune) bool { return r == '^' }

func displayAlphabetic(group string) string {
	parts := strings.Split(group, "^")
	for len(parts) < 5 {
		parts = append(parts, "")
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	family, given, middle, prefix, suffix := parts[0], parts[1], parts[2], parts[3], parts[4]
	rest := strings.Join(strings.Fields(prefix+" "+given+" "+middle), " ")
	name := family
	if rest != "" {
		if name != "" {
			name += ", "
		}
		name += rest
	}
	if suffix != "" {
		name += ", " + suffix
	}
	return strings.TrimPrefix(name, ", ")
}
