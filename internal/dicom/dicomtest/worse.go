package dicomtest

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// worse are objects that lie in more than one way at once, and those that the field's software breaks on though nobody meant
// harm. The verdict is "" where nothing is wrong that a reader has to mention.
func worse() []Hostile {
	return append(append(unclosed(), misplaced()...), misnamed()...)
}

func unclosed() []Hostile {
	return []Hostile{
		repeated("a sequence never closed, of 400,000 items", "budget", ExplicitLE, func(e *Encoder) { e.Head(0x00400275, "SQ", Undefined) }, func(e *Encoder) {
			e.Item(Undefined)
			e.US(0x00280010, 1)
			e.Delimit(0xFFFEE00D)
		}, nil, 400_000),
		whole("a sequence never closed, of two items", "truncated", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", Undefined)
			for range 2 {
				e.Item(Undefined)
				e.Text(0x00400007, "LO", "step")
			}
		})),
		whole("UN of undefined length, 40 deep", "too-deep", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00091001, "UN", Undefined)
			e.Implicit = true
			for range 40 {
				e.Item(Undefined)
				e.Head(0x00091001, "UN", Undefined)
			}
		})),
		whole("UN of undefined length in one of defined length", "bad-length", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", 20)
			e.Item(12)
			e.Head(0x00091001, "UN", Undefined)
			e.Item(0x7FFFFFFE)
			e.Delimit(0xFFFEE0DD)
		})),
		whole("a text of undefined length", "bad-length", in(ImplicitLE, func(e *Encoder) {
			e.Head(0x00104000, "LT", Undefined)
			e.WriteString("no item follows, and no delimiter either")
		})),
		whole("an item of one byte less than 4 GB", "truncated", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", Undefined)
			e.Item(0xFFFFFFFE)
			e.Text(0x00400007, "LO", "step")
		})),
		whole("65535 bytes of two", "truncated", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00280010, "US", 0xFFFF)
			e.Write([]byte{1, 2})
		})),
		whole("32-bit lengths in representations of 16", "bad-vr", in(ExplicitLE, func(e *Encoder) {
			e.Tag(0x00200013)
			e.WriteString("Is\x00\x00")
			e.u32(0xFFFFFFF0)
			e.WriteString("7 ")
		})),
		whole("odd lengths", "", in(ExplicitLE, func(e *Encoder) {
			for tag, text := range []string{"a", "bcd", "efghi"} {
				e.Head(0x00181000+uint32(tag), "LO", uint32(len(text)))
				e.WriteString(text)
			}
			e.US(0x00280010, 7)
		})),
		whole("nothing behind the meta information", "no-identity", in(ExplicitLE, nothing)[:len(Meta(ExplicitLE, CTClass, "2.25.66"))]),
	}
}

