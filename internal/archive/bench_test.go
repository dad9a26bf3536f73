package archive_test

import (
	"bytes"
	"context"
	"testing"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/archive/archivetest"
)

// BenchmarkHostile gives the time and memory of each hostile class: opened or walked through, every head, the whole pass.
func BenchmarkHostile(b *testing.B) {
	good := archivetest.File{Name: "IM1", Body: noise(1, 5000)}
	all := map[string][]byte{
		"100,000 entries": archivetest.Many(100_000), "20,000 entries": archivetest.Many(20_000),
		"overlapping": archivetest.Overlapping(200, 1<<20), "overlapping, 16 GB": archivetest.Overlapping(16_000, 1<<20),
		"quoted": archivetest.Quoted(250, 100_000), "quoted, 1 GB": archivetest.Quoted(250, 4<<20),
		"4 GB out of nothing": archivetest.Sizes(0xFFFFFFF0, true), "two sizes": archivetest.Sizes(2000, false),
		"two names": archivetest.Renamed(good), "a password": archivetest.Encrypted(good),
		"200 MB of zeros": archivetest.Pack(archivetest.File{Name: "0", Body: make([]byte, 200<<20)}),
	}
	for name, torn := range archivetest.Torn(2 << 20) {
		all["torn: "+name] = torn
	}
	for name, whole := range all {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, err := archive.Recover(context.Background(), bytes.NewReader(whole), int64(len(whole)), archive.Limits{})
				if err != nil {
					continue
				}
				if err := a.Heads(context.Background(), archive.HeadOptions{}, func(*archive.Head) error { return nil }); err != nil {
					b.Fatal(err)
				}
				if err := verify(context.Background(), bytes.NewReader(whole), a, func(archive.Entry, error) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
