package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// stopsWithin is the promise of a stop: 30 s for what is under way, the rest for handing back.
const stopsWithin = 40 * time.Second

// TestAStopUnderLoadLosesNoAcknowledgement stops the server while small uploads stream slowly, parts travel to the
// embedded store and a scan is being read: what is under way is finished and acknowledged, the process ends with exit
// code 0, and the next start finds everything right.
func TestAStopUnderLoadLosesNoAcknowledgement(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=info", "CASELOAD_WORKERS=1")
	admin, l := s.newAdmin(), newLedger()
	p := s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Stop Load")
	ctx := context.WithoutCancel(t.Context())

	var under sync.WaitGroup // what is under way
	var feeds []*io.PipeWriter
	const uploads = 12
	small := make([][]byte, uploads)
	for n := range uploads {
		small[n] = phantom.Noise(uint64(n), 512<<10)
		f := mustPlan(t, admin, caseID, fmt.Sprintf("slow-%d.bin", n), small[n])
		body, feed := io.Pipe()
		feeds = append(feeds, feed)
		under.Go(func() {
			a, err := admin.askPut(ctx, f.ID, small[n], body)
			if err != nil || a.status != 200 {
				t.Errorf("small upload under way at the stop: %d %s (%v), want it acknowledged", a.status, a.body, err)
				return
			}
			l.keep(f.ID, small[n])
		})
		if _, err := feed.Write(small[n][:64<<10]); err != nil {
			t.Fatal(err)
		}
	}
	direct := phantom.Noise(100, 40<<20)
	directFile := mustPlan(t, admin, caseID, "direct.bin", direct)
	part := direct[:directFile.PartSize]
	partBody, partFeed := io.Pipe()
	under.Go(func() {
		if err := admin.sendPartFrom(ctx, directFile.ID, 1, part, partBody); err != nil {
			t.Errorf("a part under way at the stop: %v, want the store's 200", err)
		}
	})
	if _, err := partFeed.Write(part[:1<<20]); err != nil {
		t.Fatal(err)
	}
	var scan strings.Builder
	if err := (phantom.Scan{Seed: 9, Patient: "Stop^Load", ID: "S", Slices: 3000, Size: 16}).WriteZIP(&scan); err != nil {
		t.Fatal(err)
	}
	const scans = 6 // of many small slices each, so that the one worker is in the middle of one when the last upload has ended
	var reading api.File
	for range scans {
		reading = mustUpload(t, admin, l, caseID, "scan.zip", []byte(scan.String()))
	}

	begun := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- p.stop() }()
	await(t, 10*time.Second, "new connections refused", func() (bool, error) {
		_, _, err := get(t.Context(), s.url()+"/healthz")
		return err != nil, nil
	})
	for n, feed := range feeds { // the slow clients go on
		under.Go(func() {
			for from := 64 << 10; from < len(small[n]); from += 64 << 10 {
				if _, err := feed.Write(small[n][from : from+64<<10]); err != nil {
					return // the upload itself tells
				}
				time.Sleep(100 * time.Millisecond) // the line's pace, the fault itself
			}
			_ = feed.Close()
		})
	}
	under.Go(func() {
		_, _ = partFeed.Write(part[1<<20:])
		_ = partFeed.Close()
	})
	under.Wait()
	if err := <-ended; err != nil {
		t.Errorf("the process ended with %v, want exit code 0\n%s", err, s.logged())
	}
	t.Logf("stopped in %s with %d small uploads, one part and one reading under way", time.Since(begun).Round(time.Millisecond), uploads)
	if n := len(l.all()); n != uploads+scans {
		t.Errorf("%d acknowledged, want %d", n, uploads+scans)
	}
	if log := s.logged(); strings.Contains(log, "not everything stopped in order") {
		t.Errorf("not everything stopped in order\n%s", log)
	}
	if n, err := number(t.Context(), s.database(), `SELECT count(*) FROM files WHERE state = 'reading'`); err != nil || n != 0 {
		t.Errorf("%d files are still being read by nobody (%v): the reading was not handed back", n, err)
	}
	if n, err := number(t.Context(), s.database(), `SELECT count(*) FROM files WHERE state = 'stored'`); err != nil || n == 0 {
		t.Errorf("everything was read before the stop (%v): send more scans", err)
	}

	s.serve([]string{"serve"})
	// While the scans are read the database may be busy: 503, try again.
	var held api.Parts
	await(t, time.Minute, "asked for its parts", func() (bool, error) {
		err := admin.call(t.Context(), "GET", "/files/"+directFile.ID+"/parts", nil, &held)
		return err == nil, err
	})
	if len(held.Parts) != 1 {
		t.Errorf("after the start the store holds %v, want the part that was under way", held.Parts)
	}
	await(t, time.Minute, "sent", func() (bool, error) {
		err := admin.sendParts(t.Context(), directFile, direct)
		return err == nil, err
	})
	await(t, time.Minute, "completed", func() (bool, error) {
		_, err := admin.complete(t.Context(), directFile.ID)
		return err == nil, err
	})
	l.keep(directFile.ID, direct)
	l.check(t, s, admin, s.embeddedObjects())
	if f, err := admin.file(t.Context(), reading.ID); err != nil || f.Contents.Images != 3000 {
		t.Errorf("the scan has %d images (%v), want 3,000", f.Contents.Images, err)
	}
}

