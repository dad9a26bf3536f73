package doctor

import (
	"slices"
	"strings"
)

// Group is what people read findings under.
type Group struct {
	Key   string // what stands before the first dot of a check's name
	Title string // English; the page translates it
}

// groups is the order in which things stand on each other, and in which they are read.
var groups = []Group{
	{"config", "Configuration"},
	{"database", "Database"},
	{"running", "Running"},
	{"front", "Way to Caseload"},
	{"network", "Way to the store"},
	{"clock", "Clock"},
	{"credentials", "Credentials"},
	{"bucket", "Bucket"},
	{"setup", "Setting the bucket up"},
	{"store", "Store"},
	{"cors", "Browsers (CORS)"},
	{"exposure", "Exposure"},
}

// GroupOf returns the group that a finding or check of this name is read under. A name of no known group is its own.
func GroupOf(name string) Group {
	key, _, _ := strings.Cut(name, ".")
	if at := place(key); at < len(groups) {
		return groups[at]
	}
	return Group{key, key}
}

func place(key string) int {
	if at := slices.IndexFunc(groups, func(g Group) bool { return g.Key == key }); at >= 0 {
		return at
	}
	return len(groups)
}

// Grouped returns the findings by group: the groups in the order in which things stand on each other, or worstFirst; the
// findings of each worst first, and otherwise in the order in which they were tried.
func Grouped(findings []Finding, worstFirst bool) [][]Finding {
	by := map[string][]Finding{}
	for _, f := range findings {
		key := GroupOf(f.Check).Key
		by[key] = append(by[key], f)
	}
	var sorted [][]Finding
	for _, of := range by {
		slices.SortStableFunc(of, func(a, b Finding) int { return b.Level.Rank() - a.Level.Rank() })
		sorted = append(sorted, of)
	}
	slices.SortFunc(sorted, func(a, b []Finding) int {
		if worstFirst && a[0].Level.Rank() != b[0].Level.Rank() {
			return b[0].Level.Rank() - a[0].Level.Rank()
		}
		keyA, keyB := GroupOf(a[0].Check).Key, GroupOf(b[0].Check).Key
		if at := place(keyA) - place(keyB); at != 0 {
			return at
		}
		return strings.Compare(keyA, keyB)
	})
	return sorted
}
