package memtest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOnlyMemoryOfNoFileCounts: 32 MiB of a mapped file, every page of it touched, are not seen; 32 MiB of our own are.
func TestOnlyMemoryOfNoFileCounts(t *testing.T) {
	const size = 32 << 20
	before := Watch(t)()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < size; i += os.Getpagesize() {
		if mapped[i] != 0 {
			t.Fatal("the file is not empty")
		}
	}
	if most := Watch(t)(); most > before+size/2 {
		t.Errorf("a mapped file counts: %d bytes more", most-before)
	}
	if err := syscall.Munmap(mapped); err != nil {
		t.Fatal(err)
	}

	stop := Watch(t)
	own, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := range own {
		own[i] = 1
	}
	if most := stop(); most < before+size/2 {
		t.Errorf("memory of our own does not count: %d bytes more", most-before)
	}
	if err := syscall.Munmap(own); err != nil {
		t.Fatal(err)
	}
}
