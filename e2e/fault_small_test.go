package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
)

// TestAnExpiredAddressIsSignedAnew lets a part's address expire: the store refuses it with 403, a new signature is given
// for the same upload, and what was sent before needs not travel again.
func TestAnExpiredAddressIsSignedAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_URL_EXPIRY=4s", "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin, l, ctx := s.newAdmin(), newLedger(), t.Context()
	s.serve([]string{"serve"})
	content := phantom.Noise(1, 12<<20)
	f := mustPlan(t, admin, admin.newCase(t, "2026-0001", "Expired Address"), "direct.bin", content)
	first, second := content[:f.PartSize], content[f.PartSize:2*f.PartSize]
	if err := admin.sendPart(ctx, f.ID, 1, first); err != nil {
		t.Fatal(err)
	}
	signed, err := admin.signPart(ctx, f.ID, 2, second)
	if err != nil {
		t.Fatal(err)
	}
	uploads := func() int64 {
		n, err := number(ctx, s.database(), `SELECT count(DISTINCT upload_id) FROM files WHERE upload_id <> ''`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if left := time.Until(signed.ExpiresAt); left > 6*time.Second {
		t.Fatalf("the address is good for %s more, want 4 s", left)
	}
	time.Sleep(time.Until(signed.ExpiresAt) + 1100*time.Millisecond) // the fault itself: too late, by the store's whole seconds
	if status, text, err := putSigned(ctx, signed, bytes.NewReader(second), len(second)); err != nil || status != http.StatusForbidden {
		t.Errorf("an expired address: %d %s (%v), want 403", status, text, err)
	}
	if err := admin.sendParts(ctx, f, content); err != nil {
		t.Errorf("signed anew: %v", err)
	}
	if _, err := admin.complete(ctx, f.ID); err != nil {
		t.Error(err)
	}
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads of the store, want the same one", n)
	}
	l.keep(f.ID, content)
	l.check(t, s, admin, s.embeddedObjects())
}

// TestACaseDeletedWhileItsFilesArriveKeepsNothing deletes a case with a stored file, a small upload in mid-body and a
// direct upload in mid-part. Whoever is sending is told 410, and once the delete-intents are due a sweep leaves no
// object, no part and no open intent; the audit log stays.
func TestACaseDeletedWhileItsFilesArriveKeepsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_TRASH_WINDOW=0s", "CASELOAD_CLEANUP_SHARE=100", "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin, ctx := s.newAdmin(), t.Context()
	p := s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Deleted Case")
	admin.ready(t, mustUpload(t, admin, newLedger(), caseID, "stored.bin", phantom.Noise(1, 300_000)).ID, 30*time.Second)
	direct, small := phantom.Noise(2, 12<<20), phantom.Noise(3, 300_000)
	directFile, smallFile := mustPlan(t, admin, caseID, "direct.bin", direct), mustPlan(t, admin, caseID, "small.bin", small)
	if err := admin.sendPart(ctx, directFile.ID, 1, direct[:directFile.PartSize]); err != nil {
		t.Fatal(err)
	}
	late, err := admin.signPart(ctx, directFile.ID, 2, direct[directFile.PartSize:2*directFile.PartSize])
	if err != nil {
		t.Fatal(err)
	}
	body, feed := io.Pipe()
	sent := make(chan error, 1)
	var a answered
	go func() {
		var err error
		a, err = admin.askPut(ctx, smallFile.ID, small, body)
		sent <- err
	}()
	if _, err := feed.Write(small[:100_000]); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "the small upload begun", func() (bool, error) {
		n, err := number(ctx, s.database(), `SELECT count(*) FROM files WHERE id = '`+smallFile.ID+`' AND state = 'sending'`)
		return n == 1, err
	})

	if err := admin.call(ctx, "DELETE", "/cases/"+caseID, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, _ = feed.Write(small[100_000:])
	_ = feed.Close()
	refused(t, "a small upload in mid-body", a, <-sent, http.StatusGone, "gone", 20*time.Second)
	for what, path := range map[string]string{"complete": "/api/v1/files/" + directFile.ID + "/complete", "abort": "/api/v1/files/" + directFile.ID + "/abort"} {
		if a, err := admin.askJSON(ctx, "POST", path, nil); err != nil || a.status != http.StatusGone {
			t.Errorf("%s after the deletion: %d %s (%v), want 410", what, a.status, a.body, err)
		}
	}
	if _, err := admin.signPart(ctx, directFile.ID, 3, direct[2*directFile.PartSize:]); err == nil {
		t.Error("a part of a deleted file was signed")
	}
	_, _, _ = putSigned(ctx, late, bytes.NewReader(direct[directFile.PartSize:2*directFile.PartSize]), int(directFile.PartSize)) // signed before: may still arrive

	// Objects outlive their deletion by two hours at least, while addresses signed before are good: the clock is turned
	// forward by making the intents due. A start sweeps at once.
	p.kill()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data(), "caseload.db"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := number(ctx, db, `SELECT count(*) FROM intents WHERE state = 'open' AND due_at < `+fmt.Sprint(time.Now().Add(119*time.Minute).UnixMilli())); err != nil || n > 0 {
		t.Errorf("%d intents are due while an address signed before is still good (%v)", n, err)
	}
	if _, err := db.ExecContext(ctx, `UPDATE intents SET due_at = 1`); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	s.serve([]string{"serve"})
	await(t, 20*time.Second, "swept", func() (bool, error) {
		n, err := number(ctx, s.database(), `SELECT count(*) FROM intents WHERE state = 'open'`)
		return err == nil && n == 0, fmt.Errorf("%d open (%w)", n, err)
	})
	if keys := objectsIn(t, s.embeddedObjects()); len(keys) > 0 {
		t.Errorf("%d objects left: %v", len(keys), keys)
	}
	leftovers(t, s)
	if n, err := number(ctx, s.database(), `SELECT count(*) FROM files WHERE state <> 'deleted'`); err != nil || n > 0 {
		t.Errorf("%d files are not deleted (%v)", n, err)
	}
	if n, err := number(ctx, s.database(), `SELECT count(*) FROM events WHERE action = 'file.stored'`); err != nil || n != 1 {
		t.Errorf("%d stored events (%v), want 1: the audit log stays, and nothing was stored after the deletion", n, err)
	}
	s.run("", "audit", "verify")
}
