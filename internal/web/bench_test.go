package web_test

import (
	"fmt"
	"runtime"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/web"
)

// plain is a client that holds nothing against the document: what is timed is the server.
func (h *house) plain() *api.Client {
	return &api.Client{Base: h.http.URL, Token: h.tokens["member"]}
}

func unhurried(c *web.Config) { c.RequestRate = 1e9 }

func BenchmarkPlanOfAThousandFiles(b *testing.B) {
	h := open(b, unhurried)
	specs := make([]api.FileSpec, 1000)
	for i := range specs {
		specs[i] = api.FileSpec{Name: fmt.Sprintf("IM%04d.dcm", i), Path: "CBCT/series 1", Size: 520_000, Fingerprint: fmt.Sprint(i)}
	}
	c := h.openCase()
	for b.Loop() {
		planned, err := h.plain().Plan(b.Context(), c.ID, "", specs)
		if err != nil || len(planned.Files) != 1000 || planned.Files[999].Error != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignAFilesParts is one round trip that signs four parts, manifest written.
func BenchmarkSignAFilesParts(b *testing.B) {
	h := open(b, unhurried)
	f := h.plan(h.openCase().ID, "volume.bin", 64<<20)
	parts := make([]api.PartSpec, f.Parts)
	for i := range parts {
		parts[i] = api.PartSpec{Number: i + 1, CRC64NVME: "AAAAAAAAAAA="}
	}
	for b.Loop() {
		if _, err := h.plain().SignParts(b.Context(), f.ID, parts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(parts))/b.Elapsed().Seconds(), "urls/s")
}

// BenchmarkMe is the least an authorized request costs.
func BenchmarkMe(b *testing.B) {
	h := open(b, unhurried)
	b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.plain().Me(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
