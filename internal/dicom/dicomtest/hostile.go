package dicomtest

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// Hostile is an object made to harm whoever reads it, and what a reader has to say of it.
type Hostile struct {
	Name    string
	Verdict string // the code of a warning that must be given, about the header or the frames; "": none of them has to be

	// Open makes the object and returns it with its size in bytes.
	Open func() (io.ReaderAt, int64)
}

// Hostiles returns one object for each known way to harm a reader of DICOM headers: lengths, depth, deflated bombs, numbers of
// items, elements and fragments, claims of size, text that is dear to decode, and files that are two things at once. Large ones
// are made while they are read and take no memory.
func Hostiles() []Hostile {
	return slices.Concat(lengths(), numbers(), bombs(), twofold(), worse())
}

// whole is an object that lies in memory.
func whole(name, verdict string, b []byte) Hostile {
	return Hostile{name, verdict, func() (io.ReaderAt, int64) { return bytes.NewReader(b), int64(len(b)) }}
}

// in returns an object of a patient whose data set goes on with what write writes.
func in(syntax string, write func(*Encoder)) []byte {
	e := NewEncoder(syntax)
	e.Text(0x00080018, "UI", "2.25.66")
	e.Text(0x00100020, "LO", "HOSTILE")
	write(e)
	return File(syntax, CTClass, "2.25.66", e.Bytes())
}

// repeated is an object whose data set goes on with n times the unit, then with the tail.
func repeated(name, verdict, syntax string, begin, unit, tail func(*Encoder), n int64) Hostile {
	bytesOf := func(write func(*Encoder)) []byte {
		e := NewEncoder(syntax)
		if write != nil {
			write(e)
		}
		return e.Bytes()
	}
	r := &repeatReader{head: in(syntax, begin), unit: bytesOf(unit), tail: bytesOf(tail), n: n}
	return Hostile{name, verdict, func() (io.ReaderAt, int64) { return r, r.size() }}
}

func nothing(*Encoder) {}

func lengths() []Hostile {
	return []Hostile{
		whole("a value of 4 GB in a small file", "truncated", in(ExplicitLE, func(e *Encoder) { e.Head(0x00091001, "UN", 0xFFFFFFF0) })),
		whole("an implicit value of 4 GB", "truncated", in(ImplicitLE, func(e *Encoder) { e.Head(0x00101000, "LO", 0xFFFFFFF0) })),
		whole("a value longer than its item", "bad-length", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", 20)
			e.Item(12)
			e.Head(0x00400007, "UT", 0x7FFFFFFF)
			e.Text(0x00400280, "ST", "what follows")
		})),
		whole("an item longer than its sequence", "bad-length", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", 8)
			e.Item(0xFFFFFFF0)
			e.Text(0x00400280, "ST", "what follows")
		})),
		whole("a sequence of 4 GB", "truncated", in(ExplicitLE, func(e *Encoder) {
			e.Head(0x00400275, "SQ", 0xFFFFFFF0)
			e.Item(0xFFFFFFF0)
		})),
		whole("pixel data of 4 GB", "truncated", in(ExplicitLE, func(e *Encoder) { e.Head(0x7FE00010, "OW", 0xFFFFFFF0) })),
		whole("a group length of 4 GB", "meta-length", func() []byte {
			b := in(ExplicitLE, nothing)
			binary.LittleEndian.PutUint32(b[140:], 0xFFFFFFF0)
			return b
		}()),
		framed("a fragment of 4 GB", "truncated", 1, nil, func(e *Encoder) { e.Item(0xFFFFFFF0) }),
		framed("an offset table of 4 GB", "truncated", 1, func(e *Encoder) { e.Item(0xFFFFFFF0) }, nothing),
		framed("offsets beyond everything", "offset-table", 2, func(e *Encoder) { e.Item(8); e.u32(0); e.u32(0xFFFFFFFE) }, func(e *Encoder) {
			for range 2 {
				e.Item(2)
				e.u16(1)
			}
			e.Delimit(0xFFFEE0DD)
		}),
	}
}

// framed is an object with encapsulated pixel data; table and fragments write its items.
func framed(name, verdict string, frames int, table, fragments func(*Encoder)) Hostile {
	if table == nil {
		table = func(e *Encoder) { e.Item(0) }
	}
	return whole(name, verdict, in(JPEG, func(e *Encoder) {
		e.IS(0x00280008, frames)
		e.Head(0x7FE00010, "OB", Undefined)
		table(e)
		fragments(e)
	}))
}

