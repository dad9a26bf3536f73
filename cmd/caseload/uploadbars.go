package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"dcdentals.com/caseload/internal/api"
)

// barFrom is the size in bytes from which a file gets a bar of its own; smaller ones come and go too fast to be read.
const barFrom = 10 << 20

// redraw is how often bars are drawn.
const redraw = 150 * time.Millisecond

// bars tells with a bar for each large file on its way, and one for all. What has come to an end stands above them.
type bars struct {
	lines  *lines
	colour bool
	all    *mpb.Progress
	total  *mpb.Bar
	files  map[int]*fileBar
	stdout io.Writer
}

// fileBar is what is drawn for one file.
type fileBar struct {
	bar  *mpb.Bar
	mu   sync.Mutex
	sent int64
	note string // instead of figures
}

func newBars(out io.Writer, plain *lines) *bars {
	plain.brief = true
	return &bars{
		lines: plain, colour: os.Getenv("NO_COLOR") == "", stdout: out, files: map[int]*fileBar{},
		all: mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(redraw)),
	}
}

func (b *bars) begin(to destination) {
	b.lines.begin(to)
	b.lines.out, b.lines.err = b.all, b.all // from here on, lines go above the bars
	b.total = b.add(math.MaxInt, func(width int) string {
		f := b.lines.tally.at(time.Now())
		return row(width, fmt.Sprintf("%d of %s", f.ended, plural(f.files, "file")), share(f.sent, f.bytes), pace(f), b.colour)
	})
}

// add adds a bar that draws itself.
func (b *bars) add(priority int, draw func(width int) string) *mpb.Bar {
	filler := mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, draw(s.AvailableWidth))
		return err
	})
	bar, err := b.all.Add(math.MaxInt64, filler, mpb.BarPriority(priority), mpb.BarFillerTrim(), mpb.BarRemoveOnComplete())
	if err != nil {
		return nil // the terminal is gone; the upload goes on
	}
	return bar
}

func (b *bars) notice(n api.Notice) {
	b.lines.notice(n)
	if n.Index < 0 || b.lines.sources[n.Index].Size < barFrom {
		return
	}
	f := b.files[n.Index]
	switch n.Stage {
	case api.StageStored, api.StageReceived, api.StageFailed:
		if f != nil && f.bar != nil {
			f.bar.Abort(true)
		}
		delete(b.files, n.Index)
		return
	}
	if f == nil && n.Stage == api.StagePlanned { // its turn has not come
		return
	}
	if f == nil {
		f = &fileBar{}
		b.files[n.Index] = f
		source := b.lines.sources[n.Index]
		f.bar = b.add(n.Index, func(width int) string {
			f.mu.Lock()
			defer f.mu.Unlock()
			return row(width, shown(source), share(f.sent, source.Size), or(f.note, humanBytes(source.Size)), b.colour)
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent, f.note = n.Sent, ""
	switch n.Stage {
	case api.StageChecking:
		f.note = "looking what is there"
	case api.StageRetrying:
		if f.note = "waiting for the line"; api.IsFull(n.Err) {
			f.note = "the server is full"
		}
	}
}

func (b *bars) end(s summary) {
	for _, f := range b.files {
		if f.bar != nil {
			f.bar.Abort(true)
		}
	}
	if b.total != nil {
		b.total.Abort(true)
	}
	b.all.Wait()
	b.lines.out = b.stdout
	b.lines.end(s)
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, max(0, float64(part)/float64(whole)))
}

// pace is the rate and the time left.
func pace(f figures) string {
	if f.rate < 1 {
		return humanBytes(f.bytes)
	}
	if f.sent >= f.bytes {
		return "finishing"
	}
	if f.left == 0 {
		return humanBytes(int64(f.rate)) + "/s"
	}
	return fmt.Sprintf("%s/s  %s", humanBytes(int64(f.rate)), humanTime(f.left))
}

// Widths of a row, in columns: tail is the right end, percent stands before it.
const (
	tailWidth    = 24
	percentWidth = 5
	longestName  = 40
	longestBar   = 50
	shortestBar  = 8
)

// row draws one line of the given width: a name, a bar, a percentage, and what else there is to say. On a narrow terminal
// the end goes first, then the bar.
func row(width int, name string, done float64, tail string, colour bool) string {
	width = max(width-1, 1) // a full last column makes some terminals wrap
	left := width - percentWidth
	withTail := left >= 52
	if withTail {
		left -= tailWidth
	}
	names := min(longestName, max(left/2, left-longestBar-2))
	barWidth := left - names - 2
	if barWidth < shortestBar {
		names, barWidth = max(left-1, 0), 0
	}
	var b strings.Builder
	b.WriteString(runewidth.FillRight(middle(name, names), names))
	if barWidth > 0 {
		b.WriteString("  ")
		b.WriteString(bar(min(barWidth, longestBar), done, colour))
	}
	fmt.Fprintf(&b, "%4d%%", int(done*100))
	if withTail {
		b.WriteString("  " + runewidth.Truncate(tail, tailWidth-2, "…"))
	}
	return b.String()
}

// bar draws a bar to an eighth of a column.
func bar(width int, done float64, colour bool) string {
	eighths := int(done * float64(width*8))
	full, part := eighths/8, eighths%8
	text := strings.Repeat("█", full)
	if part > 0 && full < width {
		text += string([]rune(" ▏▎▍▌▋▊▉")[part])
		full++
	}
	rest := strings.Repeat("░", width-full)
	if colour {
		return "\x1b[36m" + text + "\x1b[2m" + rest + "\x1b[0m"
	}
	return text + rest
}

// middle shortens a name in its middle: the folder at the beginning and the number at the end both tell.
func middle(name string, width int) string {
	if runewidth.StringWidth(name) <= width {
		return name
	}
	if width < 3 {
		return runewidth.Truncate(name, width, "")
	}
	head := runewidth.Truncate(name, (width-1)/2, "")
	rest := width - 1 - runewidth.StringWidth(head)
	tail := []rune(name)
	for len(tail) > 0 && runewidth.StringWidth(string(tail)) > rest {
		tail = tail[1:]
	}
	return head + "…" + string(tail)
}
