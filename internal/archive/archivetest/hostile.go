// Package archivetest makes ZIP files for tests: hostile ones of every class, and odd ones that are honest. Everything
// follows from the arguments; nothing here is a harmful file in itself. For tests only.
package archivetest

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// File is one entry to pack.
type File struct {
	Name  string
	Body  []byte
	Store bool // not compressed
}

// Pack returns an ordinary ZIP, as the standard library writes it: with data descriptors (APPNOTE 4.3.9).
func Pack(files ...File) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		method := zip.Deflate
		if f.Store {
			method = zip.Store
		}
		e := must(w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method}))
		must(e.Write(f.Body))
	}
	must(0, w.Close())
	return b.Bytes()
}

// Many returns a ZIP of n empty entries; above 65,535 it is Zip64 (APPNOTE 4.3.14).
func Many(n int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		must(w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("IM%06d", i), Method: zip.Store}))
	}
	must(0, w.Close())
	return b.Bytes()
}

// kernel is size zero bytes, deflated: about a thousandth.
func kernel(size int) []byte {
	var b bytes.Buffer
	w := must(flate.NewWriter(&b, flate.BestCompression))
	must(w.Write(make([]byte, size)))
	must(0, w.Close())
	return b.Bytes()
}

// Overlapping returns a ZIP of n entries that share the bytes of one, of size bytes inflated (David Fifield, "A better
// zip bomb", full overlap).
func Overlapping(n, size int) []byte {
	data, sum := kernel(size), crc32.ChecksumIEEE(make([]byte, size))
	local := header(localSignature, "0", sum, len(data), size, 0)
	b := append(bytes.Clone(local), data...)
	var items [][]byte
	for range n { // one name for all: only the directory repeats
		items = append(items, header(itemSignature, "0", sum, len(data), size, 0))
	}
	return finish(b, items)
}

// Quoted returns a ZIP of n entries in which each quotes the header of the next in a stored block and goes on with the
// bytes of that one (the same paper, quoted overlap): every name, size and checksum is right, and all share one kernel.
func Quoted(n, size int) []byte {
	bodies := make([][]byte, n) // compressed, from the last to the first
	sizes, sums, locals := make([]int, n), make([]uint32, n), make([][]byte, n)
	inflated := make([]byte, size)
	for i := n - 1; i >= 0; i-- {
		if i == n-1 {
			bodies[i] = kernel(size)
		} else {
			next := locals[i+1]
			block := binary.LittleEndian.AppendUint16([]byte{0}, uint16(len(next))) // RFC 1951 3.2.4: stored, not the last
			block = binary.LittleEndian.AppendUint16(block, ^uint16(len(next)))
			bodies[i] = append(append(block, next...), bodies[i+1]...)
			inflated = append(bytes.Clone(next), inflated...)
		}
		sizes[i], sums[i] = len(inflated), crc32.ChecksumIEEE(inflated)
		locals[i] = header(localSignature, fmt.Sprintf("%04d", i), sums[i], len(bodies[i]), sizes[i], 0)
	}
	b := append(bytes.Clone(locals[0]), bodies[0]...)
	var items [][]byte
	end := len(b)
	for i := range n {
		at := end - len(bodies[i]) - len(locals[i])
		items = append(items, header(itemSignature, fmt.Sprintf("%04d", i), sums[i], len(bodies[i]), sizes[i], at))
	}
	return finish(b, items)
}

// Nested returns a ZIP of width ZIPs of width ZIPs …, levels deep, with size zero bytes at the bottom of each.
func Nested(levels, width, size int) []byte {
	b := Pack(File{Name: "0", Body: make([]byte, size)})
	for range levels {
		var files []File
		for i := range width {
			files = append(files, File{Name: fmt.Sprintf("lib %x.zip", i), Body: b})
		}
		b = Pack(files...)
	}
	return b
}

// Sizes returns a ZIP whose only entry claims size bytes out of the few it has; local tells whether its own header says
// the same.
func Sizes(size uint32, local bool) []byte {
	data := kernel(1 << 10)
	own := 1 << 10
	if local {
		own = int(size)
	}
	b := append(header(localSignature, "0", 7, len(data), own, 0), data...)
	return finish(b, [][]byte{header(itemSignature, "0", 7, len(data), int(size), 0)})
}

// Renamed returns a ZIP whose first entry's own header names another file than the list of contents.
func Renamed(files ...File) []byte {
	b := Pack(files...)
	b[30]++ // the first letter of the first name
	return b
}

// Encrypted returns a ZIP all of whose entries are marked as protected by a password (APPNOTE 4.4.4, bit 0).
func Encrypted(files ...File) []byte {
	b := Pack(files...)
	for signature, at := range map[string]int{localSignature: 6, itemSignature: 8} {
		for i := 0; ; i++ {
			n := bytes.Index(b[i:], []byte(signature))
			if n < 0 {
				break
			}
			i += n
			b[i+at] |= 1
		}
	}
	return b
}

const (
	localSignature = "PK\x03\x04"
	itemSignature  = "PK\x01\x02"
)

// header returns a local header (APPNOTE 4.3.7) or an item of the directory (4.3.12) of a deflated entry.
func header(signature, name string, sum uint32, compressed, size, offset int) []byte {
	h := make([]byte, 30)
	at := 4
	if signature == itemSignature {
		h, at = make([]byte, 46), 6
		binary.LittleEndian.PutUint32(h[42:], uint32(offset))
	}
	copy(h, signature)
	h[at] = 20
	binary.LittleEndian.PutUint16(h[at+4:], zip.Deflate)
	binary.LittleEndian.PutUint32(h[at+10:], sum)
	binary.LittleEndian.PutUint32(h[at+14:], uint32(compressed))
	binary.LittleEndian.PutUint32(h[at+18:], uint32(size))
	binary.LittleEndian.PutUint16(h[at+22:], uint16(len(name)))
	return append(h, name...)
}

// finish adds the directory and the end record (APPNOTE 4.3.16).
func finish(b []byte, items [][]byte) []byte {
	start := len(b)
	for _, item := range items {
		b = append(b, item...)
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(len(items)))
	binary.LittleEndian.PutUint16(end[10:], uint16(len(items)))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(b)-start))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	return append(b, end...)
}

// must is for writers into memory, which do not fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic("archivetest: " + err.Error())
	}
	return value
}
