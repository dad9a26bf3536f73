package e2e

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/mustrun"
	"dcdentals.com/caseload/internal/objectstore/s3test"
	"dcdentals.com/caseload/internal/pgtest"
)

// TestRestoreDrill does what nobody wants to do for the first time when it matters: uploads, a backup while uploads go on,
// the disk is lost, the backup is brought back into an empty folder. Everything acknowledged before the backup is there,
// byte for byte.
func TestRestoreDrill(t *testing.T) {
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	k := &killRun{site: s, sent: map[string]sentFile{}}
	k.admin = s.newAdmin()
	p := s.serve([]string{"serve"})
	k.caseID = k.admin.newCase(t, "2026-0001", "Drill")
	backups := filepath.Join(s.dir, "backups")
	for seed := range uint64(8) {
		k.sendOne(t.Context(), seed, phantom.Noise(seed, 20_000))
	}
	s.run("", "backup", backups)
	k.sendOne(t.Context(), 100, phantom.Noise(100, 7<<20)) // in parts
	deleted := k.any()
	if err := k.admin.call(t.Context(), "DELETE", "/files/"+deleted, nil, nil); err != nil {
		t.Fatal(err)
	}
	delete(k.sent, deleted)

	before := k.whileSending(t, func() {
		k.backUp(t, func() *exec.Cmd { return s.command("backup", backups, "--keep", "2") })
	})
	if out := s.run("", "backup", "--verify", backups); !strings.Contains(out, "is whole") {
		t.Errorf("verify said %q", out)
	}
	if all, err := filepath.Glob(filepath.Join(backups, "2*Z")); err != nil || len(all) != 2 {
		t.Errorf("%d backups are left with --keep 2: %q (%v)", len(all), all, err)
	}
	if !linked(t, backups) {
		t.Error("no object of the second backup is a link to the first one's")
	}

	p.kill()
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	if out := s.run("", "restore", backups); !strings.Contains(out, "every byte compared") {
		t.Errorf("restore said %q", out)
	}
	again := s.command("restore", backups)
	if out, err := again.CombinedOutput(); err == nil || !strings.Contains(string(out), "is not empty") {
		t.Errorf("a second restore over the first: %v %s", err, out)
	}
	s.serve([]string{"serve"})
	k.foundAgain(t, before)
	if out := s.run("", "fsck"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("fsck after the restore: %s", out)
	}
}

// TestRestoreDrillPostgresAndS3 follows the steps that docs/operate.md gives for PostgreSQL and an external store, as they
// stand there, with database and bucket lost together.
func TestRestoreDrillPostgresAndS3(t *testing.T) {
	for _, tool := range []string{"pg_dump", "pg_restore", "rclone"} {
		if _, err := exec.LookPath(tool); err != nil {
			mustrun.Skip(t, "drill", "no "+tool+": install postgresql-client and rclone")
		}
	}
	s := newSite(t)
	first, second := s3test.Start(t, "http://"+s.address), s3test.Start(t, "http://"+s.address)
	more := []string{"CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn"}
	s.env = slices.Concat(first.Environment(), more, []string{"CASELOAD_DATABASE_URL=" + pgtest.URL(t)})
	k := &killRun{site: s, sent: map[string]sentFile{}}
	k.admin = s.newAdmin()
	p := s.serve([]string{"serve"})
	k.caseID = k.admin.newCase(t, "2026-0001", "Drill")
	for seed := range uint64(8) {
		k.sendOne(t.Context(), seed, phantom.Noise(seed, 20_000))
	}
	k.sendOne(t.Context(), 100, phantom.Noise(100, 7<<20)) // in parts: copied, its ETag is another
	before := k.whileSending(t, func() { k.backUp(t, func() *exec.Cmd { return s.steps(t, "backup", first) }) })

	p.kill()
	first.Kill(t)
	s.env = slices.Concat(second.Environment(), more, []string{"CASELOAD_DATABASE_URL=" + pgtest.URL(t)})
	restore := s.steps(t, "restore", second)
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("the steps of docs/operate.md: %v\n%s", err, out)
	}
	s.serve([]string{"serve"})
	k.foundAgain(t, before)
	fsck := s.command("fsck", "--json") // what came after the database's copy is in the bucket, and nobody's
	out, err := fsck.Output()
	if code := fsck.ProcessState.ExitCode(); code != 0 && code != 1 || strings.Count(string(out), `"event":"found"`) != strings.Count(string(out), `"kind":"object_unknown"`) {
		t.Errorf("fsck after the restore: %v\n%s", err, out)
	}
}

