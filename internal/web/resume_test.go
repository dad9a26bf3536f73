package web_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// A large file is sent in part, by one client; another day another client drops it again: only what is missing travels,
// and the whole is the file.
func TestAnotherClientGoesOnWithAnInterruptedUpload(t *testing.T) {
	h := open(t)
	ctx, member, admin := t.Context(), h.client("member"), h.client("admin")
	c := h.openCase()
	content := pattern(33<<20, 'r')
	spec := api.FileSpec{
		Name: "볼륨.bin", Path: "CBCT", Size: int64(len(content)), Fingerprint: crcOf(t, content[:1<<20]),
		ModifiedAt: time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC),
	}
	first, err := member.Plan(ctx, c.ID, "", []api.FileSpec{spec})
	must(t, err)
	f := first.Files[0].File
	h.relay(*f, 2, content)

	spec.ModifiedAt = spec.ModifiedAt.Add(time.Second)
	spec.Name = norm.NFD.String(spec.Name) // as macOS spells it (NFD)
	again, err := admin.Plan(ctx, c.ID, "", []api.FileSpec{spec})
	must(t, err)
	got := again.Files[0]
	if !got.Resumed || got.Received || got.File.ID != f.ID || got.File.PartSize != f.PartSize || again.Drop != first.Drop || got.File.Drop != first.Drop {
		t.Fatalf("planned again: %+v %+v in drop %s, first in %s", got, got.File, again.Drop, first.Drop)
	}
	unfinished, err := admin.Unfinished(ctx, c.ID)
	must(t, err)
	if len(unfinished) != 1 || unfinished[0].ID != f.ID {
		t.Fatalf("unfinished: %+v", unfinished)
	}
	held, err := admin.Parts(ctx, f.ID)
	must(t, err)
	if len(held) != 1 || held[0].Number != 2 || held[0].CRC64NVME != crcOf(t, content[16<<20:32<<20]) {
		t.Fatalf("held: %+v", held)
	}
	h.relay(*got.File, 1, content)
	h.relay(*got.File, 3, content)
	_, err = admin.Complete(ctx, f.ID, "")
	must(t, err)
	h.downloads(f.ID, content)

	if left, err := member.Unfinished(ctx, c.ID); err != nil || len(left) != 0 {
		t.Fatalf("still unfinished: %v, %v", left, err)
	}
	matches, err := member.Match(ctx, c.ID, []int64{7, spec.Size, spec.Size})
	must(t, err)
	if len(matches.Received) != 1 || matches.Truncated || matches.Received[0].ID != f.ID || matches.Received[0].CRC64NVME != crcOf(t, content) {
		t.Fatalf("received of that size: %+v", matches)
	}
	for ids, want := range map[string]int{f.ID: 1, first.Drop: 0, "nothing": 0} {
		arrived, err := member.Arrived(ctx, c.ID, []int64{spec.Size}, []string{ids})
		must(t, err)
		if len(arrived.Received) != want {
			t.Fatalf("asked about %s alone: %+v", ids, arrived.Received)
		}
	}
	spec.CRC64NVME = matches.Received[0].CRC64NVME
	third, err := member.Plan(ctx, c.ID, "", []api.FileSpec{spec})
	must(t, err)
	if got := third.Files[0]; !got.Received || got.Resumed || got.File.ID != f.ID || third.Drop == first.Drop {
		t.Fatalf("planned a third time: %+v in drop %s", got, third.Drop)
	}
	spec.Again = true
	fourth, err := member.Plan(ctx, c.ID, third.Drop, []api.FileSpec{spec})
	must(t, err)
	if got := fourth.Files[0]; got.Received || got.Resumed || got.File.ID == f.ID || fourth.Drop != third.Drop {
		t.Fatalf("sent all the same: %+v", got)
	}
}

// relay sends one part of the content through the server.
func (h *house) relay(f api.File, n int, content []byte) {
	h.t.Helper()
	from := int64(n-1) * f.PartSize
	body := content[from:min(from+f.PartSize, f.Size)]
	resp, text := h.ask("member", "PUT", "/api/v1/files/"+f.ID+"/parts/"+strconv.Itoa(n), "application/octet-stream", string(body),
		"X-Amz-Checksum-Crc64nvme", crcOf(h.t, body))
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("part %d answered %d: %s", n, resp.StatusCode, text)
	}
}

func TestQuestionsAboutResumingThatCannotBe(t *testing.T) {
	h := open(t)
	c := h.openCase()
	drop := string(caseload.NewID[caseload.DropID](time.Now()))
	for name, ask := range map[string]struct {
		method, path, body string
		status             int
	}{
		"a state nobody knows":        {"GET", "/files?state=lost", "", 400},
		"no sizes":                    {"POST", "/match", `{"sizes":[]}`, 200},
		"sizes that cannot be":        {"POST", "/match", `{"sizes":[-5,0]}`, 200},
		"a size that is text":         {"POST", "/match", `{"sizes":["7"]}`, 400},
		"too many sizes":              {"POST", "/match", `{"sizes":[` + manySizes(1001) + `]}`, 413},
		"the same size often":         {"POST", "/match", `{"sizes":[` + strings.Repeat("5,", 2000) + `5]}`, 200},
		"a drop that is none":         {"POST", "/files", `{"drop":"x","files":[{"name":"a","size":1}]}`, 400},
		"a drop the client made up":   {"POST", "/files", `{"drop":"` + drop + `","files":[{"name":"a","size":1}]}`, 200},
		"a checksum that is none":     {"POST", "/files", `{"files":[{"name":"a","size":1,"crc64nvme":"zz"}]}`, 200},
		"a fingerprint with a letter": {"POST", "/files", `{"files":[{"name":"a","size":1,"fingerprint":"é"}]}`, 200},
	} {
		resp, text := h.ask("member", ask.method, "/api/v1/cases/"+c.ID+ask.path, map[bool]string{true: "application/json"}[ask.body != ""], ask.body)
		if resp.StatusCode != ask.status {
			t.Errorf("%s: answered %d, want %d: %s", name, resp.StatusCode, ask.status, text)
		}
		if refused := strings.HasSuffix(name, "none") || strings.HasSuffix(name, "letter"); refused && !strings.Contains(text, `"kind":"invalid"`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	other := h.openCase()
	if resp, text := h.ask("member", "POST", "/api/v1/cases/"+other.ID+"/files", "application/json", `{"drop":"`+drop+`","files":[{"name":"a","size":1}]}`); resp.StatusCode != 400 {
		t.Errorf("another case's drop was taken: %d %s", resp.StatusCode, text)
	}
}

// manySizes writes n different sizes.
func manySizes(n int) string {
	sizes := make([]string, n)
	for i := range sizes {
		sizes[i] = strconv.Itoa(i + 1)
	}
	return strings.Join(sizes, ",")
}
