package pixels

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// readSTL reads an STL, binary or text. A binary one may begin with "solid" too; its size tells: 84 + 50 bytes for each
// triangle. The number of triangles is compared with the size before anything is done with it.
func readSTL(r *bufio.Reader, size int64, visit func(a, b, c vertex) error) error {
	head, err := r.Peek(int(min(84, size)))
	if err != nil {
		return cutShort(err)
	}
	count := int64(0)
	if len(head) == 84 {
		count = int64(binary.LittleEndian.Uint32(head[80:]))
	}
	start := bytes.TrimLeft(head, " \t\r\n\xEF\xBB\xBF")
	text := len(start) >= 5 && bytes.EqualFold(start[:5], []byte("solid")) && bytes.IndexByte(head, 0) < 0
	switch fits := len(head) == 84 && size >= 84+50*count && count > 0; {
	case text && !(fits && size == 84+50*count):
		return readTextSTL(r, visit)
	case !fits:
		return refuse(SizeMismatch, "The mesh claims %d triangles, its size is that of %d.", count, max(0, size-84)/50)
	}
	if _, err := r.Discard(84); err != nil {
		return cutShort(err)
	}
	var record [50]byte
	for range count {
		if _, err := io.ReadFull(r, record[:]); err != nil {
			return cutShort(err)
		}
		corner := func(at int) (v vertex) {
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(record[at+4*i:]))
			}
			return v
		}
		if err := triangle(corner(12), corner(24), corner(36), visit); err != nil {
			return err
		}
	}
	return nil
}

// readTextSTL takes the points of "vertex x y z" three by three.
func readTextSTL(r *bufio.Reader, visit func(a, b, c vertex) error) error {
	var corners [3]vertex
	n := 0
	words := make([][]byte, 4)
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch got := fields(line, words); {
		case got == 4 && bytes.EqualFold(words[0], []byte("vertex")):
			if n == 3 {
				return refuse(Unsupported, "The mesh has faces of more than three corners, which STL does not have.")
			}
			if corners[n], err = parseVertex(words[1:]); err != nil {
				return err
			}
			n++
		case got > 0 && bytes.EqualFold(words[0], []byte("endloop")):
			if n == 3 {
				if err := triangle(corners[0], corners[1], corners[2], visit); err != nil {
					return err
				}
			}
			n = 0
		}
	}
}
