package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// doctorPage is the report of an examination, as far as it has come.
type doctorPage struct {
	Running    bool
	Begun      bool // there is something to show
	Turn       int64
	Verdict    string
	Mood       string // good, warn, bad
	Counts     string
	At         moment
	Groups     []findingGroup // with something to be read
	FineGroups []findingGroup
	Guards     []guardRow
}

// findingGroup is what is read under one heading: what is to be mended, what is worth knowing, and the rest folded away.
type findingGroup struct {
	Key, Title string
	Level      string // of its worst finding
	LevelText  string
	Open       []findingRow
	Fine       []findingRow
	FineText   string
}

type findingRow struct {
	ID               string
	Check            string
	Level, LevelText string
	Said             saying // what came back, else what was tried
	Tried, Means     saying
	Fix              *fixRow
}

type fixRow struct {
	Say               saying
	Command, Document string
	Needs             []string
}

// saying is a sentence of the doctor in the reader's language where the catalogue has it; Lang names the language else.
type saying struct{ Text, Lang string }

type guardRow struct {
	Name, Says saying
	Holds      bool
}

// showDoctor shows the last examination, or the one under way.
func (s *Server) showDoctor(w http.ResponseWriter, r *http.Request) error {
	now, _ := s.examiner.look()
	return s.render(w, r, http.StatusOK, "doctor.html", s.doctorPage(localeOf(r), now))
}

// examineNow begins an examination and shows it.
func (s *Server) examineNow(w http.ResponseWriter, r *http.Request) error {
	s.examiner.begin()
	http.Redirect(w, r, "/doctor", http.StatusSeeOther)
	return nil
}

func (s *Server) doctorPage(l locale, now examination) doctorPage {
	report := now.Report
	if now.Running {
		report = doctor.Report{Findings: now.Found}
	}
	page := doctorPage{Running: now.Running, Begun: now.Running || now.Known, Turn: now.Turn}
	if !page.Begun {
		return page
	}
	page.At = l.when(report.At, s.Now())
	worst := report.Worst()
	page.Mood = map[doctor.Level]string{doctor.Fine: "good", doctor.Note: "good", doctor.Warning: "warn"}[worst]
	if page.Mood == "" {
		page.Mood = "bad"
	}
	page.Verdict = l.text("doctor.verdict." + worst.String())
	counts := map[doctor.Level]int{}
	for _, f := range report.Findings {
		counts[f.Level]++
	}
	var parts []string
	for _, level := range []doctor.Level{doctor.Failure, doctor.Warning, doctor.Untried, doctor.Note, doctor.Fine} {
		if n := counts[level]; n > 0 {
			parts = append(parts, l.count("doctor.count."+level.String(), n))
		}
	}
	page.Counts = strings.Join(parts, " · ")
	for _, of := range doctor.Grouped(report.Findings, true) {
		if group := l.findingGroup(of); len(group.Open) > 0 {
			page.Groups = append(page.Groups, group)
		} else {
			page.FineGroups = append(page.FineGroups, group)
		}
	}
	for _, g := range report.Enforces {
		page.Guards = append(page.Guards, guardRow{l.saying(g.Name), l.saying(g.Says), g.Holds})
	}
	return page
}

func (l locale) findingGroup(of []doctor.Finding) findingGroup {
	group := doctor.GroupOf(of[0].Check)
	out := findingGroup{
		Key: group.Key, Title: group.Title, Level: of[0].Level.String(), LevelText: l.text("doctor.level." + of[0].Level.String()),
	}
	if title, ok := l.words["doctor.group."+group.Key]; ok {
		out.Title = title
	}
	for i, f := range of {
		row := l.findingRow(f)
		row.ID = fmt.Sprintf("%s-%d", group.Key, i+1)
		if f.Level == doctor.Fine {
			out.Fine = append(out.Fine, row)
		} else {
			out.Open = append(out.Open, row)
		}
	}
	out.FineText = l.count("doctor.fine", len(out.Fine))
	return out
}

func (l locale) findingRow(f doctor.Finding) findingRow {
	row := findingRow{
		Check: f.Check, Level: f.Level.String(), LevelText: l.text("doctor.level." + f.Level.String()),
		Said: l.saying(f.Got), Tried: l.saying(f.Tried), Means: l.saying(f.Means),
	}
	if f.Got == "" {
		row.Said, row.Tried = row.Tried, saying{}
	}
	if f.Fix != nil {
		row.Fix = &fixRow{l.saying(f.Fix.Say), f.Fix.Command, f.Fix.Document, f.Fix.Needs}
	}
	return row
}

func (l locale) saying(sentence string) saying {
	if text, ok := l.sayWith(sentence, true); ok || l.lang == languages[0] {
		if !ok {
			text = sentence
		}
		return saying{Text: text}
	}
	return saying{sentence, languages[0]}
}

// followDoctor streams a "change" event with every finding, until the client leaves, its session ends or the server stops.
func (s *Server) followDoctor(w http.ResponseWriter, r *http.Request) error {
	stream, going := openEvents(w)
	beat := time.NewTicker(s.live.heartbeat)
	defer beat.Stop()
	for told := int64(-1); going; {
		now, changed := s.examiner.look()
		if now.Turn != told {
			told = now.Turn
			going = stream.changed(told)
			continue
		}
		select {
		case <-changed:
		case <-beat.C:
			going = s.stillKnown(r) && stream.beat()
		case <-r.Context().Done():
			return nil
		case <-s.live.closed:
			return nil
		}
	}
	return nil
}
