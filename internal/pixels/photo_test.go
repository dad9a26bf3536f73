package pixels

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// turnedJPEG is 32 × 16, bright in its upper left quarter, with EXIF that says how to turn it and who took it.
func turnedJPEG(turn uint16, order binary.AppendByteOrder) []byte {
	img := image.NewGray(image.Rect(0, 0, 32, 16))
	for y := range 8 {
		for x := range 16 {
			img.SetGray(x, y, color.Gray{Y: 240})
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}) // into memory
	mark := "II*\x00"
	if order == binary.AppendByteOrder(binary.BigEndian) {
		mark = "MM\x00*"
	}
	exif := append([]byte("Exif\x00\x00"), mark...)
	exif = order.AppendUint32(exif, 8)
	exif = order.AppendUint16(exif, 1)
	exif = order.AppendUint16(exif, 0x0112)
	exif = order.AppendUint16(exif, 3)
	exif = order.AppendUint32(exif, 1)
	exif = order.AppendUint16(exif, turn)
	exif = append(exif, 0, 0, 0, 0, 0, 0)
	exif = append(exif, "GPS of the patient's home"...)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, byte((len(exif) + 2) >> 8), byte(len(exif) + 2)}, exif...)
	return append(out, b.Bytes()[2:]...)
}

// Where the bright quarter has to be after each EXIF orientation, and that nothing but pixels is left.
func TestPhotosAreTurnedAndStripped(t *testing.T) {
	for turn, want := range map[uint16]struct{ right, bottom, tall bool }{
		0: {}, 1: {}, 2: {right: true}, 3: {right: true, bottom: true}, 4: {bottom: true},
		5: {tall: true}, 6: {right: true, tall: true}, 7: {right: true, bottom: true, tall: true}, 8: {bottom: true, tall: true}, 9: {},
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(fmt.Sprint(turn, order), func(t *testing.T) {
				data := turnedJPEG(turn, order)
				result, err := Run(Job{Photo: &Photo{Size: int64(len(data))}}, bytes.NewReader(data))
				if err != nil || result.Refused != nil {
					t.Fatal(err, result.Refused)
				}
				p := result.Pictures[0]
				img := pictureOf(t, p)
				if (p.Height > p.Width) != want.tall || result.Facts.Width != p.Width || result.Facts.Height != p.Height {
					t.Errorf("%d × %d, facts %+v", p.Width, p.Height, result.Facts)
				}
				x, y := p.Width/4, p.Height/4
				if want.right {
					x = p.Width - 1 - x
				}
				if want.bottom {
					y = p.Height - 1 - y
				}
				if greyAt(img, x, y) < 200 || greyAt(img, p.Width-1-x, p.Height-1-y) > 60 {
					t.Error("the bright quarter is somewhere else")
				}
				if bytes.Contains(p.Bytes, []byte("patient")) || bytes.Contains(p.Bytes, []byte("Exif")) {
					t.Error("the preview carries what the camera wrote")
				}
			})
		}
	}
}

func TestATransparentPNGIsSeenOnWhite(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	img.Set(0, 0, color.NRGBA{R: 200, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	result, err := Run(Job{Photo: &Photo{Size: int64(b.Len())}}, &b)
	if err != nil || result.Refused != nil {
		t.Fatal(err, result.Refused)
	}
	seen := pictureOf(t, result.Pictures[0])
	if r, g, _, _ := seen.At(0, 0).RGBA(); r>>8 != 200 || g != 0 || greyAt(seen, 3, 3) != 255 {
		t.Errorf("%v %v", seen.At(0, 0), seen.At(3, 3))
	}
}

func deflated(b string) string {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	_, _ = z.Write([]byte(b))
	_ = z.Close()
	return out.String()
}

func TestThePagesOfAPDFAreCounted(t *testing.T) {
	tree := "2 0 obj << /Type /Pages /Kids [3 0 R 4 0 R] /Count 12 /Resources << /Font << >> >> >> endobj\n" +
		"3 0 obj << /Type /Pages /Parent 2 0 R /Count 7 >> endobj\n"
	for name, c := range map[string]struct {
		document string
		pages    int
	}{
		"a page tree":               {"%PDF-1.4\n" + tree, 12},
		"without spaces":            {"%PDF-1.4\n<</Type/Pages/Count 3/Kids[]>>", 3},
		"changed by appending":      {"%PDF-1.4\n" + tree + "2 0 obj << /Count 13 /Type /Pages >> endobj", 13},
		"in an object stream":       {"%PDF-1.5\n9 0 obj << /Type /ObjStm /N 2 /First 10 /Filter /FlateDecode >> stream\r\n" + deflated(tree) + "\nendstream", 12},
		"encrypted":                 {"%PDF-1.4\n" + tree + "trailer << /Encrypt 5 0 R >>", 0},
		"without a tree":            {"%PDF-1.4\nnothing", 0},
		"only a branch":             {"%PDF-1.4\n<< /Type /Pages /Parent 2 0 R /Count 7 >>", 0},
		"a dictionary that is open": {"%PDF-1.4\n/Type /Pages /Count 7 >>", 0},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := Run(Job{PDF: &PDF{Size: int64(len(c.document))}}, bytes.NewReader([]byte(c.document)))
			if err != nil || result.Facts.Pages != c.pages || (result.Refused == nil) != (c.pages > 0) {
				t.Fatalf("%+v %v", result, err)
			}
		})
	}
}
