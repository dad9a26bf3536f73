package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// objects is one step through the bucket's objects and the files' rows at once: both are read from the mark on, and
// compared up to where the shorter of the two pages ends. The rows are read after the listing: whatever is listed had its
// row before.
func (s *Service) objects(ctx context.Context, l caseload.Ledger) (page, error) {
	listed, more, err := s.Objects.List(ctx, l.After, l.Versions, s.atOnce().keys)
	if err != nil {
		return page{}, fmt.Errorf("list the bucket: %w", err)
	}
	rows, err := s.Records.LedgerRows(ctx, l.After.Key, s.atOnce().rows)
	if err != nil {
		return page{}, fmt.Errorf("read the files' objects: %w", err)
	}
	listed, rows, p := upToTheShorter(listed, more, rows, len(rows) == s.atOnce().rows, l.After)
	p.keys = int64(len(listed))
	known, err := s.known(ctx, listed, rows)
	if err != nil {
		return page{}, err
	}
	var doubtful []caseload.Listed
	for _, o := range listed {
		org, class, why := explain(o, known.of(o.Key))
		if why != "" {
			doubtful = append(doubtful, o)
			continue
		}
		p.add(org, class, source(o), o.Size)
	}
	var absent []caseload.LedgerRow
	for _, row := range rows {
		if row.State.Acknowledged() && !known.here(row) {
			absent = append(absent, row)
		}
	}
	if err := s.lookAgain(ctx, l, &p, doubtful); err != nil {
		return page{}, err
	}
	return p, s.lookFor(ctx, l, &p, absent)
}

// upToTheShorter cuts both pages at the key up to which both are complete, and says where the next step begins.
func upToTheShorter(listed []caseload.Listed, more bool, rows []caseload.LedgerRow, moreRows bool, from caseload.Mark) ([]caseload.Listed, []caseload.LedgerRow, page) {
	p := page{last: true, after: from}
	if more {
		p.last, p.after = false, caseload.Behind(listed)
	}
	if moreRows {
		if end := rows[len(rows)-1].Object; p.last || end < p.after.Key {
			p.last, p.after = false, caseload.Mark{Key: end}
		}
	}
	if p.last {
		return listed, rows, p
	}
	listed = slices.DeleteFunc(listed, func(o caseload.Listed) bool { return o.Key > p.after.Key })
	rows = slices.DeleteFunc(rows, func(r caseload.LedgerRow) bool { return r.Object > p.after.Key })
	return listed, rows, p
}

// keys is what is known of the keys of one page.
type keys struct {
	rows   map[caseload.ObjectKey]*caseload.LedgerRow
	listed map[caseload.ObjectKey]bool
	pinned map[caseload.ObjectKey]bool // the object that the row reads was among those listed
}

func (k keys) of(key caseload.ObjectKey) *caseload.LedgerRow { return k.rows[key] }

// here tells whether the page held the row's object.
func (k keys) here(row caseload.LedgerRow) bool { return k.pinned[row.Object] }

// known joins the page's keys with the rows, asking for those that the rows do not hold: forms, and the key in whose
// middle the page begins.
func (s *Service) known(ctx context.Context, listed []caseload.Listed, rows []caseload.LedgerRow) (keys, error) {
	k := keys{rows: map[caseload.ObjectKey]*caseload.LedgerRow{}, listed: map[caseload.ObjectKey]bool{}, pinned: map[caseload.ObjectKey]bool{}}
	for i := range rows {
		k.rows[rows[i].Object] = &rows[i]
	}
	var ask []caseload.ObjectKey
	for _, o := range listed {
		if k.rows[o.Key] == nil && !k.listed[o.Key] && !strings.HasPrefix(string(o.Key), caseload.TrialPrefix) {
			ask = append(ask, o.Key)
		}
		k.listed[o.Key] = true
	}
	more, err := s.rowsOf(ctx, ask)
	if err != nil {
		return k, err
	}
	for key, row := range more {
		k.rows[key] = row
	}
	for _, o := range listed {
		if row := k.rows[o.Key]; row != nil && pinned(o, row) {
			k.pinned[o.Key] = true
		}
	}
	return k, nil
}

