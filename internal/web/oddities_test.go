package web_test

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// scanOf is what a ZIP of axial slices, numbered from 1, holds; slices left out are missing.
func scanOf(patient caseload.Patient, series string, slices int, left ...int) caseload.Findings {
	f := caseload.Findings{Kind: caseload.KindZIP, Contents: caseload.Contents{Entries: slices + 5, Images: slices, Ignored: 3, Junk: []string{"Thumbs.db"}}}
	for range 2 {
		f.Contents.Report.Add(caseload.Unread{Entry: "CT/IM<b>9", Reason: "The entry is cut off.", Code: "truncated", Offset: 4711, Tag: "(7FE0,0010)"})
	}
	for n := 1; n <= slices; n++ {
		if len(left) > 0 && n == left[0] {
			left = left[1:]
			continue
		}
		f.Found = append(f.Found, caseload.Found{
			Study:  caseload.Study{StudyInstanceUID: "2.25.1", PatientName: patient.Name, PatientID: patient.ID, Date: "20260314"},
			Series: caseload.Series{SeriesInstanceUID: series, Modality: "CT", Description: "Jaw"},
			Instance: caseload.Instance{
				SOPInstanceUID: fmt.Sprintf("%s.%d", series, n), Number: n, Rows: 64, Columns: 64, Frames: 1, BitsAllocated: 16, PixelSpacing: []float64{0.3, 0.3},
				Position: []float64{0, 0, float64(n) * 0.5}, Orientation: []float64{1, 0, 0, 0, 1, 0}, Patient: patient,
				Entry: caseload.EntryRef{Index: n, Name: fmt.Sprint("CT/", n), Size: 9, CRC32: uint32(n)}, PixelOffset: 1, PixelLength: 1,
			},
		})
	}
	return f
}

// What is odd in a case is said on its page, in both languages, and in the API, with the names of what differs.
func TestOdditiesAreOnThePageAndInTheAPI(t *testing.T) {
	h := open(t)
	ctx, member := t.Context(), h.client("member")
	label := "Kim Minji"
	c := h.openCase()
	c, err := member.ChangeCase(ctx, c.ID, api.CaseChange{Patient: &label})
	must(t, err)
	if c.Warnings != nil {
		t.Errorf("a change answers with warnings nobody looked for: %v", c.Warnings)
	}
	read := func(name string, found caseload.Findings) string {
		f := h.stored(c.ID, name, []byte(name))
		started, err := h.store.StartReading(ctx, caseload.FileID(f.ID), "worker", time.Now(), time.Now().Add(time.Minute))
		must(t, err)
		h.found(f.ID, started.Attempt, found)
		return f.ID
	}
	mine := read("mine.zip", scanOf(caseload.Patient{Name: "Kim, Minji", ID: "P-1"}, "2.25.2", 20, 7, 8))
	c, err = member.Case(ctx, c.ID)
	must(t, err)
	if c.Warnings == nil || len(c.Warnings) != 0 {
		t.Errorf("of a sound case: %v", c.Warnings)
	}
	read("other.zip", scanOf(caseload.Patient{Name: "Park, Seojun", ID: "P-2"}, "2.25.3", 4))
	c, err = member.Case(ctx, c.ID)
	must(t, err)
	var codes []string
	for _, w := range c.Warnings {
		codes = append(codes, w.Code)
	}
	if strings.Join(codes, " ") != "other-patient several-patients" || !strings.Contains(c.Warnings[0].Text, "4 images are of Park, Seojun (P-2), in other.zip.") {
		t.Errorf("warnings %+v", c.Warnings)
	}
	studies, err := member.Studies(ctx, c.ID)
	must(t, err)
	s := studies[0].Series[0]
	if len(s.Remarks) != 1 || s.Remarks[0].Code != "missing" || s.Note != "2 slices are missing: 7–8." || len(s.Planning) != 6 || s.Planning[4].Passed || s.Apart == nil {
		t.Errorf("series %+v", s)
	}
	f, err := member.File(ctx, mine)
	must(t, err)
	if f.Contents.NotRead != 2 || f.Contents.Reasons["truncated"] != 2 || len(f.Contents.Unread) != 2 || f.Contents.Unread[0].Offset != 4711 {
		t.Errorf("report %+v", f.Contents)
	}

	for lang, want := range map[string][2][]string{
		"en": {
			{
				"The case is of “Kim Minji”, but 4 images are of Park, Seojun (P-2), in other.zip.", "The images are of 2 patients:", "2 slices are missing: 7–8.",
				"Planning software: 1 of 6 points not met", "Slices are missing.", "20 images · 2 not read: truncated · 3 ignored: Thumbs.db",
			},
			{"20 images · 2 not read: truncated · 3 ignored: Thumbs.db", "CT/IM<b>9", "4,711", "truncated (7FE0,0010)", "The entry is cut off."},
		},
		"ko": {
			{
				"이 케이스는 “Kim Minji”의 것이지만 영상 4장은 Park, Seojun (P-2)의 것입니다: other.zip.", "슬라이스 2개 누락: 7–8.", "계획 소프트웨어: 6개 항목 중 1개 미충족",
				"빠진 슬라이스가 있습니다.", "영상 20장 · 2개 읽지 못함: 잘림 · 3개 제외: Thumbs.db",
			},
			{"항목이 잘렸습니다."},
		},
	} {
		b := h.browser()
		h.signIn(b, h.users["viewer"].Email)
		resp, err := b.Get(h.http.URL + "/cases?lang=" + lang)
		must(t, err)
		_ = resp.Body.Close()
		for i, address := range []string{"/cases/" + c.ID, "/files/" + mine} {
			page := html.UnescapeString(h.page(b, address))
			for _, text := range want[i] {
				if !strings.Contains(page, text) {
					t.Errorf("%s: %s does not say %q", lang, address, text)
				}
			}
		}
	}
}
