package pixels

import "math"

// extended decodes JPEG with sequential DCT coding of 12 bits and one component (ITU-T T.81 annex F, Huffman): what DICOM calls
// process 4 (PS3.5 A.4.1) and the standard library does not know. It holds eight rows and nothing else of the image.
type extended struct {
	f        *Frame
	bits     bitReader
	dc, ac   [4]*huffman
	scales   [4]*[64]float32 // quantization (T.81 B.2.4.1), in zigzag order
	framed   bool            // the frame header was met
	id       byte            // of the component
	scale    byte            // which of scales is its own
	own      struct{ dc, ac *huffman }
	interval int // blocks between two restarts; 0: none
	before   int32
	done     int // blocks
	across   int // blocks of a row
	strip    []float32
	y        int
}

const (
	extendedBits = 12
	blockSide    = 8
)

// zigzag gives the place in a block, row by row, of each coefficient in the stream's order (T.81 figure A.6).
var zigzag = func() (places [64]int) {
	x, y, up := 0, 0, true
	for i := range places {
		places[i] = y*blockSide + x
		switch {
		case up && x == blockSide-1, !up && y == blockSide-1:
			if up {
				y++
			} else {
				x++
			}
			up = !up
		case up && y == 0:
			x, up = x+1, false
		case !up && x == 0:
			y, up = y+1, true
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return places
}()

// waves[x][u] is what coefficient u adds at place x, in one direction (T.81 A.3.3).
var waves = func() (w [blockSide][blockSide]float32) {
	for x := range w {
		for u := range w[x] {
			c := 0.5
			if u == 0 {
				c = math.Sqrt2 / 4
			}
			w[x][u] = float32(c * math.Cos(float64(2*x+1)*float64(u)*math.Pi/16))
		}
	}
	return w
}()

func newExtended(f *Frame, data []byte) (*extended, error) {
	d := &extended{f: f, across: (f.Columns + blockSide - 1) / blockSide}
	scan, err := jpegSegments(data, d.segment)
	if err != nil {
		return nil, err
	}
	if int64(f.Rows)*int64(f.Columns)/mostPerByte > int64(len(scan)) {
		return nil, refuse(SizeMismatch, "The picture claims more pixels than its size can hold.")
	}
	d.bits = bitReader{data: scan}
	d.strip = make([]float32, d.across*blockSide*blockSide)
	return d, nil
}

// segment reads one segment in front of the scan.
func (d *extended) segment(mark byte, b []byte) (err error) {
	switch {
	case mark == markSOF0 || mark == markSOF1:
		return d.frameHeader(b)
	case mark == markSOF2:
		return refuse(Unsupported, "A progressive JPEG of 12 bits is not drawn.")
	case isSOF(mark):
		return refuse(Unsupported, "The image is coded as another kind of JPEG than it says.")
	case mark == markDHT:
		d.dc, d.ac, err = huffmanTables(b, d.dc, d.ac)
		return err
	case mark == markDQT:
		return d.quantization(b)
	case mark == markDRI && len(b) == 2:
		d.interval = int(b[0])<<8 | int(b[1])
	case mark == markSOS:
		return d.scanHeader(b)
	}
	return nil
}

// frameHeader reads SOF (T.81 B.2.2) and compares it with what the frame claims, before anything is allocated.
func (d *extended) frameHeader(b []byte) error {
	if len(b) < 9 || len(b) != 6+3*int(b[5]) || d.framed || b[8] > 3 {
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	rows, columns := int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	switch {
	case rows != d.f.Rows || columns != d.f.Columns || int(b[5]) != d.f.Samples:
		return refuse(SizeMismatch, "The stream holds %d × %d pixels of %d samples, the header says %d × %d of %d.", columns, rows, b[5], d.f.Columns, d.f.Rows, d.f.Samples)
	case d.f.BitsStored < extendedBits:
		return refuse(SizeMismatch, "The stream has %d bits a sample, more than the header's %d.", extendedBits, d.f.BitsStored)
	}
	d.framed, d.id, d.scale = true, b[6], b[8]
	return nil
}

// quantization reads DQT (T.81 B.2.4.1): tables of 8 or 16 bits.
func (d *extended) quantization(b []byte) error {
	for len(b) > 0 {
		wide, at := int(b[0]>>4), b[0]&15
		if wide > 1 || at > 3 || len(b) < 1+64*(1+wide) {
			return refuse(Damaged, "The image's JPEG segments are damaged.")
		}
		var table [64]float32
		for i := range table {
			if wide == 1 {
				table[i] = float32(int(b[1+2*i])<<8 | int(b[2+2*i]))
			} else {
				table[i] = float32(b[1+i])
			}
		}
		d.scales[at], b = &table, b[1+64*(1+wide):]
	}
	return nil
}

// scanHeader reads SOS (T.81 B.2.3).
func (d *extended) scanHeader(b []byte) error {
	if len(b) != 6 || b[0] != 1 || !d.framed || b[1] != d.id || b[2]>>4 > 3 || b[2]&15 > 3 || b[3] != 0 || b[4] != 63 || b[5] != 0 {
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	d.own.dc, d.own.ac = d.dc[b[2]>>4], d.ac[b[2]&15]
	if d.own.dc == nil || d.own.ac == nil || d.scales[d.scale] == nil {
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	return nil
}

// row gives one row; every eighth decodes the next eight.
func (d *extended) row(samples []uint32) error {
	if d.y%blockSide == 0 {
		for x := range d.across {
			if d.interval > 0 && d.done > 0 && d.done%d.interval == 0 {
				if err := d.bits.restart(); err != nil {
					return err
				}
				d.before = 0
			}
			if err := d.block(d.strip[x*blockSide:]); err != nil {
				return err
			}
			d.done++
		}
	}
	line := d.strip[d.y%blockSide*d.across*blockSide:]
	d.y++
	const middle, most = 1 << (extendedBits - 1), 1<<extendedBits - 1 // T.81 A.3.1: the level shift
	for x := range samples {
		samples[x] = uint32(min(max(line[x]+middle+0.5, 0), most))
	}
	return nil
}

// block decodes one block into the strip at out (T.81 F.2.2).
func (d *extended) block(out []float32) error {
	var coefficients [blockSide * blockSide]float32
	scale := d.scales[d.scale]
	size, err := d.own.dc.decode(&d.bits)
	if err != nil {
		return err
	}
	difference, err := d.bits.signed(uint(size))
	if err != nil {
		return err
	}
	d.before += difference
	coefficients[0] = float32(d.before) * scale[0]
	for k := 1; k < len(coefficients); k++ {
		code, err := d.own.ac.decode(&d.bits)
		if err != nil {
			return err
		}
		run, size := int(code>>4), uint(code&15)
		if size == 0 && run < 15 { // nothing more
			break
		}
		if k += run; k >= len(coefficients) {
			return refuse(Damaged, "The image's codes are damaged.")
		}
		value, err := d.bits.signed(size)
		if err != nil {
			return err
		}
		coefficients[zigzag[k]] = float32(value) * scale[k]
	}
	d.transform(&coefficients, out)
	return nil
}

// transform is the inverse DCT (T.81 A.3.3), rows first.
func (d *extended) transform(coefficients *[blockSide * blockSide]float32, out []float32) {
	var half [blockSide][blockSide]float32
	for v := range half {
		line := coefficients[v*blockSide : (v+1)*blockSide]
		for u, c := range line {
			if c != 0 {
				for x := range half[v] {
					half[v][x] += c * waves[x][u]
				}
			}
		}
	}
	for y := range blockSide {
		line := out[y*d.across*blockSide:][:blockSide]
		clear(line)
		for v := range half {
			for x := range line {
				line[x] += half[v][x] * waves[y][v]
			}
		}
	}
}
