package web

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// studyView is a DICOM study as a card.
type studyView struct {
	ID, Title, Patient, PatientID, Birth, Sex string
	Date, Machine, UID, Accession             string
	Series                                    []seriesView
	Receipts                                  []linkView
	Reading                                   bool // a file that may belong to it is still being sent or not known yet
}

// seriesView is one line of the card.
type seriesView struct {
	Header, Download                               string // ids of an image and of the one file that holds the series; "" when there are several
	Number, Title, Modality, Images, Matrix, Voxel string
	Complete                                       bool
	Arriving                                       bool     // whether it is complete cannot be told yet
	Remarks                                        []string // what is missing or odd
	Planning                                       planningView
	Preview                                        previewView
}

// planningView tells whether planning software will take a series, and the points it was tried on.
type planningView struct {
	ID     string // of the series
	Text   string // "" when it was not tried
	Taken  bool
	Points []pointView
}

type pointView struct {
	Passed bool
	Text   string
}

// studies tells the studies of a case or of a file.
func (l locale) studies(studies []caseload.Study, files []caseload.File) []studyView {
	reading := slices.ContainsFunc(files, mayHoldScan)
	views := make([]studyView, 0, len(studies))
	for _, study := range studies {
		v := studyView{
			ID: string(study.ID), Title: study.Description, Patient: study.PatientName, PatientID: study.PatientID,
			Sex: l.sex(study.PatientSex), UID: study.StudyInstanceUID, Accession: study.AccessionNumber, Reading: reading,
		}
		if study.PatientBirthDate != "" {
			v.Birth = l.dicomDate(study.PatientBirthDate)
		}
		if study.Date != "" {
			v.Date = strings.TrimSpace(l.dicomDate(study.Date) + " " + dicomClock(study.Time))
		}
		if v.Title == "" {
			v.Title = l.text("study.untitled", "modality", modalities(study))
		}
		for _, series := range study.Series {
			if v.Machine == "" {
				v.Machine = strings.TrimSpace(series.Manufacturer + " " + series.Model)
			}
			row := l.series(series)
			row.Arriving = reading
			v.Series = append(v.Series, row)
		}
		views = append(views, v)
	}
	return views
}

// mayHoldScan tells whether a file on its way may bring images. What a file is, its content decides; until that is known
// a name that says mesh, photo or document is believed here, so that a photo does not put a whole scan in doubt.
func mayHoldScan(f caseload.File) bool {
	if f.State.Terminal() || !f.MetadataAt.IsZero() {
		return false
	}
	switch strings.ToLower(path.Ext(f.Name)) {
	case ".stl", ".ply", ".obj", ".jpg", ".jpeg", ".png", ".pdf":
		return false
	default:
		return true
	}
}

func (l locale) series(s caseload.Series) seriesView {
	v := seriesView{
		Number: s.Number, Title: s.Description, Modality: s.Modality, Images: formatNumber(int64(s.Images)),
		Voxel: voxel(s.PixelSpacing, s.Spacing), Complete: s.Complete, Planning: l.planning(s),
	}
	if s.Images == 0 { // a report, a plan: nothing to count, nothing to be complete
		v.Images, v.Complete = "", false
	}
	for _, r := range s.Remarks {
		v.Remarks = append(v.Remarks, l.said(r.Text))
	}
	if v.Title == "" {
		v.Title = l.text("series.untitled")
	}
	if len(s.Members) > 0 {
		v.Header = string(s.Members[len(s.Members)/2].ID)
	}
	if len(s.Files) == 1 {
		v.Download = string(s.Files[0])
	}
	if s.Rows > 0 && s.Columns > 0 {
		v.Matrix = fmt.Sprintf("%d × %d", s.Columns, s.Rows)
	}
	return v
}

func (l locale) planning(s caseload.Series) planningView {
	failed := 0
	v := planningView{ID: string(s.ID)}
	for _, p := range s.Planning {
		if !p.Passed {
			failed++
		}
		v.Points = append(v.Points, pointView{p.Passed, l.said(p.Text)})
	}
	switch v.Taken = failed == 0; {
	case len(s.Planning) == 0:
	case v.Taken:
		v.Text = l.text("planning.taken")
	default:
		v.Text = l.count("planning.not", failed, "points", len(s.Planning))
	}
	return v
}

func modalities(study caseload.Study) string {
	var found []string
	for _, s := range study.Series {
		if s.Modality != "" && !strings.Contains(strings.Join(found, ","), s.Modality) {
			found = append(found, s.Modality)
		}
	}
	return strings.Join(found, ", ")
}

// sex tells DICOM's PatientSex (PS3.3, table C.7-1: M, F, O).
func (l locale) sex(code string) string {
	switch code {
	case "M", "F", "O":
		return l.text("sex." + code)
	default:
		return ""
	}
}

// dicomClock tells hours and minutes of a DICOM TM (PS3.5, section 6.2: HHMMSS.FFFFFF).
func dicomClock(tm string) string {
	if len(tm) < 4 {
		return ""
	}
	return tm[:2] + ":" + tm[2:4]
}