func (s *Service) rowsOf(ctx context.Context, ask []caseload.ObjectKey) (map[caseload.ObjectKey]*caseload.LedgerRow, error) {
	found := map[caseload.ObjectKey]*caseload.LedgerRow{}
	if len(ask) == 0 {
		return found, nil
	}
	rows, err := s.Records.LedgerRowsOf(ctx, ask)
	if err != nil {
		return nil, fmt.Errorf("look for %d keys: %w", len(ask), err)
	}
	for i := range rows {
		found[rows[i].Object] = &rows[i]
	}
	return found, nil
}

// lookAgain decides about the objects that nothing explained: those that the store lists no more are none, and a row may
// have changed meanwhile. What then still has no explanation gets its line.
func (s *Service) lookAgain(ctx context.Context, l caseload.Ledger, p *page, doubtful []caseload.Listed) error {
	if len(doubtful) == 0 {
		return nil
	}
	still, err := s.listedStill(ctx, l, doubtful[len(doubtful)-1].Key)
	if err != nil {
		return err
	}
	ask := make([]caseload.ObjectKey, 0, len(doubtful))
	for _, o := range doubtful {
		ask = append(ask, o.Key)
	}
	rows, err := s.rowsOf(ctx, slices.Compact(ask))
	if err != nil {
		return err
	}
	for _, o := range doubtful {
		if !still[o.Mark] {
			p.keys--
			continue
		}
		org, class, why := explain(o, rows[o.Key])
		if why == "" {
			p.add(org, class, source(o), o.Size)
			continue
		}
		line := caseload.LedgerLine{Class: class, Object: o.Key, VersionID: o.ID, Organization: org, Bytes: o.Size, Why: why}
		if row := rows[o.Key]; row != nil {
			line.File = row.File
		}
		p.show(line, source(o))
	}
	return nil
}

// listedStill lists the step's keys once more, to the last that is in doubt.
func (s *Service) listedStill(ctx context.Context, l caseload.Ledger, end caseload.ObjectKey) (map[caseload.Mark]bool, error) {
	still := map[caseload.Mark]bool{}
	for after := l.After; ; {
		listed, more, err := s.Objects.List(ctx, after, l.Versions, s.atOnce().keys)
		if err != nil {
			return nil, fmt.Errorf("list the bucket again: %w", err)
		}
		for _, o := range listed {
			if o.Key <= end {
				still[o.Mark] = true
			}
		}
		if !more || listed[len(listed)-1].Key > end {
			return still, nil
		}
		after = caseload.Behind(listed)
	}
}

// lookFor decides about received files whose object the page did not hold: it may have come, or gone with its row,
// meanwhile.
func (s *Service) lookFor(ctx context.Context, l caseload.Ledger, p *page, absent []caseload.LedgerRow) error {
	for _, row := range absent {
		o, err := s.Objects.Head(ctx, row.Object, version(row, l.Versions))
		switch {
		case err == nil:
			if row.Object != p.after.Key || p.after.ID == "" || p.last { // else the next page may begin with it
				p.add(row.Organization, live(&row), caseload.SourceObject, o.Size)
				p.keys++
			}
			continue
		case caseload.KindOf(err) != caseload.NotFound:
			return fmt.Errorf("look for the object of file %s: %w", row.File, err)
		}
		rows, err := s.rowsOf(ctx, []caseload.ObjectKey{row.Object})
		if err != nil {
			return err
		}
		now := rows[row.Object]
		if now == nil || !now.State.Acknowledged() {
			continue
		}
		line := caseload.LedgerLine{
			Class: caseload.ClassMissing, Object: row.Object, VersionID: row.VersionID, Organization: row.Organization,
			File: row.File, Bytes: row.Size, Why: whyMissing,
		}
		if row.VersionID != "" {
			line.Why = whyVersionOff
		}
		p.show(line, caseload.SourceRow)
	}
	return nil
}
