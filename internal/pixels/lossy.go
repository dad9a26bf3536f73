package pixels

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
)

// lossy decodes JPEG baseline, extended and progressive of 8 bits with the standard library, which holds the whole
// image: its size is settled from the header before (DecodeConfig allocates nothing for the pixels).
type lossy struct {
	f   *Frame
	img image.Image
	rgb bool // the stream's colours are red, green and blue, whatever the library takes them for
	y   int
}

func newLossy(f *Frame, data []byte) (*lossy, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, badJPEG(err)
	}
	samples := 3
	if config.ColorModel == color.GrayModel {
		samples = 1
	}
	if config.Width != f.Columns || config.Height != f.Rows || samples != f.Samples {
		return nil, refuse(SizeMismatch, "The stream holds %d × %d pixels of %d samples, the header says %d × %d of %d.",
			config.Width, config.Height, samples, f.Columns, f.Rows, f.Samples)
	}
	if err := affordable(data, config, true); err != nil {
		return nil, err
	}
	img, err := decodeJPEG(data)
	if err != nil {
		return nil, badJPEG(err)
	}
	return &lossy{f: f, img: img, rgb: f.Photometric == "RGB" && !saysYCbCr(data)}, nil
}

// saysYCbCr tells whether a stream itself states that its colours are luminance and chrominance: as JFIF (ITU-T T.871, 10.1), or
// by Adobe's segment (T.872, 6.5.3). A header that calls them RGB is then wrong.
func saysYCbCr(data []byte) (says bool) {
	_, _ = jpegSegments(data, func(mark byte, body []byte) error {
		says = says || mark == 0xE0 && bytes.HasPrefix(body, []byte("JFIF\x00")) || mark == 0xEE && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")) && body[11] == 1
		return nil
	})
	return says
}

// decodeJPEG decodes a stream whose size was settled. Where it lacks the marker that ends an image (T.81 B.2.1, EOI), which some
// writers leave out or pad in its place, one is put there.
func decodeJPEG(data []byte) (image.Image, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err == nil {
		return img, nil
	}
	end := []byte{0xFF, markEOI}
	trimmed := bytes.TrimRight(data, "\x00")
	if bytes.HasSuffix(trimmed, end) {
		return nil, err
	}
	if img, second := jpeg.Decode(bytes.NewReader(append(trimmed[:len(trimmed):len(trimmed)], end...))); second == nil {
		return img, nil
	}
	return nil, err
}

// The most pixels that a byte of a picture can hold. A PNG's byte is at most 1032 when inflated (RFC 1951 3.2.5: 258 bytes for two
// bits), each of 8 pixels of one bit. A JPEG has at least one bit for the first coefficient of each block of 64 (T.81 F.1.2, G.1.2).
const (
	mostInflated = 1032
	mostPerByte  = 8 * 64
)

// affordable refuses a picture whose decoding would take more memory than a preview is worth, and one that claims what it cannot hold.
func affordable(data []byte, config image.Config, isJPEG bool) error {
	w, h := int64(config.Width), int64(config.Height)
	if w < 1 || h < 1 || w > MaxPixels || h > MaxPixels || w*h > MaxPixels {
		return refuse(TooLarge, "The picture has %d × %d pixels, more than 64 million.", config.Width, config.Height)
	}
	cost, most := pngCost(data, config.ColorModel), int64(mostInflated*8)
	if isJPEG {
		cost, most = jpegCost(data), mostPerByte
	}
	if float64(w*h)*cost > maxDecoded {
		return refuse(TooLarge, "Decoding the picture of %d × %d pixels takes too much memory.", config.Width, config.Height)
	}
	if w*h/most > int64(len(data)) {
		return refuse(SizeMismatch, "The picture claims more pixels than its size can hold.")
	}
	return nil
}

// pngCost is the bytes a pixel takes while a PNG is decoded; an interlaced one (PNG 11.2.2) has a pass beside the whole.
func pngCost(data []byte, model color.Model) float64 {
	each := 4.0
	_, indexed := model.(color.Palette)
	switch {
	case indexed || model == color.GrayModel:
		each = 1
	case model == color.Gray16Model:
		each = 2
	case model == color.RGBA64Model || model == color.NRGBA64Model:
		each = 8
	}
	if len(data) > 28 && data[28] == 1 {
		each *= 2
	}
	return each
}

// jpegCost is the bytes a pixel takes while a JPEG is decoded: one for each sample, and of a progressive one (T.81
// annex G) four more for its coefficient. Colours of half the size have fewer samples (T.81 A.1.1).
func jpegCost(data []byte) float64 {
	const most = 4 * 5
	for at := 2; at+4 <= len(data) && data[at] == 0xFF; {
		mark, length := data[at+1], int(data[at+2])<<8|int(data[at+3])
		if mark == 0xFF {
			at++
			continue
		}
		if mark < 0xC0 || mark > 0xC2 {
			at += 2 + length
			continue
		}
		if at+10 > len(data) || at+10+3*int(data[at+9]) > len(data) {
			return most
		}
		samples, across, down := 0, 1, 1
		for c := range int(data[at+9]) {
			h, v := int(data[at+11+3*c]>>4), int(data[at+11+3*c]&15)
			samples, across, down = samples+h*v, max(across, h), max(down, v)
		}
		each := float64(samples) / float64(across*down)
		if mark == 0xC2 {
			each *= 5
		}
		return each
	}
	return most
}

func badJPEG(err error) error {
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return refuse(Unsupported, "A JPEG of this kind is not drawn.")
	}
	return refuse(Damaged, "The image's JPEG stream is damaged.")
}

func (d *lossy) row(samples []uint32) error {
	y := d.y
	d.y++
	switch img := d.img.(type) {
	case *image.Gray:
		for x := range d.f.Columns {
			samples[x] = uint32(img.Pix[y*img.Stride+x])
		}
	case *image.YCbCr:
		for x := range d.f.Columns {
			at, sub := img.YOffset(x, y), img.COffset(x, y)
			r, g, b := img.Y[at], img.Cb[sub], img.Cr[sub]
			if !d.rgb { // DICOM's RGB is stored as it is
				r, g, b = color.YCbCrToRGB(r, g, b)
			}
			samples[3*x], samples[3*x+1], samples[3*x+2] = uint32(r), uint32(g), uint32(b)
		}
	default:
		for x := range d.f.Columns {
			r, g, b, _ := d.img.At(x, y).RGBA()
			samples[3*x], samples[3*x+1], samples[3*x+2] = r>>8, g>>8, b>>8
		}
	}
	return nil
}
