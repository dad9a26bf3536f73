package pixels

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// named fails unless err is nil or a refusal with its name: the readers of these tests never fail.
func named(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if r, ok := errors.AsType[*Refused](err); !ok || r.Code == "" || r.Reason == "" {
		t.Fatalf("an error that is no refusal: %v", err)
	}
}

// fuzzFrame takes the first bytes for the claims and the rest for the stream.
func fuzzFrame(f *testing.F, coding Coding, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(append([]byte{8, 12, 0, 0}, seed...))
		f.Add(append([]byte{8, 12, 1, 3}, seed...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 5 || len(data) > 1<<16 {
			return
		}
		frame := grey(int(data[0]), int(data[1]), 16, 16)
		if data[2]&1 == 1 {
			frame = colour(int(data[0]), int(data[1]), "RGB")
		}
		if frame.BitsStored -= int(data[3] & 7); data[3]&8 == 8 {
			frame.Signed, frame.BitsAllocated = true, 8
			frame.BitsStored = min(frame.BitsStored, 8)
			frame.HighBit = frame.BitsStored - 1
		}
		frame.Coding, frame.Size = coding, int64(len(data)-4)
		err := frame.check()
		if err == nil {
			_, err = frame.each(bytes.NewReader(data[4:]), func(int, []float32) {})
		}
		named(t, err)
	})
}

func FuzzLosslessJPEG(f *testing.F) {
	for predictor := 1; predictor <= 7; predictor++ {
		o := losslessOptions{rows: 8, columns: 12, components: 1, precision: 16, predictor: predictor, restart: predictor % 3, long: predictor%2 == 0}
		f.Add(append([]byte{8, 12, 0, 0}, losslessOf(noise(96, 16, 1), o)...))
	}
	fuzzFrame(f, Lossless, losslessOf(noise(288, 8, 1), losslessOptions{rows: 8, columns: 12, components: 3, precision: 8, predictor: 1}))
}

func FuzzRLE(f *testing.F) {
	fuzzFrame(f, RLE, rleOf(noise(96, 16, 1), 12, 1, 16), rleOf(noise(288, 8, 1), 12, 3, 8))
}

func FuzzDeflatedFrame(f *testing.F) {
	f.Add(uint16(9), []byte(rawDeflated(strings.Repeat("headerxx", 30))))
	f.Add(uint16(60000), []byte{0, 0, 0, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, skip uint16, data []byte) {
		frame := grey(8, 12, 16, 12)
		frame.Size, frame.Deflated = 8*12*2, &Deflated{Size: int64(len(data)), Skip: int64(skip)}
		err := frame.check()
		if err == nil {
			_, err = frame.each(bytes.NewReader(data), func(int, []float32) {})
		}
		named(t, err)
	})
}

// fuzzMesh reads and measures; drawing sees nothing but finite points.
func fuzzMesh(f *testing.F, format string, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 1<<16 {
			return
		}
		size := newMeasure()
		named(t, meshers[format](bufio.NewReader(bytes.NewReader(data)), int64(len(data)), size.add))
		if size.facts.Triangles > int64(len(data)) {
			t.Fatalf("%d triangles in %d bytes", size.facts.Triangles, len(data))
		}
	})
}

func FuzzSTL(f *testing.F) {
	claims := stlOf(cube[:1], "")
	binary.LittleEndian.PutUint32(claims[80:], 1<<32-1)
	fuzzMesh(f, "stl", stlOf(cube, ""), stlOf(cube, "solid"), textSTLOf(cube), claims)
}

func FuzzPLY(f *testing.F) {
	fuzzMesh(f, "ply", plyOf(cube, "ascii"), plyOf(cube, "binary_little_endian"), plyOf(cube, "binary_big_endian"))
}

func FuzzOBJ(f *testing.F) { fuzzMesh(f, "obj", objOf(cube)) }

func FuzzPDFPages(f *testing.F) {
	f.Add([]byte("%PDF-1.4\n<</Type/Pages/Count 3/Kids[]>>"))
	f.Add([]byte("<</Type/ObjStm>>stream\n" + deflated("<</Type/Pages/Count 3>>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 1<<16 {
			return
		}
		_, err := countPages(PDF{Size: int64(len(data))}, bytes.NewReader(data))
		named(t, err)
	})
}
