package archivetest

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
)

// Layout is how the headers of entries say where those end (APPNOTE 4.3.7, 4.3.9).
type Layout int

// The layouts that the field writes.
const (
	Sized       Layout = iota // in the header
	Described                 // in a data descriptor with its signature: macOS, Java, Go
	Bare                      // in one without signature
	Described64               // in one with 64-bit sizes
	Bare64                    // in one with 64-bit sizes, without signature
	Twice                     // in the header and in a descriptor
)

// Layouts are all of them, by name.
var Layouts = map[string]Layout{"sized": Sized, "described": Described, "bare": Bare, "described 64": Described64, "bare 64": Bare64, "twice": Twice}

// Written returns a ZIP in the layout and where each entry begins; the last place is where the list of contents does.
func Written(layout Layout, files ...File) (b []byte, at []int) {
	var items [][]byte
	for _, f := range files {
		data, method := f.Body, zip.Store
		if !f.Store {
			var packed bytes.Buffer
			w := must(flate.NewWriter(&packed, flate.DefaultCompression))
			must(w.Write(f.Body))
			must(0, w.Close())
			data, method = packed.Bytes(), zip.Deflate
		}
		sum := crc32.ChecksumIEEE(f.Body)
		local := header(localSignature, f.Name, sum, len(data), len(f.Body), 0)
		item := header(itemSignature, f.Name, sum, len(data), len(f.Body), len(b))
		binary.LittleEndian.PutUint16(local[8:], method)
		binary.LittleEndian.PutUint16(item[10:], method)
		if layout != Sized {
			local[6], item[8] = 8, 8
			if layout != Twice {
				clear(local[14:26])
			}
		}
		at = append(at, len(b))
		b = append(append(b, local...), data...)
		b = append(b, descriptor(layout, sum, len(data), len(f.Body))...)
		items = append(items, item)
	}
	at = append(at, len(b))
	return finish(b, items), at
}

func descriptor(layout Layout, sum uint32, compressed, size int) []byte {
	var b []byte
	if layout == Sized {
		return nil
	}
	if layout != Bare && layout != Bare64 {
		b = append(b, "PK\x07\x08"...)
	}
	b = binary.LittleEndian.AppendUint32(b, sum)
	if layout == Described64 || layout == Bare64 {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, uint64(compressed)), uint64(size))
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, uint32(compressed)), uint32(size))
}

// Torn returns ZIPs without their end that are made to cost whoever walks through their entries: by name, each about size
// bytes.
func Torn(size int) map[string][]byte {
	endless := header(localSignature, "IM", 0, 0, 0, 0)
	endless[6] = 8
	endless = append(endless, 'x')
	beyond := header(localSignature, "IM", 1, 0x7FFFFFF0, 0x7FFFFFF0, 0)
	extra := header(localSignature, "I", 0, 0, 0, 0)
	extra[6] = 8
	binary.LittleEndian.PutUint16(extra[28:], 0xFFFF)
	wide := bytes.Clone(extra)
	binary.LittleEndian.PutUint16(wide[26:], 4096)
	bomb := header(localSignature, "bomb", 7, 100, 0xFFFFFFF0, 0)
	zeros := header(localSignature, "zeros", 7, size, 0, 0)
	binary.LittleEndian.PutUint32(zeros[22:], uint32(size)*1000)
	repeat := func(b []byte) []byte { return bytes.Repeat(b, size/len(b)+1) }
	return map[string][]byte{
		"headers without an end":                 repeat(endless),
		"headers without an end, far apart":      repeat(append(bytes.Clone(endless), make([]byte, size/1000)...)),
		"headers that reach beyond the file":     repeat(beyond),
		"headers with long extra fields":         append(bytes.Clone(endless), repeat(extra)...),
		"signatures and nothing else":            append(bytes.Clone(endless), repeat([]byte(localSignature))...),
		"headers with the longest names":         append(bytes.Clone(endless), repeat(wide)...),
		"PKPKPK":                                 append(bytes.Clone(endless), repeat([]byte("PK"))...),
		"4 GB out of 100 bytes, again and again": repeat(append(bomb, make([]byte, 100)...)),
		"empty entries":                          repeat(header(localSignature, "", 0, 0, 0, 0)[:30]),
		"named empty entries":                    repeat(header(localSignature, "I", 0, 0, 0, 0)),
		"a thousandfold":                         append(zeros, make([]byte, size)...),
		"descriptors of other lengths":           append(bytes.Clone(endless), repeat(descriptor(Described, 1, 77, 77))...),
		"one over all bytes":                     append(header(localSignature, "quoted", 1, size, size, 0), make([]byte, size)...),
	}
}
