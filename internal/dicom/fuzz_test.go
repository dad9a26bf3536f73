package dicom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

func FuzzRead(f *testing.F) {
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4}))
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4, Tamper: dropMeta}))
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4, BeforePixels: func(e *dicomtest.Encoder) {
			e.Sequence(0x52009230, true, func(e *dicomtest.Encoder) { e.Sequence(0x00209113, false, icon) })
		}}))
	}
	f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.JPEG, Fragments: [][]byte{{1, 2}, {3, 4}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		start := time.Now()
		for _, opt := range []dicom.Options{{}, {PastPixelData: true, Window: 1 << 10, MaxValue: 100, MaxInflated: 4 << 20}} {
			h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), opt)
			if err != nil {
				if !errors.Is(err, dicom.ErrNotDICOM) {
					t.Fatal(err)
				}
				continue
			}
			in := dicom.Describe(h)
			_ = in.Name.Display()
			s := dicom.Geometry([]dicom.Slice{dicom.SliceOf(in), dicom.SliceOf(in)})
			if sum := s.Spacing + s.First + s.Last + s.Deviation; math.IsNaN(sum) || math.IsInf(sum, 0) {
				t.Errorf("no numbers: %+v", s)
			}
			if len(h.Warnings) > 100 {
				t.Errorf("%d warnings", len(h.Warnings))
			}
			if p := h.Pixel; p != nil && !p.Inflated && !p.Truncated && (p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > int64(len(b))) {
				t.Errorf("pixels at %+v of %d bytes", p, len(b))
			}
		}
		if took := time.Since(start); took > hang {
			t.Errorf("took %v", took)
		}
	})
}

// BenchmarkHeaderWalk500 reads the headers of 500 slices of 526 KB, as the table in docs compares them with peers.
func BenchmarkHeaderWalk500(b *testing.B) {
	slice := dicomtest.CT(dicomtest.CTOptions{Rows: 512, Noise: 1})
	files := make([]*bytes.Reader, 500)
	for i := range files {
		files[i] = bytes.NewReader(slice)
	}
	var bytesRead, reads int64
	b.ReportAllocs()
	for b.Loop() {
		bytesRead, reads = 0, 0
		for _, r := range files {
			h, err := dicom.Read(context.Background(), r, r.Size(), dicom.Options{})
			if err != nil {
				b.Fatal(err)
			}
			in := dicom.Describe(h)
			if in.Rows != 512 {
				b.Fatal(fmt.Sprint(in.Warnings))
			}
			bytesRead += h.BytesRead
			reads += int64(h.Reads)
		}
	}
	b.ReportMetric(float64(bytesRead)/float64(500*len(slice))*100, "%read")
	b.ReportMetric(float64(reads)/500, "reads/file")
}
