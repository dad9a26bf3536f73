package web

import (
	"encoding/json"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// activityView is one line of who did what when.
type activityView struct {
	At   moment
	Who  string // "" when nobody did it
	Text string
}

// eventsTold is how many events are looked at for the lines of activity, and activityLines how many lines are shown.
const (
	eventsTold    = 500
	activityLines = 30
)

// quietActions are steps on the way that people see elsewhere.
var quietActions = map[caseload.Action]bool{
	caseload.FileSending: true, caseload.FileReading: true, caseload.FileMetadata: true, caseload.ObjectErased: true,
}

// sameWithin is how far apart the same thing done by the same person is still one line.
const sameWithin = 15 * time.Minute

// activity tells events, newest first, in words. The same thing done to many files in a row is one line.
func (s *Server) activity(l locale, events []caseload.Event, files []caseload.File, people map[string]string) []activityView {
	names := map[caseload.FileID]string{}
	for _, f := range files {
		names[f.ID] = f.Name
	}
	var lines []activityView
	for i := 0; i < len(events) && len(lines) < activityLines; {
		e := events[i]
		if quietActions[e.Action] {
			i++
			continue
		}
		number, next := s.run(events, i)
		lines = append(lines, activityView{
			At: l.when(e.At, s.Now()), Who: people[e.Actor], Text: l.told(e, number, names[e.File]),
		})
		i = next
	}
	return lines
}

// run counts how often what happened at events[i] happened in a row, quiet actions aside, and tells where the row ends.
func (s *Server) run(events []caseload.Event, i int) (number, next int) {
	first := events[i]
	for next = i; next < len(events); next++ {
		e := events[next]
		switch {
		case quietActions[e.Action]:
		case e.Action != first.Action || e.Actor != first.Actor || first.At.Sub(e.At) > sameWithin:
			return number, next
		default:
			number += filesOf(e)
		}
	}
	return number, next
}

// filesOf tells how many files an event is about: FilesPlanned says so itself, any other event is about one.
func filesOf(e caseload.Event) int {
	var detail struct {
		Files int `json:"files"`
	}
	if e.Action == caseload.FilesPlanned && json.Unmarshal([]byte(e.Detail), &detail) == nil && detail.Files > 0 {
		return detail.Files
	}
	return 1
}

// told says an event in words.
func (l locale) told(e caseload.Event, number int, name string) string {
	if e.File != "" && number == 1 {
		if name == "" {
			name = l.text("activity.aFile")
		}
		return l.text("activity.one."+string(e.Action), "file", name)
	}
	return l.count("activity."+string(e.Action), number)
}
