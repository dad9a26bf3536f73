package pixels

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/mustrun"
)

// extendedOptions says how a JPEG of 12 bits is written.
type extendedOptions struct {
	rows, columns, restart int // restart in blocks; 0: none
	scale                  int // of each coefficient; above 255 the table is of 16 bits
}

// extendedOf writes ITU-T T.81 annex F with one component, and returns what its coefficients stand for by the formulas of A.3.3.
func extendedOf(samples []uint32, o extendedOptions) (stream []byte, means []float64) {
	var b []byte
	segment := func(mark byte, body ...byte) {
		b = append(append(b, 0xFF, mark, byte((len(body)+2)>>8), byte(len(body)+2)), body...)
	}
	b = append(b, 0xFF, 0xD8)
	table := []byte{1}
	for range 64 {
		if o.scale > 255 {
			table[0] = 0x11
			table = append(table, byte(o.scale>>8))
		}
		table = append(table, byte(o.scale))
	}
	segment(0xDB, table...)
	segment(0xC1, 12, byte(o.rows>>8), byte(o.rows), byte(o.columns>>8), byte(o.columns), 1, 0, 0x11, table[0]&15)
	dc := append([]byte{0, 0, 0, 0, 0, 16}, make([]byte, 11)...) // 16 codes of 5 bits
	ac := append([]byte{0x10}, make([]byte, 16)...)              // 128 codes of 8 bits, 128 of 9
	ac[8], ac[9] = 128, 128
	for i := range 256 {
		if i < 16 {
			dc = append(dc, byte(i))
		}
		ac = append(ac, byte(i))
	}
	segment(0xC4, append(dc, ac...)...)
	if o.restart > 0 {
		segment(0xDD, byte(o.restart>>8), byte(o.restart))
	}
	segment(0xDA, 1, 0, 0, 0, 63, 0)

	w := &bitWriter{}
	number := func(v int) (size, bits int) {
		for m := max(v, -v); m > 0; m >>= 1 {
			size++
		}
		if v < 0 {
			v += 1<<size - 1
		}
		return size, v
	}
	coefficient := func(code int) {
		if code < 128 {
			w.put(code, 8)
		} else {
			w.put(128<<1+code-128, 9)
		}
	}
	means = make([]float64, len(samples))
	before, blocks := 0, 0
	for y0 := 0; y0 < o.rows; y0 += 8 {
		for x0 := 0; x0 < o.columns; x0 += 8 {
			if o.restart > 0 && blocks > 0 && blocks%o.restart == 0 {
				w.flush()
				w.b = append(w.b, 0xFF, byte(0xD0+(blocks/o.restart-1)%8))
				before = 0
			}
			blocks++
			var block [64]int
			for v := range 8 {
				for u := range 8 {
					sum := 0.0
					for y := range 8 {
						for x := range 8 {
							at := min(y0+y, o.rows-1)*o.columns + min(x0+x, o.columns-1)
							sum += (float64(samples[at]) - 2048) * wave(x, u) * wave(y, v)
						}
					}
					block[8*v+u] = int(math.Round(sum / float64(o.scale)))
				}
			}
			size, bits := number(block[0] - before)
			before = block[0]
			w.put(size, 5)
			w.put(bits, size)
			run, last := 0, 0
			for k := 1; k < 64; k++ {
				v := block[zigzagOf(k)]
				if v == 0 {
					run++
					continue
				}
				for ; run > 15; run -= 16 {
					coefficient(0xF0)
				}
				size, bits := number(v)
				coefficient(run<<4 | size)
				w.put(bits, size)
				run, last = 0, k
			}
			if last < 63 {
				coefficient(0)
			}
			for y := y0; y < min(y0+8, o.rows); y++ {
				for x := x0; x < min(x0+8, o.columns); x++ {
					sum := 2048.0
					for v := range 8 {
						for u := range 8 {
							sum += float64(block[8*v+u]*o.scale) * wave(x-x0, u) * wave(y-y0, v)
						}
					}
					means[y*o.columns+x] = min(max(sum, 0), 4095)
				}
			}
		}
	}
	w.flush()
	return append(append(b, w.b...), 0xFF, 0xD9), means
}

