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

// quietActions are steps on the way that people see elsewhere, or that are of no use to them.
var quietActions = map[caseload.Action]bool{
	caseload.FileSending: true, caseload.FileReading: true, caseload.FileMetadata: true, caseload.ObjectErased: true, caseload.ObjectHidden: true,
	caseload.FileRepinned: true, caseload.ObjectLeftover: true, caseload.OddityMended: true, // of fsck, which tells the administrator
}

// sameWithin is how far apart the same thing done by the same person is still one line.
const sameWithin = 15 * time.Minute

// activity tells events, newest first, in words. The same thing done to many files by the same person is one line.
func (s *Server) activity(l locale, events []caseload.Event, files []caseload.File, people map[string]string) []activityView {
	names := map[caseload.FileID]string{}
	for _, f := range files {
		names[f.ID] = f.Name
	}
	var lines []activityView
	for _, d := range gather(events) {
		if len(lines) == activityLines {
			break
		}
		lines = append(lines, activityView{
			At: l.when(d.last.At, s.Now()), Who: people[d.last.Actor], Text: l.told(d, names[d.last.File]),
		})
	}
	return lines
}

// deed is what one person did to some files within a short while.
type deed struct {
	last  caseload.Event
	files int
	more  bool // it began before the events that were looked at: there are more files
}

// gather puts events, newest first, together to deeds in the order of their last event.
func gather(events []caseload.Event) []deed {
	type key struct {
		action caseload.Action
		actor  string
	}
	var deeds []deed
	open := map[key]int{} // index of the newest deed of its kind
	for _, e := range events {
		if quietActions[e.Action] {
			continue
		}
		k := key{e.Action, e.Actor}
		if i, ok := open[k]; ok && deeds[i].last.At.Sub(e.At) <= sameWithin {
			deeds[i].files += filesOf(e)
			continue
		}
		open[k] = len(deeds)
		deeds = append(deeds, deed{last: e, files: filesOf(e)})
	}
	if len(events) == eventsTold {
		oldest := events[len(events)-1].At
		for _, i := range open {
			deeds[i].more = deeds[i].last.At.Sub(oldest) <= sameWithin
		}
	}
	return deeds
}

// filesOf tells how many files an event is about: one of a whole batch says so itself, any other event is about one.
func filesOf(e caseload.Event) int {
	var detail struct {
		Files int `json:"files"`
	}
	batch := e.Action == caseload.FilesPlanned || e.Action == caseload.FilesResumed || e.Action == caseload.FilesReindex
	if batch && json.Unmarshal([]byte(e.Detail), &detail) == nil && detail.Files > 0 {
		return detail.Files
	}
	return 1
}

// told says a deed in words; name is its file's, where it is about one.
func (l locale) told(d deed, name string) string {
	switch {
	case d.last.File != "" && d.files == 1 && !d.more:
		if name == "" {
			name = l.text("activity.aFile")
		}
		return l.text("activity.one."+string(d.last.Action), "file", name)
	case d.more:
		return l.text("activity.more", "text", l.count("activity."+string(d.last.Action), max(d.files, 2)))
	default:
		return l.count("activity."+string(d.last.Action), d.files)
	}
}
