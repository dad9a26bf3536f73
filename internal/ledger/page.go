package ledger

import (
	"cmp"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
)

// page is what one step finds.
type page struct {
	counts map[caseload.LedgerSum]caseload.LedgerSum // by organization, class and source
	lines  []caseload.LedgerLine
	keys   int64
	after  caseload.Mark
	last   bool // of its phase
}

// add counts one thing of the store.
func (p *page) add(org caseload.OrganizationID, class caseload.Class, source caseload.Source, bytes int64) {
	if p.counts == nil {
		p.counts = map[caseload.LedgerSum]caseload.LedgerSum{}
	}
	key := caseload.LedgerSum{Organization: org, Class: class, Source: source}
	sum, known := p.counts[key]
	if !known {
		sum = key
	}
	sum.Objects++
	sum.Bytes += bytes
	p.counts[key] = sum
}

// show counts one thing and gives it a line of its own.
func (p *page) show(line caseload.LedgerLine, source caseload.Source) {
	p.add(line.Organization, line.Class, source, line.Bytes)
	p.lines = append(p.lines, line)
}

// sums returns what was counted, in a fixed order.
func (p *page) sums() []caseload.LedgerSum {
	var all []caseload.LedgerSum
	for _, sum := range p.counts {
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b caseload.LedgerSum) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Source, b.Source))
	})
	return all
}
