package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// cleanupShow writes plain lines or JSON lines. It names cases by number and files by id: names can be a patient's.
type cleanupShow struct {
	out    io.Writer
	asJSON bool
}

// cleanupLine is one line of --json.
type cleanupLine struct {
	Event        string             `json:"event"` // note, plan, ended, erased
	Organization string             `json:"organization,omitempty"`
	Plan         caseload.PlanID    `json:"plan,omitempty"`
	State        caseload.PlanState `json:"state,omitempty"`
	Objects      int64              `json:"objects,omitempty"`
	Bytes        int64              `json:"bytes,omitempty"`
	Percent      string             `json:"percent,omitempty"` // of everything the organization has
	Items        []cleanupItemLine  `json:"items,omitempty"`
	Done         int                `json:"done,omitempty"`
	Stayed       int                `json:"stayed,omitempty"`
	Doubts       []caseload.Doubt   `json:"doubts,omitempty"`
	Text         string             `json:"text,omitempty"`
}

type cleanupItemLine struct {
	Kind   caseload.ItemKind  `json:"kind"`
	Case   string             `json:"case,omitempty"` // its number
	File   caseload.FileID    `json:"file,omitempty"`
	Object caseload.ObjectKey `json:"object,omitempty"`
	Bytes  int64              `json:"bytes,omitempty"`
	Since  time.Time          `json:"since"`
}

// whyItGoes says of each kind of item what it is and why it goes.
var whyItGoes = map[caseload.ItemKind]string{
	caseload.ItemTrash:      "deleted, window over",
	caseload.ItemCase:       "finished case, into the trash",
	caseload.ItemUnfinished: "upload without a sign of life",
	caseload.ItemAbandoned:  "upload that was given up",
	caseload.ItemStray:      "parts in the store that no file knows",
}

func (s cleanupShow) line(l cleanupLine) bool {
	if s.asJSON {
		_ = json.NewEncoder(s.out).Encode(l)
	}
	return s.asJSON
}

func (s cleanupShow) note(text string) {
	if !s.line(cleanupLine{Event: "note", Text: text}) {
		fmt.Fprintln(s.out, text)
	}
}

func (s cleanupShow) plan(o caseload.Organization, p caseload.CleanupPlan, items []caseload.CleanupItem) {
	l := cleanupLine{Event: "plan", Organization: o.Name, Plan: p.ID, State: p.State, Objects: p.Goes.Objects, Bytes: p.Goes.Bytes, Percent: p.Share().String()}
	for _, i := range items {
		l.Items = append(l.Items, cleanupItemLine{Kind: i.Kind, Case: i.Number, File: i.File, Object: i.Object, Bytes: i.Bytes, Since: i.Since})
	}
	if s.line(l) {
		return
	}
	if len(items) == 0 {
		fmt.Fprintf(s.out, "%s: nothing would go\n", o.Name)
		return
	}
	fmt.Fprintf(s.out, "%s: %d would go, holding %d files and %s, %s %% of everything (plan %s)\n",
		o.Name, len(items), p.Goes.Objects, caseload.HumanBytes(p.Goes.Bytes), p.Share(), p.ID)
	for _, i := range items {
		what := "case " + i.Number
		switch {
		case i.Kind == caseload.ItemStray:
			what = "object " + string(i.Object)
		case i.File != "":
			what += " file " + string(i.File)
		}
		fmt.Fprintf(s.out, "  %s  %s  %s\n", i.Since.UTC().Format(time.DateOnly), what, whyItGoes[i.Kind])
	}
}

func (s cleanupShow) ended(o caseload.Organization, p caseload.CleanupPlan) {
	done, stayed := p.Count(caseload.ItemDone), p.Count(caseload.ItemFell)
	if !s.line(cleanupLine{Event: "ended", Organization: o.Name, Plan: p.ID, State: p.State, Done: done, Stayed: stayed, Doubts: p.Doubts}) {
		fmt.Fprintf(s.out, "%s: %s: %d went, %d stayed because they changed\n", o.Name, p.State, done, stayed)
	}
}

func (s cleanupShow) erased(n, failed int) {
	if !s.line(cleanupLine{Event: "erased", Done: n, Stayed: failed}) {
		fmt.Fprintf(s.out, "%d objects erased\n", n)
	}
}
