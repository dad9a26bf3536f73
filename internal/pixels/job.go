package pixels

import (
	"errors"
	"io"
	"math"
)

// Job says what the bytes of a stream are and what is to be made of them. Exactly one of the fields is set.
type Job struct {
	Frame  *Frame  `json:"frame,omitempty"`  // one picture of one frame
	Volume *Volume `json:"volume,omitempty"` // three planes
	Mesh   *Mesh   `json:"mesh,omitempty"`
	Photo  *Photo  `json:"photo,omitempty"`
	PDF    *PDF    `json:"pdf,omitempty"`
}

// Coding is how the pixels of a frame are written.
type Coding string

// The codings decoded here.
const (
	Native   Coding = "native"   // PS3.5 8.1
	RLE      Coding = "rle"      // PS3.5 annex G
	Lossless Coding = "lossless" // JPEG processes 14 and SV1 (ITU-T T.81 annex H)
	Lossy    Coding = "lossy"    // JPEG baseline and extended of 8 bits, progressive too, and extended of 12 bits (ITU-T T.81)
)

// Frame describes one frame by what its header claims (PS3.3 C.7.6.3) and the bytes that follow for it.
type Frame struct {
	Coding        Coding `json:"coding"`
	Size          int64  `json:"size"`          // bytes, in the stream unless Deflated is set
	Bit           int    `json:"bit,omitempty"` // of the first byte in which an image of one bit a sample begins, 0 the lowest (PS3.5 8.1.1)
	Rows          int    `json:"rows"`
	Columns       int    `json:"columns"`
	Samples       int    `json:"samples"`     // per pixel: 1 or 3
	Photometric   string `json:"photometric"` // "MONOCHROME2", "RGB", …
	BitsAllocated int    `json:"allocated"`   // 1, 8, 16 or 32
	BitsStored    int    `json:"stored"`
	HighBit       int    `json:"high"`
	Signed        bool   `json:"signed,omitempty"`
	Planar        bool   `json:"planar,omitempty"` // native: all of one colour, then the next (0028,0006)
	BigEndian     bool   `json:"bigEndian,omitempty"`

	Slope     float64 `json:"slope"` // (0028,1053); 0 stands for 1
	Intercept float64 `json:"intercept"`
	Center    float64 `json:"center"` // (0028,1050)
	Width     float64 `json:"width"`  // (0028,1051); below 1: none

	RowSpacing    float64 `json:"rowSpacing,omitempty"`    // mm between rows; 0: unknown
	ColumnSpacing float64 `json:"columnSpacing,omitempty"` // mm between columns

	Palette []byte `json:"palette,omitempty"` // PALETTE COLOR: red, green, blue of each entry, 8 bits each
	First   int    `json:"first,omitempty"`   // the stored value of the first entry (0028,1101)

	Deflated *Deflated `json:"deflated,omitempty"` // the stream is that of the whole data set; nil: the frame's own
}

// Volume is a stack of frames of one size, in order along the normal, and how it lies in the patient
// (PS3.3 C.7.6.2.1.1: x to the left, y to the back, z to the head).
//
// In the stream each frame's description goes before its bytes (WriteFrame).
type Volume struct {
	Count   int        `json:"count"`
	Middle  int        `json:"middle"`  // the frame shown as it is
	Along   [3]float64 `json:"along"`   // direction of growing column numbers
	Down    [3]float64 `json:"down"`    // direction of growing row numbers
	Normal  [3]float64 `json:"normal"`  // direction of the frames' order
	Spacing float64    `json:"spacing"` // mm between the frames given here; 0: unknown
}

// Mesh is a surface of triangles.
type Mesh struct {
	Format string `json:"format"` // "stl", "ply", "obj"
	Size   int64  `json:"size"`   // bytes; they follow twice, for two passes
}

// Photo is a JPEG or PNG.
type Photo struct {
	Size int64 `json:"size"`
}

// PDF is a document whose pages are counted.
type PDF struct {
	Size int64 `json:"size"`
}

// View names what a picture shows.
type View string

// The views.
const (
	Image    View = "image" // one frame, mesh or photo as it is
	Axial    View = "axial"
	Coronal  View = "coronal"
	Sagittal View = "sagittal"
)

// Picture is a preview: a PNG or JPEG of at most MaxSide pixels either way and MaxPicture bytes, without metadata.
type Picture struct {
	View   View   `json:"view"`
	Media  string `json:"media"` // "image/png", "image/jpeg"
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Bytes  []byte `json:"bytes"`
}

