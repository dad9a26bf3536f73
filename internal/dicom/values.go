package dicom

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// String returns the first value of a top-level element as text: decoded by its character set, spaces and NULs
// trimmed. It returns "" when the element is absent, empty or was not kept.
func (h *Header) String(tag Tag) string {
	e := h.Find(tag)
	if plain, ok := e.plainText(); ok {
		return string(plain)
	}
	if values := e.strings(&h.names); len(values) > 0 {
		return values[0]
	}
	return ""
}

// plainText returns the first value of the element where its bytes are the text, as they are: part of Value. It returns false
// where they have to be decoded or printed.
func (e *Element) plainText() ([]byte, bool) {
	if e == nil || len(e.Value) == 0 {
		return nil, true
	}
	t := traitOf(e.VR)
	if !t.text || t.charset && !plainASCII(e.Value) {
		return nil, false
	}
	first := e.Value
	if end := bytes.IndexByte(first, '\\'); end >= 0 && !t.single {
		first = first[:end]
	}
	return trimBytes(first), true
}

// Strings returns all values of a top-level element as text, nil when there is none.
func (h *Header) Strings(tag Tag) []string { return h.Find(tag).strings(&h.names) }

// Int returns the first value of a top-level element as an integer; false when there is none or it is no number.
func (h *Header) Int(tag Tag) (int, bool) { return h.Find(tag).Int() }

// Float returns the first value of a top-level element as a number; false when there is none or it is no number.
func (h *Header) Float(tag Tag) (float64, bool) {
	var few [fewNumbers]float64
	if values := h.Find(tag).numbers(few[:0]); len(values) > 0 {
		return values[0], true
	}
	return 0, false
}

// Floats returns all values of a top-level element as numbers; nil when one of them is no finite number.
func (h *Header) Floats(tag Tag) []float64 { return h.Find(tag).Floats() }

