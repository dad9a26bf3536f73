package preview_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// What a picture is to look like; anything else in its place is the reason why there is none.
const (
	rises   = "darker on the left than on the right"
	falls   = "brighter on the left than on the right"
	stripes = "black and white"
	colours = "green below on the left, red above on the right"
	shown   = "a picture"

	noImage   = "This DICOM object is a report, a plan or a measurement and holds no image. Its header shows what it says."
	noPreview = "Images of this transfer syntax have no preview."
)

// drawn is an image to write: what its header says, and its pixels.
type drawn struct {
	rows, cols, samples, alloc, stored, high int
	signed, planar                           int
	photo, syntax                            string
	frames                                   string
	before                                   func(e *dicomtest.Encoder)
	data                                     []byte
	fragments                                [][]byte
	tag                                      uint32
	vr                                       string
	class, modality                          string
	after                                    func(e *dicomtest.Encoder)
}

// paletteOf makes it an image of 8 bits whose three lookup tables, of 256 entries of 16 bits (PS3.3 C.7.6.3.1.5), are elements from the tag on.
func (o *drawn) paletteOf(tag uint32, table func(color int) []byte) {
	o.alloc, o.stored, o.high, o.photo = 8, 8, 7, "PALETTE COLOR"
	o.data = ramp(o.rows*o.cols, func(i int) []byte { return []byte{byte(i % o.cols * 4)} })
	o.before = func(e *dicomtest.Encoder) {
		for c := range uint32(3) {
			e.US(0x00281101+c, 256, 0, 16)
		}
		for c := range uint32(3) {
			e.Raw(tag+c, "OW", table(int(c)))
		}
	}
}

// file is the DICOM object.
func (o drawn) file() []byte {
	if o.syntax == "" {
		o.syntax = dicomtest.ExplicitLE
	}
	if o.class == "" {
		o.class = "1.2.840.10008.5.1.4.1.1.7"
	}
	if o.modality == "" {
		o.modality = "OT"
	}
	e := dicomtest.NewEncoder(o.syntax)
	e.Text(0x00080016, "UI", o.class)
	e.Text(0x00080018, "UI", "2.25.9")
	e.Text(0x00080060, "CS", o.modality)
	e.Text(0x00100010, "PN", "Phantom^Jaw")
	e.Text(0x00100020, "LO", "PH-0001")
	e.Text(0x0020000D, "UI", "2.25.1")
	e.Text(0x0020000E, "UI", "2.25.2")
	if o.rows > 0 {
		e.US(0x00280002, uint16(max(o.samples, 1)))
		e.Text(0x00280004, "CS", o.photo)
		if o.planar >= 0 && o.samples == 3 {
			e.US(0x00280006, uint16(o.planar))
		}
		if o.frames != "" {
			e.Text(0x00280008, "IS", o.frames)
		}
		e.US(0x00280010, uint16(o.rows))
		e.US(0x00280011, uint16(o.cols))
		e.US(0x00280100, uint16(o.alloc))
		e.US(0x00280101, uint16(o.stored))
		e.US(0x00280102, uint16(o.high))
		e.US(0x00280103, uint16(o.signed))
	}
	if o.before != nil {
		o.before(e)
	}
	tag, vr := o.tag, o.vr
	if tag == 0 {
		tag, vr = 0x7FE00010, "OW"
	}
	switch {
	case o.fragments != nil:
		e.Head(tag, "OB", dicomtest.Undefined)
		e.Item(0)
		for _, f := range o.fragments {
			e.Item(uint32(len(f)))
			e.Write(f)
		}
		e.Delimit(0xFFFEE0DD)
	case o.data != nil:
		e.Raw(tag, vr, o.data)
	}
	if o.after != nil {
		o.after(e)
	}
	return dicomtest.File(o.syntax, o.class, "2.25.9", e.Bytes())
}

func ramp(n int, f func(i int) []byte) (b []byte) {
	for i := range n {
		b = append(b, f(i)...)
	}
	return b
}

func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }

func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// odd is an image as machines and programs write it, by the standard or not.
type odd struct {
	name string
	file []byte
	want string
}

