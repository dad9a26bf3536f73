package e2e

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// TestSmallUploadsUnderWayOutliveSIGTERM holds a small upload in mid-body, sends SIGTERM, and finishes the body: the
// upload is acknowledged, the process ends with exit code 0, and the file is there after the next start.
func TestSmallUploadsUnderWayOutliveSIGTERM(t *testing.T) {
	s := newSite(t)
	admin := s.newAdmin()
	p := s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Drain")
	content := phantom.Noise(1, 3<<20)
	f, err := admin.plan(t.Context(), caseID, "slow.bin", len(content))
	if err != nil {
		t.Fatal(err)
	}

	body, feed := io.Pipe()
	acknowledged := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPut, admin.base+"/api/v1/files/"+f.ID+"/content", body)
		if err == nil {
			r.ContentLength = int64(len(content))
			r.Header.Set("Content-Type", "application/octet-stream")
			r.Header.Set("x-amz-checksum-crc64nvme", crc64nvme(content))
			err = admin.send(r, &api.File{})
		}
		acknowledged <- err
	}()
	if _, err := feed.Write(content[:1<<20]); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "the upload under way", func() (bool, error) {
		now, err := admin.file(t.Context(), f.ID)
		return now.State == "sending", err
	})
	ended := make(chan error, 1)
	go func() { ended <- p.stop() }()
	await(t, 10*time.Second, "new connections refused", func() (bool, error) {
		_, _, err := get(t.Context(), s.url()+"/healthz")
		return err != nil, nil
	})
	if _, err := feed.Write(content[1<<20:]); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if err := <-acknowledged; err != nil {
		t.Errorf("the upload under way was not acknowledged: %v\n%s", err, s.logged())
	}
	if err := <-ended; err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}

	s.serve([]string{"serve"})
	if got := admin.ready(t, f.ID, 30*time.Second); got.SHA256 != sha256hex(content) {
		t.Errorf("SHA-256 %s, want %s", got.SHA256, sha256hex(content))
	}
}