// strings returns the values of e as text. Numbers of binary VRs are printed.
func (e *Element) strings(names *charset) []string {
	if e == nil || len(e.Value) == 0 {
		return nil
	}
	t := traitOf(e.VR)
	switch {
	case t.width > 0:
		out := make([]string, 0, len(e.Value)/t.width)
		order := encoding{bigEndian: e.BigEndian}.order()
		for b := e.Value; len(b) >= t.numberLength(); b = b[t.numberLength():] {
			out = append(out, string(appendNumber(nil, b, t, order)))
		}
		return out
	case !t.text && t.vr != VRUnknown:
		return nil
	}
	text := string(e.Value)
	if t.charset || t.vr == VRUnknown {
		text, _ = names.decode(e.Value, t)
	}
	if t.single {
		return []string{trimValue(text)}
	}
	values := strings.Split(text, `\`)
	for i, value := range values {
		values[i] = trimValue(value)
	}
	return values
}

// numberLength returns the bytes of one value of a binary VR: of an attribute tag both halves.
func (t *trait) numberLength() int {
	if t.vr == VRAttributeTag {
		return 4
	}
	return t.width
}

// appendNumber appends the first number of b, of a binary VR (PS3.5 table 6.2-1), in digits; a tag as eight hex digits. No
// integer loses digits, and a float is written as short as it can be read back.
func appendNumber(out, b []byte, t *trait, order binary.ByteOrder) []byte {
	switch t.vr {
	case VRAttributeTag:
		return append(out, MakeTag(order.Uint16(b), order.Uint16(b[2:])).Hex()...)
	case VRFloat32, "OF":
		return strconv.AppendFloat(out, float64(math.Float32frombits(order.Uint32(b))), 'g', -1, 32)
	case VRFloat64, "OD":
		return strconv.AppendFloat(out, math.Float64frombits(order.Uint64(b)), 'g', -1, 64)
	case VRInt16:
		return strconv.AppendInt(out, int64(int16(order.Uint16(b))), 10)
	case VRInt32:
		return strconv.AppendInt(out, int64(int32(order.Uint32(b))), 10)
	case VRInt64:
		return strconv.AppendInt(out, int64(order.Uint64(b)), 10)
	case VRUint32, "OL":
		return strconv.AppendUint(out, uint64(order.Uint32(b)), 10)
	case VRUint64, "OV":
		return strconv.AppendUint(out, order.Uint64(b), 10)
	}
	return strconv.AppendUint(out, uint64(order.Uint16(b)), 10)
}

// trimValue removes the padding of text: spaces and NULs at the end, spaces at the beginning (PS3.5 6.2).
func trimValue(s string) string { return strings.TrimLeft(strings.TrimRight(s, " \x00"), " ") }

// trimBytes does the same to text not yet decoded.
func trimBytes(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// splitValues splits an undecoded value of plain ASCII text, such as a code string.
func splitValues(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	var out []string
	for _, part := range bytes.Split(b, []byte{'\\'}) {
		out = append(out, trimValue(string(part)))
	}
	return out
}

// Int returns the first value of the element as an integer. An IS or DS with a fraction of zero counts; "1A" does not.
func (e *Element) Int() (int, bool) {
	var few [fewNumbers]float64
	values := e.numbers(few[:0])
	if len(values) == 0 || values[0] != math.Trunc(values[0]) || math.Abs(values[0]) > 1<<53 {
		return 0, false
	}
	return int(values[0]), true
}

// Floats returns the element's values as numbers, whether written as text (DS, IS; over-long ones too) or in binary.
// It returns nil when one of them is no finite number.
func (e *Element) Floats() []float64 {
	if e == nil || len(e.Value) == 0 {
		return nil
	}
	n := 1
	if t := traitOf(e.VR); t.width > 0 {
		n = len(e.Value) / t.width
	} else {
		n += bytes.Count(e.Value, []byte{'\\'})
	}
	return e.numbers(make([]float64, 0, n))
}

// fewNumbers is how many numbers an element has that is asked for one.
const fewNumbers = 8

// numbers appends the element's values to out; it returns nil when one of them is no finite number.
func (e *Element) numbers(out []float64) []float64 {
	if e == nil || len(e.Value) == 0 {
		return nil
	}
	if t := traitOf(e.VR); t.width > 0 {
		return binaryNumbers(out, e.Value, t, encoding{bigEndian: e.BigEndian}.order())
	}
	for rest, more := e.Value, true; more; {
		part := rest
		if end := bytes.IndexByte(rest, '\\'); end >= 0 {
			part, rest = rest[:end], rest[end+1:]
		} else {
			more = false
			if len(out) > 0 && len(trimBytes(part)) == 0 {
				break // some end the list as they separate it: 0.3\0.3\
			}
		}
		f, ok := number(part)
		if !ok {
			return nil
		}
		out = append(out, f)
	}
	return out
}

// number reads one value of a DS or IS (PS3.5 6.2) with what pads it; false when it is no finite number.
func number(b []byte) (float64, bool) {
	b = bytes.TrimSpace(trimBytes(b))
	if f, ok := shortNumber(b); ok {
		return f, true
	}
	text := string(b)
	if bytes.Count(b, []byte{','}) == 1 && !bytes.Contains(b, []byte{'.'}) {
		text = strings.Replace(text, ",", ".", 1) // programs that write as their country does
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// shortNumber reads a number of at most 15 digits without an exponent, which is nearly every one. Digits and power of ten are
// exact in a float64, so that their quotient is the nearest one, as ParseFloat has it (W. D. Clinger, "How to read floating
// point numbers accurately", 1990).
func shortNumber(b []byte) (float64, bool) {
	const most = 15
	digits, fraction, point := 0, 0, false
	negative := len(b) > 0 && b[0] == '-'
	if negative || len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	var n int64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' && digits < most:
			n = 10*n + int64(c-'0')
			digits++
			if point {
				fraction++
			}
		case c == '.' && !point:
			point = true
		default:
			return 0, false
		}
	}
	f := float64(n) / powers[fraction]
	if negative {
		f = -f
	}
	return f, digits > 0
}

// powers are those of ten, each exact.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// binaryNumbers appends the numbers of a binary VR (PS3.5 table 6.2-1); it returns nil when one of them is not finite.
func binaryNumbers(out []float64, b []byte, t *trait, order binary.ByteOrder) []float64 {
	for ; len(b) >= t.width; b = b[t.width:] {
		var f float64
		switch t.vr {
		case VRFloat32, "OF":
			f = float64(math.Float32frombits(order.Uint32(b)))
		case VRFloat64, "OD":
			f = math.Float64frombits(order.Uint64(b))
		case VRInt16:
			f = float64(int16(order.Uint16(b)))
		case VRInt32:
			f = float64(int32(order.Uint32(b)))
		case VRInt64:
			f = float64(int64(order.Uint64(b)))
		case VRUint32, "OL":
			f = float64(order.Uint32(b))
		case VRUint64, "OV":
			f = float64(order.Uint64(b))
		default:
			f = float64(order.Uint16(b))
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
		out = append(out, f)
	}
	return out
}