// Result is what came of a Job.
type Result struct {
	Pictures []Picture `json:"pictures,omitempty"`
	Facts    Facts     `json:"facts"`
	Refused  *Refused  `json:"refused,omitempty"`
}

// Facts are what decoding learned besides. Zero values are absent.
type Facts struct {
	Triangles int64      `json:"triangles,omitempty"`
	Low       [3]float64 `json:"low,omitzero"` // of the bounding box, in the file's unit (mm by the custom of dentistry)
	High      [3]float64 `json:"high,omitzero"`
	Closed    bool       `json:"closed,omitempty"` // every edge belongs to an even number of triangles
	Width     int        `json:"width,omitempty"`  // of a photo as it is to be looked at, pixels
	Height    int        `json:"height,omitempty"`
	Pages     int        `json:"pages,omitempty"`
	Cut       bool       `json:"cut,omitempty"` // the pixels end too early; what is there is shown
}

// Run does a job on the bytes of r, which hold what the job announces and nothing else matters. The error is r's; what
// the bytes are to blame for is Result.Refused.
func Run(job Job, r io.Reader) (Result, error) {
	result, err := run(job, r)
	if refused, ok := errors.AsType[*Refused](err); ok {
		return Result{Facts: result.Facts, Refused: refused}, nil
	}
	return result, err
}

func run(job Job, r io.Reader) (Result, error) {
	set := 0
	for _, is := range []bool{job.Frame != nil, job.Volume != nil, job.Mesh != nil, job.Photo != nil, job.PDF != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return Result{}, refuse(BadJob, "The job is not one of the known kinds.")
	}
	switch {
	case job.Frame != nil:
		return drawFrame(*job.Frame, r)
	case job.Volume != nil:
		return drawVolume(*job.Volume, r)
	case job.Mesh != nil:
		return drawMesh(*job.Mesh, r)
	case job.Photo != nil:
		return drawPhoto(*job.Photo, r)
	default:
		return countPages(*job.PDF, r)
	}
}

// check refuses a frame whose claims cannot be, before anything is read or allocated for it.
func (f *Frame) check() error {
	colour := f.Photometric == "RGB" || f.Photometric == "YBR_FULL" || f.Photometric == "YBR_FULL_422"
	switch {
	case f.Rows < 1 || f.Columns < 1 || f.Rows > 65535 || f.Columns > 65535:
		return refuse(BadJob, "The image has no size.")
	case f.Rows*f.Columns > MaxPixels:
		return refuse(TooLarge, "The image has more than 64 million pixels.")
	case f.BitsAllocated != 1 && f.BitsAllocated != 8 && f.BitsAllocated != 16 && f.BitsAllocated != 32:
		return refuse(Unsupported, "The image has %d bits a sample, which is not drawn.", f.BitsAllocated)
	case f.BitsStored < 1 || f.BitsStored > f.BitsAllocated || f.HighBit < f.BitsStored-1 || f.HighBit >= f.BitsAllocated:
		return refuse(BadJob, "The image's bits are described in a way that cannot be.")
	case !colour && f.Photometric != "MONOCHROME1" && f.Photometric != "MONOCHROME2" && f.Photometric != "PALETTE COLOR":
		return refuse(Unsupported, "An image of this photometric interpretation is not drawn.")
	case colour && (f.Samples != 3 || f.BitsAllocated != 8):
		return refuse(Unsupported, "A colour image of this kind is not drawn.")
	case !colour && f.Samples != 1:
		return refuse(Unsupported, "An image of %d samples a pixel is not drawn.", f.Samples)
	case f.Photometric == "PALETTE COLOR" && (len(f.Palette) < 3 || len(f.Palette) > 3<<16 || len(f.Palette)%3 != 0):
		return refuse(BadJob, "The image's palette is missing.")
	case f.Bit < 0 || f.Bit > 7 || f.Bit > 0 && (f.Coding != Native || f.BitsAllocated != 1):
		return refuse(BadJob, "The image's bits are described in a way that cannot be.")
	case f.Size < 1:
		return refuse(Truncated, "The image has no pixel data.")
	case f.Coding != Native && f.Size > MaxCoded:
		return refuse(TooLarge, "The compressed image is larger than 64 MB.")
	}
	if f.Deflated != nil {
		if err := f.Deflated.check(f); err != nil {
			return err
		}
	}
	for _, v := range []float64{f.Slope, f.Intercept, f.Center, f.Width, f.RowSpacing, f.ColumnSpacing} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return refuse(BadJob, "The image's numbers are not finite.")
		}
	}
	return nil
}
