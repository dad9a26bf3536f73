package pixels

import "encoding/binary"

// rle decodes PS3.5 annex G: for each byte of a sample, the highest first, a segment of its own in PackBits. Each
// segment is decoded only as far as the rows that are asked for: no count in the stream makes anything larger.
type rle struct {
	f        *Frame
	segments []segment
	line     []byte
}

// segment is one run of PackBits and how far it is decoded.
type segment struct {
	data    []byte
	literal int  // bytes of a literal run still to come
	repeat  int  // times that value still comes
	value   byte // of the repeated run
}

// The header: the number of segments and the offset of each (PS3.5 G.5).
const rleHeader = 64

func newRLE(f *Frame, data []byte) (*rle, error) {
	if len(data) < rleHeader {
		return nil, refuse(Truncated, "The image ends too early.")
	}
	bytes := f.BitsAllocated / 8
	if n := int(binary.LittleEndian.Uint32(data)); bytes == 0 || n != bytes*f.Samples {
		return nil, refuse(SizeMismatch, "The image's run-length segments do not fit its samples.")
	}
	d := &rle{f: f, line: make([]byte, f.Columns)}
	for i := range bytes * f.Samples {
		from := int64(binary.LittleEndian.Uint32(data[4+4*i:]))
		to := int64(len(data))
		if i+1 < bytes*f.Samples {
			to = int64(binary.LittleEndian.Uint32(data[8+4*i:]))
		}
		if from < rleHeader || from > to || to > int64(len(data)) {
			return nil, refuse(Damaged, "The image's run-length segments lie outside of it.")
		}
		d.segments = append(d.segments, segment{data: data[from:to]})
	}
	return d, nil
}

func (d *rle) row(samples []uint32) error {
	clear(samples)
	bytes := d.f.BitsAllocated / 8
	for i := range d.segments {
		if err := d.segments[i].read(d.line); err != nil {
			return err
		}
		sample, shift := i/bytes, 8*(bytes-1-i%bytes)
		for x, b := range d.line {
			samples[x*d.f.Samples+sample] |= uint32(b) << shift
		}
	}
	return nil
}

// read fills p with the next bytes of the segment (PS3.5 G.3.2). Runs that go on over the end of a row are let pass.
func (s *segment) read(p []byte) error {
	for len(p) > 0 {
		switch {
		case s.literal > 0:
			n := min(s.literal, len(p), len(s.data))
			if n == 0 {
				return refuse(Truncated, "The image ends too early.")
			}
			copy(p, s.data[:n])
			p, s.data, s.literal = p[n:], s.data[n:], s.literal-n
		case s.repeat > 0:
			n := min(s.repeat, len(p))
			for i := range n {
				p[i] = s.value
			}
			p, s.repeat = p[n:], s.repeat-n
		case len(s.data) == 0:
			return refuse(Truncated, "The image ends too early.")
		default:
			count := int8(s.data[0])
			s.data = s.data[1:]
			switch {
			case count >= 0:
				s.literal = int(count) + 1
			case count == -128: // nothing
			case len(s.data) == 0:
				return refuse(Truncated, "The image ends too early.")
			default:
				s.value, s.repeat, s.data = s.data[0], 1-int(count), s.data[1:]
			}
		}
	}
	return nil
}
