package pixels

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// vertex is a point of a mesh, in the file's unit.
type vertex [3]float32

func (v vertex) finite() bool {
	for _, c := range v {
		if !(math.Abs(float64(c)) < 1e12) {
			return false
		}
	}
	return true
}

// mesher reads a mesh and calls visit with every triangle. size is how many bytes there are.
type mesher func(r *bufio.Reader, size int64, visit func(a, b, c vertex) error) error

var meshers = map[string]mesher{"stl": readSTL, "ply": readPLY, "obj": readOBJ}

// drawMesh goes through the mesh twice: to measure it, then to draw it. Neither holds triangles.
func drawMesh(m Mesh, r io.Reader) (Result, error) {
	read := meshers[m.Format]
	switch {
	case read == nil:
		return Result{}, refuse(BadJob, "The mesh is of no known format.")
	case m.Size < 1:
		return Result{}, refuse(Truncated, "The mesh is empty.")
	}
	pass := func(visit func(a, b, c vertex) error) error {
		limited := &io.LimitedReader{R: r, N: m.Size}
		err := read(bufio.NewReaderSize(limited, 256<<10), m.Size, visit)
		if _, drained := io.Copy(io.Discard, limited); err == nil {
			err = drained
		}
		if refused, ok := errors.AsType[*Refused](err); ok && refused.Code == Truncated {
			return refuse(Truncated, "The mesh ends too early.")
		}
		return err
	}
	size := newMeasure()
	if err := pass(size.add); err != nil {
		return Result{}, err
	}
	if size.facts.Triangles == 0 || size.low == size.high {
		return Result{}, refuse(Empty, "The mesh has no triangle that can be drawn.")
	}
	result := Result{Facts: size.done()}
	canvas := newCanvas(size.low, size.high)
	if err := pass(canvas.draw); err != nil {
		return result, err
	}
	picture, err := encodeColour(Image, canvas.sheet())
	result.Pictures = []Picture{picture}
	return result, err
}

// measure counts triangles, spans them with a box and finds out whether they close, all in constant memory: each edge
// is turned into a random number that depends on nothing but its two ends, and all are combined by exclusive or. An edge
// that is there an even number of times leaves nothing; what is left is 0 only if all do (but for one in 2^64).
type measure struct {
	facts     Facts
	low, high vertex
	seed      uint64
	edges     uint64
}

func newMeasure() *measure {
	far := float32(math.Inf(1))
	return &measure{low: vertex{far, far, far}, high: vertex{-far, -far, -far}, seed: rand.Uint64()}
}

func (m *measure) add(a, b, c vertex) error {
	m.facts.Triangles++
	for _, v := range [...]vertex{a, b, c} {
		for i := range v {
			m.low[i], m.high[i] = min(m.low[i], v[i]), max(m.high[i], v[i])
		}
	}
	ha, hb, hc := m.hash(a), m.hash(b), m.hash(c)
	m.edges ^= edge(ha, hb) ^ edge(hb, hc) ^ edge(hc, ha)
	return nil
}

func (m *measure) hash(v vertex) uint64 {
	h := m.seed
	for _, c := range v {
		h = mixed(h ^ uint64(math.Float32bits(c+0))) // −0 and 0 are one place
	}
	return h
}

func edge(a, b uint64) uint64 {
	if a == b { // no length
		return 0
	}
	return mixed(a + b)
}

// mixed spreads every bit over all (the finalizer of splitmix64, https://prng.di.unimi.it/splitmix64.c).
func mixed(h uint64) uint64 {
	h += 0x9E3779B97F4A7C15
	h = (h ^ h>>30) * 0xBF58476D1CE4E5B9
	h = (h ^ h>>27) * 0x94D049BB133111EB
	return bits.RotateLeft64(h^h>>31, 17)
}

func (m *measure) done() Facts {
	f := m.facts
	for i := range f.Low {
		f.Low[i], f.High[i] = float64(m.low[i]), float64(m.high[i])
	}
	f.Closed = m.edges == 0
	return f
}

// triangle hands on a triangle of usable points; others are left out.
func triangle(a, b, c vertex, visit func(a, b, c vertex) error) error {
	if !a.finite() || !b.finite() || !c.finite() {
		return nil
	}
	return visit(a, b, c)
}

// readLine returns the next line without its end, io.EOF after the last. The line is good until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, refuse(Damaged, "A line of the mesh is too long to be one.")
	case errors.Is(err, io.EOF) && len(line) > 0:
		return line, nil
	case err != nil:
		return nil, err
	}
	return line, nil
}

// fields splits a line at white space into at most len(into) words and returns how many there are.
func fields(line []byte, into [][]byte) int {
	n := 0
	for i := 0; i < len(line) && n < len(into); {
		for i < len(line) && line[i] <= ' ' {
			i++
		}
		from := i
		for i < len(line) && line[i] > ' ' {
			i++
		}
		if i > from {
			into[n] = line[from:i]
			n++
		}
	}
	return n
}

func parseVertex(words [][]byte) (v vertex, err error) {
	for i := range v {
		f, err := strconv.ParseFloat(string(bytes.Replace(words[i], []byte(","), []byte("."), 1)), 32) // "0,5", as some write
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return v, refuse(Damaged, "A point of the mesh is no number.")
		}
		v[i] = float32(f)
	}
	return v, nil
}
