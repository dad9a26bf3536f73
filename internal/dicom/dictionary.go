package dicom

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:generate go run ./gen -from /usr/share/libdcmtk17

//go:embed dictionary.tsv
var dictionaryText string

//go:embed private.tsv
var privateText string

// DictionaryEntry is one line of the data dictionary (PS3.6 6).
type DictionaryEntry struct {
	Tag          Tag
	VR           VR
	Keyword      string // "PatientID"
	Multiplicity string // "1", "1-n", "3-3n"
}

// Name is the keyword in words: "Patient ID", "Image Position Patient".
func (e DictionaryEntry) Name() string {
	var name strings.Builder
	runes := []rune(e.Keyword)
	for i, r := range runes {
		starts := unicode.IsUpper(r) || unicode.IsDigit(r) && i > 0 && !unicode.IsDigit(runes[i-1])
		if i > 0 && starts {
			afterLower := unicode.IsLower(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1]) && !(runes[i+1] == 's' && i+2 == len(runes))
			if afterLower || beforeLower {
				name.WriteByte(' ')
			}
		}
		name.WriteRune(r)
	}
	return name.String()
}

// loadDictionary parses the embedded table once, at first use (about 5,000 lines).
var loadDictionary = sync.OnceValue(func() map[Tag]DictionaryEntry {
	lines := strings.Split(dictionaryText, "\n")
	byTag := make(map[Tag]DictionaryEntry, len(lines))
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			continue // comment or last empty line
		}
		number, err := strconv.ParseUint(fields[0], 16, 32)
		if err != nil {
			continue
		}
		tag := Tag(number)
		byTag[tag] = DictionaryEntry{tag, VR(fields[1]), fields[2], fields[3]}
	}
	return byTag
})

// LookUp returns the dictionary entry of a standard element. Repeating groups (50xx curves, 60xx overlays; PS3.5 7.6)
// are found under their first group, group lengths (gggg,0000) and private creators (gggg,0010-00FF) by rule.
func LookUp(tag Tag) (DictionaryEntry, bool) {
	byTag := loadDictionary()
	if entry, ok := byTag[tag]; ok {
		return entry, true
	}
	group, element := tag.Group(), tag.Element()
	switch {
	case element == 0:
		return DictionaryEntry{tag, VRUint32, "GenericGroupLength", "1"}, true
	case tag.Private() && element >= 0x10 && element <= 0xFF:
		return DictionaryEntry{tag, "LO", "PrivateCreator", "1"}, true
	case (group&0xFF00 == 0x5000 || group&0xFF00 == 0x6000) && !tag.Private():
		entry, ok := byTag[MakeTag(group&0xFF00, element)]
		entry.Tag = tag
		return entry, ok
	}
	return DictionaryEntry{}, false
}

// privateKey names a private element: relative to its block when element is below 256, else fixed.
type privateKey struct {
	creator        string
	group, element uint16
}

// loadPrivate parses the embedded table of private elements once, at first use (about 2,000 lines).
var loadPrivate = sync.OnceValue(func() map[privateKey]DictionaryEntry {
	out := map[privateKey]DictionaryEntry{}
	for line := range strings.Lines(privateText) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) != 6 {
			continue // comment
		}
		group, errG := strconv.ParseUint(fields[0], 16, 16)
		element, errE := strconv.ParseUint(fields[1], 16, 16)
		if errG == nil && errE == nil {
			out[privateKey{fields[5], uint16(group), uint16(element)}] = DictionaryEntry{VR: VR(fields[2]), Keyword: fields[3], Multiplicity: fields[4]}
		}
	}
	return out
})

// LookUpPrivate returns what a manufacturer has published of a private element (PS3.5 7.8), as collected in DCMTK's
// private dictionary; creator is the text of the element that reserves its block.
func LookUpPrivate(creator string, tag Tag) (DictionaryEntry, bool) {
	table := loadPrivate()
	for _, group := range []uint16{tag.Group(), tag.Group()&0xFF00 | 1} {
		for _, element := range []uint16{tag.Element() & 0xFF, tag.Element()} {
			entry, ok := table[privateKey{creator, group, element}]
			if ok && (group == tag.Group() || group == 0x6001 || group == 0x7001) {
				entry.Tag = tag
				return entry, true
			}
		}
	}
	return DictionaryEntry{}, false
}