// steps is the shell block of docs/operate.md below the marker, with this site's settings.
func (s *site) steps(t *testing.T, marker string, store *s3test.Server) *exec.Cmd {
	t.Helper()
	page, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "<!-- drill: "+marker+" -->\n```sh\n")
	script, _, ends := strings.Cut(rest, "```")
	if !found || !ends {
		t.Fatalf("docs/operate.md has no steps for %q", marker)
	}
	cmd := s.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-eu", "-c", script}
	cmd.Env = append(cmd.Env,
		"PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"),
		"RCLONE_CONFIG_STORE_TYPE=s3", "RCLONE_CONFIG_STORE_PROVIDER=Other", "RCLONE_CONFIG_STORE_ENDPOINT="+store.Endpoint,
		"RCLONE_CONFIG_STORE_REGION="+store.Region, "RCLONE_CONFIG_STORE_ACCESS_KEY_ID="+store.AccessKey,
		"RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY="+store.SecretKey)
	return cmd
}

// any returns the id of an acknowledged file.
func (k *killRun) any() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, f := range k.sent {
		if f.acknowledged {
			return id
		}
	}
	return ""
}

// whileSending does something while clients upload, and returns what was acknowledged before it began.
func (k *killRun) whileSending(t *testing.T, do func()) map[string]sentFile {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	for n := range 2 {
		clients.Go(func() { k.send(ctx, uint64(n)+1000) })
	}
	start := k.acknowledged()
	await(t, time.Minute, "uploads under way", func() (bool, error) { return k.acknowledged() > start+3, nil })
	k.mu.Lock()
	before := maps.Clone(k.sent)
	k.mu.Unlock()
	maps.DeleteFunc(before, func(_ string, f sentFile) bool { return !f.acknowledged })
	do()
	cancel()
	clients.Wait()
	return before
}

// backUp runs a backup beside the load.
func (k *killRun) backUp(t *testing.T, command func() *exec.Cmd) {
	t.Helper()
	start := k.acknowledged()
	cmd := command()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("backup: %v\n%s", err, out.String())
	}
	t.Logf("%d uploads were acknowledged while the backup ran", k.acknowledged()-start)
}

// foundAgain looks at a restored site: it is sound, every byte is right, and every file acknowledged before the backup
// can be downloaded as it was sent.
func (k *killRun) foundAgain(t *testing.T, before map[string]sentFile) {
	t.Helper()
	s := k.site
	for id, want := range before {
		content, _, err := k.admin.download(t.Context(), id)
		if err != nil || sha256hex(content) != want.sum {
			t.Errorf("file %s, acknowledged before the backup: %d bytes, %v", id, len(content), err)
		}
	}
	t.Logf("%d files acknowledged before the backup are byte for byte what was sent", len(before))
	if len(before) < 10 {
		t.Errorf("only %d files were acknowledged before the backup: the drill proves little", len(before))
	}
	db := s.database()
	await(t, time.Minute, "every stored file read", func() (bool, error) {
		n, err := number(t.Context(), db, `SELECT count(*) FROM files WHERE state IN ('stored', 'reading')`)
		return err == nil && n == 0, err
	})
	if out := s.run("", "check", "--read-data"); !strings.Contains(out, "every byte is as it came") {
		t.Errorf("check after the restore: %s", out)
	}
	s.run("", "audit", "verify")
}

// linked tells whether an object in the newest backup is the same file as in the one before.
func linked(t *testing.T, backups string) bool {
	t.Helper()
	objects, err := filepath.Glob(filepath.Join(backups, "2*Z", "objects", "f*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(objects, func(path string) bool {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Nlink == 2
	})
}
