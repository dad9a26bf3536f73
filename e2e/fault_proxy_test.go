package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/faultproxy"
	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// storeCalls is how many calls of the store the fault run makes: CASELOAD_TEST_STORE_CALLS, 1,000 in every test run,
// 10,000 before a release.
func storeCalls() int {
	if n, err := strconv.Atoi(os.Getenv("CASELOAD_TEST_STORE_CALLS")); err == nil && n > 0 {
		return n
	}
	return 1000
}

// faultShare is the share of calls that meet a fault.
const faultShare = 0.05

// TestFaultsOfTheStoreMakeNoWrongState uploads by both routes and reads through a proxy that fails 5 % of all calls, the
// clients' own included, until the store was called often enough; then, with the faults off, every upload must come to
// its end, and the oracle finds nothing wrong.
func TestFaultsOfTheStoreMakeNoWrongState(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	remote := s3test.Start(t, "http://"+s.address)
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("CASELOAD_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	proxy, err := faultproxy.Start(t.Context(), remote.Endpoint, seed)
	if err != nil {
		t.Fatal(err)
	}
	through := *remote
	through.Endpoint = proxy.URL
	s.env = append(through.Environment(), "CASELOAD_DIRECT_THRESHOLD=5MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin := s.newAdmin()
	s.serve([]string{"serve"})
	run := &faultRun{admin: admin, ledger: newLedger(), caseID: admin.newCase(t, "2026-0001", "Fault Run")}

	proxy.SetShare(faultShare)
	begun := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() { run.send(t, ctx, uint64(n)) })
	}
	within := 30*time.Second + time.Duration(storeCalls())*100*time.Millisecond
	await(t, within, fmt.Sprintf("%d calls of the store", storeCalls()), func() (bool, error) {
		return proxy.Calls() >= storeCalls(), fmt.Errorf("%d calls", proxy.Calls())
	})
	cancel() // no new files; those begun are sent to their end
	clients.Wait()
	t.Logf("seed %d: %d calls of the store in %s, faults %v, %d files, %d tries failed", seed, proxy.Calls(), time.Since(begun).Round(time.Millisecond),
		proxy.Faults(), len(run.ledger.all()), run.failed.Load())
	proxy.SetShare(0)
	met := 0
	for _, n := range proxy.Faults() {
		met += n
	}
	if least := storeCalls() / 100; met < least {
		t.Errorf("only %d faults were met, want at least %d: the run proves too little", met, least)
	}
	run.ledger.check(t, s, admin, remote.Dir+"/"+remote.Bucket)
	for _, wrong := range []string{"planned", "sending", "abandoned", "rejected"} {
		if n, err := number(t.Context(), s.database(), `SELECT count(*) FROM files WHERE state = '`+wrong+`'`); err != nil || n > 0 {
			t.Errorf("%d files are %s at the end (%v)\n%s", n, wrong, err, s.logged())
		}
	}
	if n, err := number(t.Context(), s.database(), `SELECT count(*) FROM files WHERE warned = 1`); err != nil || n > 0 {
		t.Errorf("%d good files carry a warning (%v)", n, err)
	}
}

// faultRun is the load of the fault run.
type faultRun struct {
	admin  person
	caseID string
	ledger *ledger
	failed atomic.Int64
}

// send uploads one file after the other until ctx ends; what it has begun it brings to an end.
func (k *faultRun) send(t *testing.T, ctx context.Context, client uint64) {
	for n := uint64(0); ctx.Err() == nil; n++ {
		seed := client<<32 | n
		var content []byte
		switch n % 4 {
		case 0:
			content = phantom.Noise(seed, 1000+int(n%7)*40_000)
		case 1:
			content = phantom.Scan{Seed: seed + 1, Patient: "Fault^Run", ID: "F", Slices: 1, Size: 128}.Slice(1)
		case 2:
			var scan bytes.Buffer
			if err := (phantom.Scan{Seed: seed + 1, Patient: "Fault^Run", ID: "F", Slices: 10, Size: 128}).WriteZIP(&scan); err != nil {
				t.Error(err)
				return
			}
			content = scan.Bytes()
		case 3:
			content = phantom.Noise(seed, 6<<20+int(n%3)*5<<20)
		}
		if err := k.sendOne(t.Context(), seed, content); err != nil {
			t.Errorf("file %d was never taken: %v", seed, err)
			return
		}
	}
}

// sendOne does what the uploader does: it tries again, taking up what the server holds, until the file is acknowledged.
// A refusal for good of a good file is an error.
func (k *faultRun) sendOne(ctx context.Context, seed uint64, content []byte) (err error) {
	f, err := k.admin.plan(ctx, k.caseID, fmt.Sprintf("file-%d.bin", seed), len(content))
	if err != nil {
		return err
	}
	for range 30 {
		if f.Route == "small" {
			_, err = k.admin.put(ctx, f.ID, content)
		} else if err = k.admin.sendParts(ctx, f, content); err == nil {
			_, err = k.admin.complete(ctx, f.ID)
		}
		if err == nil {
			k.ledger.keep(f.ID, content)
			return nil
		}
		k.failed.Add(1)
		now, e := k.admin.file(ctx, f.ID)
		if e != nil || now.State == "abandoned" || now.State == "rejected" || now.State == "deleted" {
			return fmt.Errorf("it is %s: %s (%w)", now.State, now.Reason, errors.Join(e, err))
		}
		rest(ctx)
	}
	return err
}

// TestTheFaultProxyFails shows that the proxy does every fault it knows, and changes nothing when it is told to do none.
func TestTheFaultProxyFails(t *testing.T) {
	t.Parallel()
	remote := s3test.Start(t)
	proxy, err := faultproxy.Start(t.Context(), remote.Endpoint, 1)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy.URL+"/"+remote.Bucket+"/key?uploadId=x", bytes.NewReader(make([]byte, 100)))
		if err != nil {
			return 0, err
		}
		answer, err := quick.Do(r)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	if status, err := ask(); err != nil || status != http.StatusForbidden {
		t.Fatalf("unsigned, without faults: %d, %v; want the store's own 403", status, err)
	}
	proxy.SetShare(1)
	statuses := map[int]int{}
	for range 40 {
		status, err := ask()
		if err != nil {
			status = 0
		}
		statuses[status]++
	}
	if statuses[0] == 0 || statuses[http.StatusOK] == 0 || statuses[http.StatusServiceUnavailable] == 0 {
		t.Errorf("answers by status (0: none): %v; want some broken, some 200, some 503", statuses)
	}
}
