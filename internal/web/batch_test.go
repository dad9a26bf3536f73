package web_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/web"
)

// framed puts parts into a multipart body whose boundary is "frame".
func framed(parts ...string) string {
	return strings.Join(parts, "") + "--frame--\r\n"
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

func TestABatchThatIsNotFramedAsItSays(t *testing.T) {
	h := open(t)
	c := h.openCase()
	plan := func() string { return h.plan(c.ID, "a.bin", 3).ID }
	first, second, third := plan(), plan(), plan()
	head := h.whole(first, "abc")
	for name, x := range map[string]struct {
		body, want string
		status     int
	}{
		"the end is missing":             {head + h.whole(second, "abc"), "stored stored", 200},
		"cut in the middle of a body":    {head + strings.TrimSuffix(h.whole(third, "abc"), "c\r\n"), "stored invalid", 200},
		"cut in the middle of a head":    {head + h.whole(third, "abc")[:30], "stored", 200},
		"another boundary":               {strings.ReplaceAll(framed(h.whole(third, "abc")), "frame", "flame"), "", 400},
		"no part":                        {"--frame--\r\n", "", 200},
		"nothing":                        {"", "", 400},
		"something before the first":     {"preamble\r\n" + framed(head), "stored", 200},
		"something after the last":       {framed(head) + "epilogue", "stored", 200},
		"a batch in a batch":             {framed(strings.Replace(head, "\r\n\r\n", "\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n", 1)), "stored", 200},
		"a transfer encoding is no word": {framed(strings.Replace(head, "\r\n\r\n", "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", 1)), "stored", 200},
	} {
		status, answers := h.sendBatch(c.ID, x.body)
		if status != x.status || kinds(answers) != x.want {
			t.Errorf("%s: answered %d %q, want %d %q", name, status, kinds(answers), x.status, x.want)
		}
	}
	if got := h.state(third); got == "stored" {
		t.Error("a file that never came whole is stored")
	}
	for _, kind := range []string{"", "application/octet-stream", "multipart/mixed", "multipart/form-data; boundary=frame"} {
		if resp, _ := h.ask("member", "PUT", "/api/v1/cases/"+c.ID+"/contents", kind, framed(head)); resp.StatusCode != 415 {
			t.Errorf("content type %q answered %d", kind, resp.StatusCode)
		}
	}
}

func TestABatchIsHeldToItsLimits(t *testing.T) {
	h := open(t)
	c := h.openCase()
	var specs []api.FileSpec
	for i := range 257 {
		specs = append(specs, api.FileSpec{Name: fmt.Sprint(i, ".bin"), Size: 3})
	}
	planned, err := h.client("member").Plan(t.Context(), c.ID, "", specs)
	must(t, err)
	var parts []string
	for _, p := range planned.Files {
		parts = append(parts, h.whole(p.File.ID, "abc"))
	}
	if status, _ := h.sendBatch(c.ID, framed(parts...)); status != 413 {
		t.Errorf("257 files were answered %d", status)
	}
	if first, last := h.state(planned.Files[0].File.ID), h.state(planned.Files[256].File.ID); first != "stored" || last == "stored" {
		t.Errorf("the first is %s, the one too many %s", first, last)
	}
	status, answers := h.sendBatch(c.ID, framed(parts[1:]...))
	if want := strings.TrimSpace(strings.Repeat("stored ", 256)); status != 200 || kinds(answers) != want {
		t.Errorf("256 files were answered %d %s", status, kinds(answers))
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, h.http.URL+"/api/v1/cases/"+c.ID+"/contents", strings.NewReader(framed(parts[0])))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+h.tokens["member"])
	r.Header.Set("Content-Type", "multipart/mixed; boundary=frame")
	r.ContentLength = -1
	if resp, _ := send(t, noRedirects, r); resp.StatusCode != 411 {
		t.Errorf("a body of unknown length was answered %d", resp.StatusCode)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	must(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "PUT /api/v1/cases/%s/contents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: multipart/mixed; boundary=frame\r\nContent-Length: 34000000\r\n\r\n", c.ID, h.tokens["member"])
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("34 MB were answered %d", resp.StatusCode)
	}
}

