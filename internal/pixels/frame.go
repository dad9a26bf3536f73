package pixels

import (
	"bufio"
	"errors"
	"io"
)

// rowReader gives the stored samples of one row after the other, pixel by pixel, as they lie in BitsAllocated bits.
type rowReader interface {
	row(samples []uint32) error
}

// open returns the decoder of the frame's coding. r gives exactly Size bytes.
func (f *Frame) open(r io.Reader) (rowReader, error) {
	switch f.Coding {
	case Native:
		return openNative(f, r)
	case RLE:
		return openCoded(f, r, newRLE)
	case Lossless, Lossy:
		return openCoded(f, r, openJPEG)
	}
	return nil, refuse(Unsupported, "An image of this coding is not drawn.")
}

// openCoded reads the whole compressed frame, which is small beside the image.
func openCoded[R rowReader](f *Frame, r io.Reader, open func(*Frame, []byte) (R, error)) (rowReader, error) {
	data := make([]byte, f.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, cutShort(err)
	}
	rows, err := open(f, data)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(Truncated, "The image ends too early.")
	}
	return err
}

// each decodes the frame and calls visit with every row: one number a pixel after rescaling (PS3.3 C.11.1.1.2), or three
// of 0 to 255 for colour. cut tells that the pixels ended too early; rows that are missing are then not visited.
func (f *Frame) each(r io.Reader, visit func(y int, px []float32)) (cut bool, err error) {
	limited := &io.LimitedReader{R: r, N: f.Size}
	if f.Deflated != nil {
		limited.N = f.Deflated.Size
	}
	defer func() {
		if _, drained := io.Copy(io.Discard, limited); err == nil {
			err = drained
		}
	}()
	source := io.Reader(bufio.NewReaderSize(limited, 64<<10))
	if f.Deflated != nil {
		if source, err = f.Deflated.open(source); err != nil {
			return false, err
		}
	}
	rows, err := f.open(source)
	if err != nil {
		return false, err
	}
	samples := make([]uint32, f.Columns*f.Samples)
	px := make([]float32, f.Columns*f.channels())
	convert := f.converter()
	for y := range f.Rows {
		if err := rows.row(samples); err != nil {
			if refused, ok := errors.AsType[*Refused](err); ok && y > f.Rows/2 && refused.Code == Truncated {
				return true, nil
			}
			return false, err
		}
		convert(px, samples)
		visit(y, px)
	}
	return false, nil
}

// channels is how many numbers each gives a pixel.
func (f *Frame) channels() int {
	if f.Samples == 3 || f.Photometric == "PALETTE COLOR" {
		return 3
	}
	return 1
}

// converter returns what turns stored samples into each's numbers.
func (f *Frame) converter() func(px []float32, samples []uint32) {
	switch {
	case f.Photometric == "PALETTE COLOR":
		return f.fromPalette
	case f.Samples == 3 && f.Photometric != "RGB" && f.Coding != Lossy:
		return fromYBR
	case f.Samples == 3:
		return func(px []float32, samples []uint32) {
			for i, s := range samples {
				px[i] = float32(s)
			}
		}
	}
	value, slope, intercept := f.value(), float32(f.Slope), float32(f.Intercept)
	if slope == 0 {
		slope = 1
	}
	return func(px []float32, samples []uint32) {
		for i, s := range samples {
			px[i] = float32(value(s))*slope + intercept
		}
	}
}

// value returns what takes the stored bits out of a sample (PS3.5 8.1.1).
func (f *Frame) value() func(uint32) int32 {
	low := f.HighBit + 1 - f.BitsStored
	if f.Coding == Lossless || f.Coding == Lossy {
		low = 0 // the stream holds the value itself (PS3.5 8.2.1)
	}
	drop := 32 - f.BitsStored
	if f.Signed {
		return func(s uint32) int32 { return int32(s>>low<<drop) >> drop }
	}
	if f.BitsStored == 32 {
		return func(s uint32) int32 { return int32(s >> 1) } // half of it: the window does not care
	}
	return func(s uint32) int32 { return int32(s >> low << drop >> drop) }
}

func (f *Frame) fromPalette(px []float32, samples []uint32) {
	value, last := f.value(), len(f.Palette)/3-1
	for i, s := range samples {
		entry := 3 * min(max(int(value(s))-f.First, 0), last)
		px[3*i], px[3*i+1], px[3*i+2] = float32(f.Palette[entry]), float32(f.Palette[entry+1]), float32(f.Palette[entry+2])
	}
}

// fromYBR converts full-range YCbCr (PS3.3 C.7.6.3.1.2).
func fromYBR(px []float32, samples []uint32) {
	for i := 0; i+2 < len(samples); i += 3 {
		y, b, r := float32(samples[i]), float32(samples[i+1])-128, float32(samples[i+2])-128
		px[i], px[i+1], px[i+2] = within(y+1.402*r), within(y-0.344136*b-0.714136*r), within(y+1.772*b)
	}
}

func within(v float32) float32 { return min(max(v, 0), 255) }

// drawFrame makes one picture.
func drawFrame(f Frame, r io.Reader) (Result, error) {
	if err := f.check(); err != nil {
		return Result{}, err
	}
	small, cut, err := f.reduce(r)
	if err != nil {
		return Result{}, err
	}
	small = small.upright(f.ColumnSpacing, f.RowSpacing)
	var picture Picture
	if small.channels == 3 {
		picture, err = encodeColour(Image, small)
	} else {
		picture, err = encodeGrey(Image, small, f.window(small.px), f.Photometric == "MONOCHROME1")
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Pictures: []Picture{picture}, Facts: Facts{Cut: cut}}, nil
}
