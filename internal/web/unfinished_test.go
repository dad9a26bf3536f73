package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// What nobody goes on with is shown on the case's page; what is alive is not, and the page says when to look again.
func TestTheCasePageTellsWhichUploadsWereLeftLying(t *testing.T) {
	h := open(t)
	ctx, member := t.Context(), h.client("member")
	c := h.openCase()
	specs := []api.FileSpec{{Name: "scan.zip", Path: "CD", Size: 20 << 20}}
	for i := range 40 {
		specs = append(specs, api.FileSpec{Name: fmt.Sprintf("IM%04d", i), Path: "CBCT/1", Size: 1000})
	}
	planned, err := member.Plan(ctx, c.ID, "", specs)
	must(t, err)
	zip := planned.Files[0].File.ID
	if page := h.shown("member", "/cases/"+c.ID); strings.Contains(page, "data-unfinished") || !strings.Contains(page, `data-again="`) {
		t.Error("what was planned a moment ago is told as left lying, or the page is not looked at again")
	}
	h.clock.advance(25 * time.Second)
	must(t, member.ReportProgress(ctx, []api.Progress{{ID: zip, Sent: 5 << 20}})) // a sign of life of the whole drop
	h.clock.advance(25 * time.Second)
	if page := h.shown("member", "/cases/"+c.ID); strings.Contains(page, "data-unfinished") {
		t.Error("a drop under way is told as left lying")
	}
	for _, address := range []string{"/cases/" + c.ID, "/cases"} {
		if page := h.shown("member", address); !strings.Contains(page, "sending 41 files") || strings.Contains(page, "unfinished<") {
			t.Errorf("%s does not say that 41 files are on their way", address)
		}
	}
	h.clock.advance(6 * time.Second)
	page := h.shown("member", "/cases/"+c.ID)
	for want, n := range map[string]int{
		"data-unfinished=": 2, `data-unfinished="` + zip + `"`: 1, "Drop the same files again to go on; only what is missing is sent.": 1,
		"5.2 MB of 21 MB sent": 1, "CBCT/1</span>": 1, `<span class="muted small">40 files</span>`: 1, "data-again": 0,
	} {
		if got := strings.Count(page, want); got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
	for address, told := range map[string]int{"/cases/" + c.ID: 2, "/cases": 1} { // the case's head and the folder's; the case's row
		page := h.shown("member", address)
		if n := strings.Count(page, "41 unfinished") + strings.Count(page, "40 unfinished"); n != told || strings.Contains(page, ">sending") {
			t.Errorf("%s tells %d times that nobody sends, want %d; or it says that somebody does", address, n, told)
		}
	}
	for _, address := range []string{"/cases/" + c.ID, "/files/" + zip} { // the file's own row and page say what it is, too
		if page := h.shown("member", address); !strings.Contains(page, `data-state="unfinished"><span class="dot" aria-hidden="true"></span><span class="state-text">waiting to be resumed, 25 % here<`) {
			t.Errorf("%s does not say that the file waits", address)
		}
	}
	viewers := h.shown("viewer", "/cases/"+c.ID)
	if !strings.Contains(viewers, "data-unfinished") || strings.Contains(viewers, "/discard") {
		t.Error("a viewer sees no unfinished upload, or may discard one")
	}

	discard := func(name, value string) {
		t.Helper()
		b := h.browser()
		h.signIn(b, "member@clinic.example")
		resp, err := b.PostForm(h.http.URL+"/cases/"+c.ID+"/discard", url.Values{name: {value}})
		must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("discard answered %d", resp.StatusCode)
		}
	}
	states := func() (abandoned, left int) {
		files, err := member.Files(ctx, c.ID)
		must(t, err)
		for _, f := range files {
			if f.State == "abandoned" {
				abandoned++
			} else {
				left++
			}
		}
		return abandoned, left
	}
	discard("file", "")
	discard("folder", "")
	if gone, _ := states(); gone != 0 {
		t.Fatalf("%d files were discarded by nothing", gone)
	}
	alive, err := member.Plan(ctx, c.ID, "", []api.FileSpec{{Name: "IM0001", Path: "CBCT/1", Size: 999}})
	must(t, err)
	_, rest, _ := strings.Cut(page, `name="folder" value="`)
	key, _, _ := strings.Cut(rest, `"`)
	discard("folder", key)
	if gone, left := states(); gone != 40 || left != 2 {
		t.Errorf("%d files were discarded with their folder, %d are left", gone, left)
	}
	discard("file", zip)
	discard("file", alive.Files[0].File.ID) // it is under way: only what was left lying is discarded here
	if gone, left := states(); gone != 41 || left != 1 {
		t.Errorf("%d files were discarded, %d are left", gone, left)
	}
}

func TestTheSameNameInTwoFoldersIsToldApart(t *testing.T) {
	h := open(t)
	c := h.openCase()
	planned, err := h.client("member").Plan(t.Context(), c.ID, "", []api.FileSpec{
		{Name: "IM0001", Path: "CD/SER1", Size: 5, Fingerprint: "p"}, {Name: "IM0001", Path: "CD/SER2", Size: 5, Fingerprint: "p"},
	})
	must(t, err)
	for _, f := range planned.Files {
		h.put(f.File.ID, []byte("hello"))
	}
	for _, address := range []string{"/cases/" + c.ID, "/drops/" + planned.Drop + "/receipt"} {
		page := h.shown("viewer", address)
		for _, want := range []string{planned.Files[0].File.ID, planned.Files[1].File.ID, "CD/SER1", "CD/SER2"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not show %s", address, want)
			}
		}
	}
}
