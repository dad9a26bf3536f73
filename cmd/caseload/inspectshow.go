package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// inspection is what inspect tells.
type inspection struct {
	Files    int              `json:"files"`
	Bytes    int64            `json:"bytes"`
	Items    []inspectedFile  `json:"items"`
	Studies  []inspectedStudy `json:"studies"`
	Warnings []string         `json:"warnings"` // of everything together
	Failed   []warning        `json:"failed"`   // could not be read

	named []caseload.File // the items, for what is said of several
}

// inspectedFile is what one file is by its content.
type inspectedFile struct {
	Name     string            `json:"name"`
	Kind     caseload.FileKind `json:"kind"`
	Contents caseload.Contents `json:"contents"`
	Warnings []string          `json:"warnings"`
}

type inspectedStudy struct {
	StudyInstanceUID string            `json:"study_instance_uid"`
	Patient          string            `json:"patient"`
	PatientID        string            `json:"patient_id"`
	BirthDate        string            `json:"patient_birth_date"` // DICOM DA
	Sex              string            `json:"patient_sex"`
	Date             string            `json:"date"` // DICOM DA
	Description      string            `json:"description"`
	Series           []inspectedSeries `json:"series"`
}

type inspectedSeries struct {
	SeriesInstanceUID string           `json:"series_instance_uid"`
	Number            string           `json:"number"`
	Modality          string           `json:"modality"`
	Description       string           `json:"description"`
	Machine           string           `json:"machine"`
	TransferSyntax    string           `json:"transfer_syntax"`
	Images            int              `json:"images"`
	Columns           int              `json:"columns"`
	Rows              int              `json:"rows"`
	PixelSpacing      float64          `json:"pixel_spacing"` // mm; 0: unknown
	Spacing           float64          `json:"spacing"`       // mm between slices; 0: unknown
	SpacingSource     string           `json:"spacing_source"`
	Complete          bool             `json:"complete"`
	Remarks           []string         `json:"remarks"`
	Planning          []caseload.Check `json:"planning"`
}

// add takes what was found in one file. id stands for the one it does not have yet.
func (r *inspection) add(id caseload.FileID, name string, found caseload.Findings) {
	r.named = append(r.named, caseload.File{ID: id, Name: name})
	r.Items = append(r.Items, inspectedFile{name, found.Kind, found.Contents, append([]string{}, found.Warnings...)})
}

// show groups what was found and prints it. The error says that something could not be read.
func (r *inspection) show(cmd *cobra.Command, looked map[caseload.FileID]caseload.Findings) error {
	studies := ingest.Group(looked)
	r.describe(studies)
	for _, w := range ingest.Warn(caseload.Case{}, studies, r.named) {
		r.Warnings = append(r.Warnings, w.Text)
	}
	var err error
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r.filled())
	} else {
		r.print(&lineWriter{w: cmd.OutOrStdout()})
	}
	for _, f := range r.Failed {
		fmt.Fprintf(cmd.ErrOrStderr(), "caseload: %s: %s\n", legible(f.Path), legible(f.Text))
	}
	if err == nil && len(r.Failed) > 0 {
		err = caseload.Errorf(caseload.Invalid, "%s could not be read; the lines above say why.", plural(len(r.Failed), "file"))
	}
	return err
}

// filled has lists where there is nothing, so that programs need not ask for null.
func (r *inspection) filled() *inspection {
	if r.Studies == nil {
		r.Studies = []inspectedStudy{}
	}
	if r.Warnings == nil {
		r.Warnings = []string{}
	}
	if r.Failed == nil {
		r.Failed = []warning{}
	}
	return r
}

func (r *inspection) describe(studies []caseload.Study) {
	for _, s := range studies {
		study := inspectedStudy{
			StudyInstanceUID: s.StudyInstanceUID, Patient: s.PatientName, PatientID: s.PatientID, BirthDate: s.PatientBirthDate, Sex: s.PatientSex,
			Date: s.Date, Description: s.Description,
		}
		for _, x := range s.Series {
			series := inspectedSeries{
				SeriesInstanceUID: x.SeriesInstanceUID, Number: x.Number, Modality: x.Modality, Description: x.Description,
				Machine: strings.TrimSpace(x.Manufacturer + " " + x.Model), TransferSyntax: x.TransferSyntax, Images: x.Images, Columns: x.Columns, Rows: x.Rows,
				PixelSpacing: x.PixelSpacing, Spacing: x.Spacing, SpacingSource: x.SpacingSource, Complete: x.Complete, Remarks: []string{}, Planning: x.Planning,
			}
			for _, remark := range x.Remarks {
				series.Remarks = append(series.Remarks, remark.Text)
			}
			if series.Planning == nil {
				series.Planning = []caseload.Check{}
			}
			study.Series = append(study.Series, series)
		}
		r.Studies = append(r.Studies, study)
	}
}

// lineWriter writes lines that are safe on a terminal.
type lineWriter struct{ w io.Writer }

