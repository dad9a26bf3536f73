package dicom_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// BenchmarkHeadersOfFiles reads the headers of 500 files in the page cache, and does what the kernel does for that and
// nothing else: open, stat, one read of 32 KiB, close. Their pixels are holes.
func BenchmarkHeadersOfFiles(b *testing.B) {
	slice := dicomtest.CT(dicomtest.CTOptions{Rows: 512, Noise: 1})
	dir := b.TempDir()
	var paths []string
	for i := range 500 {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, slice[:64<<10], 0o600); err != nil {
			b.Fatal(err)
		}
		if err := os.Truncate(path, int64(len(slice))); err != nil {
			b.Fatal(err)
		}
		paths = append(paths, path)
	}
	each := func(b *testing.B, read func(f *os.File, size int64)) {
		for b.Loop() {
			for _, path := range paths {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				info, err := f.Stat()
				if err != nil {
					b.Fatal(err)
				}
				read(f, info.Size())
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("headers", func(b *testing.B) {
		each(b, func(f *os.File, size int64) {
			h, err := dicom.Read(b.Context(), f, size, dicom.Options{})
			if err != nil || dicom.Describe(h).Rows != 512 {
				b.Fatal(err)
			}
		})
	})
	b.Run("kernel", func(b *testing.B) {
		buffer := make([]byte, 32<<10)
		each(b, func(f *os.File, _ int64) {
			if _, err := f.ReadAt(buffer, 0); err != nil || !bytes.HasPrefix(buffer[128:], []byte("DICM")) {
				b.Fatal(err)
			}
		})
	})
}
