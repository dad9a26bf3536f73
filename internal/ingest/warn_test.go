package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// warned reads the contents as files a, b, … of one case and returns what Warn says of it, "code: text" a line.
func warned(t *testing.T, label string, contents ...[]byte) string {
	t.Helper()
	b := newBench(t, contents...)
	b.Held = ingest.DefaultHeld
	var rows []row
	var files []caseload.File
	for i, id := range b.ids {
		if err := b.Ingest(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		r := b.ledger.row(id)
		r.Name = string(rune('a'+i)) + ".dat"
		rows, files = append(rows, r), append(files, r.File)
	}
	var lines []string
	for _, w := range ingest.Warn(caseload.Case{Patient: label}, studies(rows...), files) {
		lines = append(lines, w.Code+": "+w.Text)
	}
	return strings.Join(lines, "\n")
}

func TestWarningsNameWhatDiffers(t *testing.T) {
	other := func(n int) object {
		o := slice(n)
		o.patient, o.patientID, o.study, o.series, o.sop = "Park^Seojun", "P-2", "2.25.71", "2.25.72", fmt.Sprintf("2.25.73.%d", n)
		return o
	}
	sameStudy := other(3) // two patients under one study: the study's row can name only one
	sameStudy.study, sameStudy.series = studyUID, seriesUID
	namesake := slice(2)
	namesake.patientID = "P-9"
	dated := func(n int, date string) []byte {
		o := slice(n)
		o.birth = date
		return o.bytes()
	}
	changed := slice(1)
	changed.seed = 77
	mine := zipOf(t, packed{name: "IM1", body: slice(1).bytes()}, packed{name: "IM2", body: slice(2).bytes()})
	for name, c := range map[string]struct {
		label    string
		contents [][]byte
		want     string
	}{
		"all is well":                      {"Zweigertsoda Canary", [][]byte{mine}, ""},
		"the label says nothing":           {"", [][]byte{mine}, ""},
		"another script":                   {"김민지", [][]byte{mine}, ""},
		"the same file twice":              {"", [][]byte{mine, mine, slice(1).bytes()}, ""},
		"another patient":                  {"Kim Minji, implant", [][]byte{mine}, "other-patient: The case is of “Kim Minji, implant”, but 2 images are of Canary, Zweigertsoda (P-1), in a.dat."},
		"several patients":                 {"", [][]byte{mine, other(1).bytes()}, "several-patients: The images are of 2 patients: Canary, Zweigertsoda (P-1): 2 images in a.dat; Park, Seojun (P-2): 1 image in b.dat."},
		"several under one study":          {"", [][]byte{mine, sameStudy.bytes()}, "several-patients: The images are of 2 patients: Canary, Zweigertsoda (P-1): 2 images in a.dat; Park, Seojun (P-2): 1 image in b.dat."},
		"one name, two IDs":                {"Canary", [][]byte{slice(1).bytes(), namesake.bytes()}, "patient-ids-differ: The images of Canary, Zweigertsoda (P-1) carry 2 patient IDs: P-1, P-9."},
		"one name, two births":             {"Canary", [][]byte{dated(1, "19800131"), dated(2, "1981.02.03"), dated(3, "1980")}, "birth-dates-differ: The images of Canary, Zweigertsoda (P-1, born 1980-01-31) carry 3 dates of birth: 1980-01-31, 1981-02-03, 1980."},
		"one identifier, two files":        {"", [][]byte{slice(1).bytes(), changed.bytes()}, "same-identifier: 1 image was received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: no. 1 of CT Jaw, in a.dat and in b.dat."},
		"one identifier, a file and a ZIP": {"", [][]byte{mine, changed.bytes()}, "same-identifier: 1 image was received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: no. 1 of CT Jaw, in a.dat (IM1) and in b.dat."},
		"one identifier, in ZIPs":          {"", [][]byte{mine, zipOf(t, packed{name: "X/IM1", body: changed.bytes()})}, "same-identifier: 1 image was received more than once under one identifier (SOP Instance UID) with different bytes. All are kept. The first: no. 1 of CT Jaw, in a.dat (IM1) and in b.dat (X/IM1)."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := warned(t, c.label, c.contents...); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// A ZIP that names 20,000 patients is told of in a bounded sentence.
func TestManyPatientsAreBounded(t *testing.T) {
	study := caseload.Study{Series: []caseload.Series{{}}}
	for i := range 20_000 {
		study.Series[0].Members = append(study.Series[0].Members, caseload.Instance{
			SOPInstanceUID: fmt.Sprint(i), Patient: caseload.Patient{Name: fmt.Sprintf("Person%c%c%c", 'a'+i%26, 'a'+i/26%26, 'a'+i/676), ID: fmt.Sprint(i)},
		})
	}
	w := ingest.Warn(caseload.Case{}, []caseload.Study{study}, nil)
	if len(w) != 1 || w[0].Code != "several-patients" || len(w[0].Text) > 2000 || !strings.HasPrefix(w[0].Text, "The images are of more than 20 patients: ") {
		t.Errorf("%d warnings", len(w))
	}
}
