package caseload

import (
	"slices"
	"testing"
)

func TestNamesAreOrderedAsPeopleDo(t *testing.T) {
	for _, want := range [][]string{
		{"IM1", "IM2", "IM10", "IM100"},
		{"scan 2/IM9", "scan 10/IM1"},
		{"1.2.9.1", "1.2.10.1"},
		{"", "0", "00", "a", "a0", "a1", "a01b", "a1b"},
		{"99999999999999999999999", "100000000000000000000000"},
		{"2026-9", "2026-118", "2026-118 Kim", "임2", "임10"},
	} {
		got := slices.Clone(want)
		slices.Reverse(got)
		slices.SortFunc(got, CompareNames)
		if !slices.Equal(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func FuzzCompareNames(f *testing.F) {
	f.Add("IM2", "IM10", "IM02")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if CompareNames(a, b) != -CompareNames(b, a) || (CompareNames(a, b) == 0) != (a == b) {
			t.Errorf("%q and %q have no order", a, b)
		}
		if CompareNames(a, b) < 0 && CompareNames(b, c) < 0 && CompareNames(a, c) >= 0 {
			t.Errorf("%q, %q, %q: a circle", a, b, c)
		}
	})
}
