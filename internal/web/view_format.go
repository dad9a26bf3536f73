package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a time as a page tells it.
type moment struct {
	ISO  string // for the datetime attribute
	Text string // short: "14:03", "yesterday 14:03", "12 Mar", "12 Mar 2025"
	Full string // with date, seconds and zone
}

// when tells a time in the person's zone; the zero time is the zero moment.
func (l locale) when(t, now time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t, now = t.In(l.zone), now.In(l.zone)
	clock := t.Format("15:04")
	var text string
	switch days := daysBetween(t, now); {
	case days == 0:
		text = l.text("time.today", "time", clock)
	case days == 1:
		text = l.text("time.yesterday", "time", clock)
	case t.Year() == now.Year():
		text = l.text("time.thisYear", "date", l.dayMonth(t), "time", clock)
	default:
		text = l.date(t)
	}
	return moment{ISO: t.UTC().Format(time.RFC3339), Text: text, Full: l.date(t) + " " + t.Format("15:04:05 MST")}
}

// daysBetween counts midnights from t to now, in the zone both are in.
func daysBetween(t, now time.Time) int {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(day(now).Sub(day(t)) / (24 * time.Hour))
}

func (l locale) dayMonth(t time.Time) string {
	return l.text("time.dayMonth", "day", t.Day(), "month", l.text("month."+strconv.Itoa(int(t.Month()))))
}

func (l locale) date(t time.Time) string {
	return l.text("time.date", "day", t.Day(), "month", l.text("month."+strconv.Itoa(int(t.Month()))), "year", t.Year())
}

// dicomDate tells a DICOM DA (PS3.5, section 6.2: YYYYMMDD) as a date; what is none is shown as it stands.
func (l locale) dicomDate(da string) string {
	t, err := time.Parse("20060102", strings.TrimSpace(da))
	if err != nil {
		return da
	}
	return l.date(t)
}

// formatSize tells bytes in decimal units with two or three digits: "812 B", "4.1 kB", "318 MB", "1.1 GB".
func formatSize(bytes int64) string {
	if bytes < 1000 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value, unit := float64(bytes), 0
	for value >= 999.5 && unit < 4 {
		value, unit = value/1000, unit+1
	}
	digits := 0
	if value < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + []string{"B", "kB", "MB", "GB", "TB"}[unit]
}

// formatLimit tells a limit in bytes: a whole number of GiB or MiB as such, anything else in decimal units with two
// digits after the point, rounded down: nobody is promised more than is taken.
func formatLimit(bytes int64) string {
	switch {
	case bytes > 0 && bytes%(1<<30) == 0:
		return formatNumber(bytes>>30) + " GiB"
	case bytes > 0 && bytes%(1<<20) == 0:
		return formatNumber(bytes>>20) + " MiB"
	}
	unit, name := int64(1_000_000), " MB"
	if bytes >= 1_000_000_000 {
		unit, name = 1_000_000_000, " GB"
	}
	hundredths := bytes / (unit / 100)
	text := fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + name
}

// formatNumber groups thousands by comma, as both languages do.
func formatNumber(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && digits[i-1] != '-' && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// formatMillimetres tells a length with up to three digits after the point.
func formatMillimetres(mm float64) string {
	text := strconv.FormatFloat(mm, 'f', 3, 64)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// percent is how much of the whole is done, 0 to 100; 100 only when all is.
func percent(done, whole int64) int {
	switch {
	case whole <= 0 || done <= 0:
		return 0
	case done >= whole:
		return 100
	default:
		return min(99, int(float64(done)/float64(whole)*100))
	}
}

func voxel(spacing, slice float64) string {
	switch {
	case spacing > 0 && slice > 0:
		return fmt.Sprintf("%s × %s × %s mm", formatMillimetres(spacing), formatMillimetres(spacing), formatMillimetres(slice))
	case spacing > 0:
		return fmt.Sprintf("%s × %s mm", formatMillimetres(spacing), formatMillimetres(spacing))
	default:
		return ""
	}
}
