package archivetest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
)

// Odd is a ZIP whose parts contradict each other, and what a reader makes of it.
type Odd struct {
	Body   []byte
	Images int    // of those packed, how many are found
	Said   string // in what is told about it; "": nothing has to be
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
