package archive

import (
	"bytes"
	"hash/crc32"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/unicode/norm"
)

// nameDecoder turns the bytes of entry names into text. Old tools write the code page of their country without saying
// which; one archive comes from one machine, so all its names are judged together.
type nameDecoder struct{ legacy encoding.Encoding }

// newNameDecoder settles the code page for the names in a central directory that are neither flagged nor valid UTF-8.
func newNameDecoder(directory []byte) nameDecoder {
	var sample []byte
	for b := directory; len(b) >= directoryItemSize && len(sample) < mostSample; {
		nameLen := int(little.Uint16(b[28:]))
		whole := directoryItemSize + nameLen + int(little.Uint16(b[30:])) + int(little.Uint16(b[32:]))
		if whole > len(b) {
			break
		}
		sample = addSample(sample, b[directoryItemSize:directoryItemSize+nameLen], little.Uint16(b[8:]))
		b = b[whole:]
	}
	return nameDecoder{legacyEncoding(sample)}
}

// addSample adds a name that does not say how it is written to what the code page is judged by.
func addSample(sample, name []byte, flags uint16) []byte {
	if flags&utf8Name != 0 || utf8.Valid(name) || len(sample) >= mostSample {
		return sample
	}
	return append(append(sample, name...), '\n')
}

// mostSample is enough to judge a code page by, in bytes.
const mostSample = 64 << 10

// legacyEncoding guesses the code page of names: the candidate that reads every byte and gives the most plausible text.
// CP437, which reads anything, is what APPNOTE D.1 prescribes and the last resort.
func legacyEncoding(sample []byte) encoding.Encoding {
	best, bestScore := encoding.Encoding(charmap.CodePage437), nameScore(sample, charmap.CodePage437)
	for _, candidate := range []encoding.Encoding{korean.EUCKR, japanese.ShiftJIS, charmap.Windows1252} {
		if score := nameScore(sample, candidate); score > bestScore {
			best, bestScore = candidate, score
		}
	}
	return best
}

// nameScore judges a decoding by its letters: those a person of that country names files with count for, symbols and
// unreadable bytes against. The result is per character, so that two bytes read as one letter are no disadvantage.
func nameScore(sample []byte, enc encoding.Encoding) float64 {
	text, err := enc.NewDecoder().Bytes(sample)
	if err != nil {
		return -1
	}
	score, chars := 0.0, 0
	for _, r := range string(text) {
		if r < 0x80 {
			continue
		}
		chars++
		switch {
		case r == utf8.RuneError:
			score -= 4
		case r >= 0xAC00 && r <= 0xD7A3: // Hangul syllables
			if commonHangul(r) {
				score += 2
			} else {
				score--
			}
		case r >= 0x3040 && r <= 0x30FF: // Hiragana, Katakana
			score += 2
		case r >= 0xFF61 && r <= 0xFF9F: // half-width Katakana, mostly an accident
			score -= 0.5
		case strings.ContainsRune("äöüÄÖÜßéèêëàâçñôîïûùåæÆÅøØíóúáÉ", r):
			score += 1.2
		case unicode.Is(unicode.Han, r):
			score += 0.9
		case unicode.IsLetter(r):
			score += 0.3
		default:
			score--
		}
	}
	if chars == 0 {
		return 0
	}
	return score / float64(chars)
}

// commonHangul reports whether the syllable is one of the 2,350 of KS X 1001. The other 8,822 of CP949 are so rare that
// meeting them means the bytes are something else.
func commonHangul(r rune) bool {
	b, err := korean.EUCKR.NewEncoder().Bytes([]byte(string(r)))
	return err == nil && len(b) == 2 && b[0] >= 0xA1 && b[1] >= 0xA1
}

// decode returns the name as display text: the Unicode extra field where its checksum holds (APPNOTE 4.6.9), else UTF-8
// where flagged or valid, else the archive's legacy code page.
func (d nameDecoder) decode(raw []byte, flagged bool, extra []byte) string {
	if field, ok := extraField(extra, 0x7075); ok && len(field) > 5 && field[0] == 1 &&
		little.Uint32(field[1:]) == crc32.ChecksumIEEE(raw) && utf8.Valid(field[5:]) {
		return display(string(field[5:]))
	}
	if utf8.Valid(raw) {
		return display(string(raw))
	}
	if flagged {
		return display(string(bytes.ToValidUTF8(raw, []byte("\uFFFD"))))
	}
	text, err := d.legacy.NewDecoder().Bytes(raw)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		text, _ = charmap.CodePage437.NewDecoder().Bytes(raw)
	}
	return display(string(text))
}

// display cleans a name for people: "/" between folders whatever the writer used, composed characters (macOS writes
// them apart), no control, bidi or other invisible characters.
func display(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			return -1
		}
		return r
	}, name)
	return norm.NFC.String(name)
}

// junk reports whether the entry is what operating systems leave in folders: it is ignored and counted.
func junk(name string) bool {
	for _, part := range strings.Split(strings.ToLower(name), "/") {
		switch part {
		case "__macosx", "thumbs.db", ".ds_store", "desktop.ini", ".spotlight-v100", ".trashes", ".fseventsd", "$recycle.bin", "system volume information":
			return true
		}
		if strings.HasPrefix(part, "._") {
			return true
		}
	}
	return false
}

// archiveName reports whether a name is that of an archive.
func archiveName(name string) bool {
	name = strings.ToLower(name)
	for _, ending := range []string{".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".iso", ".cab", ".dcmzip"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}
