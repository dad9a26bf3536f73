package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Size of a chart in its own units, and the room for the scale at its left and below.
const (
	plotWide, plotHigh = 400, 180
	plotLeft, plotLow  = 64, 26
	plotTop            = 8
)

// plot is what was kept over time: a chart of the bytes, one of the files, and the last days as a table.
type plot struct {
	Charts []chart // empty with fewer than two days
	Table  []plotRow
}

// chart is one figure over time, as an SVG is drawn of it: received files, and everything on top of them.
type chart struct {
	Label      string
	Live, All  string // paths of the areas
	Edge       string // path of the line above
	Ticks      []plotTick
	From, To   string // dates, in words
	Text       string // what the picture says
	Wide, High int
	Left       int
	Right      int
}

type plotTick struct {
	Y     int
	Label string
}

// plotRow is one day of the table beside the pictures.
type plotRow struct{ Day, Files, Live, All string }

// tableDays is how many days the table names; the pictures show all.
const tableDays = 14

// plotDay is what was kept on one day: received, and everything, in bytes or files.
type plotDay struct {
	at           time.Time
	bytes, files plotValue
}

type plotValue struct{ live, all int64 }

func (v *plotValue) add(class caseload.Class, n int64) {
	v.all += n
	if class == caseload.ClassLive || class == caseload.ClassOlder {
		v.live += n
	}
}

// plotOf draws the days. With fewer than two there is nothing to draw.
func (l locale) plotOf(usage []caseload.UsageDay) (p plot) {
	var days []plotDay
	for _, d := range usage {
		at, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue
		}
		if len(days) == 0 || !days[len(days)-1].at.Equal(at) {
			days = append(days, plotDay{at: at})
		}
		last := &days[len(days)-1]
		last.bytes.add(d.Class, d.Bytes)
		last.files.add(d.Class, d.Objects)
	}
	if len(days) < 2 {
		return plot{}
	}
	p.Charts = []chart{
		l.chartOf(days, "storage.plot.bytes", formatSize, func(d plotDay) plotValue { return d.bytes }),
		l.chartOf(days, "storage.plot.files", formatNumber, func(d plotDay) plotValue { return d.files }),
	}
	for i := len(days) - 1; i >= max(0, len(days)-tableDays); i-- {
		d := days[i]
		p.Table = append(p.Table, plotRow{l.date(d.at), formatNumber(d.files.live), formatSize(d.bytes.live), formatSize(d.bytes.all)})
	}
	return p
}

// chartOf draws one figure of each day; write puts it into words.
func (l locale) chartOf(days []plotDay, name string, write func(int64) string, of func(plotDay) plotValue) chart {
	first, last := days[0], days[len(days)-1]
	var most int64
	for _, d := range days {
		most = max(most, of(d).all)
	}
	top, step := scale(most)
	c := chart{Label: l.text(name), Wide: plotWide, High: plotHigh, Left: plotLeft, Right: plotWide - 4}
	const base = plotHigh - plotLow
	span := last.at.Sub(first.at).Seconds()
	x := func(t time.Time) float64 {
		return plotLeft + t.Sub(first.at).Seconds()/span*float64(c.Right-plotLeft)
	}
	y := func(n int64) float64 {
		return base - float64(n)/float64(top)*(base-plotTop)
	}
	var live, all strings.Builder
	for i, d := range days {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&live, "%s%.1f %.1f", letter, x(d.at), y(of(d).live))
		fmt.Fprintf(&all, "%s%.1f %.1f", letter, x(d.at), y(of(d).all))
	}
	ground := fmt.Sprintf("L%d %dL%d %dZ", c.Right, base, plotLeft, base)
	c.Live, c.All, c.Edge = live.String()+ground, all.String()+ground, live.String()
	for n := int64(0); n <= top; n += step {
		c.Ticks = append(c.Ticks, plotTick{int(math.Round(y(n))), write(n)})
	}
	c.From, c.To = l.dayMonth(first.at), l.dayMonth(last.at)
	c.Text = l.text(name+".text", "from", l.date(first.at), "to", l.date(last.at), "was", write(of(first).live), "is", write(of(last).live))
	return c
}

// scale returns the top of the axis and the distance of its lines, round numbers both: at most five lines.
func scale(most int64) (top, step int64) {
	if most <= 0 {
		return 1, 1
	}
	power := int64(math.Pow(10, math.Floor(math.Log10(float64(most)))))
	for _, tenths := range []int64{1, 2, 5, 10, 20, 50} {
		if step = power * tenths / 10; step > 0 && (most+step-1)/step <= 4 {
			break
		}
	}
	return (most + step - 1) / step * step, step
}
