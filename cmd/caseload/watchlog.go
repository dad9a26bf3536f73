package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/api"
)

// watchEvent is something a watch tells of.
type watchEvent struct {
	Event   string        // watching, opened, sent, failed, waiting, resting, stopped
	Entry   string        // of the folder, or the folder itself
	Server  string        // address
	Case    string        // id
	Number  string        // of the case
	File    string        // as the case would show it
	Err     error         // of failed and waiting
	Until   time.Time     // of resting
	Outcome *api.Outcome  // of sent
	Took    time.Duration // likewise
	Left    int           // files of it that could not be sent
}

// watchLog writes events as plain lines with their time, or as JSON lines. What is wrong goes to standard error.
type watchLog struct {
	mu       sync.Mutex
	out, err io.Writer
	asJSON   bool
	now      func() time.Time
	waited   time.Time // when a pause was last told
	rested   time.Time // until when a rest was last told
}

func newWatchLog(out, err io.Writer, asJSON bool, now func() time.Time) *watchLog {
	return &watchLog{out: out, err: err, asJSON: asJSON, now: now}
}

// rest tells of hours in which nothing is sent, once.
func (l *watchLog) rest(until time.Time) {
	l.mu.Lock()
	told := l.rested.Equal(until)
	l.rested = until
	l.mu.Unlock()
	if !told {
		l.say(watchEvent{Event: "resting", Until: until})
	}
}

// retrying tells of a pause, at most every ten minutes.
func (l *watchLog) retrying(entry string, n api.Notice) {
	l.mu.Lock()
	told := n.Wait < 2*time.Second || l.now().Sub(l.waited) < 10*time.Minute
	if !told {
		l.waited = l.now()
	}
	l.mu.Unlock()
	if !told {
		l.say(watchEvent{Event: "waiting", Entry: entry, Err: fmt.Errorf("%s", waiting(n))})
	}
}

func (l *watchLog) say(e watchEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now().Format(time.RFC3339)
	wrong := e.Event == "failed" || e.Event == "waiting"
	if wrong {
		fmt.Fprintf(l.err, "%s caseload: %s\n", at, e.text())
	}
	if l.asJSON {
		_ = json.NewEncoder(l.out).Encode(e.line(at))
	} else if !wrong {
		fmt.Fprintf(l.out, "%s %s\n", at, e.text())
	}
}

// text is the event for people.
func (e watchEvent) text() string {
	e.Entry, e.Number, e.File = legible(e.Entry), legible(e.Number), legible(e.File)
	switch e.Event {
	case "watching":
		return fmt.Sprintf("watching %s for %s", e.Entry, e.Server)
	case "opened":
		return fmt.Sprintf("%s opened", e.place())
	case "sent":
		s := summary{Outcome: *e.Outcome, Unread: e.Left, Took: e.Took}
		s.Failed = 0 // counted in Left, but for those that were removed
		text := s.String()
		return fmt.Sprintf("%s: %s", e.place(), text[:len(text)-1])
	case "failed":
		name := e.Entry
		if e.File != "" {
			name = e.File
		}
		return name + ": " + sentence(e.Err)
	case "waiting":
		return sentence(e.Err)
	case "resting":
		return "something is to be sent; waiting for " + e.Until.Format("15:04")
	}
	return e.Event
}

// place names what was sent and its case; once when the one is called like the other.
func (e watchEvent) place() string {
	if e.Entry == e.Number {
		return "case " + e.Number
	}
	return fmt.Sprintf("%s: case %s", e.Entry, e.Number)
}

// line is the event for programs.
func (e watchEvent) line(at string) any {
	line := struct {
		Time    string       `json:"time"`
		Event   string       `json:"event"`
		Entry   string       `json:"entry,omitempty"`
		Server  string       `json:"server,omitempty"`
		Case    string       `json:"case,omitempty"`
		Number  string       `json:"number,omitempty"`
		File    string       `json:"file,omitempty"`
		Error   string       `json:"error,omitempty"`
		Until   string       `json:"until,omitempty"`
		Outcome *jsonOutcome `json:"outcome,omitempty"`
	}{Time: at, Event: e.Event, Entry: e.Entry, Server: e.Server, Case: e.Case, Number: e.Number, File: e.File}
	if e.Err != nil {
		line.Error = sentence(e.Err)
	}
	if !e.Until.IsZero() {
		line.Until = e.Until.Format(time.RFC3339)
	}
	if o := e.Outcome; o != nil {
		line.Outcome = &jsonOutcome{
			Stored: o.Stored, Received: o.Received, Failed: e.Left, SentBytes: o.SentBytes, HeldBytes: o.HeldBytes, ReceivedBytes: o.ReceivedBytes,
			ResentBytes: o.ResentBytes, Seconds: e.Took.Seconds(), Drop: o.Drop,
		}
	}
	return line
}
