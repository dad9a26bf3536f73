package archivetest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
)

// Odd is a ZIP whose parts contradict each other, and what a reader makes of it.
type Odd struct {
	Body   []byte
	Images int    // of those packed, how many are found
	Said   string // in what is told about it; "": nothing has to be
}

// Wide is how a Zip64 archive is written of things that need none (APPNOTE 4.3.14, 4.5.3), as streaming writers do.
type Wide struct {
	Sizes, Offset bool // of each entry, in the list of contents: all ones, and the number in the extra field
	All           bool // the extra field holds all three numbers, asked for or not
	Local         bool // sizes in the entry's own header likewise
	Descriptor    bool // sizes of 64 bits stand behind the data
	Signed        bool // with a signature before them
	Counts        bool // the end record holds the true numbers, beside those of the Zip64 one; else all ones
	Sector        int  // bytes of an extensible data sector in the Zip64 end record (APPNOTE 4.3.14.2)
	Prefix        int  // bytes in front of the archive, which no offset counts
}

// Zip64 packs files that are not compressed as w says.
func Zip64(w Wide, files ...File) []byte {
	var b, list []byte
	for _, f := range files {
		sum, size, at := crc32.ChecksumIEEE(f.Body), len(f.Body), len(b)
		local := header(localSignature, f.Name, sum, size, size, 0)
		item := header(itemSignature, f.Name, sum, size, size, at)
		for _, h := range []struct {
			of                    []byte
			method, sizes, length int // places in it
			wide, offset          bool
		}{{local, 8, 18, 28, w.Local, false}, {item, 10, 20, 30, w.Sizes, w.Offset}} {
			little := binary.LittleEndian
			little.PutUint16(h.of[h.method:], zip.Store)
			var field []byte
			if h.wide || w.All {
				field = little.AppendUint64(little.AppendUint64(field, uint64(size)), uint64(size))
			}
			if h.offset || w.All {
				field = little.AppendUint64(field, uint64(at))
			}
			if h.wide {
				copy(h.of[h.sizes:], bytes.Repeat([]byte{0xFF}, 8))
			}
			if h.offset {
				little.PutUint32(h.of[42:], 0xFFFFFFFF)
			}
			if w.Descriptor {
				h.of[h.method-2] |= 8
			}
			extra := append(little.AppendUint16([]byte{1, 0}, uint16(len(field))), field...)
			little.PutUint16(h.of[h.length:], uint16(len(extra)))
			if h.offset || h.method == 10 {
				item = append(item, extra...)
			} else {
				local = append(local, extra...)
			}
		}
		if w.Descriptor {
			clear(local[14:18]) // the checksum
			if !w.Local {
				clear(local[18:26])
			}
		}
		b = append(append(b, local...), f.Body...)
		if w.Descriptor {
			if w.Signed {
				b = append(b, "PK\x07\x08"...)
			}
			b = binary.LittleEndian.AppendUint32(b, sum)
			b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, uint64(size)), uint64(size))
		}
		list = append(list, item...)
	}
	start := len(b)
	b = append(b, list...)
	at := len(b)
	record := append([]byte("PK\x06\x06"), make([]byte, 52+w.Sector)...)
	for place, n := range map[int]int{4: 44 + w.Sector, 24: len(files), 32: len(files), 40: len(list), 48: start} {
		binary.LittleEndian.PutUint64(record[place:], uint64(n))
	}
	b = append(append(b, record...), "PK\x06\x07\x00\x00\x00\x00"...)
	b = append(binary.LittleEndian.AppendUint64(b, uint64(at)), 1, 0, 0, 0)
	end := append([]byte("PK\x05\x06\x00\x00\x00\x00"), bytes.Repeat([]byte{0xFF}, 12)...)
	if w.Counts {
		binary.LittleEndian.PutUint16(end[8:], uint16(len(files)))
		binary.LittleEndian.PutUint16(end[10:], uint16(len(files)))
		binary.LittleEndian.PutUint32(end[12:], uint32(len(list)))
		binary.LittleEndian.PutUint32(end[16:], uint32(start))
	}
	b = append(b, append(end, 0, 0)...)
	return append(bytes.Repeat([]byte{'x'}, w.Prefix), b...)
}

