package pixels

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// maxCorners is the most corners of one face.
const maxCorners = 64

// readOBJ reads the points and faces of a Wavefront OBJ; curves, normals and materials are passed over. Faces of more
// than three corners become fans.
func readOBJ(r *bufio.Reader, _ int64, visit func(a, b, c vertex) error) error {
	var points []vertex
	words := make([][]byte, maxCorners+2)
	var corners [maxCorners]vertex
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n := fields(line, words)
		switch {
		case n >= 4 && string(words[0]) == "v":
			if len(points) == maxVertices {
				return refuse(TooLarge, "The mesh has more than four million points.")
			}
			v, err := parseVertex(words[1:4])
			if err != nil {
				return err
			}
			points = append(points, v)
		case n >= 4 && string(words[0]) == "f":
			if n > maxCorners+1 {
				return refuse(TooLarge, "A face of the mesh has more than %d corners.", maxCorners)
			}
			for i, word := range words[1:n] {
				if corners[i], err = objPoint(points, word); err != nil {
					return err
				}
			}
			if err := fan(corners[:n-1], visit); err != nil {
				return err
			}
		}
	}
}

// objPoint finds the point of "7", "7/1/3" or, counted from the last, "-1".
func objPoint(points []vertex, word []byte) (vertex, error) {
	if i := bytes.IndexByte(word, '/'); i >= 0 {
		word = word[:i]
	}
	n, err := strconv.Atoi(string(word))
	if n < 0 {
		n += len(points) + 1
	}
	if err != nil || n < 1 || n > len(points) {
		return vertex{}, refuse(Damaged, "A face of the mesh names a point that is not there.")
	}
	return points[n-1], nil
}

// fan cuts a face into triangles.
func fan(corners []vertex, visit func(a, b, c vertex) error) error {
	for i := 2; i < len(corners); i++ {
		if err := triangle(corners[0], corners[i-1], corners[i], visit); err != nil {
			return err
		}
	}
	return nil
}
