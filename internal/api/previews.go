package api

import (
	"math"

	"dcdentals.com/caseload/internal/caseload"
)

// Previews is what there is to look at in a case.
type Previews struct {
	Previews []Preview `json:"previews"`
}

// Preview is the small pictures of one series, of one file, or of a mesh, photo or document in a ZIP.
type Preview struct {
	ID       string                `json:"id"`
	Series   string                `json:"series,omitempty"` // of a series, or
	File     string                `json:"file,omitempty"`   // of a file
	Entry    int                   `json:"entry,omitempty"`  // which of the file's contents.enclosed, from 1; 0: the file itself
	State    string                `json:"state"`            // waiting, made, none, browser
	Reason   string                `json:"reason,omitempty"`
	Facts    caseload.PreviewFacts `json:"facts"`
	Pictures []Picture             `json:"pictures"`
}

// Picture is one of them; Address gives its bytes.
type Picture struct {
	View    string `json:"view"` // image, axial, coronal, sagittal
	Media   string `json:"media"`
	Width   int    `json:"width"` // pixels
	Height  int    `json:"height"`
	SHA256  string `json:"sha256"`
	Address string `json:"address"`
}

// FromPreview turns the noun into its JSON form.
func FromPreview(p caseload.Preview) Preview {
	out := Preview{
		ID: string(p.ID), Series: string(p.Series), File: string(p.File), Entry: p.Entry, State: string(p.State), Reason: p.Reason, Facts: p.Facts,
		Pictures: make([]Picture, 0, len(p.Pictures)),
	}
	for _, x := range p.Pictures {
		out.Pictures = append(out.Pictures, Picture{
			View: x.View, Media: x.Media, Width: x.Width, Height: x.Height, SHA256: x.SHA256, Address: PictureAddress(p.ID, x),
		})
	}
	return out
}

// PictureAddress is the path of a picture's bytes on the server.
func PictureAddress(id caseload.PreviewID, p caseload.Picture) string {
	return "/api/v1/previews/" + string(id) + "/" + p.View + "/" + p.SHA256
}

// Frame describes the compressed frame that a browser is to decode for a preview (PS3.3 C.7.6.3, C.11.1, C.11.2).
type Frame struct {
	TransferSyntax string  `json:"transfer_syntax"`
	Rows           int     `json:"rows"`
	Columns        int     `json:"columns"`
	Samples        int     `json:"samples"` // per pixel
	Photometric    string  `json:"photometric"`
	BitsAllocated  int     `json:"bits_allocated"`
	BitsStored     int     `json:"bits_stored"`
	Signed         bool    `json:"signed"`
	Slope          float64 `json:"slope"` // 0 stands for 1
	Intercept      float64 `json:"intercept"`
	Center         float64 `json:"center"`
	Width          float64 `json:"width"`          // below 1: the header names no window
	RowSpacing     float64 `json:"row_spacing"`    // mm; 0: unknown
	ColumnSpacing  float64 `json:"column_spacing"` // mm; 0: unknown
	Palette        []byte  `json:"palette,omitempty"`
	First          int     `json:"first"` // stored value of the palette's first entry
	Size           int64   `json:"size"`  // bytes; of a slice 0 when it cannot be had
	Volume         *Volume `json:"volume,omitempty"`
}

// Volume says how planes are drawn of Count slices, of which Middle is shown as it is.
type Volume struct {
	Count  int     `json:"count"`
	Middle int     `json:"middle"`
	Planes []Plane `json:"planes"` // of the middle slice; of the middle row of each slice, one under the other; of the middle column of each
}

// Plane is one picture of a volume. The numbers are brought to its size, which is exchanged before when Turned; then rows and
// columns are exchanged (Turned), and the picture is Mirrored left to right and turned Over top to bottom.
type Plane struct {
	View     string `json:"view"`
	Width    int    `json:"width"` // pixels
	Height   int    `json:"height"`
	Turned   bool   `json:"turned"`
	Mirrored bool   `json:"mirrored"`
	Over     bool   `json:"over"`
}

// FromFrame writes a frame's description.
func FromFrame(f caseload.CodedFrame) Frame {
	out := Frame{
		TransferSyntax: f.TransferSyntax, Rows: f.Rows, Columns: f.Columns, Samples: f.Samples, Photometric: f.Photometric,
		BitsAllocated: f.BitsAllocated, BitsStored: f.BitsStored, Signed: f.Signed, Slope: finite(f.Slope), Intercept: finite(f.Intercept),
		Center: finite(f.Center), Width: finite(f.Width), RowSpacing: finite(f.RowSpacing), ColumnSpacing: finite(f.ColumnSpacing),
		Palette: f.Palette, First: f.First, Size: f.Size,
	}
	if v := f.Volume; v != nil {
		out.Volume = &Volume{Count: v.Count, Middle: v.Middle}
		for _, p := range v.Planes {
			out.Volume.Planes = append(out.Volume.Planes, Plane(p))
		}
	}
	return out
}

// finite replaces what JSON cannot say by 0.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
