package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// inspectRun is one call of the command.
func inspectRun(args ...string) (out string, err error) {
	cmd := rootCommand()
	var stdout bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stdout)
	cmd.SetArgs(append([]string{"inspect"}, args...))
	err = cmd.Execute()
	return stdout.String(), err
}

func put(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspectTellsPatientSeriesGeometryAndWhatIsMissing(t *testing.T) {
	slices := dicomtest.Slices(12, dicomtest.CTOptions{Patient: []byte("Canary^Inspect")})
	slices = append(slices[:5], slices[6:]...) // one is missing
	slices = append(slices, dicomtest.Named{Name: "notes.pdf", Body: []byte("%PDF-1.7")})
	path := put(t, "scan.zip", dicomtest.ZIP(false, slices...))
	out, err := inspectRun(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ZIP, 12 entries, 11 images, 1 document", "Inspect", "CT", "11 images, 16 × 16", "!"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not told:\n%s", want, out)
		}
	}
	if out, err = inspectRun(path, "--json"); err != nil {
		t.Fatal(err)
	}
	var r inspection
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Studies) != 1 || r.Studies[0].Series[0].Images != 11 || r.Studies[0].Series[0].Complete || len(r.Studies[0].Series[0].Remarks) == 0 {
		t.Errorf("%v: %+v", err, r)
	}
	if out, err = inspectRun(path, "--tag", "PatientName"); err != nil || !strings.Contains(out, "(0010,0010) PN PatientName [Canary^Inspect]") || strings.Count(out, "\n") != 1 {
		t.Errorf("%v: %s", err, out)
	}
	if _, err = inspectRun(path, "--header", "--entry", "nothing"); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("an entry that is not there: %v", err)
	}
}

func TestInspectShowsTheHeaderAndFindsInIt(t *testing.T) {
	path := put(t, "IM0001", dicomtest.CT(dicomtest.CTOptions{BeforePixels: func(e *dicomtest.Encoder) {
		e.Text(0x00290010, "LO", "SIEMENS MEDCOM HEADER")
		e.Sequence(0x00400275, true, func(e *dicomtest.Encoder) { e.Text(0x00400007, "LO", "Jaw left") })
	}}))
	out, err := inspectRun(path, "--header")
	if err != nil || !strings.Contains(out, "SIEMENS MEDCOM HEADER") || !strings.Contains(out, "Item 1") || !strings.Contains(out, "(7FE0,0010)") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = inspectRun(path, "--search", "jaw LEFT"); err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, "(0040,0007)") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err = inspectRun(path, "--tag", "StudyID2"); caseload.KindOf(err) != caseload.NotFound {
		t.Errorf("a tag that is not there: %v", err)
	}
	if out, err = inspectRun(path, "--header", "--json"); err != nil || !strings.Contains(out, `"keyword": "PatientID"`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestInspectRecognisesWhatIsNoScan(t *testing.T) {
	for name, of := range map[string]struct {
		content string
		want    string
	}{
		"a.stl": {"solid x\nfacet normal 0 0 1\n", "mesh (STL)"}, "b": {"\xFF\xD8\xFF\xE0 photo", "photo (JPEG)"},
		"c.dcm": {"%PDF-1.7", "document (PDF)"}, "d": {"something else", "another kind of file"},
	} {
		if out, err := inspectRun(put(t, name, []byte(of.content))); err != nil || !strings.Contains(out, of.want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// A file may hold what makes a terminal do things.
func TestWhatInspectPrintsNeverReachesTheTerminalAsControl(t *testing.T) {
	evil := "A\x1b]0;owned\x07^\x1b[2JB"
	path := put(t, "IM\x1b[31m1", dicomtest.CT(dicomtest.CTOptions{Patient: []byte(evil), PatientID: "\x9b31m", BeforePixels: func(e *dicomtest.Encoder) {
		e.Raw(0x00290010, "LO", []byte("\x1b[31mRED\x00\x07"))
	}}))
	for _, args := range [][]string{{path}, {path, "--header"}, {path, "--json"}, {path, "--header", "--json"}, {filepath.Dir(path)}, {path + "\x1b[2J"}} {
		out, err := inspectRun(args...)
		if err != nil {
			var complaint bytes.Buffer
			report(&complaint, err)
			out += complaint.String()
		}
		if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7F && r < 0xA0) }); i >= 0 {
			t.Errorf("%q: a control character at %d: %q", args[1:], i, out[max(0, i-20):min(len(out), i+20)])
		}
	}
}

func TestInspectSaysWhyItCannotRead(t *testing.T) {
	var usage *usageError
	if _, err := inspectRun(t.TempDir()+"/nothing", "--entry", "x"); !errors.As(err, &usage) {
		t.Errorf("--entry alone: %v", err)
	}
	if _, err := inspectRun(t.TempDir(), "--header"); !errors.As(err, &usage) {
		t.Errorf("a folder's header: %v", err)
	}
	for name, path := range map[string]string{"nothing": t.TempDir() + "/nothing", "empty": put(t, "e", nil)} {
		if _, err := inspectRun(path); caseload.KindOf(err) != caseload.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := inspectRun(put(t, "a.txt", []byte("hello there")), "--header"); err == nil {
		t.Error("text has a header")
	}
}
