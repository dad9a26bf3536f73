package preview

import (
	"errors"
	"io"
	"strings"

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
	index  *dicom.Frames
	of     caseload.InstanceID
}

// openImage reads the header of an instance whose pixels are decoded here.
func (w *work) openImage(m caseload.Instance) (*image, error) {
	i, err := w.locate(m)
	if err != nil {
		return nil, err
	}
	coding, known := codings[i.TransferSyntax]
	switch {
	case !i.pixels.Encapsulated && (known || leftToBrowsers[i.TransferSyntax]):
		coding = pixels.Native // whatever the syntax says: compressed pixels stand in fragments (PS3.5 A.4)
	case !known:
		return nil, &unreadable{"Images of this transfer syntax have no preview."}
	case coding == pixels.Native && i.TransferSyntax != dicom.EncapsulatedUncompress:
		coding = pixels.Lossy // a JPEG stream tells itself which kind it is
	}
	i.frame.Coding = coding
	if i.frame.Samples == 3 && !strings.HasPrefix(i.frame.Photometric, "YBR_") { // "MONOCHROME2" of three samples, or nothing: colours
		i.frame.Photometric = "RGB"
		if coding == pixels.Lossy && i.Photometric != "RGB" {
			i.frame.Photometric = "YBR_FULL"
		}
	}
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
		return nil, &unreadable{imageless(in.SOPClassUID)}
	case in.Pixel.Tag != dicom.TagPixelData:
		return nil, &unreadable{"Images of floating-point numbers have no preview."}
	case in.Pixel.Inflated && in.Pixel.Encapsulated:
		return nil, &unreadable{"Compressed images in a file that is compressed as a whole have no preview."}
	}
	index, err := h.IndexFrames(w.ctx, c, c.size)
	if err != nil {
		return nil, err
	}
	return &image{content: c, Instance: in, frame: frameOf(h, in), pixels: in.Pixel, index: index, of: m.ID}, nil
}

// imageless says what an object without an image is, by its SOP class (PS3.4 B.5).
func imageless(class string) string {
	switch class {
	case "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.104.2":
		return "A document lies in this DICOM object. It is kept, but not shown."
	case "1.2.840.10008.5.1.4.1.1.104.3", "1.2.840.10008.5.1.4.1.1.104.4", "1.2.840.10008.5.1.4.1.1.104.5":
		return "A mesh lies in this DICOM object. It is kept, but not shown."
	}
	for _, storage := range []string{"88.", "11.", "481.", "9.", "78.", "66", "67", "77.1.5.4"} { // reports, presentation states, plans, waveforms, …
		if strings.HasPrefix(class, "1.2.840.10008.5.1.4.1.1."+storage) {
			return "This DICOM object is a report, a plan or a measurement and holds no image. Its header shows what it says."
		}
	}
	return "There are no pixels to show."
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
	if f.BitsStored == 0 || f.BitsStored > f.BitsAllocated {
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

// paletteOf reads the three look-up tables (PS3.3 C.7.6.3.1.5, .6) down to 8 bits a colour; nil when they are not whole. Some write
// colours of 8 bits into entries of 16: then no upper byte says anything.
func paletteOf(h *dicom.Header) (palette []byte, first int) {
	var said [2]byte // by the bytes at even and at odd places
	for colour := range dicom.Tag(3) {
		if table := h.Find(tagPaletteColour + colour); table != nil {
			for i, b := range table.Value {
				said[i%2] |= b
			}
		}
	}
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
		upper := 1
		if table.BigEndian {
			upper = 0
		}
		if said[upper] == 0 {
			upper = 1 - upper
		}
		for i := range min(entries, len(palette)/3) {
			if wide {
				palette[3*i+int(colour)] = table.Value[2*i+upper]
			} else {
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
	pieces []dicom.Extent
}

// place finds frame n by the index of the image: one stretch of native pixels, the fragments of a compressed frame, or of a file
// that is compressed as a whole what has to be inflated for it.
func (i *image) place(n int) (located, error) {
	f := located{Frame: i.frame, image: i}
	f.pieces, f.Bit = i.index.Extents(n)
	switch {
	case i.index.Count == 0:
		return f, &unreadable{"The image has no pixels where they should be."}
	case f.pieces == nil:
		return f, &unreadable{"The image has fewer frames than it says."}
	}
	for _, piece := range f.pieces {
		f.Size += piece.Length
	}
	if i.pixels.Inflated {
		f.inflating(f.pieces[0])
	}
	return f, nil
}

// inflating places a frame in a data set that is compressed as a whole (PS3.5 A.5), in whose inflated bytes it lies: as much of
// the data set as the frame can need, were nothing smaller by compression (RFC 1951 3.2.4: five bytes for each block).
func (f *located) inflating(at dicom.Extent) {
	inflated := at.Offset + at.Length
	from := f.image.pixels.DeflatedAt
	whole := dicom.Extent{Offset: from, Length: min(f.image.size-from, inflated+inflated/1000+64<<10)}
	f.pieces = []dicom.Extent{whole}
	f.Deflated = &pixels.Deflated{Size: whole.Length, Skip: at.Offset}
}

// write sends the pieces.
func (f *located) write(to io.Writer) error {
	buffer := make([]byte, 256<<10)
	for _, piece := range f.pieces {
		section := io.NewSectionReader(f.image.content, piece.Offset, piece.Length)
		if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{section}, buffer); err != nil {
			return err
		}
	}
	return nil
}
