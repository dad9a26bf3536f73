package web

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// unreadView is one entry of an archive that was not read, or not wholly: why, and for the expert where.
type unreadView struct {
	Entry, Reason, Code, Tag string
	Offset                   string // bytes from the start of the file
}

// report tells what an archive holds and what of it was not read: "598 images · 2 not read: truncated · 3 ignored: Thumbs.db".
func (l locale) report(c caseload.Contents) string {
	var parts []string
	if c.Images > 0 {
		parts = append(parts, l.count("contents.images", c.Images))
	}
	if others := l.contents(caseload.CaseSummary{Meshes: c.Meshes, Photos: c.Photos, Documents: c.Documents, Others: c.Others}); others != "" {
		parts = append(parts, others)
	}
	if c.NotRead > 0 {
		parts = append(parts, l.count("report.notRead", c.NotRead, "reasons", l.reasons(c.Reasons)))
	}
	if c.InPart > 0 {
		parts = append(parts, l.count("report.inPart", c.InPart))
	}
	if c.Ignored > 0 {
		parts = append(parts, l.count("report.ignored", c.Ignored, "names", strings.Join(c.Junk, ", ")))
	}
	return strings.Join(parts, " · ")
}

// reasons names them, the most frequent first.
func (l locale) reasons(counts map[string]int) string {
	codes := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var names []string
	for _, code := range codes {
		if name := l.reason(code); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func (l locale) reason(code string) string {
	if name, ok := l.words["report.reason."+code]; ok {
		return name
	}
	return l.words["report.reason.unreadable"]
}

// unread lists the entries that were not read, or not wholly.
func (l locale) unread(list []caseload.Unread) []unreadView {
	views := make([]unreadView, len(list))
	for i, u := range list {
		views[i] = unreadView{Entry: u.Entry, Reason: l.said(u.Reason), Code: u.Code, Tag: u.Tag, Offset: formatNumber(u.Offset)}
	}
	return views
}
