package pixels

import (
	"encoding/binary"
	"io"
)

// native reads uncompressed samples (PS3.5 8.1.1, 8.1.2): row by row, nothing else is held.
type native struct {
	f   *Frame
	r   io.Reader
	buf []byte
}

func openNative(f *Frame, r io.Reader) (rowReader, error) {
	bits := int64(f.Rows) * int64(f.Columns) * int64(f.Samples) * int64(f.BitsAllocated)
	if f.Photometric == "YBR_FULL_422" {
		bits = bits / 3 * 2
	}
	if f.Size*2 < bits/8 {
		return nil, refuse(SizeMismatch, "The image holds less than half of the pixels it claims.")
	}
	switch {
	case f.BitsAllocated == 1:
		return openPacked(f, r)
	case f.Photometric == "YBR_FULL_422":
		if f.Columns%2 != 0 {
			return nil, refuse(BadJob, "An image of YBR_FULL_422 has an even number of columns.")
		}
		return &halved{r: r, buf: make([]byte, 2*f.Columns)}, nil
	case f.Samples == 3 && f.Planar:
		return openPlanar(f, r)
	}
	return &native{f, r, make([]byte, f.Columns*f.Samples*f.BitsAllocated/8)}, nil
}

func (n *native) row(samples []uint32) error {
	if _, err := io.ReadFull(n.r, n.buf); err != nil {
		return cutShort(err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if n.f.BigEndian {
		order = binary.BigEndian
	}
	switch n.f.BitsAllocated {
	case 8:
		for i, b := range n.buf {
			samples[i] = uint32(b)
		}
	case 16:
		for i := range samples {
			samples[i] = uint32(order.Uint16(n.buf[2*i:]))
		}
	default:
		for i := range samples {
			samples[i] = order.Uint32(n.buf[4*i:])
		}
	}
	return nil
}

// packed reads samples of one bit, the lowest bit of a byte first; rows do not begin on a byte of their own.
type packed struct {
	r    io.Reader
	byte [1]byte
	left int
}

// openPacked passes the bits of the frame before, which end in the first byte.
func openPacked(f *Frame, r io.Reader) (*packed, error) {
	p := &packed{r: r}
	return p, p.row(make([]uint32, f.Bit))
}

func (p *packed) row(samples []uint32) error {
	for i := range samples {
		if p.left == 0 {
			if _, err := io.ReadFull(p.r, p.byte[:]); err != nil {
				return cutShort(err)
			}
			p.left = 8
		}
		samples[i] = uint32(p.byte[0] & 1)
		p.byte[0] >>= 1
		p.left--
	}
	return nil
}

// halved reads YBR_FULL_422: two Y and one Cb and Cr for each pair of pixels (PS3.3 C.7.6.3.1.2).
type halved struct {
	r   io.Reader
	buf []byte
}

func (h *halved) row(samples []uint32) error {
	if _, err := io.ReadFull(h.r, h.buf); err != nil {
		return cutShort(err)
	}
	for i := 0; i < len(h.buf); i += 4 {
		b, r := uint32(h.buf[i+2]), uint32(h.buf[i+3])
		pair := samples[i/4*6:]
		pair[0], pair[1], pair[2] = uint32(h.buf[i]), b, r
		pair[3], pair[4], pair[5] = uint32(h.buf[i+1]), b, r
	}
	return nil
}

// planar holds a colour image whose planes follow each other.
type planar struct {
	data          []byte
	plane, at, in int // bytes of a plane; where the next row begins in each; pixels of a row
}

func openPlanar(f *Frame, r io.Reader) (rowReader, error) {
	size := 3 * f.Rows * f.Columns
	if size > MaxCoded {
		return nil, refuse(TooLarge, "A colour image in planes of more than 64 MB is not drawn.")
	}
	p := &planar{data: make([]byte, size), plane: f.Rows * f.Columns, in: f.Columns}
	if _, err := io.ReadFull(r, p.data); err != nil {
		return nil, cutShort(err)
	}
	return p, nil
}

func (p *planar) row(samples []uint32) error {
	for i := range p.in {
		for c := range 3 {
			samples[3*i+c] = uint32(p.data[c*p.plane+p.at+i])
		}
	}
	p.at += p.in
	return nil
}
