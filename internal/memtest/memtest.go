// Package memtest fills a database and tells a test how much memory its process holds, in the figure that can run out: anonymous memory. The
// pages of files that are mapped, as SQLite's database is, count as resident too, but the kernel takes them back when
// somebody needs the room. For tests only.
package memtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/mustrun"
)

// Anonymous returns how much memory of the process, in bytes, belongs to no file (RssAnon of /proc/self/status, proc(5)).
func Anonymous() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no RssAnon in /proc/self/status")
}

// every is how often the memory is looked at.
const every = 5 * time.Millisecond

// Watch looks at the anonymous memory until it is told to stop, and then returns the most that it saw, in bytes. A benchmark
// is left out where there is no /proc.
func Watch(t testing.TB) (stop func() (most int64)) {
	t.Helper()
	most, err := Anonymous()
	if err != nil {
		mustrun.Skip(t, "memory", "the memory of a process is told by /proc, of Linux: "+err.Error())
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			now, err := Anonymous()
			if err != nil {
				t.Error(err)
				return
			}
			most = max(most, now)
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	return func() int64 {
		close(end)
		<-ended
		if now, err := Anonymous(); err == nil { // on a busy machine the last look may be long ago
			most = max(most, now)
		}
		return most
	}
}
