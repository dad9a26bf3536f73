package main

import (
	"fmt"
	"strings"
	"time"
)

// hours is a part of the day, by local time: from 19:00 to 07:00 goes over midnight. The zero value is the whole day.
type hours struct{ from, to int } // minutes since midnight

// parseHours reads "19:00-07:00".
func parseHours(raw string) (hours, error) {
	if raw == "" {
		return hours{}, nil
	}
	wrong := fmt.Errorf("is %q; use hours of the day such as 19:00-07:00", raw)
	begin, end, found := strings.Cut(raw, "-")
	if !found {
		return hours{}, wrong
	}
	from, err := time.Parse("15:04", strings.TrimSpace(begin))
	if err != nil {
		return hours{}, wrong
	}
	to, err := time.Parse("15:04", strings.TrimSpace(end))
	if err != nil || from.Equal(to) {
		return hours{}, wrong
	}
	return hours{from.Hour()*60 + from.Minute(), to.Hour()*60 + to.Minute()}, nil
}

func (h hours) always() bool { return h == hours{} }

// at tells whether the moment lies within the hours, and when that changes next.
func (h hours) at(now time.Time) (open bool, until time.Time) {
	minute := now.Hour()*60 + now.Minute()
	if h.from < h.to {
		open = minute >= h.from && minute < h.to
	} else {
		open = minute >= h.from || minute < h.to
	}
	change := h.from
	if open {
		change = h.to
	}
	until = time.Date(now.Year(), now.Month(), now.Day(), change/60, change%60, 0, 0, now.Location())
	if !until.After(now) {
		until = time.Date(now.Year(), now.Month(), now.Day()+1, change/60, change%60, 0, 0, now.Location()) // by the calendar: a day may have 23 hours
	}
	return open, until
}
