package main

import (
	"fmt"
	"math"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// tally adds up how far the files of an upload have got. Safe for use by several goroutines.
type tally struct {
	mu    sync.Mutex
	files int
	bytes int64 // to be in the case in the end
	sent  []int64
	total int64 // sent, of all files
	ended int   // files
	held  int64 // of total: bytes that were there before, which say nothing about the line

	last   time.Time     // when rate was last looked at
	moved  int64         // bytes that had left the computer by then
	moving time.Duration // looked at since the first byte left
	rate   float64       // bytes per second, smoothed
}

func newTally(sources []api.Source, now time.Time) *tally {
	t := &tally{files: len(sources), sent: make([]int64, len(sources)), last: now}
	for _, s := range sources {
		t.bytes += s.Size
	}
	return t
}

// note takes a notice in.
func (t *tally) note(n api.Notice) {
	if n.Index < 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.Stage == api.StageFailed {
		n.Sent = 0 // what failed is not on its way any more
	}
	t.total += n.Sent - t.sent[n.Index]
	t.sent[n.Index] = n.Sent
	switch n.Stage {
	case api.StageReceived, api.StageStored:
		t.held += n.Held
		t.ended++
	case api.StageFailed:
		t.ended++
	}
}

// figures are what is shown of a tally.
type figures struct {
	files, ended int
	bytes, sent  int64
	rate         float64       // bytes per second; 0: not known yet
	left         time.Duration // 0: not known yet
}

const (
	smoothing   = 8 * time.Second // until the shown rate follows the line
	rateTold    = time.Second     // of moving bytes, before a rate is shown: a line gathers speed
	timeFounded = 4 * time.Second // and before the time is that is left
)

// at returns the figures of the moment; calls at a steady beat keep the rate calm.
func (t *tally) at(now time.Time) figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	moved := t.total - t.held
	if step := now.Sub(t.last).Seconds(); t.moving == 0 && moved == t.moved {
		t.last = now // files are looked at, nothing has left yet
	} else if step > 0.05 {
		t.moving += now.Sub(t.last)
		current := math.Max(0, float64(moved-t.moved)/step)
		weight := 1 - math.Exp(-step/math.Min(smoothing.Seconds(), t.moving.Seconds()+0.1))
		t.rate += weight * (current - t.rate)
		t.last, t.moved = now, moved
	}
	f := figures{files: t.files, ended: t.ended, bytes: t.bytes, sent: t.total}
	if t.moving >= rateTold {
		f.rate = t.rate
	}
	if t.moving >= timeFounded && t.rate > 1 {
		f.left = calm(time.Duration(float64(t.bytes-t.total) / t.rate * float64(time.Second)))
	}
	return f
}

// calm rounds a time left so that it does not flicker.
func calm(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Second:
		return d.Round(time.Second)
	case d < time.Minute:
		return d.Round(5 * time.Second)
	case d < 10*time.Minute:
		return d.Round(10 * time.Second)
	case d < time.Hour:
		return d.Round(time.Minute)
	}
	return d.Round(10 * time.Minute)
}

// humanBytes writes a number of bytes for people, with three digits: "318 MB", "1.07 GB".
func humanBytes(n int64) string {
	value, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1000, u
	}
	switch {
	case unit == "B" || value >= 99.95:
		return fmt.Sprintf("%.0f %s", value, unit)
	case value >= 9.995:
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.2f %s", value, unit)
}

// humanTime writes a duration for people: "41 s", "2 min 10 s", "3 h 20 min".
func humanTime(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 600 && s%60 != 0:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s/60%60 != 0:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d h", s/3600)
}

// plural counts things: "1 file", "3 files".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
