package pixels

// bitReader takes bits out of the coded bytes of a scan, without the zeros stuffed after FF (T.81 F.1.2.3). At a marker
// it stands still.
type bitReader struct {
	data []byte
	at   int
	word uint64 // the next bits, the first one highest
	have uint   // of them
}

// fill makes at least 32 bits ready, or all that are left.
func (b *bitReader) fill() {
	for b.have <= 56 && b.at < len(b.data) {
		next := b.data[b.at]
		if next == 0xFF {
			if b.at+1 >= len(b.data) || b.data[b.at+1] != 0 {
				return
			}
			b.at++
		}
		b.at++
		b.word |= uint64(next) << (56 - b.have)
		b.have += 8
	}
}

// take returns the next n bits, at most 16.
func (b *bitReader) take(n uint) (int32, error) {
	if b.have < n {
		if b.fill(); b.have < n {
			return 0, refuse(Truncated, "The image ends too early.")
		}
	}
	v := int32(b.word >> (64 - n))
	b.word <<= n
	b.have -= n
	return v, nil
}

// signed returns the number that the next size bits stand for, at most 16 (T.81 F.2.2.1, EXTEND); 0 of none.
func (b *bitReader) signed(size uint) (int32, error) {
	if size == 0 {
		return 0, nil
	}
	v, err := b.take(size)
	if v < 1<<(size-1) {
		v += -1<<size + 1
	}
	return v, err
}

// restart passes the restart marker that must come next (T.81 E.2.4).
func (b *bitReader) restart() error {
	b.word, b.have = 0, 0
	for b.at+1 < len(b.data) {
		if b.data[b.at] == 0xFF && b.data[b.at+1] >= 0xD0 && b.data[b.at+1] <= 0xD7 {
			b.at += 2
			return nil
		}
		if b.data[b.at] == 0xFF && b.data[b.at+1] != 0xFF && b.data[b.at+1] != 0 {
			break
		}
		b.at++
	}
	return refuse(Truncated, "The image ends too early.")
}

// huffman is one table of codes: for the number of bits of a difference, or for a run of zeros and the bits behind it.
type huffman struct {
	short  [1 << shortBits]uint16 // for codes of up to shortBits: length in the upper byte, value in the lower; 0: longer
	most   [17]int32              // the highest code of each length, -1: none
	offset [17]int32              // index of a code of that length in values, after adding the code
	values []byte
}

const shortBits = 9

// huffmanTables reads DHT (T.81 B.2.4.2) into the tables of class 0, for differences, and of class 1, for coefficients.
func huffmanTables(b []byte, differences, coefficients [4]*huffman) (d, c [4]*huffman, err error) {
	damaged := refuse(Damaged, "The image's code tables are damaged.")
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return d, c, damaged
		}
		n := 0
		for _, count := range b[1:17] {
			n += int(count)
		}
		if n == 0 || n > 256 || len(b) < 17+n {
			return d, c, damaged
		}
		tables, most := &differences, byte(16)
		if b[0]>>4 == 1 {
			tables, most = &coefficients, 255
		}
		table, ok := newHuffman(b[1:17], b[17:17+n], most)
		if !ok {
			return d, c, damaged
		}
		tables[b[0]&15] = table
		b = b[17+n:]
	}
	return differences, coefficients, nil
}

// newHuffman makes the codes from how many there are of each length (T.81 annex C). It refuses more codes than there
// are bits for and values above most.
func newHuffman(counts, values []byte, most byte) (*huffman, bool) {
	h := &huffman{values: values}
	code, index := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.most[length] = -1
		h.offset[length] = index - code
		for range counts[length-1] {
			if code >= 1<<length || values[index] > most {
				return nil, false
			}
			if length <= shortBits {
				from := code << (shortBits - length)
				for i := from; i < from+1<<(shortBits-length); i++ {
					h.short[i] = uint16(length)<<8 | uint16(values[index])
				}
			}
			h.most[length] = code
			code, index = code+1, index+1
		}
		code <<= 1
	}
	return h, true
}

// decode returns the value of the next code.
func (h *huffman) decode(b *bitReader) (byte, error) {
	if b.have < 16 {
		b.fill()
	}
	if entry := h.short[b.word>>(64-shortBits)]; entry != 0 && uint(entry>>8) <= b.have {
		b.word <<= entry >> 8
		b.have -= uint(entry >> 8)
		return byte(entry), nil
	}
	for length := uint(1); length <= 16 && length <= b.have; length++ {
		if code := int32(b.word >> (64 - length)); code <= h.most[length] {
			b.word <<= length
			b.have -= length
			return h.values[code+h.offset[length]], nil
		}
	}
	if b.have < 16 {
		return 0, refuse(Truncated, "The image ends too early.")
	}
	return 0, refuse(Damaged, "The image's codes are damaged.")
}
