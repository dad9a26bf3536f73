package archive

import (
	"bufio"
	"errors"
	"io"
)

// Deflate64 ("enhanced deflate", APPNOTE 4.4.5 method 9) is Deflate (RFC 1951) with a window of 64 KiB, two more distance
// codes, and length code 285 meaning 3 plus 16 extra bits. Windows Explorer writes it for big files. The format has no
// published text beyond that; this reader follows RFC 1951 section 3.2 with those three changes.

var errDeflate64 = errors.New("archive: damaged Deflate64 data")

const (
	window64     = 1 << 16
	maxCodeBits  = 15
	lookupBits   = 9
	literalCodes = 288
)

// deflate64 inflates as a stream; memory is the window and two code tables.
type deflate64 struct {
	in   io.ByteReader
	bits uint32 // not yet used, lowest first
	n    uint   // number of them

	window  [window64]byte
	written uint64 // bytes put into the window
	given   uint64 // of them handed out

	step      func() error // what comes next
	last      bool         // the block is the final one
	left      int          // of a stored block
	length    int          // of a match still to copy
	distance  int
	literals  codeTable
	distances codeTable
	err       error
}

func newDeflate64(r io.Reader) io.Reader {
	in, ok := r.(io.ByteReader)
	if !ok {
		in = bufio.NewReader(r)
	}
	d := &deflate64{in: in}
	d.step = d.block
	return d
}

// Read implements io.Reader.
func (d *deflate64) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if d.given < d.written {
			from := int(d.given % window64)
			c := copy(p[n:], d.window[from:min(window64, from+int(d.written-d.given))])
			d.given += uint64(c)
			n += c
			continue
		}
		if d.err != nil {
			break
		}
		d.err = d.step()
	}
	if n > 0 {
		return n, nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, d.err
}

// room is the number of bytes that may be written before the reader has to take some.
func (d *deflate64) room() int { return window64 - int(d.written-d.given) }

func (d *deflate64) put(b byte) {
	d.window[d.written%window64] = b
	d.written++
}

// need makes at least n bits available, n ≤ 24.
func (d *deflate64) need(n uint) error {
	for d.n < n {
		b, err := d.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		d.bits |= uint32(b) << d.n
		d.n += 8
	}
	return nil
}

// take returns the next n bits, n ≤ 16.
func (d *deflate64) take(n uint) (int, error) {
	if err := d.need(n); err != nil {
		return 0, err
	}
	v := d.bits & (1<<n - 1)
	d.bits >>= n
	d.n -= n
	return int(v), nil
}

// block reads the head of the next block (RFC 1951 3.2.3).
func (d *deflate64) block() error {
	if d.last {
		return io.EOF
	}
	head, err := d.take(3)
	if err != nil {
		return err
	}
	d.last = head&1 == 1
	switch head >> 1 {
	case 0:
		return d.storedHead()
	case 1:
		d.literals, d.distances = fixedLiterals, fixedDistances
	case 2:
		if err := d.dynamicTables(); err != nil {
			return err
		}
	default:
		return errDeflate64
	}
	d.step = d.symbols
	return nil
}

// storedHead begins an uncompressed block (RFC 1951 3.2.4).
func (d *deflate64) storedHead() error {
	if _, err := d.take(d.n & 7); err != nil {
		return err
	}
	length, err := d.take(16)
	if err != nil {
		return err
	}
	complement, err := d.take(16)
	if err != nil {
		return err
	}
	if length != ^complement&0xFFFF {
		return errDeflate64
	}
	d.left, d.step = length, d.stored
	return nil
}

func (d *deflate64) stored() error {
	for ; d.left > 0 && d.room() > 0; d.left-- {
		b, err := d.take(8)
		if err != nil {
			return err
		}
		d.put(byte(b))
	}
	if d.left == 0 {
		d.step = d.block
	}
	return nil
}

// symbols decodes literals and matches until the block ends or the window must be taken.
func (d *deflate64) symbols() error {
	for d.room() > 0 {
		if d.length > 0 {
			d.copyMatch()
			continue
		}
		symbol, err := d.decode(&d.literals)
		switch {
		case err != nil:
			return err
		case symbol < 256:
			d.put(byte(symbol))
		case symbol == 256:
			d.step = d.block
			return nil
		default:
			if err := d.match(symbol); err != nil {
				return err
			}
		}
	}
	return nil
}

// match reads length and distance of a match (RFC 1951 3.2.5, with the changes of Deflate64).
func (d *deflate64) match(symbol int) error {
	symbol -= 257
	if symbol >= len(lengthBase) {
		return errDeflate64
	}
	extra, err := d.take(uint(lengthExtra[symbol]))
	if err != nil {
		return err
	}
	d.length = lengthBase[symbol] + extra
	code, err := d.decode(&d.distances)
	if err != nil {
		return err
	}
	if code >= len(distanceBase) {
		return errDeflate64
	}
	if extra, err = d.take(uint(distanceExtra[code])); err != nil {
		return err
	}
	d.distance = distanceBase[code] + extra
	if uint64(d.distance) > d.written {
		return errDeflate64
	}
	return nil
}

func (d *deflate64) copyMatch() {
	n := min(d.length, d.room())
	for range n {
		d.put(d.window[(d.written-uint64(d.distance))%window64])
	}
	d.length -= n
}

// Length codes 257 to 285 and distance codes 0 to 31.
var (
	lengthBase = [29]int{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
		163, 195, 227, 3,
	}
	lengthExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 16}
	distanceBase = [32]int{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
		2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577, 32769, 49153,
	}
	distanceExtra = [32]uint8{
		0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
		13, 13, 14, 14,
	}
)
