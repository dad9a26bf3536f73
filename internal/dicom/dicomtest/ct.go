package dicomtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math/rand/v2"
)

// CTOptions describes one CT slice. Zero values mean what a plain slice has.
type CTOptions struct {
	Syntax       string   // default ExplicitLE
	Encoder      *Encoder // writes the data set; default that of Syntax
	Charset      []string // (0008,0005), absent when nil
	Patient      []byte   // (0010,0010) as bytes; default "Phantom^Jaw"
	PatientID    string   // default "PH-0001"
	Study        string   // UIDs; defaults 2.25.10, 2.25.20, 2.25.30.<Number>
	Series       string
	Instance     string
	Number       int       // instance number; default 1
	Rows, Cols   int       // default 16
	Frames       int       // (0028,0008), absent when 0
	Position     []float64 // default 0, 0, Number·0.5; none when NoPosition
	NoPosition   bool
	Thickness    float64 // mm; default 0.5
	NoPixels     bool
	NoPreamble   bool                // leave out preamble and DICM
	Noise        uint64              // seed of noisy pixels; 0 is black
	BeforePixels func(*Encoder)      // elements of groups 0028 to 7FDF
	AfterPixels  func(*Encoder)      // elements after the pixel data
	Fragments    [][]byte            // encapsulated pixel data instead of native (give a Syntax for it)
	OffsetTable  []uint32            // basic offset table of the fragments; empty when nil
	Tamper       func([]byte) []byte // last, on the whole file
}

// CTClass is CT Image Storage (PS3.4 B.5).
const CTClass = "1.2.840.10008.5.1.4.1.1.2"

func (o CTOptions) withDefaults() CTOptions {
	text := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	if o.Number == 0 {
		o.Number = 1
	}
	if o.Rows == 0 {
		o.Rows = 16
	}
	if o.Cols == 0 {
		o.Cols = o.Rows
	}
	if o.Thickness == 0 {
		o.Thickness = 0.5
	}
	if o.Patient == nil {
		o.Patient = []byte("Phantom^Jaw")
	}
	if o.Position == nil && !o.NoPosition {
		o.Position = []float64{0, 0, float64(o.Number) * 0.5}
	}
	text(&o.Syntax, ExplicitLE)
	text(&o.PatientID, "PH-0001")
	text(&o.Study, "2.25.10")
	text(&o.Series, "2.25.20")
	text(&o.Instance, fmt.Sprintf("2.25.30.%d", o.Number))
	return o
}

// CT returns one CT image file.
func CT(o CTOptions) []byte {
	o = o.withDefaults()
	e := o.Encoder
	if e == nil {
		e = NewEncoder(o.Syntax)
	}
	if o.Charset != nil {
		e.Text(0x00080005, "CS", o.Charset...)
	}
	e.Text(0x00080016, "UI", CTClass)
	e.Text(0x00080018, "UI", o.Instance)
	e.Text(0x00080020, "DA", "20260102")
	e.Text(0x00080030, "TM", "101500")
	e.Text(0x00080050, "SH", "A1")
	e.Text(0x00080060, "CS", "CT")
	e.Text(0x00080070, "LO", "Synthetic")
	e.Text(0x00081030, "LO", "Jaw")
	e.Text(0x0008103E, "LO", "Bone 0.5")
	e.Text(0x00081090, "LO", "Phantom 1")
	e.Raw(0x00100010, "PN", o.Patient)
	e.Text(0x00100020, "LO", o.PatientID)
	e.Text(0x00100030, "DA", "19700101")
	e.Text(0x00100040, "CS", "F")
	e.DS(0x00180050, o.Thickness)
	e.Text(0x0020000D, "UI", o.Study)
	e.Text(0x0020000E, "UI", o.Series)
	e.IS(0x00200011, 3)
	e.IS(0x00200013, o.Number)
	if !o.NoPosition {
		e.DS(0x00200032, o.Position...)
		e.DS(0x00200037, 1, 0, 0, 0, 1, 0)
	}
	e.US(0x00280002, 1)
	e.Text(0x00280004, "CS", "MONOCHROME2")
	if o.Frames > 0 {
		e.IS(0x00280008, o.Frames)
	}
	e.US(0x00280010, uint16(o.Rows))
	e.US(0x00280011, uint16(o.Cols))
	e.DS(0x00280030, 0.25, 0.3)
	e.US(0x00280100, 16)
	e.US(0x00280101, 12)
	if o.BeforePixels != nil {
		o.BeforePixels(e)
	}
	o.pixels(e)
	if o.AfterPixels != nil {
		o.AfterPixels(e)
	}
	file := File(o.Syntax, CTClass, o.Instance, e.Bytes())
	if o.NoPreamble {
		file = file[132:]
	}
	if o.Tamper != nil {
		file = o.Tamper(file)
	}
	return file
}

func (o CTOptions) pixels(e *Encoder) {
	switch {
	case o.NoPixels:
	case o.Fragments != nil:
		e.Head(0x7FE00010, "OB", Undefined)
		e.Item(uint32(4 * len(o.OffsetTable)))
		for _, offset := range o.OffsetTable {
			e.u32(offset)
		}
		for _, fragment := range o.Fragments {
			e.Item(uint32(len(fragment)))
			e.Write(fragment)
		}
		e.Delimit(0xFFFEE0DD)
	default:
		b := make([]byte, o.Rows*o.Cols*2*max(o.Frames, 1))
		if o.Noise != 0 {
			random := rand.New(rand.NewPCG(o.Noise, 1))
			for i := 0; i+1 < len(b); i += 2 {
				b[i], b[i+1] = byte(random.Uint32()), byte(random.Uint32()&3)
			}
		}
		e.Raw(0x7FE00010, "OW", b)
	}
}

// Named is a file to put into a ZIP.
type Named struct {
	Name string
	Body []byte
}

// Slices returns n slices of one series named IM0001…, 0.5 mm apart, each with the options changed by its number.
func Slices(n int, base CTOptions) []Named {
	var out []Named
	for i := 1; i <= n; i++ {
		o := base
		o.Number, o.Position, o.Instance = i, nil, ""
		if o.Noise != 0 {
			o.Noise += uint64(i)
		}
		out = append(out, Named{fmt.Sprintf("IM%04d", i), CT(o)})
	}
	return out
}

// ZIP packs files with Deflate, or stored.
func ZIP(stored bool, files ...Named) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		method := zip.Deflate
		if stored {
			method = zip.Store
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method})
		if err == nil {
			_, err = entry.Write(f.Body)
		}
		if err != nil {
			panic(err) // writing to memory
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}
