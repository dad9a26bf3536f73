package transfer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/transfer"
)

func aThousand() []transfer.FileSpec {
	specs := make([]transfer.FileSpec, 1000)
	for i := range specs {
		specs[i] = transfer.FileSpec{Name: fmt.Sprintf("IM%06d.dcm", i), Path: "CBCT/1", Size: 400_000, ContentType: "application/dicom", Fingerprint: fmt.Sprintf("fp-%d", i)}
	}
	return specs
}

// BenchmarkPlan1000 is to stay at or under 200 ms on both engines.
func BenchmarkPlan1000(b *testing.B) {
	for engine, url := range map[string]func(testing.TB) string{"sqlite": sqliteURL, "postgres": func(t testing.TB) string { return pgtest.URL(t) }} {
		b.Run(engine, func(b *testing.B) {
			r := newRealRig(b, url(b))
			specs := aThousand()
			var worst time.Duration
			for b.Loop() {
				began := time.Now()
				if _, _, err := r.Plan(context.Background(), r.admin, r.c, "", specs); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Milliseconds()), "ms-worst")
		})
	}
}

// BenchmarkSign signs parts of one upload, ten at a time, by one goroutine.
func BenchmarkSign(b *testing.B) {
	r := newRealRig(b, sqliteURL(b))
	r.Limits.MaxFileSize = 1 << 30
	f := r.planned(1 << 30)
	specs := make([]transfer.PartSpec, 10)
	for i := range specs {
		specs[i] = transfer.PartSpec{Number: i + 1, CRC64NVME: checksum([]byte{byte(i)})}
	}
	b.Run("with its row", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Sign(context.Background(), r.admin, f.ID, theStore.origin, specs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*len(specs))/b.Elapsed().Seconds(), "urls/s")
	})
	b.Run("signature alone", func(b *testing.B) {
		row := r.file(f.ID)
		p := caseload.Part{Number: 1, Size: row.PartSize, CRC64NVME: specs[0].CRC64NVME}
		for b.Loop() {
			if _, err := theStore.SignPart(context.Background(), theStore.origin, row.Object, row.UploadID, p, time.Minute); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "urls/s")
	})
}