// Linked packs one file and, for each target, a symbolic link to it under the names link0, link1, ….
func Linked(file File, targets ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	e := must(w.Create(file.Name))
	must(e.Write(file.Body))
	for i, target := range targets {
		h := &zip.FileHeader{Name: fmt.Sprintf("link%d", i), Method: zip.Store}
		h.SetMode(fs.ModeSymlink | 0o777)
		must(must(w.CreateHeader(h)).Write([]byte(target)))
	}
	must(0, w.Close())
	return b.Bytes()
}

// Contradictory returns ZIPs that say different things in different places, by name. Each holds the images first and second.
func Contradictory(first, second File) map[string]Odd {
	honest := Pack(first, second)
	end := len(honest) - 22
	start := int(binary.LittleEndian.Uint32(honest[end+16:]))
	with := func(b []byte, change func(b []byte)) []byte {
		b = bytes.Clone(b)
		change(b)
		return b
	}
	item := func(b []byte, n int) int { // where the n-th item of the list of contents stands
		at := start
		for range n {
			at += 46 + int(binary.LittleEndian.Uint16(b[at+28:])) + int(binary.LittleEndian.Uint16(b[at+30:])) + int(binary.LittleEndian.Uint16(b[at+32:]))
		}
		return at
	}
	commented := func(comment []byte) []byte {
		b := bytes.Clone(honest)
		binary.LittleEndian.PutUint16(b[len(b)-2:], uint16(len(comment)))
		return append(b, comment...)
	}
	record := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	wide := with(honest, func(b []byte) { // sizes of 2^62 in a Zip64 field of the first item (APPNOTE 4.5.3)
		binary.LittleEndian.PutUint32(b[start+24:], 0xFFFFFFFF)
	})
	field := binary.LittleEndian.AppendUint64([]byte{1, 0, 8, 0}, 1<<62)
	name := start + 46 + int(binary.LittleEndian.Uint16(wide[start+28:]))
	had := int(binary.LittleEndian.Uint16(wide[start+30:]))
	binary.LittleEndian.PutUint16(wide[start+30:], uint16(had+len(field)))
	wide = append(append(bytes.Clone(wide[:name]), field...), wide[name:]...)
	binary.LittleEndian.PutUint32(wide[len(wide)-10:], uint32(len(wide)-22-start))

	named := func(names ...string) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i, name := range names {
			e := must(w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate}))
			must(e.Write([]File{first, second}[i%2].Body))
		}
		must(0, w.Close())
		return b.Bytes()
	}
	return map[string]Odd{
		"a second end in the comment":             {commented(append(bytes.Repeat([]byte(" "), 60_000), record...)), 2, "list of contents is damaged"},
		"a comment of 64 KB":                      {commented(bytes.Repeat([]byte("x"), 65_535)), 2, ""},
		"bytes behind the end":                    {append(bytes.Clone(honest), bytes.Repeat([]byte{0}, 900)...), 2, ""},
		"a list of contents that lies elsewhere":  {with(honest, func(b []byte) { binary.LittleEndian.PutUint32(b[end+16:], 7) }), 2, "list of contents is damaged"},
		"a list of contents larger than the file": {with(honest, func(b []byte) { binary.LittleEndian.PutUint32(b[end+12:], 0x7FFFFFFF) }), 2, "list of contents is damaged"},
		"one entry less in the list":              {with(honest, func(b []byte) { copy(b[item(b, 1):], "PX") }), 2, "list of contents is damaged"},
		"2^62 bytes in a Zip64 field":             {wide, 2, "list of contents is damaged"},
		"another method in the entry itself":      {with(honest, func(b []byte) { b[8] = 0 }), 1, ""},
		"a method nobody has":                     {with(honest, func(b []byte) { b[8], b[start+10] = 98, 98 }), 1, "PPMd"},
		"a wrong checksum":                        {with(honest, func(b []byte) { b[start+16] ^= 1 }), 2, "checksum"},
		"two entries of one name":                 {named("IM1", "IM1"), 2, ""},
		"names that lead out":                     {named("../../../etc/cron.d/x", `C:\Windows\System32\x.dll`), 2, ""},
		"names with NUL and escapes":              {named("IM1\x00.exe", "\x1b[2J\u202eexe.IM2"), 2, ""},
		"names of 60 KB":                          {named(strings.Repeat("a/", 30_000)+"IM1", strings.Repeat("b", 60_000)), 2, ""},
		"an absolute name and none":               {named("/etc/passwd", ""), 2, ""},
	}
}