// TestAStopDoesNotWaitForeverForAClient stops the server while a client that never finishes holds an upload: the process
// ends in order within its bound all the same, and the upload can be sent after the next start.
func TestAStopDoesNotWaitForeverForAClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, l := s.newAdmin(), newLedger()
	p := s.serve([]string{"serve"})
	f, content, _ := heldUpload(t, admin)
	var scan strings.Builder
	if err := (phantom.Scan{Seed: 9, Patient: "Stop^Held", ID: "S", Slices: 100, Size: 256}).WriteZIP(&scan); err != nil {
		t.Fatal(err)
	}
	mustUpload(t, admin, l, f.Case, "scan.zip", []byte(scan.String()))
	begun := time.Now()
	if err := p.stop(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0\n%s", err, s.logged())
	}
	if took := time.Since(begun); took > stopsWithin {
		t.Errorf("stopped after %s, want ≤ %s", took, stopsWithin)
	}
	if n, err := number(t.Context(), s.database(), `SELECT count(*) FROM files WHERE state = 'reading'`); err != nil || n != 0 {
		t.Errorf("%d files are still being read by nobody (%v): the reading was not handed back", n, err)
	}
	s.serve([]string{"serve"})
	if _, err := admin.put(t.Context(), f.ID, content); err != nil {
		t.Error(err)
	}
	l.keep(f.ID, content)
	l.check(t, s, admin, s.embeddedObjects())
}

// TestASecondSignalStopsAtOnce sends SIGTERM twice while a client holds an upload.
func TestASecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, l := s.newAdmin(), newLedger()
	p := s.serve([]string{"serve"})
	f, content, _ := heldUpload(t, admin)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM} {
		if err := p.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		await(t, 10*time.Second, "new connections refused", func() (bool, error) {
			_, _, err := get(t.Context(), s.url()+"/healthz")
			return err != nil, nil
		})
	}
	begun := time.Now()
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
		t.Fatalf("the process still runs %s after the second signal", time.Since(begun))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1: it did not stop in order", code)
	}
	s.serve([]string{"serve"})
	if _, err := admin.put(t.Context(), f.ID, content); err != nil {
		t.Error(err)
	}
	l.keep(f.ID, content)
	l.check(t, s, admin, s.embeddedObjects())
}

// heldUpload begins a small upload whose client sends half and then nothing more until the test ends.
func heldUpload(t *testing.T, p person) (f api.File, content []byte, failed <-chan error) {
	t.Helper()
	content = phantom.Noise(1, 1<<20)
	f = mustPlan(t, p, p.newCase(t, "2026-0001", "Held Upload"), "held.bin", content)
	body, feed := io.Pipe()
	t.Cleanup(func() { _ = feed.CloseWithError(io.ErrUnexpectedEOF) })
	ended := make(chan error, 1)
	go func() {
		a, err := p.askPut(context.WithoutCancel(t.Context()), f.ID, content, body)
		if err == nil {
			err = fmt.Errorf("%d: %s", a.status, a.body)
		}
		ended <- err
	}()
	if _, err := feed.Write(content[:512<<10]); err != nil {
		t.Fatal(err)
	}
	return f, content, ended
}
