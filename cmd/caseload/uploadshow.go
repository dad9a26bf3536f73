package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// show tells a person or a program how an upload goes on. Methods are called one at a time.
type show interface {
	begin(to destination)
	notice(n api.Notice)
	end(s summary)
}

// destination is where the files go.
type destination struct {
	Case   api.Case
	Server string
}

// summary is how an upload ended.
type summary struct {
	api.Outcome
	Unread  int // failed before anything was asked of the server
	Took    time.Duration
	Receipt string // address; "" when nothing was sent
}

// complain writes the line every failure gets on standard error.
func complain(w io.Writer, name string, err error) {
	fmt.Fprintf(w, "caseload: %s: %s\n", legible(name), sentence(err))
}

// lines tells with plain lines: each file that has come to an end, and now and then how far it is.
type lines struct {
	out, err io.Writer
	sources  []api.Source
	tally    *tally
	quiet    bool
	brief    bool      // of files that came to their end well only the large ones are told: bars tell the rest
	said     time.Time // when something was last said
	waiting  time.Time // when a pause was last told
	now      func() time.Time
}

// sayEvery is how often plain lines say how far it is when no file came to its end meanwhile.
const sayEvery = 10 * time.Second

func (l *lines) begin(to destination) {
	l.said = l.now()
	if !l.quiet {
		fmt.Fprintf(l.out, "sending %s, %s, to case %s at %s\n", plural(len(l.sources), "file"), humanBytes(l.tally.bytes), to.Case.Number, to.Server)
	}
}

func (l *lines) notice(n api.Notice) {
	l.tally.note(n)
	now := l.now()
	say := func(format string, args ...any) {
		if l.said = now; !l.quiet {
			fmt.Fprintf(l.out, format+"\n", args...)
		}
	}
	switch n.Stage {
	case api.StageStored:
		if l.brief && l.sources[n.Index].Size < barFrom {
			return
		}
		say("sent     %s (%s)", shown(l.sources[n.Index]), humanBytes(l.sources[n.Index].Size))
	case api.StageReceived:
		if l.brief {
			return
		}
		say("there    %s: was received before", shown(l.sources[n.Index]))
	case api.StageFailed:
		complain(l.err, shown(l.sources[n.Index]), n.Err)
	case api.StageRelaying:
		fmt.Fprintln(l.err, "caseload: "+relaying(n.Err))
	case api.StageRetrying:
		if n.Wait >= 2*time.Second && now.Sub(l.waiting) > time.Minute {
			l.waiting = now
			fmt.Fprintln(l.err, "caseload: "+waiting(n))
		}
	case api.StageSending:
		if !l.brief && now.Sub(l.said) >= sayEvery {
			f := l.tally.at(now)
			left := ""
			if f.left > 0 {
				left = ", " + humanTime(f.left) + " left"
			}
			say("on the way: %s of %s, %d of %s, %s/s%s", humanBytes(f.sent), humanBytes(f.bytes), f.ended, plural(f.files, "file"),
				humanBytes(int64(f.rate)), left)
		}
	}
}

func (l *lines) end(s summary) {
	if !l.quiet {
		fmt.Fprint(l.out, s.String())
	}
}

// relaying says why files go through the server.
func relaying(err error) string {
	return fmt.Sprintf("the store cannot be reached from here (%v); going on through the server, which is slower. Tell your administrator the code.", err)
}

// waiting says what is waited for.
func waiting(n api.Notice) string {
	if api.IsFull(n.Err) {
		return "the server's disk is full; waiting until there is room. Tell whoever runs the server; what has arrived is kept"
	}
	return fmt.Sprintf("waiting for the line or the server (%v); going on by itself", lineCause(n.Err))
}

