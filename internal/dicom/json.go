package dicom

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONOptions chooses what WriteJSON writes. The zero value is what DICOMweb answers with (PS3.18 F).
type JSONOptions struct {
	Meta bool // the file meta information (group 0002) too, which PS3.18 leaves out

	// Only, when not nil, chooses the top-level elements that are written.
	Only func(Tag) bool

	// BulkDataURI, when not nil, names where a value can be fetched that Read did not keep (PS3.18 F.2.6); path holds the
	// tags and item numbers that lead to it, "00082112/1/00081155". An answer of "" leaves the element out, as does a nil
	// function.
	BulkDataURI func(e *Element, path string) string

	// MaxInline is the longest value of a binary representation, in bytes, that stands in the text as InlineBinary; longer
	// ones are treated as if Read had not kept them. Default: whatever Read kept.
	MaxInline int64

	// MaxBytes ends the writing early, after the element that passes it; default 64 MiB.
	MaxBytes int64
}

// ErrJSONCut says that the header has more than JSONOptions.MaxBytes of JSON. What was written is valid JSON without the rest.
var ErrJSONCut = errors.New("dicom: the JSON of the header was cut off at its limit")

// WriteJSON streams the header as one object of the DICOM JSON Model (PS3.18 F.2): UTF-8, keys in ascending order and
// each once, names as objects of their component groups, IS and DS as numbers where they are some (as strings
// otherwise, as PS3.18 F.2.3 allows), empty values without Value, sequences as arrays of objects, no group lengths. (0008,0005)
// says ISO_IR 192 where it stands. Numbers that JSON cannot hold (NaN, infinities) become null. Binary values are little
// endian (F.2.7). Values that were not kept, pixel data among them, have a BulkDataURI or are left out.
//
// The result is valid JSON whatever the file holds. The error is one of w, or ErrJSONCut.
func (h *Header) WriteJSON(w io.Writer, opt JSONOptions) error {
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 64 << 20
	}
	if opt.MaxInline <= 0 {
		opt.MaxInline = math.MaxInt64
	}
	j := &jsonWriter{w: w, opt: opt, buf: make([]byte, 0, jsonBuffer+4<<10)}
	j.dataSet(h.Elements, &h.names, nil)
	j.flush()
	if j.err == nil && j.cut {
		return ErrJSONCut
	}
	return j.err
}

const jsonBuffer = 32 << 10

type jsonWriter struct {
	w       io.Writer
	opt     JSONOptions
	buf     []byte
	written int64 // bytes handed to w
	cut     bool
	err     error
}

// full flushes a full buffer and reports whether the writing is over: an error, or the limit.
func (j *jsonWriter) full() bool {
	if len(j.buf) >= jsonBuffer {
		j.flush()
	}
	if j.written+int64(len(j.buf)) >= j.opt.MaxBytes {
		j.cut = true
	}
	return j.cut || j.err != nil
}

func (j *jsonWriter) flush() {
	if j.err == nil && len(j.buf) > 0 {
		var n int
		n, j.err = j.w.Write(j.buf)
		j.written += int64(n)
	}
	j.buf = j.buf[:0]
}

// dataSet writes one object. path leads to it: tags and item numbers.
func (j *jsonWriter) dataSet(elements []Element, names *charset, path []string) {
	names = names.charsetOf(elements)
	j.buf = append(j.buf, '{')
	first := true
	for _, e := range inOrder(elements) {
		if !j.wanted(e, len(path)) {
			continue
		}
		if j.full() {
			break
		}
		before := len(j.buf)
		if !first {
			j.buf = append(j.buf, ',')
		}
		j.buf = append(append(append(j.buf, '"'), e.Tag.Hex()...), `":{"vr":"`...)
		j.buf = append(append(j.buf, j.vr(e)...), '"')
		if !j.value(e, names, path) {
			j.buf = j.buf[:before]
			continue
		}
		j.buf = append(j.buf, '}')
		first = false
	}
	j.buf = append(j.buf, '}')
}

