package pixels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
)

// cube is a closed surface of 12 triangles, 10 × 20 × 30 mm.
var cube = func() (faces [][3]vertex) {
	p := func(i int) vertex {
		return vertex{float32(i & 1 * 10), float32(i >> 1 & 1 * 20), float32(i >> 2 & 1 * 30)}
	}
	for _, f := range [][4]int{{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4}, {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}} {
		faces = append(faces, [3]vertex{p(f[0]), p(f[1]), p(f[2])}, [3]vertex{p(f[0]), p(f[2]), p(f[3])})
	}
	return faces
}()

func stlOf(faces [][3]vertex, header string) []byte {
	b := make([]byte, 80)
	copy(b, header)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(faces)))
	for _, f := range faces {
		b = append(b, make([]byte, 12)...)
		for _, v := range f {
			for _, c := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(c))
			}
		}
		b = append(b, 0, 0)
	}
	return b
}

func textSTLOf(faces [][3]vertex) []byte {
	var b strings.Builder
	b.WriteString("solid cube\r\n")
	for _, f := range faces {
		b.WriteString(" facet normal 0 0 0\n  outer loop\n")
		for _, v := range f {
			fmt.Fprintf(&b, "   VERTEX %g %e %g\n", v[0], v[1], v[2])
		}
		b.WriteString("  endloop\n endfacet\n")
	}
	return []byte(b.String() + "endsolid cube")
}

func objOf(faces [][3]vertex) []byte {
	var b strings.Builder
	b.WriteString("# made by a test\nmtllib x.mtl\n")
	for _, f := range faces {
		for _, v := range f {
			fmt.Fprintf(&b, "v %g %g %g 0.5 0.5 0.5\nvn 0 0 1\n", v[0], v[1], v[2])
		}
		b.WriteString("f -3/1/1 -2//2 -1\n")
	}
	return []byte(b.String())
}

func plyOf(faces [][3]vertex, format string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "ply\nformat %s 1.0\ncomment a test\nelement vertex %d\nproperty uchar red\nproperty float x\nproperty double y\nproperty float z\n", format, 3*len(faces))
	fmt.Fprintf(&b, "element edge 1\nproperty int a\nelement face %d\nproperty list uchar int vertex_indices\nproperty float quality\nend_header\n", len(faces))
	order := binary.ByteOrder(binary.LittleEndian)
	if strings.Contains(format, "big") {
		order = binary.BigEndian
	}
	write := func(values ...any) {
		for i, v := range values {
			if format != "ascii" {
				_ = binary.Write(&b, order, v)
				continue
			}
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprint(&b, v)
		}
		if format == "ascii" {
			b.WriteByte('\n')
		}
	}
	for _, f := range faces {
		for _, v := range f {
			write(uint8(7), v[0], float64(v[1]), v[2])
		}
	}
	write(int32(5))
	for i := range faces {
		write(uint8(3), int32(3*i), int32(3*i+1), int32(3*i+2), float32(1))
	}
	return b.Bytes()
}

func mesh(format string, data []byte) (Job, *bytes.Reader) {
	return Job{Mesh: &Mesh{Format: format, Size: int64(len(data))}}, bytes.NewReader(append(data[:len(data):len(data)], data...))
}

func TestEveryWayToWriteAMeshIsMeasuredAndDrawn(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		write  func(faces [][3]vertex) []byte
	}{
		"binary STL":              {"stl", func(f [][3]vertex) []byte { return stlOf(f, "exported") }},
		"binary STL of \"solid\"": {"stl", func(f [][3]vertex) []byte { return stlOf(f, "solid exported") }},
		"text STL":                {"stl", textSTLOf},
		"text STL in capitals":    {"stl", func(f [][3]vertex) []byte { return bytes.ToUpper(textSTLOf(f)) }},
		"STL with more behind it": {"stl", func(f [][3]vertex) []byte { return append(stlOf(f, "solid\x00exported"), "by a program\r\n"...) }},
		"OBJ":                     {"obj", objOf},
		"text PLY":                {"ply", func(f [][3]vertex) []byte { return plyOf(f, "ascii") }},
		"little endian PLY":       {"ply", func(f [][3]vertex) []byte { return plyOf(f, "binary_little_endian") }},
		"big endian PLY":          {"ply", func(f [][3]vertex) []byte { return plyOf(f, "binary_big_endian") }},
	} {
		for _, closed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, closed %v", name, closed), func(t *testing.T) {
				faces := cube
				if !closed {
					faces = cube[:11]
				}
				job, r := mesh(c.format, c.write(faces))
				result, err := Run(job, r)
				if err != nil || result.Refused != nil {
					t.Fatal(err, result.Refused)
				}
				want := Facts{Triangles: int64(len(faces)), High: [3]float64{10, 20, 30}, Closed: closed}
				if result.Facts != want {
					t.Fatalf("%+v, want %+v", result.Facts, want)
				}
				img := pictureOf(t, result.Pictures[0])
				if middle, edge := greyAt(img, img.Bounds().Dx()/2, img.Bounds().Dy()/2), greyAt(img, 0, 0); middle < edge+30 {
					t.Errorf("the middle is %d, the edge %d: nothing was drawn", middle, edge)
				}
			})
		}
	}
}

// What cannot be drawn of a mesh is said of the mesh.
func TestMeshesThatCannotBeDrawnSayWhy(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		format string
		data   []byte
		code   Code
		said   string
	}{
		"no numbers":       {"stl", stlOf([][3]vertex{{{nan, 0, 0}, {0, 1, 0}, {1, 0, inf}}}, ""), Empty, "The mesh has no triangle that can be drawn."},
		"one point":        {"stl", stlOf([][3]vertex{{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}}, ""), Empty, "The mesh has no triangle that can be drawn."},
		"cut off":          {"stl", stlOf(cube, "")[:400], SizeMismatch, "The mesh claims 12 triangles, its size is that of 6."},
		"a PLY cut off":    {"ply", plyOf(cube, "binary_little_endian")[:700], Truncated, "The mesh ends too early."},
		"a text cut off":   {"ply", plyOf(cube, "ascii")[:700], Damaged, "A line of the mesh is too short."},
		"points, no faces": {"obj", []byte("v 0 0 0\nv 1 0 0\nv 1 1 0\n"), Empty, "The mesh has no triangle that can be drawn."},
	} {
		job, r := mesh(c.format, c.data)
		if result, err := Run(job, r); err != nil || result.Refused == nil || result.Refused.Code != c.code || result.Refused.Reason != c.said {
			t.Errorf("%s: %+v %v", name, result.Refused, err)
		}
	}
	job, r := mesh("obj", []byte("v 0,5 0 0\nv 1,25 0 0\nv 1 1 0\nf 1 2 3\n"))
	if result, err := Run(job, r); err != nil || result.Facts.Low[0] != 0.5 || result.Facts.High[0] != 1.25 {
		t.Errorf("numbers with commas: %+v %v", result, err)
	}
}

// A face of four corners is two triangles; a closed mesh of such faces is closed.
func TestFacesOfFourCornersAreTwoTriangles(t *testing.T) {
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, "v %d %d %d\n", i&1, i>>1&1, i>>2&1)
	}
	b.WriteString("f 1 3 4 2\nf 5 6 8 7\nf 1 2 6 5\nf 3 7 8 4\nf 1 5 7 3\nf 2 4 8 6\n")
	job, r := mesh("obj", []byte(b.String()))
	result, err := Run(job, r)
	if err != nil || result.Facts.Triangles != 12 || !result.Facts.Closed {
		t.Fatalf("%+v %v", result, err)
	}
}