func oddities() []odd {
	const R, C = 64, 64
	g16 := ramp(R*C, func(i int) []byte { return le16(i % C * 64) })
	base := drawn{rows: R, cols: C, alloc: 16, stored: 12, high: 11, photo: "MONOCHROME2", data: g16}
	m := func(f func(o *drawn)) []byte { o := base; f(&o); return o.file() }
	rgb := ramp(R*C, func(i int) []byte { return []byte{byte(i % C * 4), byte(i / C * 4), 128} })
	planes := append(append(ramp(R*C, func(i int) []byte { return []byte{byte(i % C * 4)} }), ramp(R*C, func(i int) []byte { return []byte{byte(i / C * 4)} })...), bytes.Repeat([]byte{128}, R*C)...)
	c8 := func(o *drawn) { o.samples, o.alloc, o.stored, o.high, o.photo, o.data = 3, 8, 8, 7, "RGB", rgb }
	img := image.NewRGBA(image.Rect(0, 0, C, R))
	gimg := image.NewGray(image.Rect(0, 0, C, R))
	for y := range R {
		for x := range C {
			img.Set(x, y, color.RGBA{uint8(x * 4), uint8(y * 4), 128, 255})
			gimg.Set(x, y, color.Gray{uint8(x * 4)})
		}
	}
	var jb, gb bytes.Buffer
	_, _ = jpeg.Encode(&jb, img, nil), jpeg.Encode(&gb, gimg, nil) // into memory
	jp, gp := jb.Bytes(), gb.Bytes()
	f32 := func(f func(i int) float64) []byte {
		return ramp(R*C, func(i int) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(f(i)))) })
	}
	sub := func(tag uint32, f ...func(e *dicomtest.Encoder)) func(e *dicomtest.Encoder) {
		return func(e *dicomtest.Encoder) { e.Sequence(tag, true, f...) }
	}
	rle := func(segs ...[]byte) []byte {
		h := make([]byte, 64)
		binary.LittleEndian.PutUint32(h, uint32(len(segs)))
		b := h
		for i, s := range segs {
			binary.LittleEndian.PutUint32(b[4+4*i:], uint32(len(b)))
			b = append(b, s...)
		}
		return b
	}
	seg := func(f func(i int) byte) (b []byte) { // literal runs of 64
		for y := range R {
			b = append(b, C-1)
			for x := range C {
				b = append(b, f(y*C+x))
			}
		}
		return b
	}
	pdf := []byte("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF")
	plane := func(z float64) func(e *dicomtest.Encoder) {
		return func(e *dicomtest.Encoder) {
			sub(0x00209113, func(e *dicomtest.Encoder) { e.DS(0x00200032, 0, 0, z) })(e)
		}
	}
	enhanced := func(frames string, n int, shared bool) []byte {
		return m(func(o *drawn) {
			o.class, o.modality, o.frames = "1.2.840.10008.5.1.4.1.1.2.1", "CT", frames
			o.data = bytes.Repeat(g16, 4)
			o.before = func(e *dicomtest.Encoder) {
				if shared {
					sub(0x52009229, func(e *dicomtest.Encoder) {
						sub(0x00209116, func(e *dicomtest.Encoder) { e.DS(0x00200037, 1, 0, 0, 0, 1, 0) })(e)
						sub(0x00289110, func(e *dicomtest.Encoder) { e.DS(0x00180050, 0.5); e.DS(0x00280030, 0.25, 0.25) })(e)
					})(e)
				}
				if n > 0 {
					var all []func(e *dicomtest.Encoder)
					for i := range n {
						all = append(all, plane(float64(i)*0.5))
					}
					sub(0x52009230, all...)(e)
				}
			}
		})
	}
	return []odd{
		{"12 of 16 bits", base.file(), rises},
		{"MONOCHROME1", m(func(o *drawn) { o.photo = "MONOCHROME1" }), falls},
		{"signed, rescaled", m(func(o *drawn) {
			o.signed, o.stored, o.high = 1, 16, 15
			o.data = ramp(R*C, func(i int) []byte { return le16(i%C*64 - 2048) })
			o.before = func(e *dicomtest.Encoder) { e.DS(0x00281052, -1024); e.DS(0x00281053, 2) }
		}), rises},
		{"a slope of 0", m(func(o *drawn) { o.before = func(e *dicomtest.Encoder) { e.DS(0x00281052, 0); e.DS(0x00281053, 0) } }), rises},
		{"two windows", m(func(o *drawn) {
			o.before = func(e *dicomtest.Encoder) { e.DS(0x00281050, 1000, 2000); e.DS(0x00281051, 500, 4000) }
		}), rises},
		{"a window below nothing", m(func(o *drawn) {
			o.before = func(e *dicomtest.Encoder) { e.DS(0x00281050, 1000); e.DS(0x00281051, -500) }
		}), rises},
		{"a sigmoid window", m(func(o *drawn) {
			o.before = func(e *dicomtest.Encoder) {
				e.DS(0x00281050, 2000)
				e.DS(0x00281051, 1000)
				e.Text(0x00281056, "CS", "SIGMOID")
			}
		}), rises},
		{"a look-up table beside the pixels", m(func(o *drawn) {
			o.before = sub(0x00283010, func(e *dicomtest.Encoder) {
				e.US(0x00283002, 4096, 0, 16)
				e.Raw(0x00283006, "OW", ramp(4096, func(i int) []byte { return le16(65535 - i*16) }))
			})
		}), rises},
		{"the upper 12 of 16 bits", m(func(o *drawn) {
			o.high = 15
			o.data = ramp(R*C, func(i int) []byte { return le16(i % C * 64 << 4) })
		}), rises},
		{"an overlay in the high bit", m(func(o *drawn) {
			o.data = ramp(R*C, func(i int) []byte { return le16(i%C*64 | i%2<<15) })
		}), rises},
		{"no bits stored", m(func(o *drawn) { o.stored, o.high = 0, 0 }), rises},
		{"more bits stored than there are", m(func(o *drawn) { o.stored, o.high = 24, 23 }), rises},
		{"half of the bytes", m(func(o *drawn) { o.data = ramp(R*C, func(i int) []byte { return []byte{byte(i)} }) }), "The image ends too early."},
		{"12 bits packed", m(func(o *drawn) { o.alloc = 12 }), "The image has 12 bits a sample, which is not drawn."},
		{"32 bits", m(func(o *drawn) {
			o.alloc, o.stored, o.high = 32, 32, 31
			o.data = ramp(R*C, func(i int) []byte { return le32(i % C * 1000000) })
		}), rises},
		{"64 bits", m(func(o *drawn) {
			o.alloc, o.stored, o.high, o.data = 64, 64, 63, make([]byte, R*C*8)
		}), "The image has 64 bits a sample, which is not drawn."},
		{"one bit a pixel", m(func(o *drawn) {
			o.alloc, o.stored, o.high = 1, 1, 0
			o.data = ramp(R*C/8, func(i int) []byte { return []byte{0x0F} })
		}), stripes},
		{"frames of one bit that begin within a byte", m(func(o *drawn) {
			o.rows, o.cols, o.frames = 9, 7, "3"
			o.alloc, o.stored, o.high = 1, 1, 0
			o.data = make([]byte, 24)
			for i := 63; i < 126; i++ { // the middle frame: left 4 columns on
				if (i-63)%7 < 4 {
					o.data[i/8] |= 1 << (i % 8)
				}
			}
		}), falls},
		{"floating-point numbers", m(func(o *drawn) {
			o.alloc, o.stored, o.high, o.tag, o.vr, o.data = 32, 0, 0, 0x7FE00008, "OF", f32(func(i int) float64 { return float64(i%C) / 100 })
		}), "Images of floating-point numbers have no preview."},
		{"double floating-point numbers", m(func(o *drawn) {
			o.alloc, o.tag, o.vr, o.data = 64, 0x7FE00009, "OD", make([]byte, R*C*8)
		}), "Images of floating-point numbers have no preview."},
		{"colour by pixel", m(c8), colours},
		{"colour by plane", m(func(o *drawn) { c8(o); o.planar, o.data = 1, planes }), colours},
		{"colour, the configuration missing", m(func(o *drawn) { c8(o); o.planar = -1 }), colours},
		{"colour called MONOCHROME2", m(func(o *drawn) { c8(o); o.photo = "MONOCHROME2" }), colours},
		{"colour called nothing", m(func(o *drawn) { c8(o); o.photo = "" }), colours},
		{"colour of 16 bits", m(func(o *drawn) {
			c8(o)
			o.alloc, o.stored, o.high = 16, 16, 15
			o.data = ramp(R*C*3, func(i int) []byte { return le16(i * 5) })
		}), "A colour image of this kind is not drawn."},
		{"YBR_FULL", m(func(o *drawn) { c8(o); o.photo = "YBR_FULL" }), shown},
		{"YBR_FULL_422", m(func(o *drawn) {
			c8(o)
			o.photo = "YBR_FULL_422"
			o.data = ramp(R*C/2, func(i int) []byte { return []byte{byte(i % 32 * 8), byte(i%32*8 + 4), 100, 160} })
		}), shown},
		{"YBR_PARTIAL_422", m(func(o *drawn) {
			c8(o)
			o.photo = "YBR_PARTIAL_422"
			o.data = ramp(R*C/2, func(i int) []byte { return []byte{byte(i % 32 * 8), byte(i%32*8 + 4), 100, 160} })
		}), "An image of this photometric interpretation is not drawn."},
		{"ARGB", m(func(o *drawn) {
			o.samples, o.alloc, o.stored, o.high, o.photo, o.data = 4, 8, 8, 7, "ARGB", make([]byte, R*C*4)
		}), "An image of this photometric interpretation is not drawn."},
		{"a palette", m(func(o *drawn) {
			o.paletteOf(0x00281201, func(c int) []byte { return ramp(256, func(i int) []byte { return le16((i * (c + 1) & 255) << 8) }) })
		}), shown},
		{"a palette of 8 bits in entries of 16", m(func(o *drawn) {
			o.paletteOf(0x00281201, func(c int) []byte { return ramp(256, func(i int) []byte { return le16(i) }) })
		}), rises},
		{"a palette in segments", m(func(o *drawn) {
			o.paletteOf(0x00281221, func(c int) []byte {
				return append(append(append(le16(0), le16(1)...), le16(0)...), append(append(le16(1), le16(255)...), le16(65535)...)...)
			})
		}), "The image's palette is missing."},
		{"no palette", m(func(o *drawn) { o.alloc, o.stored, o.high, o.photo = 8, 8, 7, "PALETTE COLOR" }), "The image's palette is missing."},
		{"three frames claimed, one there", m(func(o *drawn) { o.frames = "3" }), rises},
		{"0 frames", m(func(o *drawn) { o.frames = "0" }), rises},
		{"-2 frames", m(func(o *drawn) { o.frames = "-2" }), rises},
		{"an empty number of frames", m(func(o *drawn) { o.frames = " " }), rises},
		{"two numbers of frames", m(func(o *drawn) { o.frames = "4\\4"; o.data = bytes.Repeat(g16, 4) }), rises},
		{"one frame claimed, four there", m(func(o *drawn) { o.frames = "1"; o.data = bytes.Repeat(g16, 4) }), rises},
		{"an enhanced object", enhanced("4", 4, true), rises},
		{"an enhanced object with two groups of four", enhanced("4", 2, true), rises},
		{"an enhanced object with six groups of four", enhanced("4", 6, true), rises},
		{"an enhanced object without groups for its frames", enhanced("4", 0, true), rises},
		{"an enhanced object without shared groups", enhanced("4", 4, false), rises},
		{"an enhanced object without groups", enhanced("4", 0, false), rises},
		{"JPEG", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{jp}
		}), colours},
		{"a grey JPEG called colour", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{gp}
		}), "The stream holds 64 × 64 pixels of 1 samples, the header says 64 × 64 of 3."},
		{"JPEG in three fragments", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{jp[:100], jp[100:201], jp[201:]}
		}), colours},
		{"JPEG without an end", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{append(bytes.Clone(jp[:len(jp)-2]), 0, 0)}
		}), colours},
		{"three JPEGs in six fragments, no table", m(func(o *drawn) {
			c8(o)
			o.frames = "3"
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{jp[:100], jp[100:], jp[:100], jp[100:], jp[:100], jp[100:]}
		}), colours},
		{"JPEG under a native syntax", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.fragments = nil, "YBR_FULL_422", [][]byte{jp}
		}), colours},
		{"JPEG under the lossless syntax", m(func(o *drawn) {
			c8(o)
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", "1.2.840.10008.1.2.4.70", [][]byte{jp}
		}), colours},
		{"native pixels under the JPEG syntax", m(func(o *drawn) { o.syntax = dicomtest.JPEG }), rises},
		{"JPEG of another size", m(func(o *drawn) {
			c8(o)
			o.rows = 72
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_FULL_422", dicomtest.JPEG, [][]byte{jp}
		}), "The stream holds 64 × 64 pixels of 3 samples, the header says 64 × 72 of 3."},
		{"RLE", m(func(o *drawn) {
			o.data, o.syntax = nil, "1.2.840.10008.1.2.5"
			o.fragments = [][]byte{rle(seg(func(i int) byte { return byte(i % C * 64 >> 8) }), seg(func(i int) byte { return byte(i % C * 64) }))}
		}), rises},
		{"RLE of one segment too few", m(func(o *drawn) {
			o.data, o.syntax = nil, "1.2.840.10008.1.2.5"
			o.fragments = [][]byte{rle(seg(func(i int) byte { return byte(i) }))}
		}), "The image's run-length segments do not fit its samples."},
		{"RLE whose segments change places", m(func(o *drawn) {
			o.data, o.syntax = nil, "1.2.840.10008.1.2.5"
			r := rle(seg(func(i int) byte { return byte(i % C * 64 >> 8) }), seg(func(i int) byte { return byte(i % C * 64) }))
			a, b := bytes.Clone(r[4:8]), bytes.Clone(r[8:12])
			copy(r[4:], b)
			copy(r[8:], a)
			o.fragments = [][]byte{r}
		}), "The image's run-length segments lie outside of it."},
		{"a report", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.88.11", "SR"
			o.after = func(e *dicomtest.Encoder) {
				e.Text(0x0040A040, "CS", "CONTAINER")
				e.Sequence(0x0040A730, true, func(e *dicomtest.Encoder) {
					e.Text(0x0040A040, "CS", "TEXT")
					e.Text(0x0040A160, "UT", "Caries 36")
				})
			}
		}), noImage},
		{"a document", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.104.1", "DOC"
			o.after = func(e *dicomtest.Encoder) {
				e.Text(0x00420010, "ST", "Report")
				e.Raw(0x00420011, "OB", pdf)
				e.Text(0x00420012, "LO", "application/pdf")
			}
		}), "A document lies in this DICOM object. It is kept, but not shown."},
		{"a mesh", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.104.3", "M3D"
			o.after = func(e *dicomtest.Encoder) {
				e.Raw(0x00420011, "OB", make([]byte, 84+50))
				e.Text(0x00420012, "LO", "model/stl")
			}
		}), "A mesh lies in this DICOM object. It is kept, but not shown."},
		{"structures", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"
			o.after = func(e *dicomtest.Encoder) { e.Text(0x30060002, "SH", "Jaw") }
		}), noImage},
		{"a segmentation", m(func(o *drawn) {
			o.class, o.modality, o.frames = "1.2.840.10008.5.1.4.1.1.66.4", "SEG", "2"
			o.alloc, o.stored, o.high = 1, 1, 0
			o.data = bytes.Repeat([]byte{0x0F}, 2*R*C/8)
		}), stripes},
		{"a waveform", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.9.1.1", "ECG"
			o.after = func(e *dicomtest.Encoder) {
				e.Sequence(0x54000100, true, func(e *dicomtest.Encoder) { e.Raw(0x54001010, "OW", make([]byte, 1000)) })
			}
		}), noImage},
		{"a presentation state", m(func(o *drawn) {
			o.rows, o.data, o.class, o.modality = 0, nil, "1.2.840.10008.5.1.4.1.1.11.1", "PR"
			o.after = func(e *dicomtest.Encoder) { e.Text(0x00700080, "CS", "WISDOM") }
		}), noImage},
		{"a video", m(func(o *drawn) {
			c8(o)
			o.frames = "100"
			o.data, o.photo, o.syntax, o.fragments = nil, "YBR_PARTIAL_420", "1.2.840.10008.1.2.4.102", [][]byte{make([]byte, 1000)}
		}), noPreview},
		{"JPEG 2000", m(func(o *drawn) {
			o.data, o.syntax, o.fragments = nil, "1.2.840.10008.1.2.4.90", [][]byte{{0xFF, 0x4F, 0xFF, 0x51}}
		}), "The server does not decode this kind of image; a browser draws it when the case is opened."},
		{"a retired JPEG", m(func(o *drawn) {
			o.data, o.syntax, o.fragments = nil, "1.2.840.10008.1.2.4.55", [][]byte{gp}
		}), noPreview},
		{"a private syntax", m(func(o *drawn) {
			o.data, o.syntax, o.fragments = nil, "1.2.826.0.1.3680043.99.1", [][]byte{{1, 2, 3, 4}}
		}), noPreview},
		{"pixels of no length", m(func(o *drawn) { o.data = []byte{} }), "The image has no pixels where they should be."},
		{"half of the pixels", m(func(o *drawn) { o.data = g16[:len(g16)/2] }), "The image ends too early."},
		{"a third of the pixels", m(func(o *drawn) { o.data = g16[:len(g16)/3] }), "The image holds less than half of the pixels it claims."},
		{"big endian, 8 bits in words", m(func(o *drawn) {
			o.syntax = dicomtest.ExplicitBE
			o.alloc, o.stored, o.high = 8, 8, 7
			o.data = ramp(R*C/2, func(i int) []byte { return []byte{byte(i%32*8 + 4), byte(i % 32 * 8)} })
		}), rises},
		{"no JPEG at all", m(func(o *drawn) {
			o.data, o.syntax, o.fragments = nil, "1.2.840.10008.1.2.4.70", [][]byte{bytes.Repeat([]byte{0xAB}, 300)}
		}), "The image is not a JPEG stream."},
		{"a window that is no number", m(func(o *drawn) {
			o.before = func(e *dicomtest.Encoder) { e.Text(0x00281050, "DS", "NaN"); e.Text(0x00281051, "DS", "INF") }
		}), rises},
	}
}

