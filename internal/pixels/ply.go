package pixels

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
)

// plyElement is one "element" of the header: how many, and the properties of each.
type plyElement struct {
	name       string
	count      int64
	properties []plyProperty
}

// plyProperty is one number, or a list of numbers with their count before it.
type plyProperty struct {
	name          string
	kind, counted string // counted: the type of a list's count; "" for a single number
}

// plyTypes gives the bytes of each type's two names.
var plyTypes = map[string]int{
	"char": 1, "int8": 1, "uchar": 1, "uint8": 1, "short": 2, "int16": 2, "ushort": 2, "uint16": 2,
	"int": 4, "int32": 4, "uint": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}

// least is the fewest bytes an element takes.
func (e plyElement) least(binary bool) int64 {
	n := int64(0)
	for _, p := range e.properties {
		switch {
		case !binary:
			n += 2 // a digit and what ends it
		case p.counted != "":
			n += int64(plyTypes[p.counted])
		default:
			n += int64(plyTypes[p.kind])
		}
	}
	return n
}

// readPLY reads a PLY, text or binary of either byte order (Turk, "The PLY Polygon File Format", 1994). What an element
// claims is compared with the size before anything is allocated for it.
func readPLY(r *bufio.Reader, size int64, visit func(a, b, c vertex) error) error {
	format, elements, err := plyHeader(r)
	if err != nil {
		return err
	}
	p := plyReader{r: r, text: format == "ascii", order: binary.LittleEndian}
	if format == "binary_big_endian" {
		p.order = binary.BigEndian
	}
	var points []vertex
	for _, e := range elements {
		if least := e.least(!p.text); e.count > 0 && (least < 1 || e.count > size/least) {
			return refuse(SizeMismatch, "The mesh claims more than its size can hold.")
		}
		switch e.name {
		case "vertex":
			if e.count > maxVertices {
				return refuse(TooLarge, "The mesh has more than four million points.")
			}
			if points, err = p.points(e); err != nil {
				return err
			}
		case "face":
			if err := p.faces(e, points, visit); err != nil {
				return err
			}
			return nil
		default:
			for range e.count {
				if err := p.element(e, func(plyProperty, int, float64) {}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func plyHeader(r *bufio.Reader) (format string, elements []plyElement, err error) {
	damaged := refuse(Damaged, "The mesh's header is damaged.")
	words := make([][]byte, 5)
	for lines := 0; ; lines++ {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return "", nil, refuse(Truncated, "The mesh ends too early.")
		}
		if err != nil {
			return "", nil, err
		}
		n := fields(line, words)
		word := func(i int) string {
			if i < n {
				return string(words[i])
			}
			return ""
		}
		switch {
		case lines == 0 && word(0) != "ply", lines > 1000:
			return "", nil, damaged
		case word(0) == "format":
			if format = word(1); format != "ascii" && format != "binary_little_endian" && format != "binary_big_endian" {
				return "", nil, refuse(Unsupported, "A PLY of this format is not drawn.")
			}
		case word(0) == "element":
			count, err := strconv.ParseInt(word(2), 10, 64)
			if err != nil || count < 0 {
				return "", nil, damaged
			}
			elements = append(elements, plyElement{name: word(1), count: count})
		case word(0) == "property":
			property := plyProperty{name: word(2), kind: word(1)}
			if word(1) == "list" {
				property = plyProperty{name: word(4), kind: word(3), counted: word(2)}
			}
			if len(elements) == 0 || plyTypes[property.kind] == 0 || property.counted != "" && plyTypes[property.counted] == 0 {
				return "", nil, damaged
			}
			last := &elements[len(elements)-1]
			last.properties = append(last.properties, property)
		case word(0) == "end_header":
			if format == "" {
				return "", nil, damaged
			}
			return format, elements, nil
		}
	}
}

type plyReader struct {
	r     *bufio.Reader
	text  bool
	order binary.ByteOrder
	buf   [8]byte
	line  []byte // text: what is left of the element's line
}

// points reads the places of all vertices.
func (p *plyReader) points(e plyElement) ([]vertex, error) {
	points := make([]vertex, 0, e.count)
	for range e.count {
		var v vertex
		err := p.element(e, func(property plyProperty, _ int, value float64) {
			if len(property.name) == 1 && property.name[0] >= 'x' && property.name[0] <= 'z' {
				v[property.name[0]-'x'] = float32(value)
			}
		})
		if err != nil {
			return nil, err
		}
		points = append(points, v)
	}
	return points, nil
}

// faces reads the faces, each a list of numbers of vertices.
func (p *plyReader) faces(e plyElement, points []vertex, visit func(a, b, c vertex) error) error {
	var corners [maxCorners]vertex
	for range e.count {
		n, bad := 0, false
		err := p.element(e, func(property plyProperty, i int, value float64) {
			if property.counted == "" || property.name != "vertex_indices" && property.name != "vertex_index" {
				return
			}
			if i >= maxCorners || !(value >= 0 && value < float64(len(points))) {
				bad = true
				return
			}
			corners[i], n = points[int(value)], i+1
		})
		if bad && err == nil {
			err = refuse(Damaged, "A face of the mesh names a point that is not there.")
		}
		if err == nil {
			err = fan(corners[:n], visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxList bounds a list of one element, whatever its count claims.
const maxList = 1 << 12

// element reads one element and calls each with its numbers; i counts within a list.
func (p *plyReader) element(e plyElement, each func(property plyProperty, i int, value float64)) error {
	if p.text {
		line, err := readLine(p.r)
		if err != nil {
			return cutShort(err)
		}
		p.line = line
	}
	for _, property := range e.properties {
		n := 1
		if property.counted != "" {
			count, err := p.number(property.counted)
			if err != nil {
				return err
			}
			if !(count >= 0 && count <= maxList) {
				return refuse(Damaged, "A face of the mesh has no sensible number of corners.")
			}
			n = int(count)
		}
		for i := range n {
			value, err := p.number(property.kind)
			if err != nil {
				return err
			}
			each(property, i, value)
		}
	}
	return nil
}

// number reads one number of the type.
func (p *plyReader) number(kind string) (float64, error) {
	if p.text {
		var word [1][]byte
		if fields(p.line, word[:]) == 0 {
			return 0, refuse(Damaged, "A line of the mesh is too short.")
		}
		p.line = p.line[cap(p.line)-cap(word[0])+len(word[0]):]
		f, err := strconv.ParseFloat(string(word[0]), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, refuse(Damaged, "A point of the mesh is no number.")
		}
		return f, nil
	}
	b := p.buf[:plyTypes[kind]]
	if _, err := io.ReadFull(p.r, b); err != nil {
		return 0, cutShort(err)
	}
	switch kind {
	case "char", "int8":
		return float64(int8(b[0])), nil
	case "uchar", "uint8":
		return float64(b[0]), nil
	case "short", "int16":
		return float64(int16(p.order.Uint16(b))), nil
	case "ushort", "uint16":
		return float64(p.order.Uint16(b)), nil
	case "int", "int32":
		return float64(int32(p.order.Uint32(b))), nil
	case "uint", "uint32":
		return float64(p.order.Uint32(b)), nil
	case "float", "float32":
		return float64(math.Float32frombits(p.order.Uint32(b))), nil
	}
	return math.Float64frombits(p.order.Uint64(b)), nil
}
