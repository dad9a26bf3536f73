package archive_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"dcdentals.com/caseload/internal/archive"
)

// bitWriter writes bits lowest first (RFC 1951 3.1.1).
type bitWriter struct {
	out  []byte
	acc  uint64
	used uint
}

func (w *bitWriter) bits(v uint64, n uint) {
	w.acc |= v << w.used
	for w.used += n; w.used >= 8; w.used -= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
}

// code writes a Huffman code, highest bit first.
func (w *bitWriter) code(v uint64, n uint) {
	for i := int(n) - 1; i >= 0; i-- {
		w.bits(v>>uint(i)&1, 1)
	}
}

// literal writes a symbol of the fixed literal code (RFC 1951 3.2.6).
func (w *bitWriter) literal(symbol int) {
	switch {
	case symbol < 144:
		w.code(uint64(0x30+symbol), 8)
	case symbol < 256:
		w.code(uint64(0x190+symbol-144), 9)
	case symbol < 280:
		w.code(uint64(symbol-256), 7)
	default:
		w.code(uint64(0xC0+symbol-280), 8)
	}
}

// deflate64 compresses with one fixed block: literals, and wherever at least 3 bytes repeat at one of the given
// distances, a match of code 285 (3 to 65,538 bytes). It is what exercises the three differences to Deflate.
func deflate64(b []byte, distances ...int) []byte {
	w := &bitWriter{}
	w.bits(0b011, 3)
	for i := 0; i < len(b); {
		best, from := 0, 0
		for _, d := range distances {
			n := 0
			for d <= i && i+n < len(b) && n < 65538 && b[i+n] == b[i+n-d] {
				n++
			}
			if n > best {
				best, from = n, d
			}
		}
		if best < 3 {
			w.literal(int(b[i]))
			i++
			continue
		}
		w.literal(285)
		w.bits(uint64(best-3), 16)
		switch {
		case from > 49152 && from <= 65536: // code 31: 49153 + 14 bits
			w.code(31, 5)
			w.bits(uint64(from-49153), 14)
		case from > 32768: // code 30
			w.code(30, 5)
			w.bits(uint64(from-32769), 14)
		default: // code 28: 16385 + 13 bits, or code 0: 1
			if from == 1 {
				w.code(0, 5)
			} else {
				w.code(28, 5)
				w.bits(uint64(from-16385), 13)
			}
		}
		i += best
	}
	w.literal(256)
	w.bits(0, 7)
	return w.out
}

// deflate64Zip packs one compressed body as method 9.
func deflate64Zip(t testing.TB, body, compressed []byte) []byte {
	t.Helper()
	return rawDeflate64Zip(t, len(body), compressed, checksum(body))
}

// rawDeflate64Zip packs a compressed body that claims a size in bytes and a CRC-32.
func rawDeflate64Zip(t testing.TB, size int, compressed []byte, crc uint32) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	e, err := w.CreateRaw(&zip.FileHeader{
		Name: "big.bin", Method: archive.Deflate64, CRC32: crc,
		CompressedSize64: uint64(len(compressed)), UncompressedSize64: uint64(size),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Write(compressed)
	w.Close()
	return out.Bytes()
}

func TestDeflate64ReadsItsLongMatchesAndFarDistances(t *testing.T) {
	pattern := noise(4, 65536)
	cases := map[string]struct {
		body      []byte
		distances []int
	}{
		"a run of one byte":     {bytes.Repeat([]byte{7}, 1<<20), []int{1}},
		"distance 65,536":       {bytes.Repeat(pattern, 9), []int{65536}},
		"distance 50,000":       {bytes.Repeat(pattern[:50000], 9), []int{50000}},
		"distance 40,000":       {bytes.Repeat(pattern[:40000], 9), []int{40000}},
		"distance 20,000":       {bytes.Repeat(pattern[:20000], 9), []int{20000}},
		"literals alone":        {noise(8, 300_000), nil},
		"nothing":               {nil, nil},
		"match of just 3 bytes": {append(bytes.Repeat([]byte{9}, 4), 1, 2), []int{1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			compressed := deflate64(c.body, c.distances...)
			a := open(t, deflate64Zip(t, c.body, compressed))
			r, err := a.Content(context.Background(), a.Entries[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, c.body) {
				t.Errorf("%d of %d bytes, %v", len(got), len(c.body), err)
			}
		})
	}
}

// Deflate without its longest match (code 285) means the same in Deflate64: text that repeats at most 200 bytes at a
// time goes through every block type the standard library writes.
func TestDeflate64ReadsWhatDeflateWrites(t *testing.T) {
	for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.BestCompression, flate.HuffmanOnly} {
		var body []byte
		for i := range 2000 {
			body = append(body, noise(uint64(i), 60+i%90)...)
			if len(body) > 3000 {
				body = append(body, body[len(body)-2000:len(body)-1850]...)
			}
		}
		var out bytes.Buffer
		w, _ := flate.NewWriter(&out, level)
		w.Write(body)
		w.Close()
		a := open(t, deflate64Zip(t, body, out.Bytes()))
		r, err := a.Content(context.Background(), a.Entries[0])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Errorf("level %d: %d of %d bytes, %v", level, len(got), len(body), err)
		}
	}
}

