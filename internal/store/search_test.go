package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"dcdentals.com/caseload/internal/caseload"
)

func (b *bench) find(q CaseQuery) []string {
	b.t.Helper()
	var numbers []string
	for {
		page, err := b.s.Cases(b.t.Context(), b.admin, q)
		must(b.t, err)
		for _, c := range page.Cases {
			numbers = append(numbers, c.Number)
		}
		if page.Next == "" {
			return numbers
		}
		q.Cursor = page.Next
	}
}

func TestSearch(t *testing.T) {
	patients := map[string]string{
		"2026-0001": "김철수", "2026-0002": norm.NFD.String("김영희"), "2026-0003": "Müller, Jörg", "2026-0004": "O'Brien-Smith",
		"2026-0005": "ＭＩＬＬＥＲ", "2026-0006": "Иванов Пётр", "2026-0007": "STRASSE", "2026-0008": "山田太郎", "2026-0009": "50% _off\\",
		"A/17": "nobody",
	}
	cases := []struct {
		text string
		want []string
	}{
		{"김철수", []string{"2026-0001"}},
		{"철수", []string{"2026-0001"}},
		{"김", []string{"2026-0001", "2026-0002"}},
		{"영희", []string{"2026-0002"}},
		{norm.NFD.String("영희"), []string{"2026-0002"}},
		{"태", nil},
		{"太郎", []string{"2026-0008"}},
		{"muller", nil},
		{"MÜLL", []string{"2026-0003"}},
		{"mu\u0308ll", []string{"2026-0003"}},
		{"jörg müller", []string{"2026-0003"}},
		{"jörg miller", nil},
		{"o'brien", []string{"2026-0004"}},
		{"smith", []string{"2026-0004"}},
		{"miller", []string{"2026-0005"}},
		{"иванов", []string{"2026-0006"}},
		{"straße", []string{"2026-0007"}},
		{"0004", []string{"2026-0004"}},
		{"2026-0004", []string{"2026-0004"}},
		{"2026-000", []string{"2026-0001", "2026-0002", "2026-0003", "2026-0004", "2026-0005", "2026-0006", "2026-0007", "2026-0008", "2026-0009"}},
		{"%", nil},
		{"_", nil},
		{"50", []string{"2026-0009"}},
		{"off", []string{"2026-0009"}},
		{"17", []string{"A/17"}},
		{"\x00\xff", nil},
		{"\U0010FFFF", nil},
	}
	onBoth(t, func(t *testing.T, b *bench) {
		numbers := make([]string, 0, len(patients))
		for n := range patients {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		for _, n := range numbers {
			b.newCase(n, patients[n])
		}
		for _, c := range cases {
			got := b.find(CaseQuery{Text: c.text})
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%q finds %q, want %q", c.text, got, c.want)
			}
		}
		if got := b.find(CaseQuery{Text: "  "}); len(got) != len(patients) {
			t.Errorf("white space finds %d cases, want all", len(got))
		}
		first := b.find(CaseQuery{Text: "김철수"})
		page, err := b.s.Cases(t.Context(), b.admin, CaseQuery{Text: first[0]})
		must(t, err)
		changed := page.Cases[0].Case
		changed.Patient = "박민준"
		must(t, b.s.ChangeCase(t.Context(), b.admin, changed))
		if len(b.find(CaseQuery{Text: "철수"})) != 0 || len(b.find(CaseQuery{Text: "민준"})) != 1 {
			t.Error("a changed patient is found by the old name, or not by the new one")
		}
	})
}

func TestPagesShowEveryCaseOnceInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var want []string
		for i := range 25 {
			if i%3 == 0 {
				b.pass(time.Second) // several cases of one moment
			}
			c := b.newCase(fmt.Sprintf("2026-%04d", i+1), "Kim")
			b.as(c.ID, []caseload.State{caseload.Planned, caseload.Stored, caseload.Ready, caseload.Rejected}[i%4])
			want = append(want, c.Number)
		}
		for _, text := range []string{"", "kim", "2026"} {
			got := b.find(CaseQuery{Text: text, Limit: 4})
			sorted := slices.Clone(got)
			slices.Sort(sorted)
			if !slices.Equal(sorted, want) {
				t.Errorf("pages of 4 for %q show %q", text, got)
			}
			if all := b.find(CaseQuery{Text: text, Limit: 200}); !slices.Equal(all, got) {
				t.Errorf("pages of 4 for %q are in another order than one page of all", text)
			}
		}
		for state, n := range map[string]int{"arriving": 7, "reading": 6, "ready": 6, "attention": 6} {
			if got := b.find(CaseQuery{State: state, Limit: 4}); len(got) != n {
				t.Errorf("%s shows %d cases, want %d", state, len(got), n)
			}
			if got := b.find(CaseQuery{State: state, Text: "kim", Limit: 4}); len(got) != n {
				t.Errorf("%s with a word shows %d cases, want %d", state, len(got), n)
			}
		}
		for _, q := range []CaseQuery{{Cursor: "x"}, {Cursor: "MTIz"}, {State: "odd"}} {
			_, err := b.s.Cases(t.Context(), b.admin, q)
			wantKind(t, err, caseload.Invalid)
		}
		number, err := b.s.ProposeCaseNumber(t.Context(), b.admin)
		must(t, err)
		if number != "2026-0026" {
			t.Errorf("proposed %q", number)
		}
		_, err = b.s.CreateCase(t.Context(), b.admin, caseload.Case{Number: "2026-0003"})
		wantKind(t, err, caseload.Conflict)
	})
}

func TestProgressIsBoundedAndSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		sending, ready := b.as(c.ID, caseload.Sending), b.as(c.ID, caseload.Ready)
		before, err := b.s.Revisions(ctx, []caseload.CaseID{c.ID, "nobody"})
		must(t, err)
		must(t, b.s.ReportProgress(ctx, b.admin, []caseload.Progress{
			{File: sending.ID, Sent: 400}, {File: ready.ID, Sent: 1}, {File: "nobody", Sent: 1}, {File: sending.ID, Sent: 5000},
		}))
		after, err := b.s.Revisions(ctx, []caseload.CaseID{c.ID})
		must(t, err)
		got, err := b.s.File(ctx, b.admin, sending.ID)
		must(t, err)
		if got.SentBytes != sending.Size || after[c.ID] != before[c.ID]+1 || len(before) != 1 {
			t.Errorf("sent %d of %d, revision %d after %d", got.SentBytes, sending.Size, after[c.ID], before[c.ID])
		}
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{})
		must(t, err)
		if s := page.Cases[0]; s.SentBytes != 1000 || s.DueBytes != 1000 || s.Arriving != 1 || s.Files != 2 {
			t.Errorf("the summary says %+v", s)
		}
		must(t, b.s.ReportProgress(ctx, b.admin, []caseload.Progress{{File: sending.ID, Sent: -5}}))
		if got, err = b.s.File(ctx, b.admin, sending.ID); err != nil || got.SentBytes != 0 {
			t.Errorf("a negative report leaves %d (%v)", got.SentBytes, err)
		}
		stats, err := b.s.Stats(ctx)
		must(t, err)
		if len(stats.Files) != 2 || stats.Files[0].Files != 1 || stats.Files[0].Bytes != 1000 {
			t.Errorf("stats: %+v", stats)
		}
	})
}
