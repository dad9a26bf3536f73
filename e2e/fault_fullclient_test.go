package e2e

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheCommandLineWaitsForRoom fills the server's disk: upload and watch say so, go on by themselves once there is room,
// and end with everything sent. The large file goes in parts to the store, the small ones in batches.
func TestTheCommandLineWaitsForRoom(t *testing.T) {
	for name, args := range map[string][]string{
		"upload": {"upload", "--case", "2026-1", "2026-1"},
		"watch":  {"watch", ".", "--case-from", "folder", "--settle", "100ms", "--every", "50ms", "--once"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, append(smallParts, "CASELOAD_LOG_LEVEL=warn")...)
			mountSmall(t, s.data(), "size=96m")
			admin := s.newAdmin()
			s.serve([]string{"serve"})
			caseID := admin.newCase(t, "2026-1", "Full Disk")
			dir := t.TempDir()
			want := map[string][]byte{}
			for name, content := range scanFolder(t, filepath.Join(dir, "2026-1"), 12*mib, 60) {
				want["2026-1/"+name] = content
			}
			ballast := filepath.Join(s.data(), "ballast")
			fill(t, ballast, 2<<20) // enough for the database and some of the small files

			cmd := admin.cli(t, dir, args...)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := begin(cmd); err != nil {
				t.Fatal(err)
			}
			lost := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
			defer lost.Stop()
			said := bufio.NewReader(stderr)
			for {
				line, err := said.ReadString('\n')
				if err != nil {
					t.Fatalf("it ended without a word of the full disk: %v", err)
				}
				if strings.Contains(line, "the server's disk is full; waiting until there is room") {
					break
				}
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(said) // until it ends
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, rest)
			}
			admin.arrived(t, caseID, want)
		})
	}
}
