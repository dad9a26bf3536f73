package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/mustrun"
)

// TestAFullDiskIsSaidAndSurvived keeps the data folder on a file system of 64 MiB and fills it, first so far that no
// upload fits, then to the last byte so that the database cannot grow either: both routes say so, looking goes on,
// nothing acknowledged is lost, and once there is room again everything goes on without a restart.
func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	mountSmall(t, s.data(), "size=64m")
	admin, l, ctx := s.newAdmin(), newLedger(), t.Context()
	s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Full Disk")
	for n := range 3 {
		content := phantom.Noise(uint64(n), 2<<20)
		admin.ready(t, mustUpload(t, admin, l, caseID, fmt.Sprintf("before-%d.bin", n), content).ID, 30*time.Second)
	}
	direct, small := phantom.Noise(11, 12<<20), phantom.Noise(12, 4<<20)
	directFile, smallFile := mustPlan(t, admin, caseID, "direct.bin", direct), mustPlan(t, admin, caseID, "small.bin", small)
	if err := admin.sendPart(ctx, directFile.ID, 1, direct[:directFile.PartSize]); err != nil {
		t.Fatal(err)
	}

	ballast := filepath.Join(s.data(), "ballast")
	fill(t, ballast, 2<<20) // 2 MiB left: less than a part or a file, enough for the database
	const within = 15 * time.Second
	full := func(what string, status int) {
		a, err := admin.askPut(ctx, smallFile.ID, small, bytes.NewReader(small))
		refused(t, "small upload "+what, a, err, status, "full", within)
	}
	full("with 2 MiB left", http.StatusInsufficientStorage)
	err := admin.sendPart(ctx, directFile.ID, 2, direct[directFile.PartSize:2*directFile.PartSize])
	if err == nil || !strings.Contains(err.Error(), "507") {
		t.Errorf("part 2: %v, want the store's 507", err)
	}
	a, err := admin.askJSON(ctx, "POST", "/api/v1/files/"+directFile.ID+"/complete", nil)
	refused(t, "complete", a, err, http.StatusConflict, "conflict", within)
	if a.problem.Field != "parts" || !strings.Contains(a.problem.Detail, "2–3") {
		t.Errorf("complete: %s, want the missing parts 2–3 named", a.body)
	}

	fill(t, ballast, 0)
	plan := func() (answered, error) {
		return admin.askJSON(ctx, "POST", "/api/v1/cases/"+caseID+"/files", manyFiles)
	}
	a, err = plan()
	refused(t, "plan with nothing left", a, err, http.StatusInsufficientStorage, "full", within)
	full("with nothing left", http.StatusInsufficientStorage)
	if files, err := admin.files(ctx, caseID); err != nil || len(files) != 5 {
		t.Errorf("looking with nothing left: %d files (%v), want 5", len(files), err)
	}
	for id, want := range l.all() { // what was acknowledged can still be had: by the API, the link's event is not written
		f, err := admin.file(ctx, id)
		if err != nil || f.State != "ready" || f.SHA256 != want.sum {
			t.Errorf("acknowledged file %s on a full disk: %q (%v)", id, f.State, err)
		}
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if a, err = plan(); err != nil || a.status != http.StatusOK {
		t.Errorf("plan with room again: %d %s (%v)", a.status, a.body, err)
	}
	if _, err := admin.put(ctx, smallFile.ID, small); err != nil {
		t.Errorf("the small upload does not go on: %v", err)
	}
	l.keep(smallFile.ID, small)
	if err := admin.sendParts(ctx, directFile, direct); err != nil {
		t.Errorf("the direct upload does not go on: %v", err)
	}
	if _, err := admin.complete(ctx, directFile.ID); err != nil {
		t.Errorf("complete does not go on: %v", err)
	}
	l.keep(directFile.ID, direct)
	l.check(t, s, admin, s.embeddedObjects())
	leftovers(t, s)
}

// manyFiles is a plan that the free pages of a small database do not hold.
var manyFiles = func() api.Plan {
	var in api.Plan
	for range 500 {
		in.Files = append(in.Files, api.FileSpec{Name: strings.Repeat("n", 200), Size: 1})
	}
	return in
}()

// mountSmall mounts a file system of its own at dir until the test ends.
func mountSmall(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options+",mode=0700"); err != nil {
		mustrun.Skip(t, "disk-full", "a small file system cannot be mounted here (it takes root): "+err.Error())
	}
	// Registered before any process is started, so run after all of them have ended.
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill writes to path until its file system has only left bytes free.
func fill(t *testing.T, path string, left uint64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		t.Fatal(err)
	}
	room := fs.Bavail * uint64(fs.Bsize)
	if room <= left && left > 0 {
		t.Fatalf("only %d bytes are free", room)
	}
	if _, err := io.CopyN(f, zeros{}, int64(room-left)); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if left == 0 {
		if _, err := io.CopyN(f, zeros{}, 1<<20); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("the disk is not full: %v", err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// leftovers fails the test when refused bytes still lie in the embedded store's folder.
func leftovers(t *testing.T, s *site) {
	t.Helper()
	var size int64
	err := filepath.WalkDir(filepath.Join(s.embeddedObjects(), ".sgwtmp"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if size > 0 {
		t.Errorf("%d bytes of refused or completed uploads were left lying", size)
	}
}
