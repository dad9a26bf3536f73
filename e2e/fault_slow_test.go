package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/e2e/phantom"
	"dcdentals.com/caseload/internal/mustrun"
)

const (
	idleConnections = 2000
	trickles        = 20               // uploads of a byte a second
	shedHeaders     = 15 * time.Second // the bound of a request's header is 10 s
	shedBodies      = 45 * time.Second // the first allowance of an upload is 30 s
	idleMemory      = 96 << 20         // what 2,000 idle connections may cost, in bytes
	answersWithin   = 3 * time.Second  // somebody else's request meanwhile
)

// TestSlowClientsAreShed opens 2,000 connections that say nothing, 50 that never finish their header, and 20 uploads by
// both routes that send a byte a second: everybody else is answered as ever, memory stays bounded, and the server gets
// rid of all of them by itself; what was acknowledged is intact and the slow files can be sent again.
func TestSlowClientsAreShed(t *testing.T) {
	t.Parallel()
	s := newSite(t, "CASELOAD_DIRECT_THRESHOLD=6MiB", "CASELOAD_PART_SIZE=5MiB", "CASELOAD_LOG_LEVEL=warn")
	admin, l, ctx := s.newAdmin(), newLedger(), t.Context()
	p := s.serve([]string{"serve"})
	caseID := admin.newCase(t, "2026-0001", "Slow Clients")
	admin.ready(t, mustUpload(t, admin, l, caseID, "before.bin", phantom.Noise(1, 100_000)).ID, 30*time.Second)
	slow, direct := phantom.Noise(2, 100_000), phantom.Noise(3, 7<<20)
	slowFile, directFile := mustPlan(t, admin, caseID, "slow.bin", slow), mustPlan(t, admin, caseID, "direct.bin", direct)
	part := direct[:directFile.PartSize]
	signed, err := admin.signPart(ctx, directFile.ID, 1, part)
	if err != nil {
		t.Fatal(err)
	}
	memory := residentBytes(t, p.cmd.Process.Pid)

	var clients sync.WaitGroup
	shed := func(what string, within time.Duration, send func(c net.Conn)) {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		clients.Go(func() {
			defer c.Close()
			begun := time.Now()
			send(c)
			_ = c.SetReadDeadline(begun.Add(within))
			if _, err := io.Copy(io.Discard, c); err != nil && os.IsTimeout(err) {
				t.Errorf("%s: still open after %s", what, within)
			}
		})
	}
	for range idleConnections {
		shed("idle connection", shedHeaders, func(net.Conn) {})
	}
	for range 50 {
		shed("slow header", shedHeaders, func(c net.Conn) {
			_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "+s.address+"\r\n")
			trickle(ctx, c, "X-Slow: and slower\r\n", shedHeaders)
		})
	}
	answers := make(chan string, 2*trickles)
	for n := range trickles {
		header := fmt.Sprintf("PUT /api/v1/files/%s/content HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nx-amz-checksum-crc64nvme: %s\r\n\r\n",
			slowFile.ID, s.address, admin.token, len(slow), crc64nvme(slow))
		if n%2 == 1 {
			header = "PUT " + strings.TrimPrefix(signed.URL, s.url()) + " HTTP/1.1\r\nHost: " + s.address + "\r\nContent-Length: " + strconv.Itoa(len(part)) + "\r\n"
			for name, value := range signed.Headers {
				if !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Host") {
					header += name + ": " + value + "\r\n"
				}
			}
			header += "\r\n"
		}
		shed("slow upload", shedBodies, func(c net.Conn) {
			_, _ = io.WriteString(c, header)
			answered := make(chan string, 1)
			go func() {
				line, _ := bufio.NewReader(c).ReadString('\n')
				answered <- line
			}()
			answers <- trickleUntil(ctx, c, answered, shedBodies)
		})
	}

	peak, slowest := 0, time.Duration(0)
	gone := make(chan struct{})
	go func() { clients.Wait(); close(gone) }()
	for shedding := true; shedding; {
		select {
		case <-gone:
			shedding = false
		case <-time.After(500 * time.Millisecond):
			begun := time.Now()
			if _, err := admin.files(ctx, caseID); err != nil {
				t.Errorf("somebody else's request meanwhile: %v", err)
			}
			slowest = max(slowest, time.Since(begun))
			peak = max(peak, residentBytes(t, p.cmd.Process.Pid))
		}
	}
	if slowest > answersWithin {
		t.Errorf("somebody else was answered after %s, want ≤ %s", slowest, answersWithin)
	}
	if peak-memory > idleMemory && os.Getenv("CASELOAD_TEST_RACE") == "" { // the race detector costs a multiple
		t.Errorf("memory grew by %d MiB, want ≤ %d", (peak-memory)>>20, idleMemory>>20)
	}
	close(answers)
	said := map[string]int{}
	for line := range answers {
		said[strings.TrimSpace(line)]++
	}
	t.Logf("%d connections shed; memory grew by %d MiB; slowest answer to others %s; slow uploads were told %v", idleConnections+50+trickles,
		(peak-memory)>>20, slowest.Round(time.Millisecond), said)
	if said["HTTP/1.1 408 Request Timeout"] != trickles {
		t.Errorf("the slow uploads were told %v, want 408 for all of them", said)
	}

	if _, err := admin.put(ctx, slowFile.ID, slow); err != nil {
		t.Errorf("the slow file cannot be sent again: %v", err)
	}
	l.keep(slowFile.ID, slow)
	if err := admin.sendParts(ctx, directFile, direct); err != nil {
		t.Errorf("the slow parts cannot be sent again: %v", err)
	}
	if _, err := admin.complete(ctx, directFile.ID); err != nil {
		t.Error(err)
	}
	l.keep(directFile.ID, direct)
	l.check(t, s, admin, s.embeddedObjects())
	leftovers(t, s)
}

// trickle sends text a byte a second until it fails.
func trickle(ctx context.Context, c net.Conn, text string, within time.Duration) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for begun, n := time.Now(), 0; time.Since(begun) < within; n++ {
		if _, err := c.Write([]byte{text[n%len(text)]}); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// trickleUntil sends a byte a second until there is an answer, and returns its first line.
func trickleUntil(ctx context.Context, c net.Conn, answered <-chan string, within time.Duration) string {
	tick, late := time.NewTicker(time.Second), time.After(within)
	defer tick.Stop()
	for {
		select {
		case line := <-answered:
			return line
		case <-late:
			return "nothing"
		case <-ctx.Done():
			return "nothing"
		case <-tick.C:
			_, _ = c.Write([]byte{'x'})
		}
	}
}

// residentBytes is the memory a process has in use.
func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		mustrun.Skip(t, "memory", "the memory of a process cannot be read here: "+err.Error())
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
