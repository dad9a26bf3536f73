package pixels

// lossless decodes JPEG with sequential lossless coding (ITU-T T.81 annex H, Huffman): what DICOM calls processes 14
// and 14 SV1 (PS3.5 A.4.2). It holds the row above and nothing else of the image.
type lossless struct {
	f          *Frame
	bits       bitReader
	tables     [4]*huffman
	components []component
	precision  int // bits of a sample
	predictor  int // 1 to 7 (T.81 table H.1)
	shift      int // point transform (T.81 A.4)
	interval   int // rows between two restarts; 0: none
	units      int // samples of a component between two restarts, as the stream says
	y          int
}

// component is one colour of the image.
type component struct {
	id         byte
	table      *huffman
	above, now []int32
}

func newLossless(f *Frame, data []byte) (*lossless, error) {
	d := &lossless{f: f}
	scan, err := jpegSegments(data, d.segment)
	if err != nil {
		return nil, err
	}
	d.bits = bitReader{data: scan}
	for i := range d.components {
		d.components[i].above, d.components[i].now = make([]int32, f.Columns), make([]int32, f.Columns)
	}
	return d, nil
}

// segment reads one segment in front of the scan.
func (d *lossless) segment(mark byte, b []byte) (err error) {
	switch {
	case mark == markSOF3:
		return d.frameHeader(b)
	case isSOF(mark):
		return refuse(Unsupported, "The image is coded as another kind of JPEG than it says.")
	case mark == markDHT:
		d.tables, _, err = huffmanTables(b, d.tables, [4]*huffman{})
		return err
	case mark == markDRI && len(b) == 2:
		d.units = int(b[0])<<8 | int(b[1])
	case mark == markSOS:
		return d.scanHeader(b)
	}
	return nil
}

// frameHeader reads SOF3 (T.81 B.2.2) and compares it with what the frame claims, before anything is allocated.
func (d *lossless) frameHeader(b []byte) error {
	if len(b) < 6 || len(b) != 6+3*int(b[5]) || d.components != nil {
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	d.precision = int(b[0])
	rows, columns := int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	switch {
	case rows != d.f.Rows || columns != d.f.Columns || int(b[5]) != d.f.Samples:
		return refuse(SizeMismatch, "The stream holds %d × %d pixels of %d samples, the header says %d × %d of %d.", columns, rows, b[5], d.f.Columns, d.f.Rows, d.f.Samples)
	case d.precision < 2 || d.precision > 16 || d.precision > d.f.BitsAllocated:
		return refuse(SizeMismatch, "The stream has %d bits a sample, more than the header's %d.", d.precision, d.f.BitsAllocated)
	}
	for c := range d.f.Samples {
		if b[7+3*c] != 0x11 {
			return refuse(Unsupported, "A lossless JPEG with colours of different size is not drawn.")
		}
		d.components = append(d.components, component{id: b[6+3*c]})
	}
	return nil
}

// scanHeader reads SOS (T.81 B.2.3).
func (d *lossless) scanHeader(b []byte) error {
	switch {
	case d.components == nil:
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	case len(b) < 1 || int(b[0]) != len(d.components):
		return refuse(Unsupported, "A lossless JPEG whose colours come one after the other is not drawn.")
	case len(b) != 4+2*len(d.components):
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	for c := range d.components {
		id, table := b[1+2*c], b[2+2*c]>>4
		if id != d.components[c].id || table > 3 || d.tables[table] == nil {
			return refuse(Damaged, "The image's JPEG segments are damaged.")
		}
		d.components[c].table = d.tables[table]
	}
	end := b[1+2*len(d.components):]
	d.predictor, d.shift = int(end[0]), int(end[2]&15)
	if d.predictor < 1 || d.predictor > 7 || d.shift >= d.precision {
		return refuse(Damaged, "The image's JPEG segments are damaged.")
	}
	if d.units%d.f.Columns != 0 { // T.81 H.1.1: whole rows
		return refuse(Unsupported, "A lossless JPEG that restarts within a row is not drawn.")
	}
	d.interval = d.units / d.f.Columns
	return nil
}

// row decodes one row (T.81 H.1.2, H.2).
func (d *lossless) row(samples []uint32) error {
	first := d.y == 0
	if d.interval > 0 && d.y > 0 && d.y%d.interval == 0 {
		if err := d.bits.restart(); err != nil {
			return err
		}
		first = true
	}
	d.y++
	for x := range d.f.Columns {
		for c := range d.components {
			k := &d.components[c]
			difference, err := k.difference(&d.bits)
			if err != nil {
				return err
			}
			v := (d.predict(k, x, first) + difference) & 0xFFFF
			k.now[x] = v
			samples[x*len(d.components)+c] = uint32(v<<d.shift) & (1<<d.precision - 1)
		}
	}
	for c := range d.components {
		k := &d.components[c]
		k.above, k.now = k.now, k.above
	}
	return nil
}

// predict returns what sample x is expected to be (T.81 table H.1; a left, b above, c above left).
func (d *lossless) predict(k *component, x int, first bool) int32 {
	switch {
	case first && x == 0:
		return 1 << (d.precision - d.shift - 1)
	case first:
		return k.now[x-1]
	case x == 0:
		return k.above[0]
	}
	a, b, c := k.now[x-1], k.above[x], k.above[x-1]
	switch d.predictor {
	case 1:
		return a
	case 2:
		return b
	case 3:
		return c
	case 4:
		return a + b - c
	case 5:
		return a + (b-c)>>1
	case 6:
		return b + (a-c)>>1
	default:
		return (a + b) >> 1
	}
}

// difference decodes one difference (T.81 H.2.2, table H.2).
func (k *component) difference(bits *bitReader) (int32, error) {
	size, err := k.table.decode(bits)
	switch {
	case err != nil || size == 0:
		return 0, err
	case size == 16:
		return 32768, nil
	}
	return bits.signed(uint(size))
}