func (l *lineWriter) line(format string, args ...any) {
	fmt.Fprintln(l.w, legible(fmt.Sprintf(format, args...)))
}

// filesListed is how many files of a folder are told one by one when nothing is wrong with them.
const filesListed = 20

// print writes the report for people.
func (r *inspection) print(l *lineWriter) {
	if r.Files != 1 {
		l.line("%s, %s", plural(r.Files, "file"), humanBytes(r.Bytes))
	}
	for i, f := range r.Items {
		if len(r.Items) > filesListed && len(f.Warnings)+len(f.Contents.Unread) == 0 && (i >= filesListed || f.Kind == caseload.KindDICOM) {
			continue
		}
		l.line("%s: %s", f.Name, kindWords(f))
		for _, w := range f.Warnings {
			l.line("  ! %s", w)
		}
		for _, u := range f.Contents.Unread {
			l.line("  ! %s: %s (%s at byte %d)", u.Entry, u.Reason, strings.TrimSpace(u.Code+" "+u.Tag), u.Offset)
		}
	}
	for _, s := range r.Studies {
		l.line("")
		l.line("%s", strings.Join(filledOnly(or(strings.TrimSpace(s.Patient+" "+parenthesis(s.PatientID)), "(no patient)"), born(s.BirthDate), s.Sex), "  "))
		l.line("  study %s", strings.Join(filledOnly(or(dashed(s.Date), "(no date)"), s.Description), "  "))
		for _, x := range s.Series {
			l.line("    series %s", x.words())
			for _, remark := range x.Remarks {
				l.line("      ! %s", remark)
			}
			for _, c := range x.Planning {
				if !c.Passed {
					l.line("      planning: %s", c.Text)
				}
			}
		}
	}
	if len(r.Warnings) > 0 {
		l.line("")
	}
	for _, w := range r.Warnings {
		l.line("!! %s", w)
	}
}

// words tells a series in one line: "2  CT  Jaw: 598 images, 512 × 512, 0.3 × 0.3 × 0.3 mm, complete".
func (x inspectedSeries) words() string {
	facts := []string{plural(x.Images, "image")}
	if x.Columns > 0 {
		facts = append(facts, fmt.Sprintf("%d × %d", x.Columns, x.Rows))
	}
	switch {
	case x.PixelSpacing > 0 && x.Spacing > 0:
		facts = append(facts, fmt.Sprintf("%.3g × %.3g × %.3g mm", x.PixelSpacing, x.PixelSpacing, x.Spacing))
	case x.Spacing > 0:
		facts = append(facts, fmt.Sprintf("every %.3g mm", x.Spacing))
	case x.PixelSpacing > 0:
		facts = append(facts, fmt.Sprintf("%.3g × %.3g mm", x.PixelSpacing, x.PixelSpacing))
	}
	if x.Complete {
		facts = append(facts, "complete")
	}
	name := strings.Join(filledOnly(x.Number, x.Modality, x.Description), "  ")
	return strings.Join(filledOnly(name+": "+strings.Join(facts, ", "), parenthesis(x.Machine)), "  ")
}

// kindWords tells what a file is.
func kindWords(f inspectedFile) string {
	name := map[caseload.FileKind]string{
		caseload.KindDICOM: "DICOM", caseload.KindDICOMDIR: "DICOM directory", caseload.KindZIP: "ZIP", caseload.KindSTL: "mesh (STL)", caseload.KindPLY: "mesh (PLY)",
		caseload.KindOBJ: "mesh (OBJ)", caseload.KindJPEG: "photo (JPEG)", caseload.KindPNG: "photo (PNG)", caseload.KindPDF: "document (PDF)",
	}[f.Kind]
	if name == "" {
		return "another kind of file"
	}
	c := f.Contents
	if c.Entries == 0 {
		return name
	}
	parts := []string{name, plural(c.Entries, "entry")}
	for _, n := range []struct {
		n    int
		name string
	}{{c.Images, "image"}, {c.Photos, "photo"}, {c.Documents, "document"}, {c.Others, "other"}} {
		if n.n > 0 {
			parts = append(parts, plural(n.n, n.name))
		}
	}
	if c.Meshes > 0 {
		parts = append(parts, fmt.Sprintf("%d meshes", c.Meshes))
	}
	for _, n := range []struct {
		n    int
		what string
	}{{c.NotRead, "not read"}, {c.InPart, "read in part"}, {c.Ignored, "ignored"}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	return strings.Replace(strings.Join(parts, ", "), "entrys", "entries", 1)
}

// filledOnly leaves out what is empty.
func filledOnly(all ...string) (kept []string) {
	for _, s := range all {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

func born(date string) string {
	if date == "" {
		return ""
	}
	return "born " + dashed(date)
}

// dashed writes a DICOM DA (PS3.5 6.2) as a date; anything else stays.
func dashed(date string) string {
	if len(date) != 8 {
		return date
	}
	return date[:4] + "-" + date[4:6] + "-" + date[6:]
}
