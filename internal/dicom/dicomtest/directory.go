package dicomtest

import "encoding/binary"

// Record is one record of a media directory, with those below it.
type Record struct {
	Type  string
	Write func(*Encoder) // its own elements, after group 0004
	Below []Record
}

// DirectoryClass is Media Storage Directory Storage (PS3.4 I.4).
const DirectoryClass = "1.2.840.10008.1.3.10"

// Directory returns a DICOMDIR (PS3.10 8.6) whose records are linked by offsets (PS3.3 F.3.2.2).
func Directory(records ...Record) []byte {
	meta := Meta(ExplicitLE, DirectoryClass, "2.25.9")
	var links []link
	body := &Encoder{}
	writeRecords(body, records, &links)
	e := &Encoder{}
	e.Text(0x00041130, "CS", "SET")
	e.Raw(0x00041200, "UL", []byte{0, 0, 0, 0})
	e.Raw(0x00041202, "UL", []byte{0, 0, 0, 0})
	e.US(0x00041212, 0)
	e.Head(0x00041220, "SQ", uint32(body.Len()))
	base := len(meta) + e.Len()
	file := append(append(meta, e.Bytes()...), body.Bytes()...)
	put := func(at, offset int) { binary.LittleEndian.PutUint32(file[at:], uint32(offset)) }
	put(len(meta)+12+8, base)
	for _, l := range links {
		put(base+l.at, base+l.to)
	}
	return file
}

// link is a place in the records, and the record whose offset belongs there.
type link struct{ at, to int }

// writeRecords writes the records and those below each, in this order, and notes the links between them.
func writeRecords(e *Encoder, records []Record, links *[]link) {
	next := -1 // where the offset of the record beside the last one belongs
	for _, r := range records {
		start := e.Len()
		if next >= 0 {
			*links = append(*links, link{next, start})
		}
		body := &Encoder{}
		body.Raw(0x00041400, "UL", []byte{0, 0, 0, 0})
		body.US(0x00041410, 0xFFFF)
		body.Raw(0x00041420, "UL", []byte{0, 0, 0, 0})
		body.Text(0x00041430, "CS", r.Type)
		if r.Write != nil {
			r.Write(body)
		}
		e.Item(uint32(body.Len()))
		e.Write(body.Bytes())
		next = start + 8 + 8
		if len(r.Below) > 0 {
			*links = append(*links, link{start + 8 + 12 + 10 + 8, e.Len()})
			writeRecords(e, r.Below, links)
		}
	}
}
