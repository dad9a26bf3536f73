package dicom_test

import (
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// The examples of PS3.5 annexes H, I, J and K, byte for byte, and what Korean, Japanese and Chinese clinics send.
func TestNamesAreReadInTheirCharacterSet(t *testing.T) {
	cases := []struct {
		name, bytes string
		charset     []string
		want        string
		flagged     bool
	}{
		{
			"PS3.5 H.3.1, Japanese", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
			[]string{"", "ISO 2022 IR 87"},
			"Yamada^Tarou=山田^太郎=やまだ^たろう", false,
		},
		{
			"PS3.5 H.3.2, half-width katakana first", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
			[]string{"ISO 2022 IR 13", "ISO 2022 IR 87"},
			"ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", false,
		},
		{
			"PS3.5 I.2, Korean", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
			[]string{"", "ISO 2022 IR 149"},
			"Hong^Gildong=洪^吉洞=홍^길동", false,
		},
		{"Korean, escape not repeated", "\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", []string{"", "ISO 2022 IR 149"}, "홍^길동", false},
		{"Korean, no escape at all", "\xc8\xab^\xb1\xe6\xb5\xbf", []string{"ISO 2022 IR 149"}, "홍^길동", false},
		{"PS3.5 J.1, UTF-8", "Wang^XiaoDong=王^小東", []string{"ISO_IR 192"}, "Wang^XiaoDong=王^小東", false},
		{"PS3.5 J.2, GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", []string{"GB18030"}, "Wang^XiaoDong=王^小东", false},
		{"PS3.5 J.3, GBK", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", []string{"GBK"}, "Wang^XiaoDong=王^小东", false},
		{"GBK with a backslash as second byte", "\xc0\x5c^\xd0\xa1", []string{"GBK"}, "繺^小", false},
		{"PS3.5 K.2, GB2312", "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", []string{"", "ISO 2022 IR 58"}, "Zhang^XiaoDong=张^小东", false},
		{"JIS with a caret inside a character", "\x1b$B\x30\x5e\x1b(B^A", []string{"", "ISO 2022 IR 87"}, "緯^A", false},
		{"German", "M\xfcller^J\xfcrgen", []string{"ISO_IR 100"}, "Müller^Jürgen", false},
		{"German, spelled oddly", "M\xfcller^J\xfcrgen", []string{"ISO-IR 100"}, "Müller^Jürgen", false},
		{"Cyrillic", "\xbb\xee\xdaceu", []string{"ISO_IR 144"}, "Люкceu", false},
		{"two single-byte sets", "\x1b-FA\xe1^\x1b-A\xe4", []string{"", "ISO 2022 IR 126", "ISO 2022 IR 100"}, "Aα^ä", false},
		{"no set, but UTF-8", "Müller", nil, "Müller", true},
		{"no set, Latin-1", "M\xfcller", nil, "Müller", true},
		{"empty set, Latin-1", "M\xfcller", []string{""}, "Müller", true},
		{"UTF-8 stated, Latin-1 written", "M\xfcller", []string{"ISO_IR 192"}, "Müller", true},
		{"a set nobody knows", "Mueller", []string{"ISO_IR 999"}, "Mueller", true},
		{"Latin-2", "\xa3ukasz^\xaf\xf3\xb3\xe6", []string{"ISO_IR 101"}, "Łukasz^Żółć", false},
		{"Latin-3", "\xd8is^\xa1", []string{"ISO_IR 109"}, "Ĝis^Ħ", false},
		{"Latin-4", "\xd3\xbani\xf1\xb9", []string{"ISO_IR 110"}, "Ķēniņš", false},
		{"Greek", "\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", []string{"ISO_IR 126"}, "Διονυσιος", false},
		{"Arabic", "\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", []string{"ISO_IR 127"}, "قباني^لنزار", false},
		{"Hebrew", "\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", []string{"ISO_IR 138"}, "שרון^דבורה", false},
		{"Turkish", "\xc7avu\xfe^\xddbrahim", []string{"ISO_IR 148"}, "Çavuş^İbrahim", false},
		{"Thai", "\xb9\xd2\xc1\xca\xa1\xd8\xc5^\xaa\xd7\xe8\xcd", []string{"ISO_IR 166"}, "นามสกุล^ชื่อ", false},
		{"Latin-9", "\xbcuvre^\xa4", []string{"ISO_IR 203"}, "Œuvre^€", false},
		{"Thai by escape", "A^\x1b-T\xaa\xd7\xe8\xcd", []string{"", "ISO 2022 IR 166"}, "A^ชื่อ", false},
		{"JIS X 0212 by escape", "A=\x1b$(D0!\x1b(B", []string{"", "ISO 2022 IR 87", "ISO 2022 IR 159"}, "A=丂", false},
		{"half-width katakana without extensions", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3", []string{"ISO_IR 13"}, "ﾔﾏﾀﾞ^ﾀﾛｳ", false},
		{"a Korean syllable that only Windows has under IR 149", "\xc8\xab^\xb1\xe6\x8cc", []string{"", "ISO 2022 IR 149"}, "홍^길똠", true},
		{"a byte the set has not", "\xa5^A", []string{"ISO_IR 127"}, "�^A", true},
		{"Latin-1 stated, UTF-8 written", "M\xc3\xbcller^J\xc3\xbcrgen", []string{"ISO_IR 100"}, "Müller^Jürgen", true},
		{"Latin-1 stated, Korean written", "\xb1\xe8^\xc3\xb6\xbc\xf6", []string{"ISO_IR 100"}, "김^철수", true},
		{"UTF-8 stated, Korean written", "Hong^Gildong=\xfb\xf3^\xd1\xce\xd4\xd7=\xc8\xab^\xb1\xe6\xb5\xbf", []string{"ISO_IR 192"}, "Hong^Gildong=洪^吉洞=홍^길동", true},
		{"no set, Korean", "\xc8\xab\xb1\xe6\xb5\xbf", nil, "홍길동", true},
		{"no set, Chinese", "\xcd\xf5^\xd0\xa1\xb6\xab", nil, "王^小东", true},
		{"no set, Chinese in the second writing", "Li^Ming=\xc0\xee^\xc3\xf7", []string{""}, "Li^Ming=李^明", true},
		{"no set, Japanese", "Yamada^Tarou=\x8eR\x93c^\x91\xbe\x98Y=\x82\xe2\x82\xdc\x82\xbe^\x82\xbd\x82\xeb\x82\xa4", nil, "Yamada^Tarou=山田^太郎=やまだ^たろう", true},
		{"no set, katakana", "\x83\x84\x83}\x83_^\x83^\x83\x8d\x83E", nil, "ヤマダ^タロウ", true},
		{"no set, an Icelandic name", "\xcd\xf1igo^\xd3\xf0inn", nil, "Íñigo^Óðinn", true},
		{"no set, Cyrillic capitals", "\xc8\xc2\xc0\xcd\xce\xc2", nil, "ÈÂÀÍÎÂ", true},
		{"no set, family name of two scripts", "\xc1\xd6\xc1\xd6", nil, "ÁÖÁÖ", true},
		{"escapes without a declaration", "Yamada=\x1b$B;3ED\x1b(B", nil, "Yamada=山田", true},
		{"an escape to a set not declared", "A^\x1b$)C\xc8\xab", []string{"", "ISO 2022 IR 87"}, "A^홍", true},
		{"Korean under a foreign name", "\xc8\xab^\xb1\xe6\xb5\xbf", []string{"EUC-KR"}, "홍^길동", true},
		{"Shift-JIS under a foreign name", "\x8eR\x93c^\x91\xbe\x98Y", []string{"Shift_JIS"}, "山田^太郎", true},
		{"the part of ISO 8859 by name", "\xc1\xe8\xde\xed\xe1", []string{"ISO 8859-7"}, "Αθήνα", false},
		{"Windows-1251 by name", "\xc8\xe2\xe0\xed\xee\xe2", []string{"windows-1251"}, "Иванов", true},
		{"GB18030, four bytes a character", "\x81\x39\xEE\x39^\xd0\xa1", []string{"GB18030"}, "㐀^小", false},
		{"Korean stated, UTF-8 written", "홍^길동", []string{"", "ISO 2022 IR 149"}, "홍^길동", true},
		{"GB18030 stated, UTF-8 written", "王^小东", []string{"GB18030"}, "王^小东", true},
		{"Japanese stated, UTF-8 written", "山田^太郎", []string{"", "ISO 2022 IR 87"}, "山田^太郎", true},
		{"Cyrillic stated, UTF-8 written", "Иванов", []string{"ISO_IR 144"}, "Иванов", true},
		{"GBK, a character that few write", "\x81\x40^\xd0\xa1", []string{"GBK"}, "丂^小", false},
		{"ISO_IR 13 stated, Shift-JIS written", "\x8eR\x93c^\x91\xbe\x98Y", []string{"ISO_IR 13"}, "山田^太郎", true},
		{"UTF-8 with a byte order mark", "\xEF\xBB\xBFM\xc3\xbcller", []string{"ISO_IR 192"}, "Müller", false},
		{"an escape nobody knows", "A\x1b%ZB", []string{"", "ISO 2022 IR 87"}, "A%ZB", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := dicom.Describe(read(t, dicomtest.CT(dicomtest.CTOptions{Charset: c.charset, Patient: []byte(c.bytes)})))
			if in.PatientName != c.want {
				t.Errorf("got %q, want %q", in.PatientName, c.want)
			}
			if hasWarning(in.Warnings, dicom.WarnCharset) != c.flagged {
				t.Errorf("warnings: %v", in.Warnings)
			}
		})
	}
}

func TestTextInItemsHasItsOwnCharacterSet(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{Charset: []string{"ISO_IR 192"}, BeforePixels: func(e *dicomtest.Encoder) {
		e.Sequence(0x00400275, false, func(e *dicomtest.Encoder) {
			e.Text(0x00080005, "CS", "ISO_IR 144")
			e.Text(0x00400007, "LO", "\xbb\xee\xda")
		}, func(e *dicomtest.Encoder) { e.Text(0x00400007, "LO", "M\xfcller") })
	}}))
	if len(h.Warnings) != 1 || h.Warnings[0].Code != dicom.WarnCharset || h.Warnings[0].Tag != 0x00400007 {
		t.Errorf("warnings %v", h.Warnings)
	}
	var texts []string
	for line := range h.Lines(64) {
		if line.Tag == 0x00400007 {
			texts = append(texts, line.Text)
		}
	}
	if !slices.Equal(texts, []string{"Люк", "Müller"}) {
		t.Errorf("texts %q", texts)
	}
}

