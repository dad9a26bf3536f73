package dicom

import (
	"strings"
	"unicode/utf8"

	textenc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// guess is the multi-byte set that an object's person names are written in although nothing, or Latin-1, is declared.
type guess struct {
	encoding textenc.Encoding
	name     reading
}

var (
	guessKorean   = guess{korean.EUCKR, "Korean (CP949)"}
	guessChinese  = guess{simplifiedchinese.GB18030, "Chinese (GB18030)"}
	guessJapanese = guess{japanese.ShiftJIS, "Japanese (Shift-JIS)"}
)

// guessFrom looks at the top-level person names. Bytes alone cannot tell Korean from Chinese; a name can: it begins with a
// family name. Only where one script's reading does, and no other script's, is there a guess. Names in Latin, Greek or
// Cyrillic letters mix ASCII into the word or begin with no family name of these scripts, so they are left alone.
func guessFrom(elements []Element) guess {
	var found guess
	for i := range elements {
		e := &elements[i]
		if e.VR != VRPersonName || plainASCII(e.Value) || utf8.Valid(e.Value) {
			continue
		}
		var fits []guess
		for _, g := range []struct {
			guess
			plausible func([]byte) bool
		}{{guessKorean, koreanName}, {guessChinese, chineseName}, {guessJapanese, japaneseName}} {
			if g.plausible(e.Value) {
				fits = append(fits, g.guess)
			}
		}
		if len(fits) != 1 || found.encoding != nil && found != fits[0] {
			return guess{}
		}
		found = fits[0]
	}
	return found
}

// koreanName: one writing begins with a Korean family name and consists of two to six common syllables (KS X 1001 rows
// 16 to 40); the ideographic writing may hold Hanja.
func koreanName(value []byte) bool {
	return pairedName(value, korean.EUCKR, koreanFamilies, 0xB0, 0xC8, 6)
}

// chineseName: one writing begins with a Chinese family name and consists of two to four characters of GB 2312.
func chineseName(value []byte) bool {
	return pairedName(value, simplifiedchinese.GBK, chineseFamilies, 0xB0, 0xF7, 4)
}

// pairedName tests a name in a set whose characters are two bytes from 0xA1 up; the first byte lies in [lowest, highest],
// but for the ideographic writing.
func pairedName(value []byte, set textenc.Encoding, families string, lowest, highest byte, longest int) bool {
	named := false
	for i, group := range strings.Split(string(value), "=") {
		group = strings.Trim(strings.NewReplacer("^", "", " ", "").Replace(group), "\x00")
		if plainASCII([]byte(group)) {
			continue
		}
		if len(group)%2 != 0 {
			return false
		}
		inside := true
		for j := 0; j < len(group); j += 2 {
			if group[j] < 0xA1 || group[j+1] < 0xA1 {
				return false
			}
			inside = inside && group[j] >= lowest && group[j] <= highest
		}
		text, err := set.NewDecoder().String(group)
		if err != nil || strings.ContainsRune(text, utf8.RuneError) || !inside && i != 1 {
			return false
		}
		first, size := utf8.DecodeRuneInString(text)
		n := utf8.RuneCountInString(text)
		named = named || inside && size > 0 && n >= 2 && n <= longest && strings.ContainsRune(families, first)
	}
	return named
}

// japaneseName: each writing is all kana, or begins with a kanji that Japanese family names begin with and goes on in
// kanji of level 1 and kana. Half-width katakana prove nothing: any high byte is one.
func japaneseName(value []byte) bool {
	named := false
	text, err := japanese.ShiftJIS.NewDecoder().String(string(value))
	if err != nil || !shiftJISBytes(value) {
		return false
	}
	for _, group := range strings.Split(text, "=") {
		group = strings.Trim(strings.NewReplacer("^", "", " ", "", "\u3000", "").Replace(group), "\x00")
		if plainASCII([]byte(group)) {
			continue
		}
		kana := 0
		for _, r := range group {
			switch {
			case r >= 0x3041 && r <= 0x30FC:
				kana++
			case r < 0x80:
				return false
			}
		}
		first, _ := utf8.DecodeRuneInString(group)
		n := utf8.RuneCountInString(group)
		if n < 2 || kana < n && !strings.ContainsRune(japaneseBeginnings, first) {
			return false
		}
		named = true
	}
	return named
}

// shiftJISBytes reports whether all double bytes are kana, level-1 kanji or the marks of names (JIS X 0208 rows 1, 4, 5
// and 16 to 47), and none is a half-width katakana.
func shiftJISBytes(b []byte) bool {
	for len(b) > 0 {
		if b[0] < 0x80 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 0x40 || b[1] == 0x7F || b[1] > 0xFC {
			return false
		}
		switch pair := uint16(b[0])<<8 | uint16(b[1]); {
		case pair == 0x8140 || pair == 0x8158 || pair == 0x815B: // space, 々, ー
		case pair >= 0x829F && pair <= 0x82F1, pair >= 0x8340 && pair <= 0x8396, pair >= 0x889F && pair <= 0x9872:
		default:
			return false
		}
		b = b[2:]
	}
	return true
}

// shiftJISText reports whether b is Shift-JIS of which every byte has a meaning.
func shiftJISText(b []byte) bool { return encoded(nil, b, japanese.ShiftJIS) }

// The first characters of common family names: Korean (those of 99 % of the people), Chinese, and the kanji that Japanese
// ones begin with.
const (
	koreanFamilies     = "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용예경봉사부가복태목형피두감음빈동온호범좌팽승간상시갈단"
	chineseFamilies    = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董潘袁于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
	japaneseBeginnings = "佐鈴高田伊渡山中小加吉木林清斎松井阿森池橋石前藤岡長後村近坂遠青西福三太岩金原和菊安竹上工野新菅武千今平大宮内久水酒増杉北丸横島服市川土菱関杵早谷荒本東柴成南河浅古荻永神桜飯黒栗桑片宇樋奥富秋相星堀浜矢梅須堤望稲辻向尾馬五八榎熊"
)
