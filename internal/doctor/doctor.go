// Package doctor tries what a deployment stands on and says what is wrong and how it is mended: as the server, as a
// browser and as an anonymous stranger would. It decides nothing by reading documents where it can try instead, cleans up
// after itself, and what it says is safe to send to anybody: no secret, no signed address, no patient text. It knows
// neither the store's client nor the database: it declares what it asks of them, and cmd/caseload hands them in.
//
// A group of checks is a function that returns []Check; Run carries the checks out in order. Names are dotted, and what
// stands before the first dot is the group under which people read it (Groups).
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level is how bad a finding is.
type Level int

const (
	Fine    Level = iota // as it should be
	Note                 // worth knowing; nothing is to be mended
	Warning              // it works, but something is to be mended
	Failure              // it does not work, or patients' data is in danger
	Untried              // what the check stands on is missing; the finding says what is to be mended first
)

var levelNames = [...]string{"fine", "note", "warning", "failure", "untried"}

// String returns the stable name used in JSON ("fine", "untried", …).
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return "failure"
	}
	return levelNames[l]
}

// MarshalText writes the stable name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (l *Level) UnmarshalText(name []byte) error {
	at := slices.Index(levelNames[:], string(name))
	if at < 0 {
		return fmt.Errorf("%q is no level of a finding", name)
	}
	*l = Level(at)
	return nil
}

// Rank orders levels from good to bad, for sorting and exit codes: what could not be tried is worse than a warning and not
// as bad as a failure, which it always has beside it.
func (l Level) Rank() int {
	return map[Level]int{Fine: 0, Note: 1, Warning: 2, Untried: 3, Failure: 4}[l]
}

// Finding is one thing that was tried and what came of it. Tried, Got and Means are one plain sentence each, with neither
// secrets, signed addresses nor patient text; Got and Means may be empty when the finding is Fine.
type Finding struct {
	Check string `json:"check"` // stable dotted name: "store.permission.s3:AbortMultipartUpload", "clock.skew"
	Level Level  `json:"level"`
	Tried string `json:"tried"`
	Got   string `json:"got,omitempty"`
	Means string `json:"means,omitempty"`
	Fix   *Fix   `json:"fix,omitempty"`   // nil when nothing is to be mended
	Guard *Guard `json:"guard,omitempty"` // set when the finding is a line of the table of what the store enforces
}

// Fix says how a finding is mended.
type Fix struct {
	Say      string                          // what to do and who does it, one sentence
	Command  string                          // ready to paste, or ""
	Document string                          // JSON ready to paste, or ""
	Needs    []string                        // the rights that it takes, by name; empty when none, or they are in Say
	Apply    func(ctx context.Context) error // does it, for --fix, after asking; nil when a person must
}

// MarshalJSON tells besides the texts whether `caseload doctor --fix` can do it.
func (f Fix) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Say      string   `json:"say"`
		Command  string   `json:"command,omitempty"`
		Document string   `json:"document,omitempty"`
		Needs    []string `json:"needs,omitempty"`
		CanApply bool     `json:"can_apply"`
	}{f.Say, f.Command, f.Document, f.Needs, f.Apply != nil})
}

// Guard is one line of the table of what the store enforces by itself: "refuses a PUT of another length than was signed".
type Guard struct {
	Name  string `json:"name"`  // short: "signed length", "write once"
	Holds bool   `json:"holds"` // the store refused what it should refuse
	Says  string `json:"says"`  // what it answered: "403 SignatureDoesNotMatch"
}

// Check is one trial. Run may give several findings, each under a name that begins with the check's own.
type Check struct {
	Name  string
	Needs []string // names of checks or findings; when one of them failed or was not tried, this is Untried
	Run   func(ctx context.Context) []Finding
}

// Report is what a whole run found, in the order in which it was tried.
type Report struct {
	At       time.Time
	Took     time.Duration
	Findings []Finding
	Enforces []Guard // what this store enforces; empty when that was not tried
}

// MarshalJSON writes the report as `caseload doctor --json` and /api/v1/doctor answer it.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At       time.Time `json:"at"`
		Took     int64     `json:"took_ms"`
		Worst    Level     `json:"worst"`
		Findings []Finding `json:"findings"`
		Enforces []Guard   `json:"enforces"`
	}{r.At, r.Took.Milliseconds(), r.Worst(), r.Findings, r.Enforces})
}

// Worst returns the level of the worst finding: Fine, Note, Warning or Failure. An Untried finding alone counts as
// Failure: nobody knows whether that part works.
func (r Report) Worst() Level {
	worst := Fine
	for _, f := range r.Findings {
		if f.Level.Rank() > worst.Rank() {
			worst = f.Level
		}
	}
	if worst == Untried {
		return Failure
	}
	return worst
}

// checkWithin bounds one check. Each bounds its own calls by less; this is for the one that forgot.
const checkWithin = 2 * time.Minute

// Run carries out the checks in order and passes each finding to said (which may be nil) when it is made. A check whose
// ground is missing is not tried and says what is to be mended first; one that panics is a failure of its own. When ctx
// ends, what is left is reported as not tried.
func Run(ctx context.Context, checks []Check, said func(Finding)) Report {
	began := time.Now()
	report := Report{At: began.UTC(), Findings: []Finding{}, Enforces: []Guard{}}
	for _, c := range checks {
		for _, f := range carryOut(ctx, c, report.Findings) {
			f = clean(f)
			report.Findings = append(report.Findings, f)
			if f.Guard != nil {
				report.Enforces = append(report.Enforces, *f.Guard)
			}
			if said != nil {
				said(f)
			}
		}
	}
	report.Took = time.Since(began)
	return report
}

func carryOut(ctx context.Context, c Check, before []Finding) (found []Finding) {
	if name := missing(c.Needs, before); name != "" {
		return []Finding{{Check: c.Name, Level: Untried, Tried: "This was not tried.", Got: "It stands on " + name + ", which failed.", Means: "Mend " + name + " first."}}
	}
	if ctx.Err() != nil {
		return []Finding{{Check: c.Name, Level: Untried, Tried: "This was not tried.", Got: "The run was stopped before its turn.", Means: "Run it again."}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	defer func() {
		if fault := recover(); fault != nil {
			found = []Finding{{
				Check: c.Name, Level: Failure, Tried: "The check itself broke down.", Got: fmt.Sprintf("%v", fault),
				Means: "This is a fault of Caseload, not of your deployment.",
				Fix:   &Fix{Say: "Report it with the output of `caseload version`."},
			}}
		}
	}()
	return c.Run(ctx)
}

// Unless returns the checks so that they find nothing while it is so.
func Unless(so func(ctx context.Context) bool, checks []Check) []Check {
	out := slices.Clone(checks)
	for i, c := range checks {
		out[i].Run = func(ctx context.Context) []Finding {
			if so(ctx) {
				return nil
			}
			return c.Run(ctx)
		}
	}
	return out
}

// missing returns the name of the first need that failed or was not tried, else "". A need is the name of a check or of
// one of its findings.
func missing(needs []string, before []Finding) string {
	for _, need := range needs {
		for _, f := range before {
			if (f.Level == Failure || f.Level == Untried) && (f.Check == need || strings.HasPrefix(f.Check, need+".")) {
				return f.Check
			}
		}
	}
	return ""
}
