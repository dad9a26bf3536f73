package pixels

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
)

// drawVolume makes the three planes through the middle: the middle frame as it is, and of every frame one row and one
// column.
func drawVolume(v Volume, r io.Reader) (Result, error) {
	if err := v.check(); err != nil {
		return Result{}, err
	}
	var first, middle Frame
	var across, along sheet // one line a frame: of columns, of rows
	var facts Facts
	var flat sheet
	n, drawn := v.Count, 0
	for i := range n {
		f, err := readFrame(r)
		if err != nil {
			return Result{}, err
		}
		if i == 0 {
			first = f
			across, along = newSheet(f.Columns, n, 1), newSheet(f.Rows, n, 1)
		}
		if f.channels() != 1 || f.Rows != first.Rows || f.Columns != first.Columns {
			return Result{}, refuse(BadJob, "The slices of a volume are grey and of one size.")
		}
		rows, columns := f.Rows, f.Columns
		small := newReducer(columns, rows, 1)
		cut, err := f.each(r, func(y int, px []float32) {
			if y == rows/2 {
				copy(across.px[i*columns:], px)
			}
			along.px[i*rows+y] = px[columns/2]
			if i == v.Middle {
				small.add(y, px)
			}
		})
		_, refused := errors.AsType[*Refused](err)
		switch {
		case refused && i != v.Middle && i > 0: // the neighbour stands in for a damaged frame
			copy(across.px[i*columns:(i+1)*columns], across.px[(i-1)*columns:])
			copy(along.px[i*rows:(i+1)*rows], along.px[(i-1)*rows:])
			facts.Cut = true
			continue
		case err != nil:
			return Result{}, err
		}
		drawn++
		facts.Cut = facts.Cut || cut
		if i == v.Middle {
			flat, middle = small.sheet(), f
		}
	}
	if drawn*2 < n {
		return Result{}, refuse(Damaged, "Most of the slices cannot be decoded.")
	}
	result := Result{Facts: facts}
	shown := middle.window(flat.px)
	for i, p := range v.Planes(first) {
		picture, err := encodeGrey(p.View, []sheet{flat, across, along}[i].laid(p), shown, middle.Photometric == "MONOCHROME1")
		if err != nil {
			return Result{}, err
		}
		result.Pictures = append(result.Pictures, picture)
	}
	return result, nil
}

func (v *Volume) check() error {
	switch {
	case v.Count < 2 || v.Middle < 0 || v.Middle >= v.Count:
		return refuse(BadJob, "A volume has at least two slices, one of them in the middle.")
	case v.Count > MaxFrames:
		return refuse(TooLarge, "Planes are drawn through at most %d slices.", MaxFrames)
	}
	return nil
}

// maxFrame bounds the description of one slice, in bytes.
const maxFrame = 64 << 10

// WriteFrame writes the description of a slice, after which its bytes follow: its length in four bytes, the highest
// first, and as many bytes of JSON.
func WriteFrame(w io.Writer, f Frame) error {
	encoded, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded...))
	return err
}

// readFrame reads what WriteFrame wrote and checks it.
func readFrame(r io.Reader) (f Frame, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return f, refuse(BadJob, "The description of a slice is too long.")
	}
	encoded := make([]byte, n)
	if _, err := io.ReadFull(r, encoded); err != nil {
		return f, err
	}
	if err := json.Unmarshal(encoded, &f); err != nil {
		return f, refuse(BadJob, "The description of a slice cannot be read.")
	}
	return f, f.check()
}

// axis is the patient's axis a direction mostly follows: 0 to the left, 1 to the back, 2 to the head.
type axis struct {
	of   int
	sign int
}

func axisOf(d [3]float64) axis {
	a := axis{0, 1}
	for i, c := range d {
		if math.Abs(c) > math.Abs(d[a.of]) {
			a.of = i
		}
	}
	if d[a.of] < 0 {
		a.sign = -1
	}
	return a
}

func distinct(a, b, c axis) bool { return a.of != b.of && b.of != c.of && a.of != c.of }

// Plane is one of the three pictures of a volume: what it shows, its size, and how the numbers it is made of are laid down. They
// are brought to that size, which is exchanged before when Turned; then rows and columns are exchanged (Turned), and the
// picture is Mirrored left to right and turned Over top to bottom. So a plane lies as radiologists look at it: the patient's
// left on the right, the head up, in sagittal the face on the left.
type Plane struct {
	View          View
	Width, Height int // pixels
	Turned        bool
	Mirrored      bool
	Over          bool
}

// Planes returns the planes of a volume of frames like f: of its middle frame, at most MaxSide either way; of the middle row
// of each frame, one under the other; and of the middle column of each.
func (v *Volume) Planes(f Frame) [3]Plane {
	across, along, through := f.ColumnSpacing*float64(f.Columns), f.RowSpacing*float64(f.Rows), v.Spacing*float64(v.Count)
	a, d, n := axisOf(v.Along), axisOf(v.Down), axisOf(v.Normal)
	if !distinct(a, d, n) { // more oblique than has a name
		a, d, n = axis{0, 1}, axis{1, 1}, axis{2, 1}
	}
	w, h := fit(f.Columns, f.Rows)
	return [3]Plane{lie(w, h, across, along, a, d), lie(f.Columns, v.Count, across, through, a, n), lie(f.Rows, v.Count, along, through, d, n)}
}

// lie returns how a sheet of w × h is laid down whose rows follow u and whose columns follow v, and which extends so many mm
// along both (0: unknown).
func lie(w, h int, across, along float64, u, v axis) Plane {
	if across > 0 && along > 0 {
		w, h = uprightSize(w, h, across/float64(w), along/float64(h))
	} else {
		w, h = fit(w, h)
	}
	p := Plane{View: map[int]View{0: Sagittal, 1: Coronal, 2: Axial}[3-u.of-v.of], Width: w, Height: h}
	sideways := 0 // left to right is the patient's x, in a sagittal plane y
	if p.View == Sagittal {
		sideways = 1
	}
	if u.of != sideways {
		p.Turned, p.Width, p.Height = true, h, w
		u, v = v, u
	}
	down := -1 // z grows upwards
	if p.View == Axial {
		down = 1 // y grows to the back, which is down
	}
	p.Mirrored, p.Over = u.sign < 0, v.sign != down
	return p
}

// laid returns the sheet as the plane lies.
func (s sheet) laid(p Plane) sheet {
	w, h := p.Width, p.Height
	if p.Turned {
		w, h = h, w
	}
	if w != s.w || h != s.h {
		s = s.resample(w, h)
	}
	if p.Turned {
		s = s.transposed()
	}
	return s.flipped(p.Mirrored, p.Over)
}