// testdata/deflate64.zip was written by 7-Zip 26.02 (7zz a -tzip -mm=Deflate64 -mx=9) from the deterministic bytes made here.
func TestDeflate64Reads7Zip(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "deflate64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, b)
	if len(a.Entries) != 1 || a.Entries[0].Method != archive.Deflate64 {
		t.Fatalf("%+v", a.Entries)
	}
	r, err := a.Content(context.Background(), a.Entries[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, sevenZipBody()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// sevenZipBody repeats 60,000 varied bytes and a long run, so that far and long matches occur.
func sevenZipBody() []byte {
	block := make([]byte, 60_000)
	state := uint32(1)
	for i := range block {
		state = state*1664525 + 1013904223
		block[i] = byte(state >> 29)
	}
	return append(bytes.Repeat(block, 4), make([]byte, 100_000)...)
}

func FuzzDeflate64(f *testing.F) {
	far := append(noise(5, 100), bytes.Repeat([]byte{7}, 39_900)...)
	f.Add(deflate64(noise(6, 100), 1))
	f.Add(deflate64(bytes.Repeat(far, 2)[:66<<10], 1, 40_000)) // the window goes round; matches reach beyond 32 KiB
	f.Add(deflate64(append(far, noise(7, 100)...), 1))
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	w.Write(bytes.Repeat(noise(5, 300), 2))
	w.Close()
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, compressed []byte) {
		if len(compressed) > 4<<10 || len(compressed) < 40 {
			return
		}
		const size = 66 << 10 // more than the 64 KiB that matches reach back, so that the window goes round
		a := open(t, rawDeflate64Zip(t, size, compressed, 0))
		content := func() io.Reader {
			r, err := a.Content(context.Background(), a.Entries[0])
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		whole, err := io.ReadAll(content())
		if len(whole) > size || err != nil && code(err) == "" {
			t.Errorf("%d bytes, %v", len(whole), err)
		}
		// Read in pieces of odd lengths it must give the same and stop for the same reason, wherever a match is cut.
		r, at, piece := content(), 0, make([]byte, 4099)
		for i := 0; ; i++ {
			n, again := r.Read(piece[:oddLengths[i%len(oddLengths)]])
			if at+n > len(whole) || !bytes.Equal(piece[:n], whole[at:at+n]) {
				t.Fatalf("%d bytes at %d of %d differ", n, at, len(whole))
			}
			if at += n; again != nil {
				if at != len(whole) || (again == io.EOF) != (err == nil) || code(again) != code(err) {
					t.Fatalf("at %d of %d: %v, read whole: %v", at, len(whole), again, err)
				}
				return
			}
			if i > size {
				t.Fatal("it gives nothing and does not end")
			}
		}
	})
}

// oddLengths are the pieces in which the fuzzed content is read the second time, in bytes: their sums meet every remainder.
var oddLengths = []int{1, 2, 3, 1, 259, 7, 31, 1021, 1, 4099, 13}

func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
