package objectstore_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// BenchmarkMultipart sends one object in parts of 32 MiB, four at once, by signed requests as browsers send them, by
// turns in one run: through our own port to the embedded store; to a stock versitygw in a process of its own; and to the
// embedded store's socket without our port, which is the same gateway with the same options. It reports MB/s of the
// whole (Create to Head) and of the sending alone, and the ratios to the stock one ("ratio") and to the same one
// ("port-ratio"). CASELOAD_BENCH_MIB sets the size (1024), CASELOAD_BENCH_ROUNDS the turns (3). On a busy machine read
// best-ratio, which compares the best turns.
//
//	go test ./internal/objectstore -run '^$' -bench Multipart -benchtime 1x
func BenchmarkMultipart(b *testing.B) {
	embedded := embeddedWorld(b)
	server := s3test.Start(b)
	socket := &http.Client{Transport: &http.Transport{
		WriteBufferSize: 256 << 10, MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(embedded.dir, "s3.sock"))
		},
	}}
	network := &http.Client{Transport: &http.Transport{WriteBufferSize: 256 << 10, MaxIdleConnsPerHost: 16}}
	contenders := []struct {
		name   string
		world  world
		client *http.Client
	}{
		{"port", embedded, network}, {"alone", world{store: open(b, server.Config())}, network}, {"socket", embedded, socket},
	}
	total, rounds := number("CASELOAD_BENCH_MIB", 1024)*mib, number("CASELOAD_BENCH_ROUNDS", 3)
	part := randomBytes(32 * mib)
	for b.Loop() {
		var sum, best [3]figures
		for round := range rounds {
			for i := range contenders {
				which := (round + i) % len(contenders) // by turns, so that none always meets the warmer disk
				c := contenders[which]
				f := sendObject(b, c.world, c.client, part, total)
				sum[which].add(f)
				if best[which].whole == 0 || f.whole < best[which].whole {
					best[which] = f
				}
				b.Logf("%-6s sending %v, complete %v, whole %v, sync %v", c.name, f.sending, f.complete, f.whole, f.sync)
			}
		}
		for i, c := range contenders {
			b.ReportMetric(float64(total)*float64(rounds)/1e6/sum[i].whole.Seconds(), c.name+"-MB/s")
			b.ReportMetric(float64(total)*float64(rounds)/1e6/sum[i].sending.Seconds(), c.name+"-sending-MB/s")
		}
		b.ReportMetric(sum[1].whole.Seconds()/sum[0].whole.Seconds(), "ratio")
		b.ReportMetric(best[1].whole.Seconds()/best[0].whole.Seconds(), "best-ratio")
		b.ReportMetric(sum[2].whole.Seconds()/sum[0].whole.Seconds(), "port-ratio")
		b.ReportMetric(best[2].whole.Seconds()/best[0].whole.Seconds(), "best-port-ratio")
		b.ReportMetric(0, "ns/op")
	}
}

type figures struct{ sending, complete, whole, sync time.Duration }

func (f *figures) add(o figures) {
	f.sending += o.sending
	f.complete += o.complete
	f.whole += o.whole
	f.sync += o.sync
}

func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

func sendObject(b *testing.B, w world, client *http.Client, data []byte, total int) (f figures) {
	b.Helper()
	key, sum := caseload.NewObjectKey(), crc(data)
	whole := crcRepeated(data, total/len(data))
	begun := time.Now()
	id, err := w.store.CreateMultipart(b.Context(), key)
	must(b, err)
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range numbers {
				r, err := w.store.SignPart(b.Context(), w.origin, key, id, caseload.Part{Number: n, Size: int64(len(data)), CRC64NVME: sum}, time.Minute)
				if err != nil {
					b.Error(err)
					continue
				}
				request, err := http.NewRequest(r.Method, r.URL, bytes.NewReader(data))
				if err != nil {
					b.Error(err)
					continue
				}
				request.Header.Set("X-Amz-Checksum-Crc64nvme", sum)
				answer, err := client.Do(request)
				if err != nil {
					b.Error(err)
					continue
				}
				if answer.StatusCode != http.StatusOK {
					b.Errorf("status %d", answer.StatusCode)
				}
				_ = answer.Body.Close()
			}
		})
	}
	for n := 1; n <= total/len(data); n++ {
		numbers <- n
	}
	close(numbers)
	all.Wait()
	f.sending = time.Since(begun)
	parts, err := w.store.ListParts(b.Context(), key, id)
	must(b, err)
	completing := time.Now()
	must(b, w.store.CompleteMultipart(b.Context(), key, id, parts, int64(total), whole))
	f.complete = time.Since(completing)
	o, err := w.store.Head(b.Context(), key, "")
	must(b, err)
	f.whole = time.Since(begun)
	if o.CRC64NVME != whole || o.Size != int64(total) {
		b.Fatalf("the store holds %+v", o)
	}
	syncing := time.Now()
	must(b, w.store.Sync(b.Context(), key))
	f.sync = time.Since(syncing)
	must(b, w.store.Delete(b.Context(), key, ""))
	return f
}

// crcRepeated is the checksum of data n times over.
func crcRepeated(data []byte, n int) string {
	var whole uint64
	for range n {
		whole = caseload.UpdateCRC64NVME(whole, data)
	}
	return caseload.FormatCRC64NVME(whole)
}
