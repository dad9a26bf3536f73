package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"dcdentals.com/caseload/internal/api"
)

func TestARowFitsEveryTerminal(t *testing.T) {
	for width := 1; width <= 200; width++ {
		for _, name := range []string{"volume.dcm", "환자/임대석 상악 CBCT 2026-11-25 스캔 데이터.zip", strings.Repeat("long", 50)} {
			got := row(width, name, 0.62, "12.5 MB/s  2 min 10 s", false)
			if w := runewidth.StringWidth(got); w >= width && w > percentWidth {
				t.Errorf("%d columns for %d: %q", w, width, got)
			}
			if !utf8.ValidString(got) || !strings.Contains(got, "62%") {
				t.Errorf("width %d: %q", width, got)
			}
		}
	}
	if got := row(80, "a", 0.5, "", false); strings.Contains(got, "\x1b") {
		t.Errorf("colour without being asked: %q", got)
	}
}

func TestTheShownRateIsCalm(t *testing.T) {
	begun := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	sources := []api.Source{{Size: 100e6}, {Size: 50e6}}
	tally := newTally(sources, begun)
	tally.note(api.Notice{Stage: api.StageReceived, Index: 1, Sent: 50e6, Held: 50e6}) // says nothing about the line
	var f figures
	for i := range 100 {
		sent := int64(i+1) * 500_000
		if i%2 == 0 {
			sent -= 200_000 // bytes leave by jerks
		}
		tally.note(api.Notice{Stage: api.StageSending, Index: 0, Sent: sent})
		f = tally.at(begun.Add(time.Duration(i+1) * 500 * time.Millisecond))
		if i > 20 && (f.rate < 0.8e6 || f.rate > 1.2e6) {
			t.Fatalf("after %d steps the rate is shown as %.0f", i, f.rate)
		}
	}
	if f.ended != 1 || f.sent != 100e6 || f.left < 40*time.Second || f.left > 60*time.Second {
		t.Errorf("%+v", f)
	}
}

// What the first second brings is no measure of the line, and reading files before it is none at all.
func TestNoTimeIsToldBeforeItIsFounded(t *testing.T) {
	begun := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	tally := newTally([]api.Source{{Size: 1e9}}, begun)
	var rate, left time.Duration // when first told
	for at := time.Duration(0); at <= 12*time.Second; at += 500 * time.Millisecond {
		if moving := at - 5*time.Second; moving > 0 {
			tally.note(api.Notice{Stage: api.StageSending, Index: 0, Sent: int64(25e6 * moving.Seconds())})
		}
		f := tally.at(begun.Add(at))
		if rate == 0 && f.rate > 0 {
			rate = at
		}
		if left == 0 && f.left > 0 {
			left = at
			if f.left > time.Minute {
				t.Errorf("the first that is told is %s", f.left)
			}
			if got := pace(f); !strings.Contains(got, "MB/s  ") {
				t.Errorf("%q", got)
			}
		} else if f.left == 0 && f.rate > 0 && strings.Contains(pace(f), "0 s") {
			t.Errorf("%q", pace(f))
		}
	}
	if rate != 6*time.Second || left != 9*time.Second {
		t.Errorf("a rate is told after %s, the time left after %s", rate, left)
	}
}
