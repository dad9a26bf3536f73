package pixels

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
)

// drawPhoto makes a small copy of a JPEG or PNG, turned as its EXIF says and without any metadata: only pixels go on.
func drawPhoto(p Photo, r io.Reader) (Result, error) {
	switch {
	case p.Size < 1:
		return Result{}, refuse(Truncated, "The picture is empty.")
	case p.Size > MaxCoded:
		return Result{}, refuse(TooLarge, "The picture is larger than 64 MB.")
	}
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Result{}, cutShort(err)
	}
	isJPEG := bytes.HasPrefix(data, []byte{0xFF, markSOI})
	settle, decode := png.DecodeConfig, func(data []byte) (image.Image, error) { return png.Decode(bytes.NewReader(data)) }
	if isJPEG {
		settle, decode = jpeg.DecodeConfig, decodeJPEG
	} else if !bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1A\n")) {
		return Result{}, refuse(Unsupported, "The picture is neither a JPEG nor a PNG.")
	}
	config, err := settle(bytes.NewReader(data))
	if err != nil {
		return Result{}, badPhoto(err)
	}
	if err := affordable(data, config, isJPEG); err != nil {
		return Result{}, err
	}
	img, err := decode(data)
	if err != nil {
		return Result{}, badPhoto(err)
	}
	turn := 1
	if isJPEG {
		turn = orientation(data)
	}
	picture, err := encodeColour(Image, reduceImage(img).oriented(turn))
	if err != nil {
		return Result{}, err
	}
	facts := Facts{Width: config.Width, Height: config.Height}
	if turn > 4 {
		facts.Width, facts.Height = facts.Height, facts.Width
	}
	return Result{Pictures: []Picture{picture}, Facts: facts}, nil
}

func badPhoto(err error) error {
	var noJPEG jpeg.UnsupportedError
	var noPNG png.UnsupportedError
	if errors.As(err, &noJPEG) || errors.As(err, &noPNG) {
		return refuse(Unsupported, "A picture of this kind is not drawn.")
	}
	return refuse(Damaged, "The picture is damaged.")
}

// reduceImage averages a decoded picture into a sheet, over white where it is transparent.
func reduceImage(img image.Image) sheet {
	bounds := img.Bounds()
	small := newReducer(bounds.Dx(), bounds.Dy(), 3)
	line := make([]float32, 3*bounds.Dx())
	at := pixelOf(img)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			line[3*x], line[3*x+1], line[3*x+2] = at(bounds.Min.X+x, bounds.Min.Y+y)
		}
		small.add(y, line)
	}
	return small.sheet()
}

// pixelOf returns how to read a pixel of the image; the common kinds without an allocation each.
func pixelOf(img image.Image) func(x, y int) (r, g, b float32) {
	switch img := img.(type) {
	case *image.YCbCr:
		return func(x, y int) (float32, float32, float32) {
			at, sub := img.YOffset(x, y), img.COffset(x, y)
			r, g, b := color.YCbCrToRGB(img.Y[at], img.Cb[sub], img.Cr[sub])
			return float32(r), float32(g), float32(b)
		}
	case *image.Gray:
		return func(x, y int) (float32, float32, float32) {
			v := float32(img.Pix[img.PixOffset(x, y)])
			return v, v, v
		}
	}
	return func(x, y int) (float32, float32, float32) {
		r, g, b, a := img.At(x, y).RGBA() // premultiplied
		white := 0xFFFF - a
		return float32(r+white) / 257, float32(g+white) / 257, float32(b+white) / 257
	}
}

// oriented turns the sheet by an EXIF orientation (Exif 2.3, 4.6.4 A, tag 0112H); 1 and what is unknown leave it.
func (s sheet) oriented(turn int) sheet {
	switch turn {
	case 2:
		return s.flipped(true, false)
	case 3:
		return s.flipped(true, true)
	case 4:
		return s.flipped(false, true)
	case 5:
		return s.transposed()
	case 6:
		return s.transposed().flipped(true, false)
	case 7:
		return s.transposed().flipped(true, true)
	case 8:
		return s.transposed().flipped(false, true)
	}
	return s
}

// orientation finds the EXIF orientation of a JPEG; 1 when there is none.
func orientation(data []byte) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xFF && data[at+1] != markSOS; {
		length := int(data[at+2])<<8 | int(data[at+3])
		if length < 2 || at+2+length > len(data) {
			return 1
		}
		if body := data[at+4 : at+2+length]; data[at+1] == 0xE1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return orientationIn(body[6:])
		}
		at += 2 + length
	}
	return 1
}

// orientationIn reads the first directory of a TIFF (TIFF 6.0, section 2).
func orientationIn(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at < 8 || at+2 > int64(len(tiff)) {
		return 1
	}
	entries := int64(order.Uint16(tiff[at:]))
	for i := range entries {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[entry:]) == 0x0112 {
			if v := int(order.Uint16(tiff[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return 1
}