func misplaced() []Hostile {
	frames := func(e *Encoder, n string) {
		e.Text(0x00280008, "IS", n)
		e.US(0x00280010, 512)
		e.US(0x00280011, 512)
		e.US(0x00280100, 16)
		e.Raw(0x7FE00010, "OW", make([]byte, 64))
	}
	ordinary := CT(CTOptions{Instance: "2.25.66", PatientID: "HOSTILE"})
	meta := len(Meta(ExplicitLE, CTClass, "2.25.66"))
	coded := func(declared, written string) []byte {
		b := CT(CTOptions{Encoder: NewEncoder(written), Instance: "2.25.66", PatientID: "HOSTILE"})
		return append(Meta(declared, CTClass, "2.25.66"), b[meta:]...)
	}
	short := bytes.Clone(ordinary)
	binary.LittleEndian.PutUint32(short[140:], 4)
	return []Hostile{
		whole("pixel data before rows and columns", "order", in(ExplicitLE, func(e *Encoder) {
			e.Raw(0x7FE00010, "OW", make([]byte, 512))
			e.US(0x00280010, 16)
			e.US(0x00280011, 16)
		})),
		whole("every element twice", "order", in(ExplicitLE, func(e *Encoder) {
			e.Text(0x00080018, "UI", "2.25.67")
			e.Text(0x00100020, "LO", "ANOTHER")
		})),
		whole("group lengths of 4 GB", "", in(ExplicitLE, func(e *Encoder) {
			for _, tag := range []uint32{0x00180000, 0x00200000, 0x00280000} {
				e.Raw(tag, "UL", []byte{0xFF, 0xFF, 0xFF, 0xFF})
			}
		})),
		whole("one block of two manufacturers", "order", in(ExplicitLE, func(e *Encoder) {
			e.Text(0x00290010, "LO", "SIEMENS CSA HEADER")
			e.Text(0x00290010, "LO", "SIEMENS MEDCOM HEADER")
			e.Raw(0x00291008, "OB", []byte("IMAGE NUM 4 "))
		})),
		whole("frames: minus one", "bad-value", in(ExplicitLE, func(e *Encoder) { frames(e, "-1") })),
		whole("frames: 99999999999", "pixel-size", in(ExplicitLE, func(e *Encoder) { frames(e, "99999999999") })),
		whole("big endian where little was announced", "other-encoding", coded(ExplicitLE, ExplicitBE)),
		whole("implicit where explicit was announced", "other-encoding", coded(ExplicitLE, ImplicitLE)),
		whole("explicit where implicit was announced", "other-encoding", coded(ImplicitLE, ExplicitLE)),
		whole("plain where deflated was announced", "other-encoding", coded(Deflated, ExplicitLE)),
		whole("no preamble", "no-preamble", ordinary[128:]),
		whole("no preamble and no meta information", "no-meta", ordinary[meta:]),
		whole("meta information that is empty", "no-meta", append(bytes.Clone(ordinary[:132]), ordinary[meta:]...)),
		whole("meta information longer than it says", "meta-length", short),
		whole("a deflated data set and rubbish behind it", "", append(CT(CTOptions{Syntax: Deflated, Instance: "2.25.66", PatientID: "HOSTILE"}), bytes.Repeat([]byte("rubbish!"), 500)...)),
		whole("a deflated data set cut off", "truncated", func() []byte {
			b := CT(CTOptions{Syntax: Deflated, Rows: 64, Noise: 5, Instance: "2.25.66", PatientID: "HOSTILE"})
			return b[:len(b)-2000]
		}()),
		framed("offsets that go backwards", "offset-table", 3, func(e *Encoder) {
			e.Item(12)
			for _, offset := range []uint32{0, 20, 10} {
				e.u32(offset)
			}
		}, threeFragments),
		framed("offsets of frames that lie over each other", "offset-table", 3, func(e *Encoder) {
			e.Item(12)
			for range 3 {
				e.u32(0)
			}
		}, threeFragments),
		whole("an extended offset table beyond 2^63", "offset-table", in(JPEG, func(e *Encoder) {
			e.IS(0x00280008, 3)
			offsets := bytes.Repeat([]byte{0xFF}, 24)
			e.Raw(0x7FE00001, "OV", offsets)
			e.Raw(0x7FE00002, "OV", offsets)
			e.Head(0x7FE00010, "OB", Undefined)
			e.Item(0)
			threeFragments(e)
		})),
	}
}

// threeFragments closes pixel data of three fragments of two bytes.
func threeFragments(e *Encoder) {
	for range 3 {
		e.Item(2)
		e.u16(1)
	}
	e.Delimit(0xFFFEE0DD)
}

func misnamed() []Hostile {
	name := func(charset string, value []byte) []byte {
		o := CTOptions{Instance: "2.25.66", PatientID: "HOSTILE", Patient: value}
		if charset != "" {
			o.Charset = strings.Split(charset, `\`)
		}
		return CT(o)
	}
	return []Hostile{
		whole("a name of 64 KB", "", name("ISO_IR 192", bytes.Repeat([]byte("Kim^"), 16_383))),
		whole("a name of 64 KB and nothing but separators", "", name("", bytes.Repeat([]byte("^="), 32_700))),
		whole("a broken escape in the middle of a name", "charset", name(`\ISO 2022 IR 149`, []byte("Hong\x1b$)C\xc8\xab\x1b$^\xb1\xe6\x1b"))),
		whole("an escape to a set that was not named", "charset", name(`\ISO 2022 IR 87`, []byte("Yamada\x1b$)A\xcd\xf5\x1b(Z^\x1b$B;3"))),
		whole("half a character at the end", "charset", name("GB18030", []byte("Wang^\xcd\xf5\x81\x30\x81"))),
		whole("UTF-8 that is none", "charset", name("ISO_IR 192", []byte("Kim\xed\xa0\x80^\xf4\x90\x80\x80\xc0\xaf"))),
		whole("twenty character sets nobody knows", "charset", name(strings.Repeat(`ISO_IR 999\`, 20)+"ISO_IR 998", []byte("M\xfcller"))),
	}
}
