package archive

import "math/bits"

// codeTable decodes one Huffman code (RFC 1951 3.2.2): short codes by one look-up, long ones by counting through the
// canonical code, bit by bit.
type codeTable struct {
	quick  [1 << lookupBits]uint16 // symbol<<4 | length; 0 when the code is longer
	counts [maxCodeBits + 1]uint16 // codes of each length
	sorted []uint16                // symbols in the order of their codes
}

var (
	fixedLiterals  = mustTable(fixedLengths())
	fixedDistances = mustTable(repeat(5, 32))
)

// fixedLengths are the code lengths of RFC 1951 3.2.6.
func fixedLengths() []uint8 {
	lengths := repeat(8, 144)
	lengths = append(lengths, repeat(9, 112)...)
	lengths = append(lengths, repeat(7, 24)...)
	return append(lengths, repeat(8, 8)...)
}

func repeat(value uint8, n int) []uint8 {
	out := make([]uint8, n)
	for i := range out {
		out[i] = value
	}
	return out
}

func mustTable(lengths []uint8) codeTable {
	t, err := newTable(lengths)
	if err != nil {
		panic(err)
	}
	return t
}

// newTable builds the table for code lengths by symbol. Over-subscribed sets are errors, and incomplete ones too, but for
// a single code of one bit, which RFC 1951 3.2.7 allows, and no code at all (a block without matches).
func newTable(lengths []uint8) (codeTable, error) {
	var t codeTable
	used := 0
	for _, n := range lengths {
		if n > 0 {
			t.counts[n]++
			used++
		}
	}
	var next, offset [maxCodeBits + 2]int
	left := 1
	for n := 1; n <= maxCodeBits; n++ {
		left = left<<1 - int(t.counts[n])
		if left < 0 {
			return t, errDeflate64
		}
		next[n+1] = (next[n] + int(t.counts[n])) << 1
		offset[n+1] = offset[n] + int(t.counts[n])
	}
	if left > 0 && used > 1 {
		return t, errDeflate64
	}
	t.sorted = make([]uint16, used)
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		t.sorted[offset[n]] = uint16(symbol)
		offset[n]++
		if n <= lookupBits {
			code := bits.Reverse16(uint16(next[n])) >> (16 - n)
			for i := int(code); i < 1<<lookupBits; i += 1 << n {
				t.quick[i] = uint16(symbol)<<4 | uint16(n)
			}
		}
		next[n]++
	}
	return t, nil
}

// decode reads one symbol.
func (d *deflate64) decode(t *codeTable) (int, error) {
	if d.n < lookupBits {
		// At the end of the data there may be fewer bits than a look-up takes; what is there may do.
		if err := d.need(lookupBits); err != nil && d.n == 0 {
			return 0, err
		}
	}
	if q := t.quick[d.bits&(1<<lookupBits-1)]; q != 0 && uint(q&15) <= d.n {
		d.bits >>= q & 15
		d.n -= uint(q & 15)
		return int(q >> 4), nil
	}
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCodeBits; n++ {
		bit, err := d.take(1)
		if err != nil {
			return 0, err
		}
		code |= bit
		count := int(t.counts[n])
		if code-count < first {
			return int(t.sorted[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, errDeflate64
}

// codeLengthOrder is the order in which a block states the lengths of its code lengths' codes (RFC 1951 3.2.7).
var codeLengthOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicTables reads the codes of a block with its own tables (RFC 1951 3.2.7).
func (d *deflate64) dynamicTables() error {
	head, err := d.take(14)
	if err != nil {
		return err
	}
	literals, distances, codes := head&31+257, head>>5&31+1, head>>10+4
	if literals > literalCodes {
		return errDeflate64
	}
	meta := make([]uint8, 19)
	for _, symbol := range codeLengthOrder[:codes] {
		n, err := d.take(3)
		if err != nil {
			return err
		}
		meta[symbol] = uint8(n)
	}
	table, err := newTable(meta)
	if err != nil {
		return err
	}
	lengths := make([]uint8, 0, literals+distances)
	for len(lengths) < literals+distances {
		symbol, err := d.decode(&table)
		if err != nil {
			return err
		}
		value, times := uint8(symbol), 1
		switch symbol {
		case 16:
			if len(lengths) == 0 {
				return errDeflate64
			}
			times, err = d.take(2)
			value, times = lengths[len(lengths)-1], times+3
		case 17:
			times, err = d.take(3)
			value, times = 0, times+3
		case 18:
			times, err = d.take(7)
			value, times = 0, times+11
		}
		if err != nil {
			return err
		}
		lengths = append(lengths, repeat(value, times)...)
	}
	if len(lengths) > literals+distances || lengths[256] == 0 {
		return errDeflate64
	}
	if d.literals, err = newTable(lengths[:literals]); err != nil {
		return err
	}
	d.distances, err = newTable(lengths[literals:])
	return err
}
