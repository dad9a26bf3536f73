package preview

import (
	"encoding/binary"
	"errors"
	"io"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/pixels"
)

// Tags that only drawing needs (PS3.3 C.7.6.3, C.7.6.5, C.11).
const (
	tagPlanar        dicom.Tag = 0x00280006
	tagHighBit       dicom.Tag = 0x00280102
	tagSigned        dicom.Tag = 0x00280103
	tagWindowCenter  dicom.Tag = 0x00281050
	tagWindowWidth   dicom.Tag = 0x00281051
	tagIntercept     dicom.Tag = 0x00281052
	tagSlope         dicom.Tag = 0x00281053
	tagPaletteShape  dicom.Tag = 0x00281101 // red; green and blue follow
	tagPaletteColour dicom.Tag = 0x00281201
)

// codings are the transfer syntaxes that are decoded here (PS3.5 A.4); "" is an object that does not say.
var codings = map[string]pixels.Coding{
	"":                           pixels.Native,
	dicom.ImplicitVRLittleEndian: pixels.Native,
	dicom.ExplicitVRLittleEndian: pixels.Native,
	dicom.ExplicitVRBigEndian:    pixels.Native,
	dicom.GEPrivateBigEndian:     pixels.Native,
	dicom.EncapsulatedUncompress: pixels.Native,
	dicom.DeflatedExplicitVR:     pixels.Native,
	"1.2.840.10008.1.2.5":        pixels.RLE,
	"1.2.840.10008.1.2.4.50":     pixels.Lossy,
	"1.2.840.10008.1.2.4.51":     pixels.Lossy,
	"1.2.840.10008.1.2.4.57":     pixels.Lossless,
	"1.2.840.10008.1.2.4.70":     pixels.Lossless,
}

// leftToBrowsers are the transfer syntaxes whose codecs browsers load: JPEG-LS, JPEG 2000, HTJ2K.
var leftToBrowsers = map[string]bool{
	"1.2.840.10008.1.2.4.80": true, "1.2.840.10008.1.2.4.81": true,
	"1.2.840.10008.1.2.4.90": true, "1.2.840.10008.1.2.4.91": true,
	"1.2.840.10008.1.2.4.92": true, "1.2.840.10008.1.2.4.93": true,
	"1.2.840.10008.1.2.4.201": true, "1.2.840.10008.1.2.4.202": true, "1.2.840.10008.1.2.4.203": true,
}

const leftToBrowser = "The server does not decode this kind of image; a browser draws it when the case is opened."

// image is one instance, its header read and its pixels located.
type image struct {
	content
	dicom.Instance
	frame  pixels.Frame // without Size, and without Coding while that is not known
	pixels *dicom.PixelData
	items  []item // of encapsulated pixel data, read so far
	next   int64  // where the item after them begins
	table  []uint32
}

// item is one fragment (PS3.5 A.4).
type item struct{ at, length int64 }

// openImage reads the header of an instance whose pixels are decoded here.
func (w *work) openImage(m caseload.Instance) (*image, error) {
	i, err := w.locate(m)
	if err != nil {
		return nil, err
	}
	coding, known := codings[i.TransferSyntax]
	if !known {
		return nil, &unreadable{"Images of this transfer syntax have no preview."}
	}
	i.frame.Coding = coding
	return i, nil
}

// locate reads the header of an instance, whoever decodes its pixels.
func (w *work) locate(m caseload.Instance) (*image, error) {
	ahead := int64(64 << 10)
	if frame := int64(m.Rows) * int64(m.Columns) * int64(m.BitsAllocated) / 8; m.Frames <= 1 && frame < 1<<20 {
		ahead += frame // a slice by itself comes in one read
	}
	c, err := w.openContent(m, ahead)
	if err != nil {
		return nil, err
	}
	h, err := dicom.Read(w.ctx, c, c.size, dicom.Options{})
	switch {
	case errors.Is(err, dicom.ErrNotDICOM):
		return nil, &unreadable{"The image's header cannot be read."}
	case err != nil:
		return nil, err
	}
	in := dicom.Describe(h)
	switch {
	case in.Pixel == nil:
		return nil, &unreadable{"There are no pixels to show."}
	case in.Pixel.Tag != dicom.TagPixelData:
		return nil, &unreadable{"Images of floating-point numbers have no preview."}
	case in.Pixel.Inflated && in.Pixel.Encapsulated:
		return nil, &unreadable{"Compressed images in a file that is compressed as a whole have no preview."}
	default:
		return &image{content: c, Instance: in, frame: frameOf(h, in), pixels: in.Pixel}, nil
	}
}

