package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// The codes of what Warn says.
const (
	WarnOtherPatient    = "other-patient"
	WarnSeveralPatients = "several-patients"
	WarnPatientIDs      = "patient-ids-differ"
	WarnBirthDates      = "birth-dates-differ"
	WarnSameIdentifier  = "same-identifier"
)

// Warn says what everybody who looks at a case must see: images of another patient than the case's, of several patients,
// and one SOP Instance UID for images with different bytes (PS3.5 9.1 makes it unique). files are those of the case; it
// returns nil when all is well.
func Warn(c caseload.Case, studies []caseload.Study, files []caseload.File) []caseload.Remark {
	named := map[caseload.FileID]caseload.File{}
	for _, f := range files {
		named[f.ID] = f
	}
	people, more := peopleOf(studies)
	var out []caseload.Remark
	warn := func(code, format string, args ...any) {
		out = append(out, caseload.Remark{Code: code, Text: fmt.Sprintf(format, args...)})
	}
	for _, p := range people {
		if p.isOther(c.Patient) {
			warn(WarnOtherPatient, "The case is of “%s”, but %s of %s, in %s.", c.Patient, images(p.images, "image is", "images are"), p.tell(), fileNames(p.files, named))
		}
	}
	switch {
	case more:
		warn(WarnSeveralPatients, "The images are of more than %d patients: %s.", len(people), tellAll(people, named))
	case len(people) > 1:
		warn(WarnSeveralPatients, "The images are of %d patients: %s.", len(people), tellAll(people, named))
	}
	for _, p := range people {
		if len(p.ids) > 1 {
			warn(WarnPatientIDs, "The images of %s carry %d patient IDs: %s.", p.tell(), len(p.ids), strings.Join(p.ids, ", "))
		}
		if len(p.births) > 1 {
			warn(WarnBirthDates, "The images of %s carry %d dates of birth: %s.", p.tell(), len(p.births), strings.Join(dashed(p.births), ", "))
		}
	}
	if n, first := sameIdentifier(studies, named); n > 0 {
		warn(WarnSameIdentifier, "%s received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: %s.",
			images(n, "image was", "images were"), first)
	}
	return out
}

// person is one patient by all the writings that images have of them.
type person struct {
	writings    []caseload.Patient
	ids, births []string
	images      int
	files       []caseload.FileID
}

// mostPeople bounds whom a case tells apart: a hostile archive may name 20,000.
const mostPeople = 20

// peopleOf gathers whom the images name, most images first; more tells that there are others yet. Images that name nobody belong
// to nobody.
func peopleOf(studies []caseload.Study) (people []*person, more bool) {
	known := map[caseload.Patient]*person{}
	for _, study := range studies {
		for _, series := range study.Series {
			for _, m := range series.Members {
				p := known[m.Patient]
				if p == nil {
					if m.Patient.String() == "" {
						continue
					}
					if len(known) >= 50*mostPeople {
						more = more || len(people) >= mostPeople
						continue
					}
					at := slices.IndexFunc(people, func(p *person) bool { return p.means(m.Patient) })
					switch {
					case at >= 0:
						p = people[at]
					case len(people) >= mostPeople:
						more = true
						continue
					default:
						p = &person{}
						people = append(people, p)
					}
					p.take(m.Patient)
					known[m.Patient] = p
				}
				p.images += max(1, m.Frames)
				if n := len(p.files); n == 0 || p.files[n-1] != m.File && !slices.Contains(p.files, m.File) {
					p.files = append(p.files, m.File)
				}
			}
		}
	}
	slices.SortStableFunc(people, func(a, b *person) int { return cmp.Compare(b.images, a.images) })
	return people, more
}

func (p *person) means(other caseload.Patient) bool {
	return slices.ContainsFunc(p.writings, func(w caseload.Patient) bool { return comparePatients(w, other) == alike })
}

func (p *person) take(w caseload.Patient) {
	p.writings = append(p.writings, w)
	add := func(to *[]string, value string) {
		if value != "" && !slices.Contains(*to, value) && len(*to) < 10 {
			*to = append(*to, value)
		}
	}
	add(&p.ids, w.ID)
	add(&p.births, w.BirthDate)
}

