package objectstore

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// safeTypes are the content types a browser shows or saves without running anything. All others are sent as opaque.
var safeTypes = map[string]bool{
	"application/dicom": true, "application/pdf": true, "application/zip": true,
	"image/jpeg": true, "image/png": true, "model/stl": true,
}

func safeType(contentType string) string {
	if safeTypes[contentType] {
		return contentType
	}
	return opaqueType
}

// attachment returns the Content-Disposition (RFC 6266) that saves under the name: filename* (RFC 8187) with the true
// name, and for old clients filename with what ASCII can say. Whatever the name is, the value is printable ASCII.
func attachment(name string) string {
	name = strings.ToValidUTF8(name, "_")
	var plain, full strings.Builder
	for _, r := range name {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == '/' || r == '\\' {
			r = '_'
		}
		if r > 0x7e || r == '"' || r == '%' {
			plain.WriteByte('_') // no quoting: clients disagree about it
		} else {
			plain.WriteRune(r)
		}
		var encoded [utf8.UTFMax]byte
		for _, b := range encoded[:utf8.EncodeRune(encoded[:], r)] {
			if attributeChar(b) {
				full.WriteByte(b)
			} else {
				const hex = "0123456789ABCDEF"
				full.Write([]byte{'%', hex[b>>4], hex[b&15]})
			}
		}
	}
	if name == "" {
		return "attachment"
	}
	return `attachment; filename="` + plain.String() + `"; filename*=UTF-8''` + full.String()
}

// attributeChar is attr-char of RFC 8187 section 3.2.1.
func attributeChar(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0
}
