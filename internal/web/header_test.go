package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/ingest"
)

// read stores a file and reads it as a worker does; it returns the ids of its instances.
func (h *house) read(caseID, name string, content []byte) (file string, instances []string) {
	h.t.Helper()
	f := h.stored(caseID, name, content)
	s := &ingest.Service{
		Records: h.store, Objects: embedded.Store(), Owner: "test", Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills,
		Held: ingest.DefaultHeld, Now: time.Now, Log: h.server.Log,
	}
	must(h.t, s.Ingest(h.t.Context(), caseload.FileID(f.ID)))
	studies, err := h.store.FileStudies(h.t.Context(), h.users["admin"], caseload.FileID(f.ID))
	must(h.t, err)
	for _, study := range studies {
		for _, series := range study.Series {
			for _, m := range series.Members {
				instances = append(instances, string(m.ID))
			}
		}
	}
	return f.ID, instances
}

// slice stores a DICOM file of the patient and returns the id of its instance.
func (h *house) slice(caseID, patient string) string {
	h.t.Helper()
	_, instances := h.read(caseID, "IM0001", dicomtest.CT(dicomtest.CTOptions{Patient: []byte(patient)}))
	if len(instances) != 1 {
		h.t.Fatalf("%d instances", len(instances))
	}
	return instances[0]
}

// odd are elements of many kinds: private ones, a sequence in a sequence, text that must not become a page, a long value.
func odd(e *dicomtest.Encoder) {
	e.Text(0x00280303, "CS", "MODIFIED")
	e.Text(0x00290010, "LO", "SIEMENS MEDCOM HEADER")
	e.Text(0x00291099, "LO", "<script>alert(1)</script>")
	e.Sequence(0x00400275, true, func(e *dicomtest.Encoder) {
		e.Text(0x00400007, "LO", "Jaw left")
		e.Sequence(0x00400008, false, func(e *dicomtest.Encoder) { e.Text(0x00080100, "SH", "CODE-77") })
	})
	e.Text(0x00404000, "UT", strings.Repeat("long ", 2000))
}

func TestAHeaderIsShownWholeWithPrivateElementsAndSequencesAndCanBeSearched(t *testing.T) {
	slice := dicomtest.CT(dicomtest.CTOptions{Patient: []byte("Canary^Page"), BeforePixels: odd})
	for name, content := range map[string][]byte{"IM0001": slice, "scan.zip": dicomtest.ZIP(false, dicomtest.Named{Name: "scan/IM0001", Body: slice})} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			c := h.openCase()
			_, instances := h.read(c.ID, name, content)
			if len(instances) != 1 {
				t.Fatalf("%d instances", len(instances))
			}
			address := "/instances/" + instances[0]
			page := h.shown("viewer", address)
			for _, want := range []string{
				"(0010,0010)", "Patient Name", "PatientName", "Canary^Page", "SIEMENS MEDCOM HEADER", "(0029,1099)", "&lt;script&gt;alert(1)", "private",
				"Jaw left", "CODE-77", `data-depth="2"`, "Item 1", "The value goes on.", "<header-search whole",
			} {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not show %q", want)
				}
			}
			if strings.Contains(page, "<script>alert") || len(page) > 60_000 {
				t.Errorf("the page has %d bytes, or the file's script", len(page))
			}
			for query, want := range map[string]string{
				"00100010": "Canary^Page", "(0010,0010)": "Canary^Page", "patient+NAME": "Canary^Page", "canary^page": "Canary^Page", "code-77": "CODE-77", "medcom": "(0029,0010)",
			} {
				found := h.shown("viewer", address+"?q="+query)
				if !strings.Contains(found, want) || strings.Contains(found, "(0008,0060)") {
					t.Errorf("%q does not find %q alone", query, want)
				}
			}
			if none := h.shown("viewer", address+"?q=nothing-has-this"); !strings.Contains(none, "No line matches.") {
				t.Error("what is nowhere is found")
			}
			if resp, _ := h.ask("viewer", "GET", address, "", ""); resp.StatusCode == http.StatusOK {
				t.Error("a page answers a token")
			}
		})
	}
}

func TestTheHeaderOfAnotherOrganizationOrADeletedFileIsNotShown(t *testing.T) {
	h := open(t)
	c := h.openCase()
	file, instances := h.read(c.ID, "IM0001", dicomtest.CT(dicomtest.CTOptions{}))
	status := func(as string) int {
		b := h.browser()
		h.signIn(b, h.users[as].Email)
		resp, err := b.Get(h.http.URL + "/instances/" + instances[0])
		must(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := status("foreign-admin"); got != http.StatusNotFound {
		t.Errorf("another organization: %d", got)
	}
	must(t, h.client("member").DeleteFile(t.Context(), file))
	if got := status("member"); got != http.StatusNotFound && got != http.StatusGone {
		t.Errorf("of a deleted file: %d", got)
	}
}

func TestACardLeadsToHeaderAndFileOfEachSeries(t *testing.T) {
	h := open(t)
	c := h.openCase()
	file, instances := h.read(c.ID, "IM0001", dicomtest.CT(dicomtest.CTOptions{}))
	page := h.shown("member", "/cases/"+c.ID)
	for _, want := range []string{`href="/instances/` + instances[0] + `"`, `href="/files/` + file + `/download"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the card does not lead to %s", want)
		}
	}
}

// The same header for programs: DICOM JSON with names, nested sequences and private elements, of one's own organization.
func TestAHeaderIsAnsweredAsDICOMJSON(t *testing.T) {
	h := open(t)
	slice := dicomtest.CT(dicomtest.CTOptions{Patient: []byte("Canary^JSON"), BeforePixels: odd})
	for name, content := range map[string][]byte{"IM0001": slice, "scan.zip": dicomtest.ZIP(true, dicomtest.Named{Name: "scan/IM0001", Body: slice})} {
		t.Run(name, func(t *testing.T) {
			_, instances := h.read(h.openCase().ID, name, content)
			address := "/api/v1/instances/" + instances[0] + "/header"
			resp, body := h.ask("viewer", "GET", address, "", "")
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/dicom+json" {
				t.Fatalf("answered %d %s: %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			var header map[string]struct {
				VR    string
				Value []json.RawMessage
			}
			must(t, json.Unmarshal([]byte(body), &header))
			if name := header["00100010"]; name.VR != "PN" || len(name.Value) != 1 || string(name.Value[0]) != `{"Alphabetic":"Canary^JSON"}` {
				t.Errorf("the patient is %+v", name)
			}
			if len(header["00291099"].Value) != 1 || !strings.Contains(body, "CODE-77") || header["7FE00010"].Value != nil {
				t.Errorf("a private element or a nested one is missing, or the pixels are there: %.2000s", body)
			}
			if resp, body := h.ask("foreign-admin", "GET", address, "", ""); resp.StatusCode != 404 || strings.Contains(body, "Canary") {
				t.Errorf("a stranger was answered %d %s", resp.StatusCode, body)
			}
			if resp, _ := h.ask("", "GET", address, "", ""); resp.StatusCode != 401 {
				t.Errorf("nobody was answered %d", resp.StatusCode)
			}
		})
	}
}
