package pixels

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
)

// window is the range of numbers shown from black to white.
type window struct{ low, high float64 }

// window returns the header's own, or a sensible one where the header has none or would show nothing: the range of the
// pixels without the rarest half percent on either side.
func (f *Frame) window(px []float32) window {
	if f.Width >= 1 {
		// PS3.3 C.11.2.1.2.1: the linear function.
		w := window{f.Center - 0.5 - (f.Width-1)/2, f.Center - 0.5 + (f.Width-1)/2}
		if w.high > w.low && w.shows(px) {
			return w
		}
	}
	return sensible(px)
}

// shows tells whether the window leaves at least two percent of the pixels neither black nor white.
func (w window) shows(px []float32) bool {
	grey := 0
	for _, v := range px {
		if float64(v) > w.low && float64(v) < w.high {
			grey++
		}
	}
	return grey*50 >= len(px)
}

func sensible(px []float32) window {
	sorted := make([]float32, 0, len(px))
	for _, v := range px {
		if !math.IsNaN(float64(v)) {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 {
		return window{0, 1}
	}
	slices.Sort(sorted)
	// What is cut off round the field of view is written as one lowest number: it is black anyway.
	first, _ := slices.BinarySearch(sorted, math.Nextafter32(sorted[0], float32(math.Inf(1))))
	if first*50 > len(sorted) && first < len(sorted) && sorted[first] < sorted[len(sorted)-1] { // else it is one of two colours
		sorted = sorted[first:]
	}
	at := func(share float64) float64 { return float64(sorted[int(share*float64(len(sorted)-1))]) }
	w := window{at(0.005), at(0.995)}
	if w.high <= w.low {
		w = window{float64(sorted[0]), float64(sorted[len(sorted)-1])}
	}
	if w.high <= w.low {
		w.high = w.low + 1
	}
	return w
}

// encodeGrey maps the sheet through the window; invert is for MONOCHROME1, whose lowest number is white.
func encodeGrey(view View, s sheet, w window, invert bool) (Picture, error) {
	img := image.NewGray(image.Rect(0, 0, s.w, s.h))
	scale := 255 / (w.high - w.low)
	for i, v := range s.px {
		grey := min(max((float64(v)-w.low)*scale+0.5, 0), 255)
		if grey != grey {
			grey = 0
		}
		if invert {
			grey = 255 - grey
		}
		img.Pix[i] = uint8(grey)
	}
	return encode(view, img)
}

func encodeColour(view View, s sheet) (Picture, error) {
	img := image.NewRGBA(image.Rect(0, 0, s.w, s.h))
	for i := range s.w * s.h {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(within(s.px[3*i+c] + 0.5))
		}
		img.Pix[4*i+3] = 255
	}
	return encode(view, img)
}

// encode writes a PNG when that is small enough, else a JPEG of the best quality that is.
func encode(view View, img image.Image) (Picture, error) {
	size := img.Bounds().Size()
	p := Picture{View: view, Width: size.X, Height: size.Y}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return Picture{}, err
	}
	if p.Media, p.Bytes = "image/png", b.Bytes(); len(p.Bytes) <= MaxPicture {
		return p, nil
	}
	for _, quality := range []int{90, 80, 70, 55, 40, 25, 10, 1} {
		b = bytes.Buffer{}
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return Picture{}, err
		}
		if p.Media, p.Bytes = "image/jpeg", b.Bytes(); len(p.Bytes) <= MaxPicture {
			return p, nil
		}
	}
	return Picture{}, refuse(TooLarge, "The preview does not become small enough.")
}
