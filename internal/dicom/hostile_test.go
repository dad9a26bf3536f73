package dicom_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// hang is far above any honest reading, even under the race detector on a busy machine; figures are for benchmarks.
const hang = time.Minute

// most is what the reading of one hostile object may allocate, all in all, in bytes: an upper bound of what it takes beyond
// idle at any moment.
const most = 64 << 20 * raced

// consume reads the object the way the whole product does: header, facts, frames, lines, JSON.
func consume(ctx context.Context, r io.ReaderAt, size int64) (h *dicom.Header, warnings []dicom.Warning, err error) {
	if h, err = dicom.Read(ctx, r, size, dicom.Options{}); err != nil {
		return nil, nil, err
	}
	in := dicom.Describe(h)
	frames, err := h.IndexFrames(ctx, r, size)
	if err != nil {
		return nil, nil, err
	}
	warnings = in.Warnings
	if frames != nil {
		warnings = append(warnings, frames.Warnings...)
		frames.Extents(frames.Count - 1)
	}
	h.Directory()
	return h, warnings, nil
}

func TestHostileObjectsGetTheirVerdictWithinBounds(t *testing.T) {
	for _, o := range dicomtest.Hostiles() {
		t.Run(o.Name, func(t *testing.T) {
			source, size := o.Open()
			allocated := measure(t, func() {
				h, warnings, err := consume(t.Context(), source, size)
				if err != nil {
					t.Fatal(err)
				}
				if o.Verdict != "" && !hasWarning(warnings, dicom.Code(o.Verdict)) || o.Verdict == "" && len(warnings) > 0 && warnings[0].Code != dicom.WarnIdentity {
					t.Errorf("no %q in %v", o.Verdict, warnings)
				}
				if uid := dicom.Describe(h).SOPInstanceUID; !strings.HasPrefix(uid, "2.25.") {
					t.Errorf("what came before the damage is lost: %q", uid)
				}
			})
			shown := measure(t, func() {
				h, err := dicom.Read(t.Context(), source, size, dicom.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for range h.Lines(100) {
				}
				if err := h.WriteJSON(io.Discard, dicom.JSONOptions{}); err != nil && !errors.Is(err, dicom.ErrJSONCut) {
					t.Error(err)
				}
			})
			t.Logf("%d KB to read, %d KB to read and show", allocated>>10, shown>>10)
			if allocated > most {
				t.Errorf("%d MB were allocated", allocated>>20)
			}
			if shown > 3*most { // texts are decoded twice, piece by piece, and let go
				t.Errorf("%d MB were allocated to show it", shown>>20)
			}
		})
	}
}

func TestAMillionComplaintsCostNoMemory(t *testing.T) {
	for _, o := range dicomtest.Hostiles() {
		if o.Name != "10 million empty elements" {
			continue
		}
		source, size := o.Open()
		allocated := measure(t, func() {
			h, err := dicom.Read(t.Context(), source, size, dicom.Options{MaxKept: 64 << 10})
			if err != nil || len(h.Warnings) > 12 {
				t.Errorf("%v %v", err, h.Warnings)
			}
		})
		if allocated > 2<<20 {
			t.Errorf("%d KB were allocated", allocated>>10)
		}
	}
}

// measure returns the bytes that f allocates, freed or not.
func measure(t *testing.T, f func()) int64 {
	t.Helper()
	var before, after runtime.MemStats
	start := time.Now()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if took := time.Since(start); took > hang {
		t.Errorf("took %v", took)
	}
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// BenchmarkHostile gives the time each hostile object takes.
func BenchmarkHostile(b *testing.B) {
	for _, o := range dicomtest.Hostiles() {
		b.Run(o.Name, func(b *testing.B) {
			source, size := o.Open()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := consume(b.Context(), source, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