// frameOf describes a frame by its header; its coding is another's to say.
func frameOf(h *dicom.Header, in dicom.Instance) pixels.Frame {
	number := func(tag dicom.Tag, otherwise int) int {
		if n, ok := h.Int(tag); ok {
			return n
		}
		return otherwise
	}
	decimal := func(tag dicom.Tag) float64 { f, _ := h.Float(tag); return f }
	f := pixels.Frame{
		Rows: in.Rows, Columns: in.Columns, Samples: max(in.SamplesPerPixel, 1), Photometric: in.Photometric,
		BitsAllocated: in.BitsAllocated, BitsStored: in.BitsStored, BigEndian: in.Pixel.BigEndian,
		Signed: number(tagSigned, 0) == 1, Planar: number(tagPlanar, 0) == 1,
		Slope: decimal(tagSlope), Intercept: decimal(tagIntercept), Center: decimal(tagWindowCenter), Width: decimal(tagWindowWidth),
	}
	if f.BitsStored == 0 {
		f.BitsStored = f.BitsAllocated
	}
	if f.HighBit = number(tagHighBit, f.BitsStored-1); f.HighBit < f.BitsStored-1 || f.HighBit >= f.BitsAllocated {
		f.HighBit = f.BitsStored - 1
	}
	if f.Photometric == "" && f.Samples == 1 {
		f.Photometric = "MONOCHROME2"
	}
	if len(in.PixelSpacing) == 2 {
		f.RowSpacing, f.ColumnSpacing = in.PixelSpacing[0], in.PixelSpacing[1]
	}
	if f.Photometric == "PALETTE COLOR" {
		f.Palette, f.First = paletteOf(h)
	}
	return f
}

// paletteOf reads the three look-up tables (PS3.3 C.7.6.3.1.5, .6) down to 8 bits a colour; nil when they are not whole.
func paletteOf(h *dicom.Header) (palette []byte, first int) {
	for colour := range dicom.Tag(3) {
		shape, table := h.Floats(tagPaletteShape+colour), h.Find(tagPaletteColour+colour)
		if len(shape) < 3 || table == nil {
			return nil, 0
		}
		entries := int(shape[0])
		if entries == 0 {
			entries = 1 << 16
		}
		wide := shape[2] > 8 && len(table.Value) >= 2*entries
		if entries < 1 || entries > 1<<16 || !wide && len(table.Value) < entries {
			return nil, 0
		}
		if palette == nil {
			palette, first = make([]byte, 3*entries), int(shape[1])
		}
		for i := range min(entries, len(palette)/3) {
			switch {
			case wide && table.BigEndian:
				palette[3*i+int(colour)] = table.Value[2*i]
			case wide:
				palette[3*i+int(colour)] = table.Value[2*i+1]
			default:
				palette[3*i+int(colour)] = table.Value[i]
			}
		}
	}
	return palette, first
}

// located is one frame, described, and the pieces of the file that its bytes lie in.
type located struct {
	pixels.Frame
	image  *image
	pieces []item
}

// place finds frame n: one stretch of native pixels, the fragments of a compressed frame, or of a file that is compressed
// as a whole what has to be inflated for it.
func (i *image) place(n int) (f located, err error) {
	if n < 0 || n >= max(i.Frames, 1) {
		return f, &unreadable{"The image has fewer frames than it says."}
	}
	f = located{Frame: i.frame, image: i}
	switch {
	case i.pixels.Encapsulated:
		f.pieces, err = i.fragments(n)
	case i.pixels.Inflated:
		return i.deflated(f, n)
	default:
		var one item
		one, err = i.native(n, min(i.pixels.Offset+i.pixels.Length, i.size))
		f.pieces = []item{one}
	}
	for _, piece := range f.pieces {
		f.Size += piece.length
	}
	return f, err
}

