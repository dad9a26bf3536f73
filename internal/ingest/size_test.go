package ingest_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// endless is a DICOM object whose pixels are made while they are read.
type endless struct {
	head []byte
	size int64
}

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	if off >= e.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.size-off))
	clear(p[:n])
	if off < int64(len(e.head)) {
		copy(p[:n], e.head[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// heap samples the memory in use by objects until stop is called, and returns the most it saw.
func heap() (stop func() uint64) {
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-done:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(done); return <-most }
}

func TestMemoryStaysFlatAtOneGigabyte(t *testing.T) {
	const size = 1 << 30
	o := object{sop: "2.25.9", number: 1, frames: 2000, rows: 512, columns: 512}
	head, _ := o.header()
	b := newBenchOf([]io.ReaderAt{endless{head, size}}, []int64{size})
	runtime.GC()
	stop := heap()
	begun := time.Now()
	r := b.read(t)
	took, peak := time.Since(begun), stop()
	t.Logf("1 GiB multi-frame: %v, %.0f MB/s, heap at most %.1f MiB, metadata after %d bytes", took, size/1e6/took.Seconds(), float64(peak)/(1<<20), r.found.BytesRead)
	if r.State != caseload.Ready || peak > 24<<20 {
		t.Errorf("state %s, heap %d", r.State, peak)
	}
}

func TestAZIPOf500SlicesIsUnderstoodFromLessThanATenthOfItsBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "case.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for n := 1; n <= 500; n++ {
		o := slice(n)
		o.rows, o.columns = 512, 512
		e, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("CT/IM%04d", n), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		head, pixels := o.header()
		if _, err := e.Write(append(head, make([]byte, pixels)...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := newBenchOf([]io.ReaderAt{f}, []int64{info.Size()})
	runtime.GC()
	stop := heap()
	r := b.read(t)
	peak := stop()
	share := float64(r.found.BytesRead) / float64(info.Size())
	t.Logf("%d MB: metadata from %d bytes (%.1f %%) in %d reads, heap at most %.1f MiB", info.Size()/1e6, r.found.BytesRead, 100*share, b.shelf.reads, float64(peak)/(1<<20))
	if r.State != caseload.Ready || r.found.Contents.Images != 500 || share >= 0.1 || r.found.BytesRead != b.shelf.bytes || peak > 48<<20 {
		t.Errorf("state %s, %d images, %.3f of the bytes (%d counted, %d asked), heap %d", r.State, r.found.Contents.Images, share, r.found.BytesRead, b.shelf.bytes, peak)
	}
}
