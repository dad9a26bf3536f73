package caseload

import (
	"io"
	"time"
)

// PreviewState says what there is to look at of a series or file.
type PreviewState string

const (
	PreviewWaiting PreviewState = "waiting" // it is going to be made
	PreviewMade    PreviewState = "made"
	PreviewNone    PreviewState = "none"    // there is none; Reason says why
	PreviewBrowser PreviewState = "browser" // only a browser can decode it; it may hand one in
)

// Preview is the small pictures of one series, of one file that is a mesh, a photo or a document, or of one in a ZIP.
type Preview struct {
	ID           PreviewID
	Organization OrganizationID
	Case         CaseID
	Series       SeriesID // "" when it is of a file
	File         FileID   // "" when it is of a series
	Entry        int      // which of the file's Contents.Enclosed, from 1; 0: the file itself
	State        PreviewState
	Reason       string // plain words
	Facts        PreviewFacts
	Pictures     []Picture // without their Bytes, in the order of Views
}

// Views are the names of what a picture may show, in the order in which they are shown.
func Views() []string { return []string{"image", "axial", "coronal", "sagittal"} }

// Picture is one preview picture: a PNG or JPEG of at most MaxPicture bytes.
type Picture struct {
	View          string // one of Views
	Media         string // "image/png", "image/jpeg"
	Width, Height int    // pixels
	SHA256        string // lower-case hex, of Bytes
	Bytes         []byte
}

// Bounds of a picture in bytes: of one that is kept, and of one that a browser hands in.
const (
	MaxPicture = 64 << 10
	MaxOffer   = 256 << 10
)

// PreviewFacts are what making the preview learned besides. Zero values are absent.
type PreviewFacts struct {
	Triangles int64      `json:"triangles,omitempty"`
	Low       [3]float64 `json:"low,omitzero"` // mm, of a mesh's bounding box
	High      [3]float64 `json:"high,omitzero"`
	Closed    bool       `json:"closed,omitempty"` // the mesh has no border
	Width     int        `json:"width,omitempty"`  // of a photo, pixels, upright
	Height    int        `json:"height,omitempty"`
	Pages     int        `json:"pages,omitempty"` // of a document
	Cut       bool       `json:"cut,omitempty"`   // the pixels end too early; what is there is shown
}

// PreviewOrder is a preview that is to be made now, and what of.
type PreviewOrder struct {
	Preview
	Revision int64 // of what it shows
	Attempt  int64 // fences what is saved of it
	Tries    int   // attempts since what it shows last changed
	Members  []Instance
	Files    map[FileID]File   // those that Members lie in, or the one File, with its Contents
	Offers   map[string][]byte // what a browser handed in, by view, as it came
	Scan     Series            // of Members
}

// OfferClaim is how long one browser has a preview to itself after it said that it draws it.
const OfferClaim = 45 * time.Second

// CodedVolume says how three planes are drawn of the slices of a series.
type CodedVolume struct {
	Count  int           // slices that are read for it
	Middle int           // the one that is shown as it is
	Planes [3]CodedPlane // of that slice; of the middle row of each slice, one under the other; of the middle column of each
}

// CodedPlane is one picture of a volume and how it is laid down (pixels.Plane).
type CodedPlane struct {
	View          string
	Width, Height int // pixels
	Turned        bool
	Mirrored      bool
	Over          bool
}

// CodedFrame is one frame that the server does not decode, described by what its header claims (PS3.3 C.7.6.3), for a
// browser that does.
type CodedFrame struct {
	TransferSyntax string
	Rows, Columns  int
	Samples        int    // per pixel: 1 or 3
	Photometric    string // "MONOCHROME2", "RGB", "YBR_RCT", …
	BitsAllocated  int
	BitsStored     int
	Signed         bool

	Slope, Intercept float64 // (0028,1053), 0 stands for 1; (0028,1052)
	Center, Width    float64 // (0028,1050); (0028,1051), below 1: none

	RowSpacing, ColumnSpacing float64 // mm; 0: unknown

	Palette []byte // PALETTE COLOR: red, green, blue of each entry, 8 bits each
	First   int    // the stored value of the palette's first entry

	Volume *CodedVolume // how planes are drawn; nil: of the series only this frame is shown

	Size  int64                    // bytes of the compressed frame
	Write func(to io.Writer) error // sends them, read out of the store by range
}