// The head of a part is read into memory, so it is held to be short; what came before it is kept.
func TestABatchWhoseHeadsAreLongIsRefused(t *testing.T) {
	h := open(t)
	c := h.openCase()
	for name, padding := range map[string]string{
		"one long line":  "X-Padding: " + strings.Repeat("x", 1<<20) + "\r\n",
		"many lines":     strings.Repeat("X-Padding: x\r\n", 5000),
		"a long comment": strings.Repeat("X-Padding: x\r\n folded\r\n", 2000),
	} {
		good, bad := h.plan(c.ID, "a.bin", 3).ID, h.plan(c.ID, "b.bin", 3).ID
		body := framed(h.whole(good, "abc"), strings.Replace(h.whole(bad, "abc"), "\r\n", "\r\n"+padding, 1))
		if status, answers := h.sendBatch(c.ID, body); status != 200 || kinds(answers) != "stored" {
			t.Errorf("%s: answered %d %q, want only the file before", name, status, kinds(answers))
		}
		if h.state(bad) == "stored" {
			t.Errorf("%s: it was stored", name)
		}
	}
	first := h.plan(c.ID, "a.bin", 3).ID // what comes before the first part is no better
	if status, _ := h.sendBatch(c.ID, strings.Repeat("x\r\n", 1<<18)+framed(h.whole(first, "abc"))); status != 400 {
		t.Errorf("a long preamble was answered %d", status)
	}
	refused := h.plan(c.ID, "a.bin", 200_000).ID // the bytes of a part that is passed over are no head
	last := h.plan(c.ID, "b.bin", 3).ID
	body := framed(part(refused, "5", crcOf(t, nil), strings.Repeat("x", 200_000)), h.whole(last, "abc"))
	if status, answers := h.sendBatch(c.ID, body); status != 200 || kinds(answers) != "invalid stored" {
		t.Errorf("after a part that was passed over: %d %q", status, kinds(answers))
	}
}

// The same file may come twice in one batch: once is enough, and other bytes change nothing.
func TestOneFileTwiceInABatch(t *testing.T) {
	h := open(t)
	c := h.openCase()
	same, other := h.plan(c.ID, "a.bin", 3).ID, h.plan(c.ID, "b.bin", 3).ID
	status, answers := h.sendBatch(c.ID, framed(h.whole(same, "abc"), h.whole(same, "abc"), h.whole(same, "abc"), h.whole(other, "abc"), h.whole(other, "abd")))
	if status != 200 || len(answers) != 5 || kinds(answers[:3]) != "stored stored stored" {
		t.Fatalf("answered %d %s", status, kinds(answers))
	}
	kept := 0
	for i, body := range map[int]string{3: "abc", 4: "abd"} {
		if f := answers[i].File; f != nil {
			kept++
			if f.CRC64NVME != crcOf(t, []byte(body)) {
				t.Errorf("answer %d speaks of other bytes: %s", i, f.CRC64NVME)
			}
		}
	}
	if kept > 1 {
		t.Error("two different bodies of one file were both called stored")
	}
	events, err := h.client("member").Events(t.Context(), c.ID, 200, 0)
	must(t, err)
	stored := 0
	for _, e := range events {
		if e.Action == "file.stored" && e.File == same {
			stored++
		}
	}
	if stored != 1 {
		t.Errorf("%d events that it was stored", stored)
	}
}

// Declared lengths that add up to more than a batch may hold are refused when the sum is passed, whatever follows.
func TestABatchThatDeclaresTooMuchIsRefused(t *testing.T) {
	h := open(t)
	c := h.openCase()
	good := h.plan(c.ID, "a.bin", 3).ID
	status, _ := h.sendBatch(c.ID, framed(h.whole(good, "abc"), part(h.plan(c.ID, "b.bin", 3).ID, "33554432", crcOf(t, nil), "abc")))
	if status != 413 || h.state(good) != "stored" {
		t.Errorf("answered %d; the file before is %s", status, h.state(good))
	}
}

func TestASlowBatchIsEndedAndWhatCameWholeIsKept(t *testing.T) {
	defer web.SetUploadPace(500*time.Millisecond, 500*time.Millisecond)()
	h := open(t)
	c := h.openCase()
	first, second := h.plan(c.ID, "a.bin", 3).ID, h.plan(c.ID, "b.bin", 3).ID
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	must(t, err)
	defer conn.Close()
	whole := framed(h.whole(first, "abc"), h.whole(second, "abc"))
	fmt.Fprintf(conn, "PUT /api/v1/cases/%s/contents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: multipart/mixed; boundary=frame\r\nContent-Length: %d\r\n\r\n%s", c.ID, h.tokens["member"], len(whole), whole[:len(whole)-14])
	must(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("answered %d, want 408", resp.StatusCode)
	}
	if a, b := h.state(first), h.state(second); a != "stored" || b == "stored" {
		t.Errorf("the first is %s, the second %s", a, b)
	}
	if status, answers := h.sendBatch(c.ID, whole); status != 200 || kinds(answers) != "stored stored" {
		t.Errorf("sent again: %d %s", status, kinds(answers))
	}
}

func TestTheSameBatchTwiceAtOnce(t *testing.T) {
	h := open(t)
	c := h.openCase()
	var parts []string
	for range 12 {
		parts = append(parts, h.whole(h.plan(c.ID, "a.bin", 3).ID, "abc"))
	}
	var both sync.WaitGroup
	for range 3 {
		both.Go(func() {
			if status, answers := h.sendBatch(c.ID, framed(parts...)); status != 200 || strings.Trim(kinds(answers), "stored ") != "" {
				t.Errorf("answered %d %s", status, kinds(answers))
			}
		})
	}
	both.Wait()
}