func TestEveryKindOfImageIsShownOrSaysWhyNot(t *testing.T) {
	for _, o := range oddities() {
		t.Run(o.name, func(t *testing.T) {
			d := newDesk(o.file).series(t, false)
			d.order.Scan.Modality = "OT" // no planes
			made := d.draw(t)
			got := made.Reason
			if made.State == caseload.PreviewMade {
				if got = looks(t, made.Pictures[0]); o.want == shown {
					got = shown
				}
			}
			if got != o.want {
				t.Errorf("%s: %s, want %s", made.State, got, o.want)
			}
		})
	}
}

// looks says what a picture shows.
func looks(t *testing.T, p caseload.Picture) string {
	t.Helper()
	decode := png.Decode
	if p.Media == "image/jpeg" {
		decode = jpeg.Decode
	}
	img, err := decode(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	at := func(x, y int) (r, g, b int) {
		red, green, blue, _ := img.At(x*(p.Width-1)/15, y*(p.Height-1)/15).RGBA()
		return int(red >> 8), int(green >> 8), int(blue >> 8)
	}
	lr, lg, lb := at(1, 14)
	rr, rg, rb := at(14, 1)
	between := 0 // neither black nor white
	for x := range 16 {
		if v, _, _ := at(x, 8); v > 0 && v < 255 {
			between++
		}
	}
	switch {
	case lr != lg || lg != lb || rr != rg || rg != rb:
		if lg > 200 && lr < 60 && rr > 200 && rg < 60 {
			return colours
		}
	case between == 0 && p.Width == 64:
		return stripes
	case lr < rr:
		return rises
	case lr > rr:
		return falls
	}
	return "nothing of these"
}
