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
	if e == nil || len(e.Value) == 0 {
		return ""
	}
	if t := traitOf(e.VR); t.text && (!t.charset || plainASCII(e.Value)) {
		first := e.Value
		if !t.single {
			first, _, _ = bytes.Cut(first, []byte{'\\'})
		}
		return string(trimBytes(first))
	}
	if values := e.strings(&h.names); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Strings returns all values of a top-level element as text, nil when there is none.
func (h *Header) Strings(tag Tag) []string { return h.Find(tag).strings(&h.names) }

// Int returns the first value of a top-level element as an integer; false when there is none or it is no number.
func (h *Header) Int(tag Tag) (int, bool) { return h.Find(tag).Int() }

// Float returns the first value of a top-level element as a number; false when there is none or it is no number.
func (h *Header) Float(tag Tag) (float64, bool) {
	if values := h.Floats(tag); len(values) > 0 {
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
func (t trait) numberLength() int {
	if t.vr == VRAttributeTag {
		return 4
	}
	return t.width
}

// appendNumber appends the first number of b, of a binary VR (PS3.5 table 6.2-1), in digits; a tag as eight hex digits. No
// integer loses digits, and a float is written as short as it can be read back.
func appendNumber(out, b []byte, t trait, order binary.ByteOrder) []byte {
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
func trimBytes(b []byte) []byte { return bytes.TrimLeft(bytes.TrimRight(b, " \x00"), " ") }

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
	values := e.Floats()
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
	if t := traitOf(e.VR); t.width > 0 {
		return binaryFloats(e.Value, t, encoding{bigEndian: e.BigEndian}.order())
	}
	out := make([]float64, 0, 1+bytes.Count(e.Value, []byte{'\\'}))
	for part := range bytes.SplitSeq(e.Value, []byte{'\\'}) {
		f, err := strconv.ParseFloat(string(bytes.TrimSpace(trimBytes(part))), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
		out = append(out, f)
	}
	return out
}

// binaryFloats reads the numbers of a binary VR (PS3.5 table 6.2-1).
func binaryFloats(b []byte, t trait, order binary.ByteOrder) []float64 {
	out := make([]float64, 0, len(b)/t.width)
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