// wave is C(u)/2 · cos((2x+1)uπ/16) of T.81 A.3.3.
func wave(x, u int) float64 {
	c := 0.5
	if u == 0 {
		c /= math.Sqrt2
	}
	return c * math.Cos(float64(2*x+1)*float64(u)*math.Pi/16)
}

// zigzagOf returns the place of the k-th coefficient by T.81 figure A.6 as it is printed.
func zigzagOf(k int) int {
	figure := [64]int{
		0, 1, 5, 6, 14, 15, 27, 28,
		2, 4, 7, 13, 16, 26, 29, 42,
		3, 8, 12, 17, 25, 30, 41, 43,
		9, 11, 18, 24, 31, 40, 44, 53,
		10, 19, 23, 32, 39, 45, 52, 54,
		20, 22, 33, 38, 46, 51, 55, 60,
		21, 34, 37, 47, 50, 56, 59, 61,
		35, 36, 48, 49, 57, 58, 62, 63,
	}
	for place, order := range figure {
		if order == k {
			return place
		}
	}
	return -1
}

func twelveBits(rows, columns int) Frame {
	f := grey(rows, columns, 16, 12)
	f.Coding = Lossy
	return f
}

func TestJPEGOf12BitsIsDecoded(t *testing.T) {
	for name, o := range map[string]extendedOptions{
		"whole blocks":                {rows: 16, columns: 24, scale: 1},
		"no whole blocks":             {rows: 13, columns: 21, scale: 3},
		"one pixel":                   {rows: 1, columns: 1, scale: 1},
		"restarts":                    {rows: 24, columns: 40, scale: 2, restart: 3},
		"coarse, a table of 16 bits":  {rows: 32, columns: 32, scale: 300},
		"restarts behind every block": {rows: 16, columns: 80, scale: 7, restart: 1},
	} {
		t.Run(name, func(t *testing.T) {
			stream, want := extendedOf(noise(o.rows*o.columns, 12, 5), o)
			got, err := decoded(t, twelveBits(o.rows, o.columns), stream)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d pixels, %v", len(got), err)
			}
			for i := range got {
				if math.Abs(float64(got[i])-want[i]) > 0.51 {
					t.Fatalf("pixel %d is %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
}

func TestJPEGOf12BitsIsRefusedByName(t *testing.T) {
	o := extendedOptions{rows: 64, columns: 64, scale: 2}
	good, _ := extendedOf(noise(64*64, 12, 5), o)
	changed := func(from, to string) []byte { return bytes.Replace(bytes.Clone(good), []byte(from), []byte(to), 1) }
	shallow := twelveBits(64, 64)
	shallow.BitsStored, shallow.HighBit = 10, 9
	for name, c := range map[string]struct {
		f    Frame
		data []byte
		want Code
	}{
		"whole":                             {twelveBits(64, 64), good, ""},
		"another size":                      {twelveBits(64, 72), good, SizeMismatch},
		"more bits than the header":         {shallow, good, SizeMismatch},
		"progressive":                       {twelveBits(64, 64), changed("\xFF\xC1", "\xFF\xC2"), Unsupported},
		"arithmetic":                        {twelveBits(64, 64), changed("\xFF\xC1", "\xFF\xC9"), Unsupported},
		"without quantization":              {twelveBits(64, 64), changed("\xFF\xDB", "\xFF\xEB"), Damaged},
		"without codes":                     {twelveBits(64, 64), changed("\xFF\xC4", "\xFF\xE4"), Damaged},
		"without a frame":                   {twelveBits(64, 64), changed("\xFF\xC1", "\xFF\xE1"), Damaged},
		"without a scan":                    {twelveBits(64, 64), changed("\xFF\xDA", "\xFF\xEA"), Damaged},
		"cut off early":                     {twelveBits(64, 64), good[:len(good)/3], Truncated},
		"cut off late, what is there shown": {twelveBits(64, 64), good[:len(good)*9/10], ""},
		"a marker in the middle":            {twelveBits(64, 64), append(bytes.Clone(good[:500]), 0xFF, 0xD9), Truncated},
		"a frame of 65535 × 65535":          {twelveBits(64, 64), changed("\x0c\x00\x40\x00\x40", "\x0c\xFF\xFF\xFF\xFF"), SizeMismatch},
		"more pixels than bytes can hold":   {twelveBits(4096, 4096), changed("\x0c\x00\x40\x00\x40", "\x0c\x10\x00\x10\x00"), SizeMismatch},
		"codes that are none":               {twelveBits(64, 64), changed("\x01\x34\x00\x00\x00\x00\x00\x10", "\x01\x34\x00\x09\x00\x00\x00\x07"), Damaged},
		"a sixth table":                     {twelveBits(64, 64), changed("\xFF\xDB\x00\x43\x01", "\xFF\xDB\x00\x43\x05"), Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.Size = int64(len(c.data))
			if got := codeOf(t, Job{Frame: &c.f}, bytes.NewReader(c.data)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// What dcmtk's encoder makes of 12 bits comes out as its decoder has it.
func TestJPEGOf12BitsIsDecodedAsDcmtkDoes(t *testing.T) {
	for _, tool := range []string{"dcmcjpeg", "dcmdjpeg"} {
		if _, err := exec.LookPath(tool); err != nil {
			mustrun.Skip(t, "dcm2json", "install dcmtk")
		}
	}
	const rows, columns = 70, 90
	samples, dir := noise(rows*columns, 12, 9), t.TempDir()
	for i := range samples { // a jaw is smooth
		samples[i] = samples[i]/2 + uint32(i%columns*10+i/columns*5)
	}
	plain := dicomtest.CT(dicomtest.CTOptions{
		Rows: rows, Cols: columns,
		BeforePixels: func(e *dicomtest.Encoder) {
			e.US(0x00280102, 11) // the high bit
			e.US(0x00280103, 0)  // unsigned
		},
		Tamper: func(b []byte) []byte { return append(b[:len(b)-2*rows*columns], nativeOf(samples, 16)...) },
	})
	in, coded, out := filepath.Join(dir, "in"), filepath.Join(dir, "coded"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, quality := range []string{"30", "75", "95"} {
		for _, run := range [][]string{{"dcmcjpeg", "+ee", "+q", quality, in, coded}, {"dcmdjpeg", coded, out}} {
			if said, err := exec.Command(run[0], run[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v %s", run, err, said)
			}
		}
		file, err := os.ReadFile(coded)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		stream := file[bytes.LastIndex(file, []byte{0xFF, 0xD8, 0xFF}) : bytes.LastIndex(file, []byte{0xFF, 0xD9})+2]
		if at := bytes.Index(stream, []byte{0xFF, 0xC1}); at < 0 || stream[at+4] != 12 {
			t.Fatal("dcmtk wrote something else than 12 bits of process 4")
		}
		got, err := decoded(t, twelveBits(rows, columns), stream)
		if err != nil || len(got) != len(samples) {
			t.Fatalf("%d pixels, %v", len(got), err)
		}
		native, most := want[len(want)-2*rows*columns:], 0.0
		for i := range got {
			most = max(most, math.Abs(float64(got[i])-float64(binary.LittleEndian.Uint16(native[2*i:]))))
		}
		if most > 2 { // its inverse transform works with integers
			t.Errorf("quality %s: up to %v apart", quality, most)
		}
	}
}

func FuzzExtendedJPEG(f *testing.F) {
	plain, _ := extendedOf(noise(96, 12, 1), extendedOptions{rows: 8, columns: 12, scale: 2})
	restarts, _ := extendedOf(noise(96, 12, 1), extendedOptions{rows: 8, columns: 12, scale: 300, restart: 1})
	fuzzFrame(f, Lossy, plain, restarts)
}
