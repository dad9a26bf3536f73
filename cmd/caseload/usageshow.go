package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// classNames are the words of the classes on a terminal.
var classNames = map[caseload.Class]string{
	caseload.ClassLive: "live", caseload.ClassOlder: "older versions of files", caseload.ClassInFlight: "in flight",
	caseload.ClassAbandoned: "abandoned, to be erased", caseload.ClassTrash: "trash, to be erased",
	caseload.ClassReplaced: "replaced versions, kept by the bucket", caseload.ClassMarker: "delete markers, without bytes", caseload.ClassTrial: "Caseload's own mark, and what tests left",
	caseload.ClassUnexplained: "unexplained", caseload.ClassMissing: "files without their object",
}

// showUsage writes the usage for people.
func showUsage(out io.Writer, u caseload.Usage) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(columns ...any) {
		for i, c := range columns {
			if i > 0 {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, c)
		}
		fmt.Fprintln(table)
	}
	showLedger(line, u)
	line()
	line("BY THE DATABASE", "FILES", "BYTES")
	for _, c := range u.Classes {
		line(classNames[c.Class], c.Objects, caseload.RoundBytes(c.Bytes))
	}
	line()
	line("ORGANIZATION", "FILES", "BYTES", "ARRIVING", "QUOTA", "FREE")
	for _, o := range u.Organizations {
		quota, free := "none", "-"
		if o.Quota > 0 {
			q := caseload.Quota{Limit: o.Quota, Used: o.Bytes + o.Due}
			quota, free = caseload.RoundBytes(o.Quota), caseload.RoundBytes(q.Free())
		}
		line(plainName(o.Name), o.Files, caseload.RoundBytes(o.Bytes), caseload.RoundBytes(o.Due), quota, free)
	}
	line()
	line("KIND", "FILES", "BYTES")
	for _, k := range u.Kinds {
		line(kindName(k.Kind), k.Files, caseload.RoundBytes(k.Bytes))
	}
	line("previews (in the database)", u.Previews.Objects, caseload.RoundBytes(u.Previews.Bytes))
	line()
	line("LARGEST CASES", "FILES", "BYTES")
	for _, c := range u.Cases {
		line(plainName(c.Number), c.Files, caseload.RoundBytes(c.Bytes))
	}
	line()
	line("CAME IN LAST", "CASE", "KIND", "BYTES")
	for _, f := range u.Recent {
		line(f.At.UTC().Format(time.RFC3339), plainName(f.Number), kindName(f.Kind), caseload.RoundBytes(f.Size))
	}
	if len(u.Arriving) > 0 {
		line()
		line("COMING IN", "CASE", "ROUTE", "ARRIVED", "OF")
		for _, f := range u.Arriving {
			line(f.File, plainName(f.Number), f.Route, caseload.RoundBytes(f.Sent), caseload.RoundBytes(f.Size))
		}
	}
	showDays(line, u.Days)
	return table.Flush()
}

// daysTold is how many days the list over time names, the newest; --json has all.
const daysTold = 14

// showDays tells what was kept at the end of each of the last days.
func showDays(line func(...any), usage []caseload.UsageDay) {
	type day struct {
		day                  string
		files, received, all int64
	}
	var days []day
	for _, d := range usage {
		if len(days) == 0 || days[len(days)-1].day != d.Day {
			days = append(days, day{day: d.Day})
		}
		last := &days[len(days)-1]
		last.all += d.Bytes
		if d.Class == caseload.ClassLive || d.Class == caseload.ClassOlder {
			last.files, last.received = last.files+d.Objects, last.received+d.Bytes
		}
	}
	if len(days) == 0 {
		return
	}
	line()
	line("DAY", "FILES", "BYTES", "WITH WHAT COMES OR GOES")
	for _, d := range days[max(0, len(days)-daysTold):] {
		line(d.day, d.files, caseload.RoundBytes(d.received), caseload.RoundBytes(d.all))
	}
}

func showLedger(line func(...any), u caseload.Usage) {
	if u.Running != nil {
		line(fmt.Sprintf("A ledger is under way: %d keys so far.", u.Running.Keys))
	}
	if u.Ledger == nil {
		line("No ledger yet. To compare the database with the bucket: caseload usage --refresh")
		return
	}
	line(fmt.Sprintf("Ledger of %s, %d keys:", u.Ledger.FinishedAt.UTC().Format(time.RFC3339), u.Ledger.Keys))
	line("IN THE BUCKET", "OBJECTS", "VERSIONS", "UPLOADS", "BYTES")
	for _, t := range totals(u.Sums) {
		line(t.Name, t.Objects, t.Versions, t.Uploads, strconv.FormatInt(t.Bytes, 10))
	}
	for _, l := range u.Lines {
		what := string(l.Object)
		if l.VersionID != "" {
			what += " version " + l.VersionID
		}
		if l.UploadID != "" {
			what += " upload " + l.UploadID
		}
		line(classNames[l.Class]+": "+plainName(what), "", "", "", l.Bytes, l.Why)
	}
}

// bucketTotal is one class of the ledger over all organizations. Bytes of what is missing are not in the bucket.
type bucketTotal struct {
	Class                      caseload.Class
	Name                       string
	Objects, Versions, Uploads int64
	Bytes                      int64
}

// totals sums by class; the last line is everything the bucket holds.
func totals(sums []caseload.LedgerSum) []bucketTotal {
	var all []bucketTotal
	bucket := bucketTotal{Name: "all"}
	for _, class := range caseload.Classes() {
		t := bucketTotal{Class: class, Name: classNames[class]}
		for _, sum := range sums {
			if sum.Class != class {
				continue
			}
			t.Bytes += sum.Bytes
			switch sum.Source {
			case caseload.SourceVersion:
				t.Versions += sum.Objects
			case caseload.SourceUpload:
				t.Uploads += sum.Objects
			default:
				t.Objects += sum.Objects
			}
		}
		all = append(all, t)
		if class != caseload.ClassMissing {
			bucket.Objects, bucket.Versions = bucket.Objects+t.Objects, bucket.Versions+t.Versions
			bucket.Uploads, bucket.Bytes = bucket.Uploads+t.Uploads, bucket.Bytes+t.Bytes
		}
	}
	return append(all, bucket)
}

func kindName(kind caseload.FileKind) string {
	if kind == caseload.KindUnknown {
		return "not read yet"
	}
	return string(kind)
}

// plainName is text that people or strangers chose, as one line of a terminal: quoted when it is anything but plain.
func plainName(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}