// isOther tells whether no writing of the person is what the label says, and one is certainly not.
func (p *person) isOther(label string) bool {
	other := false
	for _, w := range p.writings {
		switch compareToLabel(label, w) {
		case alike:
			return false
		case unlike:
			other = true
		}
	}
	return other
}

// tell names the person with what tells them from namesakes: "Kim, Minji (P-77, born 1980-01-31)".
func (p *person) tell() string {
	w := p.writings[0]
	var marks []string
	if w.ID != "" && w.Name != "" {
		marks = append(marks, w.ID)
	}
	if day := dashed([]string{w.BirthDate})[0]; day != w.BirthDate {
		marks = append(marks, "born "+day)
	}
	name := cmp.Or(w.Name, w.ID)
	if len(marks) == 0 {
		return name
	}
	return name + " (" + strings.Join(marks, ", ") + ")"
}

// dashed writes dates of representation DA as 1980-01-31, which a page can tell in its own form; what is no date stays.
func dashed(dates []string) []string {
	out := slices.Clone(dates)
	for i, date := range out {
		if day, ok := dicom.ParseDate(date); ok {
			out[i] = day.Format(time.DateOnly)
		}
	}
	return out
}

func tellAll(people []*person, named map[caseload.FileID]caseload.File) string {
	parts := make([]string, len(people))
	for i, p := range people {
		parts[i] = fmt.Sprintf("%s: %s in %s", p.tell(), images(p.images, "image", "images"), fileNames(p.files, named))
	}
	return strings.Join(parts, "; ")
}

// fileNames names the first few files.
func fileNames(ids []caseload.FileID, named map[caseload.FileID]caseload.File) string {
	const shown = 2
	var names []string
	for _, id := range ids[:min(len(ids), shown)] {
		names = append(names, named[id].Name)
	}
	if len(ids) > shown {
		names = append(names, fmt.Sprintf("… (%d)", len(ids)))
	}
	return strings.Join(names, ", ")
}

// sameIdentifier counts the images that came under the identifier of another one with other bytes, and tells of the
// first.
func sameIdentifier(studies []caseload.Study, named map[caseload.FileID]caseload.File) (n int, first string) {
	firsts := map[string]caseload.Instance{}
	for _, study := range studies {
		for _, series := range study.Series {
			for _, m := range series.Members {
				before, seen := firsts[m.SOPInstanceUID]
				if !seen {
					firsts[m.SOPInstanceUID] = m
					continue
				}
				if sameBytes(before, m, named) {
					continue
				}
				if n++; n == 1 {
					first = fmt.Sprintf("no. %d of %s, in %s and in %s", m.Number, seriesLabel(series), placeName(before, named), placeName(m, named))
				}
			}
		}
	}
	return n, first
}

// sameBytes compares what is known of two images: of files the store's checksum, of entries the CRC-32 of the list of
// contents. A file that was held while it was read has its CRC-32 too; of a larger one and an entry only the sizes can be
// compared.
func sameBytes(a, b caseload.Instance, named map[caseload.FileID]caseload.File) bool {
	if a.Entry.Index < 0 && b.Entry.Index < 0 {
		fa, fb := named[a.File], named[b.File]
		return fa.Size == fb.Size && fa.CRC64NVME == fb.CRC64NVME
	}
	size := func(m caseload.Instance) int64 {
		if m.Entry.Index < 0 {
			return named[m.File].Size
		}
		return m.Entry.Size
	}
	known := a.Entry.Size > 0 && b.Entry.Size > 0
	return size(a) == size(b) && (!known || a.Entry.CRC32 == b.Entry.CRC32)
}

// placeName says where an image came from.
func placeName(m caseload.Instance, named map[caseload.FileID]caseload.File) string {
	if m.Entry.Index >= 0 {
		return named[m.File].Name + " (" + m.Entry.Name + ")"
	}
	return named[m.File].Name
}