// inOrder returns the elements by ascending tag, the first of each.
func inOrder(elements []Element) []*Element {
	out := make([]*Element, len(elements))
	sorted := true
	for i := range elements {
		out[i] = &elements[i]
		sorted = sorted && (i == 0 || elements[i-1].Tag < elements[i].Tag)
	}
	if sorted {
		return out
	}
	slices.SortStableFunc(out, func(a, b *Element) int { return int(int64(a.Tag) - int64(b.Tag)) })
	return slices.CompactFunc(out, func(a, b *Element) bool { return a.Tag == b.Tag })
}

// wanted leaves out group lengths, the file meta information and what the caller does not want.
func (j *jsonWriter) wanted(e *Element, depth int) bool {
	group := e.Tag.Group()
	switch {
	case e.Tag.Element() == 0, group == 0xFFFE, group == 2 && (!j.opt.Meta || depth > 0):
		return false
	}
	return depth > 0 || j.opt.Only == nil || j.opt.Only(e.Tag)
}

// vr is the two letters, those of UN for what is no VR of the standard.
func (j *jsonWriter) vr(e *Element) VR { return traitOf(e.VR).vr }

// value writes ,"Value":… or its like after the VR; false when the element is to be left out.
func (j *jsonWriter) value(e *Element, names *charset, path []string) bool {
	t := traitOf(e.VR)
	switch {
	case e.VR == VRSequence:
		j.sequence(e, names, path)
		return true
	case e.Length == 0:
		return true
	case e.Value == nil, !t.text && isBinary(t) && int64(len(e.Value)) > j.opt.MaxInline:
		return j.bulk(e, path)
	case e.Tag == TagSpecificCharacterSet:
		j.buf = append(j.buf, `,"Value":["ISO_IR 192"]`...)
	case t.text:
		j.text(e, t, names)
	case isBinary(t):
		j.buf = append(j.buf, `,"InlineBinary":"`...)
		j.buf = base64.StdEncoding.AppendEncode(j.buf, littleEndian(e, t))
		j.buf = append(j.buf, '"')
	default:
		j.numbers(e, t)
	}
	return true
}

// isBinary reports whether a value of the representation is a run of bytes to DICOM JSON (PS3.18 table F.2.3-1).
func isBinary(t *trait) bool { return t.vr == VRUnknown || isOther(t.vr) }

func (j *jsonWriter) bulk(e *Element, path []string) bool {
	if j.opt.BulkDataURI == nil {
		return false
	}
	uri := j.opt.BulkDataURI(e, strings.Join(append(path, e.Tag.Hex()), "/"))
	if uri == "" {
		return false
	}
	j.buf = append(j.buf, `,"BulkDataURI":`...)
	j.buf = appendJSONString(j.buf, uri)
	return true
}

func (j *jsonWriter) sequence(e *Element, names *charset, path []string) {
	if len(e.Items) == 0 {
		return
	}
	j.buf = append(j.buf, `,"Value":[`...)
	path = append(path, e.Tag.Hex(), "")
	for i := range e.Items {
		if i > 0 {
			if j.full() {
				break
			}
			j.buf = append(j.buf, ',')
		}
		path[len(path)-1] = strconv.Itoa(i + 1)
		j.dataSet(e.Items[i].Elements, names, path)
	}
	j.buf = append(j.buf, ']')
}

