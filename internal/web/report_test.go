package web

import (
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func TestTheReportOfAnArchiveIsOneLine(t *testing.T) {
	truncated := caseload.Unread{Entry: "IM599", Reason: "cut", Code: "truncated"}
	var cut caseload.Report
	cut.Add(truncated)
	cut.Add(truncated)
	mixed := cut
	mixed.Reasons = map[string]int{"truncated": 2}
	mixed.Add(caseload.Unread{Code: "encrypted"})
	mixed.Add(caseload.Unread{Code: "truncated", Part: true})
	for want, c := range map[string]struct {
		lang     string
		contents caseload.Contents
	}{
		"598 images · 2 not read: truncated · 3 ignored: Thumbs.db":                               {"en", caseload.Contents{Entries: 600, Images: 598, Ignored: 3, Junk: []string{"Thumbs.db"}, Report: cut}},
		"영상 598장 · 2개 읽지 못함: 잘림 · 3개 제외: Thumbs.db":                                               {"ko", caseload.Contents{Entries: 600, Images: 598, Ignored: 3, Junk: []string{"Thumbs.db"}, Report: cut}},
		"1 image · 1 mesh · 3 not read: truncated, protected by a password · 1 read only in part": {"en", caseload.Contents{Entries: 5, Images: 1, Meshes: 1, Report: mixed}},
		"1 not read: unreadable": {"en", caseload.Contents{Report: caseload.Report{NotRead: 1, Reasons: map[string]int{"of another version": 1}}}},
		"":                       {"en", caseload.Contents{}},
	} {
		l := locale{words: catalogue()[c.lang], lang: c.lang, zone: time.UTC}
		if got := l.report(c.contents); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
