package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAFolderThatMayNotBeReadIsNamed: it is one line, and what lies beside it is sent. Root may read everything, so the
// test gives its thread the file rights of nobody.
func TestAFolderThatMayNotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"scan/open/IM1": "image", "scan/shut/IM2": "image"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shut := filepath.Join(dir, "scan", "shut")
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		for above := filepath.Dir(shut); above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
			if err := os.Chmod(above, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		runtime.LockOSThread() // for good: the thread ends with the test
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = unix.SetfsuidRetUid(0) }()
	}
	found := gather([]string{filepath.Join(dir, "scan")})
	if len(found.sources) != 1 || found.sources[0].Name != "IM1" {
		t.Errorf("%d sources beside the folder", len(found.sources))
	}
	if len(found.failed) != 1 || found.failed[0].path != shut || sentence(found.failed[0].err) != "It may not be read: permission denied." {
		t.Errorf("failed: %v", found.failed)
	}
}
