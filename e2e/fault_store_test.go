package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// TestAStoreThatGoesAwayIsSaidAndSurvived kills the separate S3 server while Caseload serves: uploads, completions,
// links and readiness say so at once, nothing acknowledged suffers, and when the store is back everything goes on
// without a restart, the file that was being read included.
func TestAStoreThatGoesAwayIsSaidAndSurvived(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	remote := s3test.Start(t, "http://"+s.address)
	s.env = append(remote.Environment(), "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin, l, ctx := s.newAdmin(), newLedger(), t.Context()
	s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Store Away")

	read := phantom.Noise(1, 200_000)
	before := mustUpload(t, admin, l, caseID, "before.bin", read)
	admin.ready(t, before.ID, 30*time.Second)
	small, direct := phantom.Noise(2, 300_000), phantom.Noise(3, 12<<20)
	smallFile, directFile, unbegun := mustPlan(t, admin, caseID, "small.bin", small), mustPlan(t, admin, caseID, "direct.bin", direct), mustPlan(t, admin, caseID, "unbegun.bin", direct)
	if err := admin.sendParts(ctx, directFile, direct); err != nil {
		t.Fatal(err)
	}
	reading, scans := caughtReading(t, admin, l, caseID, func() { remote.Kill(t) }, func() {
		remote.Run(t)
		await(t, 10*time.Second, "ready again", func() (bool, error) { return admin.readiness(t).status == http.StatusOK, nil })
	})

	const within = 10 * time.Second
	away := time.Now()
	sign := api.SignParts{Parts: []api.PartSpec{{Number: 1, CRC64NVME: crc64nvme(direct[:5<<20])}}}
	calls := map[string]func() (answered, error){
		"small upload": func() (answered, error) { return admin.askPut(ctx, smallFile.ID, small, bytes.NewReader(small)) },
		"complete": func() (answered, error) {
			return admin.askJSON(ctx, "POST", "/api/v1/files/"+directFile.ID+"/complete", nil)
		},
		"parts held": func() (answered, error) {
			return admin.askJSON(ctx, "GET", "/api/v1/files/"+directFile.ID+"/parts", nil)
		},
		"first signature": func() (answered, error) {
			return admin.askJSON(ctx, "POST", "/api/v1/files/"+unbegun.ID+"/parts", sign)
		},
		"download": func() (answered, error) { return admin.askJSON(ctx, "GET", "/api/v1/files/"+before.ID+"/content", nil) },
		"link":     func() (answered, error) { return admin.askJSON(ctx, "GET", "/api/v1/files/"+before.ID+"/link", nil) },
	}
	for range 2 { // the second time connections are known to be dead
		var asked sync.WaitGroup
		for what, call := range calls {
			asked.Go(func() {
				a, err := call()
				refused(t, what, a, err, http.StatusServiceUnavailable, "unavailable", within)
			})
		}
		asked.Wait()
	}
	if ready := admin.readiness(t); ready.status != http.StatusServiceUnavailable || ready.header.Get("Retry-After") == "" || ready.failing() != "store" {
		t.Errorf("/readyz: %d, Retry-After %q, failing %q; want 503 with Retry-After, failing \"store\"", ready.status, ready.header.Get("Retry-After"), ready.failing())
	}
	if status, _, err := get(ctx, s.url()+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz: %d, %v; want 200: a store that is away is no reason to restart us", status, err)
	}
	if f, err := admin.file(ctx, reading.ID); err != nil || f.State == "rejected" {
		t.Errorf("a file being read is %s (%v): an outage of the store rejects nothing", f.State, err)
	}

	back := time.Now()
	remote.Run(t)
	await(t, 10*time.Second, "ready again", func() (bool, error) { return admin.readiness(t).status == http.StatusOK, nil })
	if _, err := admin.put(ctx, smallFile.ID, small); err != nil {
		t.Errorf("the small upload does not go on: %v", err)
	}
	l.keep(smallFile.ID, small)
	if err := admin.sendParts(ctx, unbegun, direct); err != nil {
		t.Errorf("the upload not begun does not begin: %v", err)
	}
	for _, f := range []api.File{directFile, unbegun} {
		if _, err := admin.complete(ctx, f.ID); err != nil {
			t.Errorf("complete does not go on: %v", err)
		}
		l.keep(f.ID, direct)
	}
	l.check(t, s, admin, remote.Dir+"/"+remote.Bucket)
	t.Logf("the store was away for %s; everything was read %s after it was back", back.Sub(away).Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	if f, err := admin.file(ctx, reading.ID); err != nil || f.Contents.Images != slicesOf(len(scans)) {
		t.Errorf("the scan that was being read has %d images (%v), want %d", f.Contents.Images, err, slicesOf(len(scans)))
	}
}

// slicesOf is how many images the nth scan of caughtReading has.
func slicesOf(n int) int { return 300 * n }

// caughtReading uploads a scan and cuts off what its reader needs before it is ready. How far a reader gets until then is
// the machine's affair: when it was quicker the cut is mended and a larger scan follows. It returns the one that is caught,
// and all of them.
func caughtReading(t *testing.T, p person, l *ledger, caseID string, cut, mend func()) (caught api.File, scans []api.File) {
	t.Helper()
	for n := 1; n <= 5; n++ {
		var scan strings.Builder
		if err := (phantom.Scan{Seed: uint64(n), Patient: "Caught^Reading", ID: "C", Slices: slicesOf(n), Size: 256}).WriteZIP(&scan); err != nil {
			t.Fatal(err)
		}
		sent := mustUpload(t, p, l, caseID, fmt.Sprintf("scan-%d.zip", n), []byte(scan.String()))
		scans = append(scans, sent)
		cut()
		f, err := p.file(t.Context(), sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		if f.State != "ready" {
			return sent, scans
		}
		mend()
	}
	t.Fatal("five scans were read before anything could be cut off")
	return caught, scans
}

func mustPlan(t *testing.T, p person, caseID, name string, content []byte) api.File {
	t.Helper()
	f, err := p.plan(t.Context(), caseID, name, len(content))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mustUpload uploads a file while nothing is wrong.
func mustUpload(t *testing.T, p person, l *ledger, caseID, name string, content []byte) api.File {
	t.Helper()
	f, err := patiently(func() (api.File, error) { return p.plan(t.Context(), caseID, name, len(content)) })
	if err != nil {
		t.Fatal(err)
	}
	f, err = patiently(func() (api.File, error) {
		if f.Route == "small" {
			return p.put(t.Context(), f.ID, content)
		}
		if err := p.sendParts(t.Context(), f, content); err != nil {
			return f, err
		}
		return p.complete(t.Context(), f.ID)
	})
	if err != nil {
		t.Fatal(err)
	}
	l.keep(f.ID, content)
	return f
}

// patiently asks again while the server is busy, as every real client does.
func patiently(ask func() (api.File, error)) (f api.File, err error) {
	for range 10 {
		if f, err = ask(); caseload.KindOf(err) != caseload.Unavailable {
			break
		}
	}
	return f, err
}

// readiness asks /readyz.
func (p person) readiness(t *testing.T) readiness {
	t.Helper()
	a, err := p.ask(t.Context(), http.MethodGet, "/readyz", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return readiness{a}
}

type readiness struct{ answered }

// failing names the checks that failed, in order.
func (r readiness) failing() string {
	var health struct {
		Checks []struct {
			Name string `json:"name"`
			OK   bool   `json:"ok"`
		} `json:"checks"`
	}
	if err := json.Unmarshal(r.body, &health); err != nil {
		return err.Error()
	}
	var names []string
	for _, c := range health.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ",")
}