func TestTheRestOfTheTextFollowsTheNames(t *testing.T) {
	h := read(t, dicomtest.CT(dicomtest.CTOptions{Patient: []byte("\xb1\xe8^\xc3\xb6\xbc\xf6"), BeforePixels: func(e *dicomtest.Encoder) {
		e.Text(0x00321060, "LO", "\xc4\xa1\xb0\xfa") // 치과
	}}))
	if got := h.String(0x00321060); got != "치과" {
		t.Errorf("got %q", got)
	}
}

func TestNamesAreShownAsPeopleReadThem(t *testing.T) {
	cases := map[string]string{
		"Müller^Jürgen":                "Müller, Jürgen",
		"Adams^John Robert^Q^Rev.^PhD": "Adams, Rev. John Robert Q, PhD",
		"Hong^Gildong=洪^吉洞=홍^길동":       "Hong, Gildong (홍길동, 洪吉洞)",
		"Hong^Gildong==홍^길동":           "Hong, Gildong (홍길동)",
		"=洪^吉洞=홍^길동":                   "홍길동 (洪吉洞)",
		"임^대석":                         "임대석",
		"임대석":                          "임대석",
		"임 대석":                         "임 대석",
		"^대석":                          "대석",
		"임^대석=임^대석":                    "임대석",
		"홍^길동B":                        "홍길동B",
		"홍^Gildong":                    "홍 Gildong",
		"Kim^민수":                       "Kim, 민수",
		"임^대석^^^님":                     "임대석 님",
		"=王^小明":                        "王小明",
		"王^小明":                         "王小明",
		"Wang^XiaoMing=王^小明":           "Wang, XiaoMing (王小明)",
		"Yamada^Tarou=山田^太郎=やまだ^たろう": "Yamada, Tarou (山田 太郎, やまだ たろう)",
		"ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう":     "ﾔﾏﾀﾞ ﾀﾛｳ (山田 太郎, やまだ たろう)",
		"=山田^太郎":        "山田太郎",
		"Müller^^^^Jr.": "Müller, Jr.",
		"^Jürgen":       "Jürgen",
		"Rex^^^^":       "Rex",
		"^^^^":          "",
		"":              "",
	}
	for raw, want := range cases {
		h := read(t, dicomtest.CT(dicomtest.CTOptions{Charset: []string{"ISO_IR 192"}, Patient: []byte(raw)}))
		if got := h.PersonName(dicom.TagPatientName).Display(); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

func TestTheDictionaryKnowsTagsKeywordsAndNames(t *testing.T) {
	entry, ok := dicom.LookUp(dicom.TagImagePositionPatient)
	if !ok || entry.VR != "DS" || entry.Keyword != "ImagePositionPatient" || entry.Name() != "Image Position Patient" {
		t.Errorf("%+v %q", entry, entry.Name())
	}
	if entry, ok = dicom.LookUp(0x60040010); !ok || entry.Keyword != "OverlayRows" {
		t.Errorf("overlay: %+v", entry)
	}
	for tag, name := range map[dicom.Tag]string{
		dicom.TagPatientID: "Patient ID", dicom.TagStudyInstanceUID: "Study Instance UID", dicom.TagSOPClassUID: "SOP Class UID",
		0x00180060: "KVP", dicom.TagPatientBirthDate: "Patient Birth Date",
	} {
		if entry, _ := dicom.LookUp(tag); entry.Name() != name {
			t.Errorf("%v is named %q", tag, entry.Name())
		}
	}
	if strings.Contains(dicom.TagPatientID.String(), "x") || dicom.TagPatientID.Hex() != "00100020" {
		t.Error("tags print wrongly")
	}
}
