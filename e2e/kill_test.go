package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
)

// kills is how often the kill run kills: CASELOAD_TEST_KILLS, 6 in every test run, 50 before a release.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("CASELOAD_TEST_KILLS")); err == nil && n > 0 {
		return n
	}
	return 6
}

// readyWithin tells a start that hangs from one on a busy machine. How long it takes is a figure of docs/benchmarks.md (goal: 2 s).
const readyWithin = 30 * time.Second

// TestNothingAcknowledgedIsLostByKills kills the process at random moments while several clients upload by both routes
// and read back, on both engines, and then lets the oracle compare everything with everything.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, append(engine.settings(t), "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")...)
			k := &killRun{site: s, sent: map[string]sentFile{}}
			k.admin = s.newAdmin()
			p := s.serve([]string{"serve"})
			k.caseID = k.admin.newCase(t, "2026-0001", "Kill Run")
			k.run(t, p, kills())
			k.oracle(t)
			t.Logf("%s: %d kills, %d uploads begun, %d acknowledged (%d in batches), %d read back under fire; slowest start %s",
				engine.name, kills(), k.begun.Load(), k.acknowledged(), k.batched.Load(), k.readBack.Load(), k.slowest.Round(time.Millisecond))
		})
	}
}

// killRun is the load of one kill run and what its clients remember of it.
type killRun struct {
	site   *site
	admin  person
	caseID string

	mu      sync.Mutex
	sent    map[string]sentFile // by file id
	slowest time.Duration

	begun, batched, readBack, wrongBytes atomic.Int64
}

// sentFile is what a client knows of a file it sent.
type sentFile struct {
	seed         uint64
	size         int
	sum          string
	acknowledged bool
}

func (k *killRun) acknowledged() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.sent {
		if f.acknowledged {
			n++
		}
	}
	return n
}

// run keeps the load going while it kills and starts again, times times; then it stops the load and leaves a process
// running.
func (k *killRun) run(t *testing.T, p *process, times int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() { k.send(ctx, uint64(n)) })
	}
	clients.Go(func() { k.read(ctx) })
	for n := range times {
		pause := time.Duration(100+rand.IntN(1500)) * time.Millisecond
		select {
		case <-p.ended:
			t.Fatalf("the process ended by itself: %v\n%s", p.err, k.site.logged())
		case <-time.After(pause): // the random moment
		}
		p.kill()
		p = k.site.serve([]string{"serve"})
		k.slowest = max(k.slowest, p.ready)
		if p.ready > readyWithin {
			t.Errorf("kill %d: ready again after %s, want ≤ %s", n+1, p.ready, readyWithin)
		}
	}
	// Some more while nothing is killed, so that every run ends with acknowledged uploads of both routes.
	before := k.acknowledged()
	batched := k.batched.Load()
	await(t, 60*time.Second, "uploads after the last kill", func() (bool, error) {
		return k.acknowledged() >= before+6 && k.batched.Load() > batched, nil
	})
	cancel()
	clients.Wait()
}

// send uploads one file after the other: small, direct, and DICOM, and batches of small ones. A cut upload is taken up
// again as the uploader does.
func (k *killRun) send(ctx context.Context, seed uint64) {
	for n := uint64(0); ctx.Err() == nil; n++ {
		id := seed<<32 | n
		var content []byte
		switch n % 5 {
		case 4:
			k.sendBatch(ctx, id)
			continue
		case 0, 1:
			content = phantom.Noise(id, 1000+int(n%7)*40_000)
		case 2:
			content = phantom.Scan{Seed: id + 1, Patient: "Kill^Run", ID: "K", Slices: 1, Size: 128}.Slice(1)
		case 3:
			content = phantom.Noise(id, 6<<20+int(n%3)*3<<20)
		}
		k.sendOne(ctx, id, content)
	}
}

func (k *killRun) sendOne(ctx context.Context, seed uint64, content []byte) {
	f, err := k.admin.plan(ctx, k.caseID, fmt.Sprintf("file-%d.bin", seed), len(content))
	if err != nil {
		rest(ctx)
		return
	}
	k.begun.Add(1)
	sum := sha256hex(content)
	k.remember(f.ID, sentFile{seed: seed, size: len(content), sum: sum})
	for try := 0; try < 40 && ctx.Err() == nil; try++ {
		if f.Route == "small" {
			_, err = k.admin.put(ctx, f.ID, content)
		} else if err = k.admin.sendParts(ctx, f, content); err == nil {
			_, err = k.admin.complete(ctx, f.ID)
		}
		if err == nil {
			k.acknowledge(f.ID)
			return
		}
		if now, e := k.admin.file(ctx, f.ID); e == nil && (now.State == "stored" || now.State == "reading" || now.State == "ready") {
			k.acknowledge(f.ID) // the answer was lost, not the file
			return
		}
		rest(ctx)
	}
}

// sendBatch sends a batch of small files, whole, until every file of it is acknowledged.
func (k *killRun) sendBatch(ctx context.Context, seed uint64) {
	client := k.admin.client()
	client.Attempts = 1
	var specs []api.FileSpec
	var contents [][]byte
	for i := range uint64(12) {
		contents = append(contents, phantom.Noise(seed<<8|i, 2000+int(i)*15_000))
		specs = append(specs, api.FileSpec{Name: fmt.Sprintf("batch-%d-%d.bin", seed, i), Size: int64(len(contents[i]))})
	}
	planned, err := client.Plan(ctx, k.caseID, "", specs)
	if err != nil {
		rest(ctx)
		return
	}
	var files []api.SmallFile
	for i, p := range planned.Files {
		k.begun.Add(1)
		k.remember(p.File.ID, sentFile{seed: seed, size: len(contents[i]), sum: sha256hex(contents[i])})
		files = append(files, api.SmallFile{ID: p.File.ID, Body: bytes.NewReader(contents[i]), Size: int64(len(contents[i]))})
	}
	for try := 0; try < 40 && len(files) > 0 && ctx.Err() == nil; try++ {
		answers, err := client.SendBatch(ctx, k.caseID, files, nil)
		if err != nil {
			rest(ctx)
			continue
		}
		var left []api.SmallFile
		for i, a := range answers {
			if a.Error != nil {
				left = append(left, files[i])
				continue
			}
			k.batched.Add(1)
			k.acknowledge(a.ID)
		}
		files = left
	}
}

// remember keeps what the client knows of a file it sends.
func (k *killRun) remember(id string, f sentFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent[id] = f
}

// acknowledge notes that the server said the file is kept.
func (k *killRun) acknowledge(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.sent[id]
	f.acknowledged = true
	k.sent[id] = f
}

// read downloads acknowledged files again and again and compares them.
func (k *killRun) read(ctx context.Context) {
	for ctx.Err() == nil {
		k.mu.Lock()
		var id string
		var want sentFile
		for i, f := range k.sent { // the map's order is random enough
			if f.acknowledged {
				id, want = i, f
				break
			}
		}
		k.mu.Unlock()
		if id == "" {
			rest(ctx)
			continue
		}
		content, _, err := k.admin.download(ctx, id)
		if err != nil {
			rest(ctx)
			continue
		}
		k.readBack.Add(1)
		if sha256hex(content) != want.sum {
			k.wrongBytes.Add(1)
		}
	}
}

// rest is a client's pause before it tries again.
func rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
