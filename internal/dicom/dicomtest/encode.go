// Package dicomtest makes DICOM objects and ZIPs for tests: by the book, and on purpose against it. Everything follows
// from the arguments; the same call gives the same bytes.
package dicomtest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Transfer syntax UIDs (PS3.5 annex A).
const (
	ImplicitLE = "1.2.840.10008.1.2"
	ExplicitLE = "1.2.840.10008.1.2.1"
	Deflated   = "1.2.840.10008.1.2.1.99"
	ExplicitBE = "1.2.840.10008.1.2.2"
	JPEG       = "1.2.840.10008.1.2.4.50"
)

// Encoder writes elements one after the other (PS3.5 7.1).
type Encoder struct {
	bytes.Buffer
	Implicit  bool
	BigEndian bool
}

// NewEncoder returns an encoder for a transfer syntax; deflating is File's business.
func NewEncoder(syntax string) *Encoder {
	return &Encoder{Implicit: syntax == ImplicitLE, BigEndian: syntax == ExplicitBE}
}

func (e *Encoder) order() binary.AppendByteOrder {
	if e.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (e *Encoder) u16(v uint16) { e.Write(e.order().AppendUint16(nil, v)) }
func (e *Encoder) u32(v uint32) { e.Write(e.order().AppendUint32(nil, v)) }

// Tag writes a bare tag.
func (e *Encoder) Tag(tag uint32) { e.u16(uint16(tag >> 16)); e.u16(uint16(tag)) }

// Head writes tag, VR and length, whatever they are.
func (e *Encoder) Head(tag uint32, vr string, length uint32) {
	e.Tag(tag)
	switch {
	case e.Implicit:
		e.u32(length)
	case strings.Contains("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr):
		e.WriteString(vr)
		e.u16(0)
		e.u32(length)
	default:
		e.WriteString(vr)
		e.u16(uint16(length))
	}
}

// Raw writes an element with these bytes, padded to even length.
func (e *Encoder) Raw(tag uint32, vr string, value []byte) {
	if len(value)%2 == 1 {
		pad := byte(' ')
		if vr == "UI" || vr == "OB" || vr == "UN" {
			pad = 0
		}
		value = append(bytes.Clone(value), pad)
	}
	e.Head(tag, vr, uint32(len(value)))
	e.Write(value)
}

// Text writes a string element; several values are joined with backslashes.
func (e *Encoder) Text(tag uint32, vr string, values ...string) {
	e.Raw(tag, vr, []byte(strings.Join(values, `\`)))
}

// US writes unsigned 16-bit numbers.
func (e *Encoder) US(tag uint32, values ...uint16) {
	var b []byte
	for _, v := range values {
		b = e.order().AppendUint16(b, v)
	}
	e.Raw(tag, "US", b)
}

// UV writes unsigned 64-bit numbers.
func (e *Encoder) UV(tag uint32, values ...uint64) {
	var b []byte
	for _, v := range values {
		b = e.order().AppendUint64(b, v)
	}
	e.Raw(tag, "UV", b)
}

// Words writes 32-bit words under any representation.
func (e *Encoder) Words(tag uint32, vr string, values ...uint32) {
	var b []byte
	for _, v := range values {
		b = e.order().AppendUint32(b, v)
	}
	e.Raw(tag, vr, b)
}

// FL writes 32-bit floats.
func (e *Encoder) FL(tag uint32, values ...float32) {
	var b []byte
	for _, v := range values {
		b = e.order().AppendUint32(b, math.Float32bits(v))
	}
	e.Raw(tag, "FL", b)
}

// FD writes 64-bit floats.
func (e *Encoder) FD(tag uint32, values ...float64) {
	var b []byte
	for _, v := range values {
		b = e.order().AppendUint64(b, math.Float64bits(v))
	}
	e.Raw(tag, "FD", b)
}

// DS writes decimal strings.
func (e *Encoder) DS(tag uint32, values ...float64) {
	var parts []string
	for _, v := range values {
		parts = append(parts, strconv.FormatFloat(v, 'g', 12, 64))
	}
	e.Text(tag, "DS", parts...)
}

// IS writes an integer string.
func (e *Encoder) IS(tag uint32, v int) { e.Text(tag, "IS", strconv.Itoa(v)) }

// Undefined is the length of what ends at a delimiter.
const Undefined = 0xFFFFFFFF

// Sequence writes a sequence with one item for each function, of defined or undefined length.
func (e *Encoder) Sequence(tag uint32, undefined bool, items ...func(*Encoder)) {
	inner := &Encoder{Implicit: e.Implicit, BigEndian: e.BigEndian}
	for _, item := range items {
		body := &Encoder{Implicit: e.Implicit, BigEndian: e.BigEndian}
		item(body)
		if undefined {
			inner.Item(Undefined)
			inner.Write(body.Bytes())
			inner.Delimit(0xFFFEE00D)
		} else {
			inner.Item(uint32(body.Len()))
			inner.Write(body.Bytes())
		}
	}
	if undefined {
		e.Head(tag, "SQ", Undefined)
		e.Write(inner.Bytes())
		e.Delimit(0xFFFEE0DD)
		return
	}
	e.Head(tag, "SQ", uint32(inner.Len()))
	e.Write(inner.Bytes())
}

// Item writes the head of an item.
func (e *Encoder) Item(length uint32) { e.Tag(0xFFFEE000); e.u32(length) }

// Delimit writes a delimiter.
func (e *Encoder) Delimit(tag uint32) { e.Tag(tag); e.u32(0) }

// Meta returns preamble, DICM and file meta information (PS3.10 7.1) for a transfer syntax; "" leaves (0002,0010) out.
func Meta(syntax, sopClass, sopInstance string) []byte {
	body := &Encoder{}
	body.Raw(0x00020001, "OB", []byte{0, 1})
	body.Text(0x00020002, "UI", sopClass)
	body.Text(0x00020003, "UI", sopInstance)
	if syntax != "" {
		body.Text(0x00020010, "UI", syntax)
	}
	body.Text(0x00020012, "UI", "2.25.1")
	file := &Encoder{}
	file.Write(make([]byte, 128))
	file.WriteString("DICM")
	file.Raw(0x00020000, "UL", binary.LittleEndian.AppendUint32(nil, uint32(body.Len())))
	file.Write(body.Bytes())
	return file.Bytes()
}

// File joins meta information and data set; for the Deflated syntax the data set is deflated (PS3.5 A.5).
func File(syntax, sopClass, sopInstance string, dataSet []byte) []byte {
	if syntax == Deflated {
		dataSet = Deflate(dataSet)
	}
	return append(Meta(syntax, sopClass, sopInstance), dataSet...)
}

// Deflate compresses to a raw stream (RFC 1951).
func Deflate(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression)
	w.Write(b)
	w.Close()
	return out.Bytes()
}
