package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
)

// framed puts parts into a multipart body whose boundary is "frame".
func framed(parts ...string) string {
	return strings.Join(append(parts, "--frame--\r\n"), "")
}

// part is one part of a batch, with whatever it says of itself.
func part(id, length, checksum, body string) string {
	return fmt.Sprintf("--frame\r\nContent-ID: %s\r\nContent-Length: %s\r\nX-Amz-Checksum-Crc64nvme: %s\r\n\r\n%s\r\n", id, length, checksum, body)
}

// whole is a part that tells the truth.
func (h *house) whole(id, body string) string {
	return part(id, fmt.Sprint(len(body)), crcOf(h.t, []byte(body)), body)
}

// sendBatch sends a body as the member and returns the status and the answers.
func (h *house) sendBatch(caseID, body string) (status int, answers []api.ReceivedFile) {
	h.t.Helper()
	resp, text := h.ask("member", "PUT", "/api/v1/cases/"+caseID+"/contents", "multipart/mixed; boundary=frame", body)
	var out api.Received
	if resp.StatusCode == 200 {
		must(h.t, json.Unmarshal([]byte(text), &out))
	}
	return resp.StatusCode, out.Files
}

// kinds tells of each answer "stored" or the kind of its error.
func kinds(answers []api.ReceivedFile) string {
	var all []string
	for _, a := range answers {
		if a.Error != nil {
			all = append(all, a.Error.Kind)
		} else {
			all = append(all, a.File.State)
		}
	}
	return strings.Join(all, " ")
}

// state asks what became of a file.
func (h *house) state(id string) string {
	h.t.Helper()
	f, err := h.client("member").File(h.t.Context(), id)
	must(h.t, err)
	return f.State
}

func TestClientSendsABatch(t *testing.T) {
	h := open(t)
	c := h.openCase()
	var files []api.SmallFile
	var bodies [][]byte
	for i := range 40 {
		body := pattern(1+i*997, byte('a'+i%26))
		f := h.plan(c.ID, fmt.Sprintf("slice-%d.dcm", i), int64(len(body)))
		files, bodies = append(files, api.SmallFile{ID: f.ID, Body: bytes.NewReader(body), Size: f.Size}), append(bodies, body)
	}
	var sent int64
	for round := range 2 { // the second one repeats it, as after a lost answer
		answers, err := h.client("member").SendBatch(t.Context(), c.ID, files, func(n int64) { sent = n })
		must(t, err)
		for i, a := range answers {
			if a.Error != nil || a.ID != files[i].ID || a.File.State != "stored" || a.File.CRC64NVME != crcOf(t, bodies[i]) {
				t.Fatalf("round %d, file %d: %+v", round, i, a)
			}
		}
		if want := total(bodies); sent != want {
			t.Errorf("round %d: %d bytes reported as sent, want %d", round, sent, want)
		}
	}
	content, err := h.client("member").Download(t.Context(), files[7].ID)
	must(t, err)
	defer content.Close()
	got, err := io.ReadAll(content)
	must(t, err)
	if !bytes.Equal(got, bodies[7]) {
		t.Error("other bytes come back")
	}
}

func total(bodies [][]byte) (n int64) {
	for _, b := range bodies {
		n += int64(len(b))
	}
	return n
}

func TestAFaultInABatchCostsOnlyItsOwnFile(t *testing.T) {
	h := open(t)
	c := h.openCase()
	other := h.openCase()
	plan := func(size int64) string { return h.plan(c.ID, "a.bin", size).ID }
	good, last := plan(3), plan(4)
	abandoned := plan(3)
	_, err := h.client("member").Abort(t.Context(), abandoned)
	must(t, err)
	foreign, err := h.client("foreign-admin").CreateCase(t.Context(), api.NewCase{Patient: "P"})
	must(t, err)
	strangers, err := h.client("foreign-admin").Plan(t.Context(), foreign.ID, "", []api.FileSpec{{Name: "a.bin", Size: 3}})
	must(t, err)
	stranger, elsewhere, wrong, short, long, direct := strangers.Files[0].File.ID, h.plan(other.ID, "a.bin", 3).ID, plan(3), plan(3), plan(3), plan(6<<20)
	sum := crcOf(t, []byte("abc"))
	status, answers := h.sendBatch(c.ID, framed(
		h.whole(good, "abc"),
		part(wrong, "3", sum, "abd"),
		part(short, "3", sum, "ab"),
		part(long, "3", sum, "abcd"),
		part(plan(3), "4", sum, "abcd"),
		part(plan(3), "", sum, "abc"),
		part(plan(3), "-1", sum, "abc"),
		part(plan(3), "3", "", "abc"),
		part(plan(3), "3", "AAAA", "abc"),
		h.whole("", "abc"),
		h.whole("../"+good, "abc"),
		h.whole(stranger, "abc"),
		h.whole(elsewhere, "abc"),
		h.whole(direct, "abc"),
		h.whole(abandoned, "abc"),
		h.whole("<"+last+">", "abcd"),
	))
	want := "stored invalid invalid invalid invalid invalid invalid invalid invalid not_found not_found not_found not_found conflict conflict stored"
	if status != 200 || kinds(answers) != want {
		t.Fatalf("answered %d:\n%s\nwant\n%s", status, kinds(answers), want)
	}
	for _, id := range []string{wrong, short, long, elsewhere} {
		if got := h.state(id); got == "stored" {
			t.Errorf("a refused part was stored: %s", id)
		}
	}
	for _, id := range []string{wrong, short, long} { // sent right, each can still be stored
		if status, answers := h.sendBatch(c.ID, framed(h.whole(id, "abc"))); status != 200 || kinds(answers) != "stored" {
			t.Errorf("sent again: %d %s", status, kinds(answers))
		}
	}
}
