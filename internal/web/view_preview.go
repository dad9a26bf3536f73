package web

import (
	"fmt"
	"strings"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// previewView is what there is to look at of a series or a file.
type previewView struct {
	Pictures []pictureView
	Waiting  bool   // it is being made
	Draw     string // id of the preview that a browser is to draw; "" when none is
	Give     bool   // what it draws, it may hand in
	None     string // why there is none; "" while that is not known, or there is one
	Facts    string // of a mesh, a photo or a document
}

// Shown tells whether there is anything to show, a place kept free included.
func (p previewView) Shown() bool { return len(p.Pictures) > 0 || p.Waiting || p.Draw != "" }

// insideOnRow is how many pictures out of a ZIP stand in its row of a case.
const insideOnRow = 6

// pictureView is one picture.
type pictureView struct {
	Address, Alt  string
	Width, Height int
}

// addPreviews puts the previews beside what they show. The views stand in the order of the studies. writer tells whether who
// looks may hand in what his browser draws.
func (l locale) addPreviews(views []studyView, studies []caseload.Study, groups []groupView, previews []caseload.Preview, writer bool) {
	of := make(map[string]previewView, len(previews))
	inside := map[string][]previewView{}
	for _, p := range previews {
		switch v := l.preview(p, writer); {
		case p.Entry == 0:
			of[string(p.Series)+string(p.File)] = v
		case len(p.Pictures) > 0:
			inside[string(p.File)] = append(inside[string(p.File)], v)
		}
	}
	for i := range views {
		for j := range views[i].Series {
			views[i].Series[j].Preview = of[string(studies[i].Series[j].ID)]
		}
	}
	for i := range groups {
		for j := range groups[i].Rows {
			row := &groups[i].Rows[j]
			row.Preview = of[row.ID]
			if row.Inside = inside[row.ID]; len(row.Inside) > insideOnRow {
				row.Inside, row.InsideMore = row.Inside[:insideOnRow], len(row.Inside)-insideOnRow
			}
		}
	}
}

func (l locale) preview(p caseload.Preview, writer bool) previewView {
	v := previewView{Waiting: p.State == caseload.PreviewWaiting, Facts: l.previewFacts(p.Facts)}
	if p.State == caseload.PreviewNone || p.State == caseload.PreviewBrowser {
		v.None = l.said(p.Reason)
	}
	if p.State == caseload.PreviewBrowser && p.Series != "" {
		v.Draw, v.Give = string(p.ID), writer
	}
	for _, x := range p.Pictures {
		v.Pictures = append(v.Pictures, pictureView{
			Address: api.PictureAddress(p.ID, x), Alt: l.text("preview." + x.View), Width: x.Width, Height: x.Height,
		})
	}
	return v
}

// previewFacts tells of a mesh its triangles, its size in mm and whether it is closed, of a photo its pixels, of a document its
// pages.
func (l locale) previewFacts(f caseload.PreviewFacts) string {
	switch {
	case f.Pages > 0:
		return l.count("preview.pages", f.Pages)
	case f.Width > 0:
		return l.text("preview.pixels", "width", formatNumber(int64(f.Width)), "height", formatNumber(int64(f.Height)))
	case f.Triangles == 0:
		return ""
	}
	open := "preview.open"
	if f.Closed {
		open = "preview.closed"
	}
	return strings.Join([]string{
		l.count("preview.triangles", int(f.Triangles), "number", formatNumber(f.Triangles)),
		fmt.Sprintf("%s × %s × %s mm", extent(f.High[0]-f.Low[0]), extent(f.High[1]-f.Low[1]), extent(f.High[2]-f.Low[2])),
		l.text(open),
	}, " · ")
}

// extent writes a length in mm to three figures.
func extent(mm float64) string {
	if mm >= 100 {
		return fmt.Sprintf("%.0f", mm)
	}
	return fmt.Sprintf("%.3g", mm)
}
