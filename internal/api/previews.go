package api

import "dcdentals.com/caseload/internal/caseload"

// Previews is what there is to look at in a case.
type Previews struct {
	Previews []Preview `json:"previews"`
}

// Preview is the small pictures of one series or one file.
type Preview struct {
	ID       string                `json:"id"`
	Series   string                `json:"series,omitempty"` // of a series, or
	File     string                `json:"file,omitempty"`   // of a file
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
		ID: string(p.ID), Series: string(p.Series), File: string(p.File), State: string(p.State), Reason: p.Reason, Facts: p.Facts,
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
