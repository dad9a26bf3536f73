package pixels

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
)

// The encoders of these tests write what the decoders read, from the same standards and by nothing of theirs.

// noise returns n numbers below 2^bits that change slowly with now and then a leap, as images do.
func noise(n, bits int, seed uint64) []uint32 {
	r := rand.New(rand.NewPCG(seed, 1))
	v, most, out := 1<<(bits-1), 1<<bits-1, make([]uint32, n)
	for i := range out {
		v = min(max(v+r.IntN(9)-4, 0), most)
		if r.IntN(50) == 0 {
			v = r.IntN(most + 1)
		}
		out[i] = uint32(v)
	}
	return out
}

// nativeOf writes samples as they lie in native pixel data.
func nativeOf(samples []uint32, bits int) []byte {
	var b []byte
	for _, s := range samples {
		switch bits {
		case 8:
			b = append(b, byte(s))
		case 16:
			b = binary.LittleEndian.AppendUint16(b, uint16(s))
		default:
			b = binary.LittleEndian.AppendUint32(b, s)
		}
	}
	return b
}

// rawDeflated compresses without a wrapper (RFC 1951).
func rawDeflated(b string) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(w, b)
	_ = w.Close()
	return out.Bytes()
}

// rleOf writes PS3.5 annex G: runs where they are three long, else literals.
func rleOf(samples []uint32, columns, perPixel, bits int) []byte {
	header := make([]byte, 64)
	var body []byte
	n := 0
	for s := range perPixel {
		for plane := bits/8 - 1; plane >= 0; plane-- {
			binary.LittleEndian.PutUint32(header[4+4*n:], uint32(64+len(body)))
			n++
			for row := 0; row < len(samples); row += columns * perPixel {
				line := make([]byte, columns)
				for x := range line {
					line[x] = byte(samples[row+x*perPixel+s] >> (8 * plane))
				}
				body = append(body, packBits(line)...)
			}
			if len(body)%2 == 1 {
				body = append(body, 0)
				body[len(body)-1] = 0x80 // no operation
			}
		}
	}
	binary.LittleEndian.PutUint32(header, uint32(n))
	return append(header, body...)
}

func packBits(line []byte) (out []byte) {
	for i := 0; i < len(line); {
		run := 1
		for i+run < len(line) && line[i+run] == line[i] && run < 128 {
			run++
		}
		if run >= 3 {
			out = append(out, byte(1-run), line[i])
			i += run
			continue
		}
		from := i
		for i < len(line) && i-from < 128 && !(i+2 < len(line) && line[i] == line[i+1] && line[i] == line[i+2]) {
			i++
		}
		out = append(append(out, byte(i-from-1)), line[from:i]...)
	}
	return out
}

// losslessOptions says how a lossless JPEG is written.
type losslessOptions struct {
	rows, columns, components, precision, predictor, shift, restart int
	long                                                            bool // codes of up to 16 bits
}

// losslessOf writes ITU-T T.81 annex H. Samples below 2^shift are lost, as the point transform wants it.
func losslessOf(samples []uint32, o losslessOptions) []byte {
	var b []byte
	segment := func(mark byte, body ...byte) {
		b = append(append(b, 0xFF, mark, byte((len(body)+2)>>8), byte(len(body)+2)), body...)
	}
	b = append(b, 0xFF, 0xD8)
	sof := []byte{byte(o.precision), byte(o.rows >> 8), byte(o.rows), byte(o.columns >> 8), byte(o.columns), byte(o.components)}
	sos := []byte{byte(o.components)}
	for c := range o.components {
		sof = append(sof, byte(c+1), 0x11, 0)
		sos = append(sos, byte(c+1), 0)
	}
	segment(0xC3, sof...)
	counts, codes, lengths := make([]byte, 16), [17]int{}, [17]int{}
	code := 0
	for size := range 17 {
		if lengths[size] = 5; o.long {
			lengths[size] = min(size+1, 16)
		}
		if size > 0 {
			code = (code + 1) << (lengths[size] - lengths[size-1])
		}
		codes[size] = code
		counts[lengths[size]-1]++
	}
	table := append([]byte{0}, counts...)
	for size := range 17 {
		table = append(table, byte(size))
	}
	segment(0xC4, table...)
	if o.restart > 0 {
		units := o.restart * o.columns
		segment(0xDD, byte(units>>8), byte(units))
	}
	segment(0xDA, append(sos, byte(o.predictor), 0, byte(o.shift))...)

	w := &bitWriter{}
	at := func(x, y, c int) int { return int(samples[(y*o.columns+x)*o.components+c]) >> o.shift }
	for y := range o.rows {
		first := y == 0
		if o.restart > 0 && y > 0 && y%o.restart == 0 {
			w.flush()
			w.b = append(w.b, 0xFF, byte(0xD0+(y/o.restart-1)%8))
			first = true
		}
		for x := range o.columns {
			for c := range o.components {
				difference := int16(at(x, y, c) - expected(at, x, y, c, first, o))
				size, magnitude := 0, int(difference)
				for m := max(magnitude, -magnitude); m > 0; m >>= 1 {
					size++
				}
				w.put(codes[size], lengths[size])
				if size == 16 { // −32768 and 32768 are one difference modulo 2^16, which has no further bits
					continue
				}
				if magnitude < 0 {
					magnitude += 1<<size - 1
				}
				w.put(magnitude, size)
			}
		}
	}
	w.flush()
	return append(append(b, w.b...), 0xFF, 0xD9)
}

// expected is T.81 table H.1.
func expected(at func(x, y, c int) int, x, y, c int, first bool, o losslessOptions) int {
	switch {
	case first && x == 0:
		return 1 << (o.precision - o.shift - 1)
	case first:
		return at(x-1, y, c)
	case x == 0:
		return at(0, y-1, c)
	}
	left, above, corner := at(x-1, y, c), at(x, y-1, c), at(x-1, y-1, c)
	return []int{0, left, above, corner, left + above - corner, left + (above-corner)>>1, above + (left-corner)>>1, (left + above) >> 1}[o.predictor]
}

// bitWriter writes bits, the highest first, with a zero after each FF (T.81 F.1.2.3).
type bitWriter struct {
	b    []byte
	word uint32
	have int
}

func (w *bitWriter) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		w.word = w.word<<1 | uint32(v>>i&1)
		if w.have++; w.have == 8 {
			w.out()
		}
	}
}

func (w *bitWriter) out() {
	w.b = append(w.b, byte(w.word))
	if byte(w.word) == 0xFF {
		w.b = append(w.b, 0)
	}
	w.word, w.have = 0, 0
}

func (w *bitWriter) flush() {
	for w.have > 0 {
		w.put(1, 1)
	}
}

// decoded returns every number that a frame's bytes give, or the refusal.
func decoded(t testing.TB, f Frame, data []byte) ([]float32, error) {
	t.Helper()
	f.Size = int64(len(data))
	if err := f.check(); err != nil {
		return nil, err
	}
	var all []float32
	_, err := f.each(bytes.NewReader(data), func(_ int, px []float32) { all = append(all, px...) })
	return all, err
}

// codeOf is the code of a job's refusal; "" when it was done.
func codeOf(t testing.TB, job Job, r io.Reader) Code {
	t.Helper()
	result, err := Run(job, r)
	if err != nil {
		t.Fatal(err)
	}
	if result.Refused != nil {
		return result.Refused.Code
	}
	return ""
}