// String is the summary for people.
func (s summary) String() string {
	text := fmt.Sprintf("%s sent", plural(s.Stored, "file"))
	if s.SentBytes > 0 {
		text += fmt.Sprintf(", %s in %s", humanBytes(s.SentBytes), humanTime(max(s.Took, time.Second)))
		if s.Took >= time.Second { // of less than a second nobody wants a rate
			text += fmt.Sprintf(" (%s/s)", humanBytes(int64(float64(s.SentBytes)/s.Took.Seconds())))
		}
	}
	if s.HeldBytes > 0 {
		text += fmt.Sprintf("; %s of them were there from an earlier try", humanBytes(s.HeldBytes))
	}
	if s.Received > 0 {
		text += fmt.Sprintf("; %s received before, not sent again", plural(s.Received, "file"))
	}
	if failed := s.Failed + s.Unread; failed > 0 {
		text += fmt.Sprintf("; %d failed", failed)
	}
	text += ".\n"
	if s.Receipt != "" {
		text += "receipt: " + s.Receipt + "\n"
	}
	return text
}

// jsonLines tells with one JSON object a line (`caseload upload --help` documents them).
type jsonLines struct {
	out     *json.Encoder
	err     io.Writer
	sources []api.Source
	paths   []string
	tally   *tally
	now     func() time.Time
	told    map[int]time.Time
}

// jsonEvent is one line. Every line has an event; the rest is there when it says something.
type jsonEvent struct {
	Event  string `json:"event"`
	Server string `json:"server,omitempty"`
	Case   string `json:"case,omitempty"`   // id
	Number string `json:"number,omitempty"` // of the case
	Files  int    `json:"files,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`

	Path   string  `json:"path,omitempty"` // as this computer names it
	Name   string  `json:"name,omitempty"` // as the case shows it, with its folder
	File   string  `json:"file,omitempty"` // id
	Size   int64   `json:"size,omitempty"`
	Sent   int64   `json:"sent,omitempty"`
	CRC    string  `json:"crc64nvme,omitempty"`
	Kind   string  `json:"kind,omitempty"` // of an error
	Error  string  `json:"error,omitempty"`
	Wait   float64 `json:"wait_seconds,omitempty"`
	Reason string  `json:"reason,omitempty"`

	Outcome *jsonOutcome `json:"outcome,omitempty"`
}

// jsonOutcome is the end.
type jsonOutcome struct {
	Stored        int     `json:"stored"`
	Received      int     `json:"received"`
	Failed        int     `json:"failed"`
	SentBytes     int64   `json:"sent_bytes"`
	HeldBytes     int64   `json:"held_bytes"`
	ReceivedBytes int64   `json:"received_bytes"`
	ResentBytes   int64   `json:"resent_bytes"`
	Seconds       float64 `json:"seconds"`
	Drop          string  `json:"drop"`
	Receipt       string  `json:"receipt"`
}

func (j *jsonLines) begin(to destination) {
	_ = j.out.Encode(jsonEvent{Event: "begin", Server: to.Server, Case: to.Case.ID, Number: to.Case.Number, Files: len(j.sources), Bytes: j.tally.bytes})
}

func (j *jsonLines) notice(n api.Notice) {
	e := jsonEvent{Event: string(n.Stage), Sent: n.Sent, Wait: n.Wait.Seconds()}
	if n.Index >= 0 {
		e.Path, e.Name, e.Size = j.paths[n.Index], shown(j.sources[n.Index]), j.sources[n.Index].Size
	}
	if n.File != nil {
		e.File, e.CRC = n.File.ID, n.File.CRC64NVME
	}
	if n.Err != nil {
		e.Kind, e.Error = caseload.KindOf(n.Err).String(), sentence(n.Err)
	}
	switch n.Stage {
	case api.StageSending:
		now := j.now()
		if now.Sub(j.told[n.Index]) < time.Second {
			return
		}
		j.told[n.Index] = now
	case api.StageFailed:
		complain(j.err, e.Name, n.Err)
		delete(j.told, n.Index)
	case api.StageStored:
		delete(j.told, n.Index)
	}
	_ = j.out.Encode(e)
}

func (j *jsonLines) end(s summary) {
	_ = j.out.Encode(jsonEvent{Event: "end", Outcome: &jsonOutcome{
		Stored: s.Stored, Received: s.Received, Failed: s.Failed + s.Unread, SentBytes: s.SentBytes, HeldBytes: s.HeldBytes,
		ReceivedBytes: s.ReceivedBytes, ResentBytes: s.ResentBytes, Seconds: s.Took.Seconds(), Drop: s.Drop, Receipt: s.Receipt,
	}})
}
