package pixels

import (
	"io"
	"math"
)

// sheet is a small image of numbers: one a pixel, or three of 0 to 255.
type sheet struct {
	w, h, channels int
	px             []float32
}

func newSheet(w, h, channels int) sheet {
	return sheet{w, h, channels, make([]float32, w*h*channels)}
}

// fit returns the size of w × h within MaxSide either way, at least one pixel.
func fit(w, h int) (int, int) {
	if most := max(w, h); most > MaxSide {
		return max(1, (w*MaxSide+most/2)/most), max(1, (h*MaxSide+most/2)/most)
	}
	return w, h
}

// reducer averages the rows of a large image into a sheet within MaxSide.
type reducer struct {
	out    sheet
	rows   int
	column []int // of the sheet, for each of the image
	wide   []float32
	sum    []float32
	count  int
	y      int // of the sheet
}

func newReducer(columns, rows, channels int) *reducer {
	w, h := fit(columns, rows)
	return newReducerTo(w, h, columns, rows, channels)
}

// newReducerTo is newReducer for a sheet of w × h, neither larger than the image.
func newReducerTo(w, h, columns, rows, channels int) *reducer {
	r := &reducer{out: newSheet(w, h, channels), rows: rows, column: make([]int, columns), wide: make([]float32, w), sum: make([]float32, w*channels)}
	for x := range r.column {
		r.column[x] = x * w / columns
		r.wide[r.column[x]]++
	}
	return r
}

// add takes row y of the image; rows come in order.
func (r *reducer) add(y int, px []float32) {
	if to := y * r.out.h / r.rows; to != r.y {
		r.flush()
		r.y = to
	}
	r.count++
	if r.out.channels == 1 {
		for x, v := range px {
			r.sum[r.column[x]] += v
		}
		return
	}
	for x, to := range r.column {
		r.sum[3*to] += px[3*x]
		r.sum[3*to+1] += px[3*x+1]
		r.sum[3*to+2] += px[3*x+2]
	}
}

func (r *reducer) flush() {
	if r.count == 0 {
		return
	}
	line := r.out.px[r.y*len(r.sum):]
	for i, s := range r.sum {
		line[i] = s / (r.wide[i/r.out.channels] * float32(r.count))
	}
	clear(r.sum)
	r.count = 0
}

// sheet returns what came.
func (r *reducer) sheet() sheet {
	r.flush()
	return r.out
}

// reduce decodes the frame into a sheet.
func (f *Frame) reduce(r io.Reader) (sheet, bool, error) {
	small := newReducer(f.Columns, f.Rows, f.channels())
	cut, err := f.each(r, small.add)
	return small.sheet(), cut, err
}

// upright returns the sheet with pixels as wide as they are high. The distances are those between columns and rows; 0
// and what cannot be meant leaves it as it is.
func (s sheet) upright(column, row float64) sheet {
	w, h := uprightSize(s.w, s.h, column, row)
	if w == s.w && h == s.h {
		return s
	}
	return s.resample(w, h)
}

// uprightSize is the size of upright's sheet.
func uprightSize(columns, rows int, column, row float64) (int, int) {
	ratio := row / column
	if !(ratio > 0.02 && ratio < 50) || math.Abs(ratio-1) < 0.02 {
		return fit(columns, rows)
	}
	w, h := float64(columns), float64(rows)
	if ratio > 1 {
		h *= ratio
	} else {
		w /= ratio
	}
	scale := min(1, MaxSide/max(w, h))
	return max(1, int(w*scale+0.5)), max(1, int(h*scale+0.5))
}

// PictureSize is the size in pixels of the picture that Run makes of an image of so many columns and rows, whose
// distances are given in mm; 0: unknown.
func PictureSize(columns, rows int, column, row float64) (width, height int) {
	width, height = fit(columns, rows)
	return uprightSize(width, height, column, row)
}

// resample returns the sheet in another size, linearly between the pixels' centres.
func (s sheet) resample(w, h int) sheet {
	out := newSheet(w, h, s.channels)
	place := func(i, n, of int) (int, int, float32) {
		at := min(max((float64(i)+0.5)*float64(of)/float64(n)-0.5, 0), float64(of-1))
		low := int(at)
		return low, min(low+1, of-1), float32(at - float64(low))
	}
	for y := range h {
		top, bottom, dy := place(y, h, s.h)
		for x := range w {
			left, right, dx := place(x, w, s.w)
			for c := range s.channels {
				at := func(x, y int) float32 { return s.px[(y*s.w+x)*s.channels+c] }
				upper := at(left, top)*(1-dx) + at(right, top)*dx
				lower := at(left, bottom)*(1-dx) + at(right, bottom)*dx
				out.px[(y*w+x)*s.channels+c] = upper*(1-dy) + lower*dy
			}
		}
	}
	return out
}

// transposed returns the sheet with rows and columns exchanged.
func (s sheet) transposed() sheet {
	out := newSheet(s.h, s.w, s.channels)
	for y := range s.h {
		for x := range s.w {
			copy(out.px[(x*s.h+y)*s.channels:], s.px[(y*s.w+x)*s.channels:(y*s.w+x+1)*s.channels])
		}
	}
	return out
}

// flipped returns the sheet mirrored left to right, or top to bottom.
func (s sheet) flipped(sideways, over bool) sheet {
	if !sideways && !over {
		return s
	}
	out := newSheet(s.w, s.h, s.channels)
	for y := range s.h {
		for x := range s.w {
			fx, fy := x, y
			if sideways {
				fx = s.w - 1 - x
			}
			if over {
				fy = s.h - 1 - y
			}
			copy(out.px[(fy*s.w+fx)*s.channels:], s.px[(y*s.w+x)*s.channels:(y*s.w+x+1)*s.channels])
		}
	}
	return out
}
