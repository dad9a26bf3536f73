package web

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Size of the plot in its own units, and the room for the scale at its left and below.
const (
	plotWide, plotHigh = 720, 200
	plotLeft, plotLow  = 64, 26
	plotTop            = 8
)

// plot is what was kept over time, as an SVG is drawn of it: received files, and everything on top of them.
type plot struct {
	Live, All  string // paths of the areas
	Edge       string // path of the line above
	Ticks      []plotTick
	From, To   string // dates, in words
	Text       string // what the picture says
	Table      []plotRow
	Wide, High int
	Left       int
	Right      int
	Base       int // y of nothing
}

type plotTick struct {
	Y     int
	Label string
}

// plotRow is one day of the table beside the picture.
type plotRow struct{ Day, Live, All string }

// tableDays is how many days the table names; the picture shows all.
const tableDays = 14

// plotOf draws the days. With fewer than two there is nothing to draw, and the zero plot comes back.
func (l locale) plotOf(days []caseload.UsageDay, now time.Time) plot {
	type point struct {
		at        time.Time
		live, all int64
	}
	var points []point
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue
		}
		if len(points) == 0 || !points[len(points)-1].at.Equal(at) {
			points = append(points, point{at: at})
		}
		last := &points[len(points)-1]
		last.all += d.Bytes
		if d.Class == caseload.ClassLive || d.Class == caseload.ClassOlder {
			last.live += d.Bytes
		}
	}
	if len(points) < 2 {
		return plot{}
	}
	first, last := points[0], points[len(points)-1]
	var most int64
	for _, p := range points {
		most = max(most, p.all)
	}
	top, step := scale(most)
	p := plot{Wide: plotWide, High: plotHigh, Left: plotLeft, Right: plotWide - 4, Base: plotHigh - plotLow}
	span := last.at.Sub(first.at).Seconds()
	x := func(t time.Time) float64 {
		return plotLeft + t.Sub(first.at).Seconds()/span*float64(p.Right-plotLeft)
	}
	y := func(bytes int64) float64 {
		return float64(p.Base) - float64(bytes)/float64(top)*float64(p.Base-plotTop)
	}
	var live, all strings.Builder
	for i, point := range points {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&live, "%s%.1f %.1f", letter, x(point.at), y(point.live))
		fmt.Fprintf(&all, "%s%.1f %.1f", letter, x(point.at), y(point.all))
	}
	ground := fmt.Sprintf("L%d %dL%d %dZ", p.Right, p.Base, plotLeft, p.Base)
	p.Live, p.All, p.Edge = live.String()+ground, all.String()+ground, live.String()
	for bytes := int64(0); bytes <= top; bytes += step {
		p.Ticks = append(p.Ticks, plotTick{int(math.Round(y(bytes))), formatSize(bytes)})
	}
	p.From, p.To = l.dayMonth(first.at), l.dayMonth(last.at)
	p.Text = l.text("storage.plot.text", "from", l.date(first.at), "to", l.date(last.at), "was", formatSize(first.live), "is", formatSize(last.live))
	for i := len(points) - 1; i >= max(0, len(points)-tableDays); i-- {
		p.Table = append(p.Table, plotRow{l.date(points[i].at), formatSize(points[i].live), formatSize(points[i].all)})
	}
	return p
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
