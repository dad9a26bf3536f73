package dicom

import (
	"fmt"
	"strings"
	"time"
)

// ParseDate returns the day of a value of representation DA, "YYYYMMDD" (PS3.5 6.2), as midnight UTC. It takes the form of
// ACR-NEMA 2.0, "YYYY.MM.DD", too, and what the field writes for it, with hyphens or slashes. It returns false for anything
// that is no day of the calendar.
func ParseDate(text string) (time.Time, bool) {
	text = trimValue(text)
	if len(text) == len("2006.01.02") && text[4] == text[7] && strings.IndexByte(".-/", text[4]) >= 0 {
		text = text[:4] + text[5:7] + text[8:]
	}
	if len(text) != len("20060102") {
		return time.Time{}, false
	}
	year, okY := digits(text[:4])
	month, okM := digits(text[4:6])
	day, okD := digits(text[6:])
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, okY && okM && okD && t.Year() == year && int(t.Month()) == month && t.Day() == day
}

// ParseTime returns the time of day of a value of representation TM, "HHMMSS.FFFFFF" of which all but the hour may be
// missing (PS3.5 6.2), since midnight. It takes the form of ACR-NEMA 2.0, "HH:MM:SS", too. A leap second counts as the last
// of its minute. It returns false for anything else.
func ParseTime(text string) (time.Duration, bool) {
	text, fraction, hasFraction := strings.Cut(trimValue(text), ".")
	if strings.IndexByte(text, ':') >= 0 {
		parts := strings.Split(text, ":")
		for _, part := range parts {
			if len(part) != 2 {
				return 0, false
			}
		}
		text = strings.Join(parts, "")
	}
	if len(text)%2 != 0 || text == "" || len(text) > 6 || hasFraction && len(text) != 6 {
		return 0, false
	}
	var t time.Duration
	limits, units := [3]int{23, 59, 60}, [3]time.Duration{time.Hour, time.Minute, time.Second}
	for i := 0; i < len(text)/2; i++ {
		n, ok := digits(text[2*i : 2*i+2])
		if !ok || n > limits[i] {
			return 0, false
		}
		if i == 2 {
			n = min(n, 59)
		}
		t += time.Duration(n) * units[i]
	}
	if hasFraction {
		n, ok := digits(fraction)
		if !ok || len(fraction) > 6 {
			return 0, false
		}
		for range 6 - len(fraction) {
			n *= 10
		}
		t += time.Duration(n) * time.Microsecond
	}
	return t, true
}

// digits reads a number of up to nine decimal digits, and nothing but digits.
func digits(text string) (n int, ok bool) {
	if text == "" || len(text) > 9 {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int(text[i]-'0')
	}
	return n, true
}

// plainDate is a date as DA writes it today; text that is no date stays as it is, and false is returned.
func plainDate(text string) (string, bool) {
	t, ok := ParseDate(text)
	if !ok {
		return text, text == ""
	}
	if len(text) == len("20060102") {
		return text, true
	}
	return t.Format("20060102"), true
}

// plainTime is a time of day as TM writes it today, likewise.
func plainTime(text string) (string, bool) {
	t, ok := ParseTime(text)
	if !ok {
		return text, text == ""
	}
	if !strings.Contains(text, ":") {
		return text, true
	}
	_, fraction, has := strings.Cut(text, ".")
	out := fmt.Sprintf("%02d%02d%02d", int(t.Hours()), int(t.Minutes())%60, int(t.Seconds())%60)
	if has {
		out += "." + fraction
	}
	return out, true
}
