package e2e

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/objectstore/s3test"
	"dcdentals.com/caseload/internal/pgtest"
)

// TestSeveralMachines runs two web and two worker processes over one PostgreSQL and one separate S3 server: uploads
// through one web process, follows the progress at the other, kills the worker in mid-file, and finds everything right.
func TestSeveralMachines(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	other := freeAddress(t)
	s := newSite(t)
	remote := s3test.Start(t, "http://"+s.address, "http://"+other)
	s.env = append(remote.Environment(),
		"CASELOAD_DATABASE_URL="+address, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_WORKERS=1")
	admin := s.newAdmin()
	s.serve([]string{"serve", "--role", "web"})
	s.serve([]string{"serve", "--role", "web", "--addr", other})
	watched := []string{freeAddress(t), freeAddress(t)}
	workers := []*process{
		s.serve([]string{"worker"}, "CASELOAD_ADMIN_ADDR="+watched[0]),
		s.serve([]string{"serve", "--role", "worker"}, "CASELOAD_ADMIN_ADDR="+watched[1]),
	}
	here, there := admin, admin.at("http://"+other)
	caseID := here.newCase(t, "2026-0001", "Several Machines")

	changes := there.follow(t, caseID)
	var scan strings.Builder
	description := phantom.Scan{Seed: 4711, Patient: "Several^Machines", ID: "S-1", Slices: 400, Size: 256}
	if err := description.WriteZIP(&scan); err != nil {
		t.Fatal(err)
	}
	content := []byte(scan.String()) // 54 MB
	stored, err := here.upload(t.Context(), caseID, "scan.zip", content)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Route != "direct" {
		t.Fatalf("route %s, want direct", stored.Route)
	}

	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	victim := killReader(t, db, stored.ID, workers)
	begun := time.Now()
	f := there.ready(t, stored.ID, 100*time.Second)
	t.Logf("worker %d was killed in mid-file; read whole by the other %s later", victim, time.Since(begun).Round(time.Millisecond))
	if f.SHA256 != sha256hex(content) || f.Contents.Images != 400 {
		t.Errorf("SHA-256 %s, %d images; want %s, 400", f.SHA256, f.Contents.Images, sha256hex(content))
	}
	if n, err := number(t.Context(), db, `SELECT count(*) FROM instances`); err != nil || n != 400 {
		t.Errorf("%d instances, want 400 (%v)", n, err)
	}
	if n, err := number(t.Context(), db, `SELECT count(*) FROM events WHERE action = 'file.ready'`); err != nil || n != 1 {
		t.Errorf("%d ready events, want 1 (%v)", n, err)
	}
	select {
	case n := <-changes:
		if n < 3 {
			t.Errorf("the other web process told of %d changes only", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("the other web process told of no end")
	}
	got, _, err := there.download(t.Context(), stored.ID)
	if err != nil || sha256hex(got) != f.SHA256 {
		t.Errorf("download at the other web process: %d bytes, %v", len(got), err)
	}
	for i, w := range workers {
		if w.cmd.Process.Pid != victim {
			monitored(t, "http://"+watched[i])
		}
	}
	s.run("", "audit", "verify")
}

// monitored asks a worker that has read one file how it is.
func monitored(t *testing.T, base string) {
	t.Helper()
	for path, want := range map[string]string{
		"/healthz": `"status":"ok"`,
		"/readyz":  `"name":"queue","ok":true`,
		"/metrics": `caseload_files{route="direct",state="ready"} 1`,
	} {
		status, body, err := get(t.Context(), base+path)
		if err != nil || status != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("a worker's %s: %d, %v, without %s:\n%s", path, status, err, want, body)
		}
	}
	if _, metrics, err := get(t.Context(), base+"/metrics"); err != nil || strings.Contains(string(metrics), `caseload_reads_total{outcome="done"} 0`) {
		t.Errorf("the worker that read the file counts none (%v)", err)
	}
}

// killReader kills the worker that is reading the file, in mid-file, and returns its pid.
func killReader(t *testing.T, db *sql.DB, file string, workers []*process) int {
	t.Helper()
	var owner string
	await(t, 30*time.Second, "a worker to begin", func() (bool, error) {
		err := db.QueryRowContext(t.Context(), `SELECT owner FROM files WHERE id = $1 AND state = 'reading'`, file).Scan(&owner)
		return err == nil, err
	})
	for _, w := range workers {
		if strings.Contains(owner, fmt.Sprintf("-%d-", w.cmd.Process.Pid)) {
			w.kill()
			if n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state = 'reading'`); err != nil || n != 1 {
				t.Fatalf("the worker had finished before it was killed (%v): send a larger file", err)
			}
			return w.cmd.Process.Pid
		}
	}
	t.Fatalf("no worker is the owner %q", owner)
	return 0
}

// follow listens to the live stream of a case and delivers the number of changes once every file there is ready.
func (p person) follow(t *testing.T, caseID string) <-chan int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/v1/cases/"+caseID+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("live stream: %s", answer.Status)
	}
	ended := make(chan int, 1)
	go func() {
		defer answer.Body.Close()
		changes := 0
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if lines.Text() != "event: change" {
				continue
			}
			changes++
			files, err := p.files(ctx, caseID)
			if err == nil && len(files) > 0 && allReady(files) {
				ended <- changes
				return
			}
		}
	}()
	return ended
}

func allReady(files []api.File) bool {
	for _, f := range files {
		if f.State != "ready" {
			return false
		}
	}
	return true
}
