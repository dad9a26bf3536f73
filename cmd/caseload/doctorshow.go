package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// findings prints a report as it grows: a heading per group, a line per finding, and below what is to be mended what was
// tried, what came back, what it means and the fix.
type findings struct {
	out    io.Writer
	colour bool
	group  string
}

func newFindings(out io.Writer) *findings {
	return &findings{out: out, colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

// marks are one word each, so that they read the same without colour and can be searched for.
var marks = map[doctor.Level]struct{ word, colour string }{
	doctor.Fine: {"ok", "32"}, doctor.Note: {"note", "36"}, doctor.Warning: {"warn", "33"},
	doctor.Failure: {"FAIL", "31;1"}, doctor.Untried: {"skip", "35"},
}

func (s *findings) show(f doctor.Finding) {
	if g := doctor.GroupOf(f.Check); g.Key != s.group {
		if s.group != "" {
			fmt.Fprintln(s.out)
		}
		s.group = g.Key
		fmt.Fprintln(s.out, s.paint("1", g.Title))
	}
	mark := marks[f.Level]
	said := f.Got
	if said == "" {
		said = f.Tried
	}
	fmt.Fprintf(s.out, "  %s  %s  %s\n", s.paint(mark.colour, fmt.Sprintf("%-4s", mark.word)), f.Check, said)
	if f.Level == doctor.Fine || f.Level == doctor.Untried { // what it stands on has said all there is to do
		return
	}
	if f.Level != doctor.Note {
		s.line("tried", f.Tried)
	}
	s.line("means", f.Means)
	if f.Fix == nil {
		return
	}
	s.line("fix", f.Fix.Say)
	s.line("needs", strings.Join(f.Fix.Needs, ", "))
	for _, paste := range []string{f.Fix.Command, f.Fix.Document} {
		if paste != "" {
			fmt.Fprintln(s.out, s.paint("2", indent(paste, "               ")))
		}
	}
}

// showProblem is show without what is as it should be.
func (s *findings) showProblem(f doctor.Finding) {
	if f.Level != doctor.Fine && f.Level != doctor.Note {
		s.show(f)
	}
}

func (s *findings) line(name, text string) {
	if text != "" {
		fmt.Fprintf(s.out, "        %-5s  %s\n", name, text)
	}
}

// end prints the table of what the store enforces and the sum.
func (s *findings) end(r doctor.Report) {
	if len(r.Enforces) > 0 {
		fmt.Fprintln(s.out, "\n"+s.paint("1", "What this store enforces"))
		for _, g := range r.Enforces {
			word := s.paint("33", "no ")
			if g.Holds {
				word = s.paint("32", "yes")
			}
			fmt.Fprintf(s.out, "  %s   %s  %s\n", word, g.Name, g.Says)
		}
	}
	counts := map[doctor.Level]int{}
	for _, f := range r.Findings {
		counts[f.Level]++
	}
	var parts []string
	for _, part := range []struct {
		level     doctor.Level
		one, many string
	}{
		{doctor.Failure, "failure", "failures"},
		{doctor.Warning, "warning", "warnings"},
		{doctor.Untried, "not tried", "not tried"},
		{doctor.Note, "note", "notes"},
		{doctor.Fine, "fine", "fine"},
	} {
		switch n := counts[part.level]; {
		case n == 1:
			parts = append(parts, "1 "+part.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, part.many))
		}
	}
	fmt.Fprintf(s.out, "\n%s, in %s\n", strings.Join(parts, ", "), r.Took.Round(10*time.Millisecond))
}

func (s *findings) paint(colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}