func numbers() []Hostile {
	sequence := func(e *Encoder) { e.Head(0x00400275, "SQ", Undefined) }
	open := func(e *Encoder) { sequence(e); e.Item(Undefined) }
	return []Hostile{
		repeated("5 million nested sequences", "too-deep", ExplicitLE, nothing, open, nil, 5_000_000),
		repeated("5 million nested sequences, implicit", "too-deep", ImplicitLE, nothing, open, nil, 5_000_000),
		repeated("5 million nested sequences under UN", "too-deep", ExplicitLE, func(e *Encoder) { e.Head(0x00091001, "UN", Undefined) }, func(e *Encoder) {
			e.Implicit = true
			open(e)
		}, nil, 5_000_000),
		repeated("10 million empty items", "budget", ExplicitLE, sequence, func(e *Encoder) { e.Item(0) }, nil, 10_000_000),
		repeated("5 million empty items of undefined length", "budget", ImplicitLE, sequence, func(e *Encoder) { e.Item(Undefined); e.Delimit(0xFFFEE00D) }, nil, 5_000_000),
		repeated("3 million items of one element", "budget", ExplicitLE, sequence, func(e *Encoder) { e.Item(10); e.US(0x00280010, 1) }, nil, 3_000_000),
		repeated("10 million empty elements", "budget", ExplicitLE, nothing, func(e *Encoder) { e.Head(0x00101000, "LO", 0) }, nil, 10_000_000),
		repeated("10 million stray delimiters", "budget", ExplicitLE, nothing, func(e *Encoder) { e.Delimit(0xFFFEE00D) }, nil, 10_000_000),
		repeated("4,000 values of 60 KB", "budget", ExplicitLE, nothing, func(e *Encoder) { e.Raw(0x00091001, "OB", make([]byte, 60<<10)) }, nil, 4000),
		repeated("values of 2 MB, read past", "order", ExplicitLE, nothing, func(e *Encoder) { e.Raw(0x00091001, "OB", make([]byte, 2<<20)) }, nil, 900),
		repeated("250 texts of 60 KB in Japanese", "order", ExplicitLE, func(e *Encoder) { e.Text(0x00080005, "CS", "", "ISO 2022 IR 87") }, func(e *Encoder) {
			e.Raw(0x00104000, "LT", bytes.Repeat([]byte("\x1b$B;3\x1b(B"), 7500))
		}, nil, 250),
		repeated("250 texts of 60 KB that no set explains", "charset", ExplicitLE, nothing, func(e *Encoder) {
			e.Raw(0x00104000, "LT", bytes.Repeat([]byte("\xff\xfe\xb0\xa1"), 15000))
		}, nil, 250),
		repeated("10 million empty fragments", "budget", JPEG, func(e *Encoder) {
			e.IS(0x00280008, 10_000_000)
			e.Head(0x7FE00010, "OB", Undefined)
			e.Item(0)
		}, func(e *Encoder) { e.Item(0) }, nil, 10_000_000),
	}
}

func bombs() []Hostile {
	deflated := func(name, verdict string, write func(*Encoder)) Hostile {
		return Hostile{name, verdict, func() (io.ReaderAt, int64) {
			e := &Encoder{}
			e.Text(0x00100020, "LO", "HOSTILE")
			write(e)
			b := File(Deflated, CTClass, "2.25.66", e.Bytes())
			return bytes.NewReader(b), int64(len(b))
		}}
	}
	return []Hostile{
		deflated("3 million nested sequences, deflated", "too-deep", func(e *Encoder) {
			for range 3_000_000 {
				e.Head(0x00400275, "SQ", Undefined)
				e.Item(Undefined)
			}
		}),
		deflated("280 MB of zeros, deflated", "budget", func(e *Encoder) {
			for range 2 {
				e.Raw(0x00411001, "OB", make([]byte, 140<<20))
			}
		}),
		deflated("100 MB of pixels that claim 4 GB, deflated", "truncated", func(e *Encoder) {
			e.Head(0x7FE00010, "OW", 0xFFFFFFF0)
			e.Write(make([]byte, 100<<20))
		}),
		deflated("3 million empty items, deflated", "budget", func(e *Encoder) {
			e.Head(0x00400275, "SQ", Undefined)
			for range 3_000_000 {
				e.Item(0)
			}
		}),
	}
}

func twofold() []Hostile {
	enormous := CT(CTOptions{Frames: 9, Tamper: func(b []byte) []byte {
		b = bytes.Replace(b, []byte("IS\x02\x009 "), []byte("IS\x0a\x002147483647"), 1)
		b = bytes.Replace(b, []byte("\x28\x00\x10\x00US\x02\x00\x10\x00"), []byte("\x28\x00\x10\x00US\x02\x00\xFF\xFF"), 1)
		return bytes.Replace(b, []byte("\x28\x00\x11\x00US\x02\x00\x10\x00"), []byte("\x28\x00\x11\x00US\x02\x00\xFF\xFF"), 1)
	}})
	preamble := func(magic string) []byte {
		b := CT(CTOptions{})
		copy(b, magic)
		return b
	}
	zip := ZIP(true, Named{"setup.exe", []byte("MZ")})
	return []Hostile{
		whole("65535 × 65535 pixels × 2³¹ frames", "pixel-size", enormous),
		whole("an executable for Windows in the preamble", "polyglot-preamble", preamble("MZ\x90\x00\x03")),
		whole("an executable for Linux in the preamble", "polyglot-preamble", preamble("\x7fELF\x02\x01\x01")),
		whole("a ZIP around the image", "polyglot-preamble", append(preamble("PK\x03\x04"), zip...)),
		whole("a page in the preamble", "polyglot-preamble", preamble("<html><script>")),
		whole("a TIFF in the preamble", "polyglot-preamble", preamble("II*\x00\x08")),
	}
}

// repeatReader is head, n times unit, and tail, made while it is read.
type repeatReader struct {
	head, unit, tail []byte
	n                int64
}

func (r *repeatReader) size() int64 {
	return int64(len(r.head)) + r.n*int64(len(r.unit)) + int64(len(r.tail))
}

// ReadAt implements io.ReaderAt.
func (r *repeatReader) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for done < len(p) {
		at := offset + int64(done)
		middle, end := int64(len(r.head)), int64(len(r.head))+r.n*int64(len(r.unit))
		switch {
		case at < middle:
			done += copy(p[done:], r.head[at:])
		case at < end:
			done += copy(p[done:min(int64(len(p)), int64(done)+end-at)], r.unit[(at-middle)%int64(len(r.unit)):])
		case at < end+int64(len(r.tail)):
			done += copy(p[done:], r.tail[at-end:])
		default:
			return done, io.EOF
		}
	}
	return done, nil
}