// text writes the values of a character string; none when all are empty.
func (j *jsonWriter) text(e *Element, t *trait, names *charset) {
	text := string(e.Value)
	if t.charset {
		text, _ = names.decode(e.Value, t)
	}
	if t.single {
		text = strings.TrimRight(text, " \x00")
		if text != "" {
			j.buf = append(appendJSONString(append(j.buf, `,"Value":[`...), text), ']')
		}
		return
	}
	if strings.Trim(text, " \x00\\") == "" {
		return
	}
	open := `,"Value":[`
	for value := range strings.SplitSeq(text, `\`) {
		j.buf = append(j.buf, open...)
		open = ","
		value = trimValue(value)
		switch {
		case value == "":
			j.buf = append(j.buf, "null"...)
		case t.vr == VRPersonName:
			j.name(value)
		case t.vr == VRInteger || t.vr == VRDecimal:
			j.buf = appendDecimal(j.buf, value)
		default:
			j.buf = appendJSONString(j.buf, value)
		}
	}
	j.buf = append(j.buf, ']')
}

// name writes one person name by its component groups (PS3.18 F.2.2).
func (j *jsonWriter) name(value string) {
	groups := strings.SplitN(value, "=", 4)
	open := byte('{')
	for i, key := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
		if i < len(groups) && groups[i] != "" {
			j.buf = append(append(append(append(j.buf, open), '"'), key...), `":`...)
			j.buf = appendJSONString(j.buf, strings.TrimSpace(groups[i]))
			open = ','
		}
	}
	if open == '{' {
		j.buf = append(j.buf, "null"...)
		return
	}
	j.buf = append(j.buf, '}')
}

// numbers writes the values of a binary representation; tags as strings (PS3.18 table F.2.3-1).
func (j *jsonWriter) numbers(e *Element, t *trait) {
	order := encoding{bigEndian: e.BigEndian}.order()
	open := `,"Value":[`
	for b := e.Value; len(b) >= t.numberLength(); b = b[t.numberLength():] {
		j.buf = append(j.buf, open...)
		open = ","
		switch {
		case t.vr == VRAttributeTag:
			j.buf = append(appendNumber(append(j.buf, '"'), b, t, order), '"')
		case notFinite(b, t, order):
			j.buf = append(j.buf, "null"...)
		default:
			j.buf = appendNumber(j.buf, b, t, order)
		}
	}
	if open == "," {
		j.buf = append(j.buf, ']')
	}
}

func notFinite(b []byte, t *trait, order binary.ByteOrder) bool {
	switch t.vr {
	case VRFloat32:
		return order.Uint32(b)&0x7F800000 == 0x7F800000
	case VRFloat64:
		return order.Uint64(b)&0x7FF0000000000000 == 0x7FF0000000000000
	}
	return false
}

// littleEndian returns the value with its words in the order InlineBinary wants (PS3.18 F.2.7).
func littleEndian(e *Element, t *trait) []byte {
	if !e.BigEndian || t.width < 2 {
		return e.Value
	}
	out := slices.Clone(e.Value)
	for b := out; len(b) >= t.width; b = b[t.width:] {
		slices.Reverse(b[:t.width])
	}
	return out
}

// appendDecimal writes an IS or DS as a number: digit by digit as it stands where JSON allows that (RFC 8259 6), else as the
// shortest number of the same value; what is no number, as a string.
func appendDecimal(out []byte, text string) []byte {
	if jsonNumber(text) {
		return append(out, text...)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(text, "xXpP_") {
		return appendJSONString(out, text)
	}
	return strconv.AppendFloat(out, f, 'g', -1, 64)
}

// jsonNumber reports whether the text is a number by the grammar of RFC 8259 6, and within what readers take.
func jsonNumber(s string) bool {
	digits := func() int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n
	}
	if len(s) > 32 {
		return false
	}
	s = strings.TrimPrefix(s, "-")
	zero := strings.HasPrefix(s, "0")
	if n := digits(); n == 0 || zero && n > 1 {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "."); ok {
		s = rest
		if digits() == 0 {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if n := digits(); n == 0 || n > 2 {
			return false
		}
	}
	return s == ""
}

// appendJSONString writes a JSON string (RFC 8259 7); bytes that are no UTF-8 become U+FFFD, and what HTML or JavaScript
// could take for its own is escaped.
func appendJSONString(out []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < 0x20 || r == 0x7F || r == '<' || r == '>' || r == '&' || r == 0x2028 || r == 0x2029:
			out = append(out, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}
