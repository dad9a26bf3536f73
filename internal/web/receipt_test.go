package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// A receipt says of each file what the server has seen, and not more; it is complete when every file has come to rest.
func TestAReceiptClaimsWhatWasVerifiedAndNotMore(t *testing.T) {
	h := open(t)
	ctx, member := t.Context(), h.client("member")
	c := h.openCase()
	content := []byte("hello")
	planned, err := member.Plan(ctx, c.ID, "", []api.FileSpec{
		{Name: "IM0001", Path: "series 1", Size: 5}, {Name: "IM0001", Path: "series 2", Size: 5}, {Name: "broken.zip", Size: 5}, {Name: "cancelled", Size: 5},
	})
	must(t, err)
	receipt := func() (api.Receipt, string) {
		t.Helper()
		r, err := h.client("viewer").DropReceipt(ctx, planned.Drop)
		must(t, err)
		if r.Organization.Name != "Clinic" || r.Case.Number != c.Number || r.Drop != planned.Drop || len(r.Files) == 0 || r.Files[0].SentBy.Name != "Member" {
			t.Errorf("receipt: %+v", r)
		}
		return r, h.shown("viewer", "/drops/"+planned.Drop+"/receipt")
	}
	r, page := receipt()
	if r.Complete || !strings.Contains(page, "Nothing of this has been received yet.") || !strings.Contains(page, `data-complete="false"`) {
		t.Errorf("of nothing: complete %v\n%s", r.Complete, page)
	}
	for _, f := range r.Files {
		if f.CRC64NVME != "" || f.SHA256 != "" || !f.StoredAt.IsZero() || !f.ReadyAt.IsZero() {
			t.Errorf("of a planned file is claimed: %+v", f)
		}
	}

	for i := range 3 {
		h.put(planned.Files[i].File.ID, content)
	}
	_, err = member.Abort(ctx, planned.Files[3].File.ID)
	must(t, err)
	h.readAs(planned.Files[0].File.ID, caseload.Ready)
	r, page = receipt()
	for _, want := range []string{
		"Not complete. 3 files, 15 B, were received and verified so far.", "2 received files are still being read", "1 upload was given up",
		"series 1", "series 2", crcOf(t, content), strings.Repeat("a", 32),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if r.Complete || len(r.Files) != 4 {
		t.Errorf("complete %v with %d files", r.Complete, len(r.Files))
	}
	for _, f := range r.Files {
		kept, ready := f.Name != "cancelled", f.Path == "series 1"
		if (f.CRC64NVME == crcOf(t, content)) != kept || f.StoredAt.IsZero() == kept || (f.SHA256 != "") != ready || f.ReadyAt.IsZero() == ready {
			t.Errorf("%s in %q: %+v", f.Name, f.Path, f)
		}
	}

	must(t, member.DeleteFile(ctx, planned.Files[3].File.ID))
	h.readAs(planned.Files[1].File.ID, caseload.Ready)
	h.readAs(planned.Files[2].File.ID, caseload.Rejected)
	r, page = receipt()
	if !r.Complete || len(r.Files) != 3 || !strings.Contains(page, "Complete: all 3 files, 15 B, received and verified.") ||
		!strings.Contains(page, "1 file was received with the right bytes, but cannot be read.") || !strings.Contains(page, "It is broken.") {
		t.Errorf("complete %v with %d files\n%s", r.Complete, len(r.Files), page)
	}
	if len(r.Deleted) != 1 || r.Deleted[0].ID != planned.Files[3].File.ID || !strings.Contains(page, "1 file of this drop was deleted on ") {
		t.Errorf("of what was deleted is told: %+v\n%s", r.Deleted, page)
	}
	must(t, member.DeleteFile(ctx, planned.Files[2].File.ID))
	h.clock.advance(48 * time.Hour)
	must(t, member.DeleteFile(ctx, planned.Files[1].File.ID))
	r, page = receipt()
	if days := strings.Count(page, "of this drop w"); !r.Complete || len(r.Files) != 1 || len(r.Deleted) != 3 || days != 2 || !strings.Contains(page, "2 files of this drop were deleted on ") {
		t.Errorf("of three deleted on two days: %+v, %d days\n%s", r.Deleted, days, page)
	}
	if strings.Contains(page, "broken.zip") {
		t.Error("the receipt names a deleted file")
	}
	one, err := member.FileReceipt(ctx, planned.Files[0].File.ID)
	must(t, err)
	if !one.Complete || len(one.Files) != 1 || one.Files[0].SHA256 != strings.Repeat("a", 64) || one.Drop != planned.Drop {
		t.Errorf("of one file: %+v", one)
	}
	if page := h.shown("viewer", "/files/"+planned.Files[0].File.ID+"/receipt"); !strings.Contains(page, "Complete: 1 file, 5 B, received and verified.") {
		t.Errorf("of one file:\n%s", page)
	}
	must(t, member.DeleteCase(ctx, c.ID))
	if _, err := member.DropReceipt(ctx, planned.Drop); caseload.KindOf(err) != caseload.Gone {
		t.Errorf("of a deleted case: %v", err)
	}
}

func TestAReceiptOfAThousandFilesIsQuick(t *testing.T) {
	h := open(t, unhurried)
	c := h.openCase()
	specs := make([]api.FileSpec, 1000)
	for i := range specs {
		specs[i] = api.FileSpec{Name: fmt.Sprintf("IM%04d.dcm", i), Path: "CBCT/series 1", Size: 520_000}
	}
	planned, err := h.client("member").Plan(t.Context(), c.ID, "", specs)
	must(t, err)
	began := time.Now()
	page := h.shown("viewer", "/drops/"+planned.Drop+"/receipt")
	t.Logf("%d bytes in %v", len(page), time.Since(began))
	if n := strings.Count(page, "CBCT/series 1"); n != 1000 {
		t.Errorf("%d files are on the page", n)
	}
}

// shown returns a page as one of the users sees it.
func (h *house) shown(as, address string) string {
	h.t.Helper()
	b := h.browser()
	h.signIn(b, h.users[as].Email)
	return h.page(b, address)
}

// put sends the bytes of a small file.
func (h *house) put(id string, content []byte) {
	h.t.Helper()
	resp, text := h.ask("member", "PUT", "/api/v1/files/"+id+"/content", "application/octet-stream", string(content), "X-Amz-Checksum-Crc64nvme", crcOf(h.t, content))
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("answered %d: %s", resp.StatusCode, text)
	}
}

// readAs lets a stored file be read to its end.
func (h *house) readAs(id string, end caseload.State) {
	h.t.Helper()
	ctx, file := h.t.Context(), caseload.FileID(id)
	f, err := h.store.StartReading(ctx, file, "worker", time.Now(), time.Now().Add(time.Minute))
	must(h.t, err)
	if end == caseload.Rejected {
		must(h.t, h.store.Reject(ctx, file, f.Attempt, "It is broken."))
		return
	}
	h.found(id, f.Attempt, caseload.Findings{Kind: caseload.KindOther})
}

// found ends an attempt with what it found.
func (h *house) found(id string, attempt int, found caseload.Findings) {
	h.t.Helper()
	must(h.t, h.store.SaveMetadata(h.t.Context(), caseload.FileID(id), attempt, found))
	must(h.t, h.store.FinishReading(h.t.Context(), caseload.FileID(id), attempt, caseload.Receipt{SHA256: strings.Repeat("a", 64)}))
}