// native returns where frame n of uncompressed pixels lies, which end at the given place.
func (i *image) native(n int, end int64) (item, error) {
	length, ok := i.FrameBytes()
	if i.frame.Photometric == "YBR_FULL_422" {
		length = length / 3 * 2
	}
	at := i.pixels.Offset + int64(n)*length
	if !ok || at >= end {
		return item{}, &unreadable{"The image has no pixels where they should be."}
	}
	return item{at, min(length, end-at)}, nil
}

// deflated places frame n in a data set that is compressed as a whole (PS3.5 A.5): as much of it as the frame can need, were
// nothing smaller by compression (RFC 1951 3.2.4: five bytes for each block).
func (i *image) deflated(f located, n int) (located, error) {
	one, err := i.native(n, i.pixels.Offset+i.pixels.Length)
	if err != nil {
		return f, err
	}
	inflated := one.at + one.length
	whole := item{i.pixels.DeflatedAt, min(i.size-i.pixels.DeflatedAt, inflated+inflated/1000+64<<10)}
	f.Size, f.pieces = one.length, []item{whole}
	f.Deflated = &pixels.Deflated{Size: whole.length, Skip: one.at}
	return f, nil
}

// mostItems bounds how many fragments are looked at.
const mostItems = 20_000

// fragments returns those of frame n (PS3.5 A.4): all of a single frame; by the Basic Offset Table where there is one;
// else one a frame.
func (i *image) fragments(n int) ([]item, error) {
	if i.next == 0 {
		table, err := i.item(i.pixels.Offset)
		if err != nil {
			return nil, err
		}
		if i.next = table.at + table.length; i.Frames > 1 && table.length >= int64(4*i.Frames) && table.length <= 4*mostItems {
			b := make([]byte, 4*i.Frames)
			if _, err := i.ReadAt(b, table.at); err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			for ; len(b) >= 4; b = b[4:] {
				i.table = append(i.table, binary.LittleEndian.Uint32(b))
			}
			i.table = append(i.table, 0)
		}
	}
	first := i.pixels.Offset
	if i.table != nil {
		return i.byTable(n)
	}
	for len(i.items) <= n || i.Frames <= 1 {
		it, err := i.item(i.next)
		if err != nil || it.length < 0 {
			if i.Frames <= 1 && len(i.items) > 0 {
				return i.items, nil
			}
			return nil, &unreadable{"The image has no pixels where they should be."}
		}
		if len(i.items) >= mostItems || it.at <= first {
			return nil, &unreadable{"The image is in too many pieces."}
		}
		i.items, i.next = append(i.items, it), it.at+it.length
	}
	return i.items[n : n+1], nil
}

// byTable returns the fragments from one offset of the table to the next.
func (i *image) byTable(n int) (found []item, err error) {
	at, end := i.next+int64(i.table[n]), i.size
	if n+1 < i.Frames {
		end = i.next + int64(i.table[n+1])
	}
	for at < end && len(found) < mostItems {
		it, err := i.item(at)
		if err != nil || it.length < 0 {
			break
		}
		found, at = append(found, it), it.at+it.length
	}
	if len(found) == 0 {
		return nil, &unreadable{"The image has no pixels where they should be."}
	}
	return found, nil
}

// item reads the head of an item; its length is -1 when something else stands there.
func (i *image) item(at int64) (item, error) {
	var b [8]byte
	if _, err := i.ReadAt(b[:], at); err != nil {
		if errors.Is(err, io.EOF) {
			return item{at, -1}, nil
		}
		return item{}, err
	}
	length := int64(binary.LittleEndian.Uint32(b[4:]))
	if binary.LittleEndian.Uint16(b[:]) != 0xFFFE || binary.LittleEndian.Uint16(b[2:]) != 0xE000 {
		return item{at, -1}, nil
	}
	return item{at + 8, min(length, i.size-at-8)}, nil
}

// write sends the pieces.
func (f *located) write(to io.Writer) error {
	buffer := make([]byte, 256<<10)
	for _, piece := range f.pieces {
		section := io.NewSectionReader(f.image.content, piece.at, piece.length)
		if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{section}, buffer); err != nil {
			return err
		}
	}
	return nil
}
