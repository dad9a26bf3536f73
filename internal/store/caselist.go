package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// CaseQuery asks for one page of an organization's cases, the last changed first.
type CaseQuery struct {
	Text   string // words; each must begin a word of the case's number, patient, or what its DICOM files say of them
	State  string // "", "arriving", "reading", "ready" or "attention"; see stateWhere
	Cursor string // CasePage.Next of the page before; "" for the first
	Limit  int    // 50 when not positive, at most 200
}

// CasePage is one page of the list.
type CasePage struct {
	Cases []caseload.CaseSummary
	Next  string // Cursor of the next page; "" when this is the last
}

// stateWhere says per State which files f make a case match. "ready" asks besides that nothing is arriving or in work.
// The texts repeat the conditions of the partial indexes word for word: only then are those used.
var stateWhere = map[string]string{
	"arriving":  `f.state IN ('planned', 'sending')`,
	"reading":   `f.state IN ('stored', 'reading')`,
	"ready":     `f.state = 'ready'`,
	"attention": `((f.state IN ('rejected', 'abandoned') OR (f.warned = 1 AND f.state <> 'deleted')) AND f.superseded = 0)`,
}

// fewHits is how many candidates are looked up one by one and sorted; with more of them it is cheaper to walk the list
// from its newest case and try each. With several conditions fewer of the candidates remain to be looked up, and a walk
// may have to go far for conditions that seldom meet: fewHitsOfMany, which also counts for files, of which a case has
// several.
const (
	fewHits       = 5000
	fewHitsOfMany = 12_000
)

// Cases returns one page of the user's organization's cases, the last changed first. Invalid when State or Cursor is
// not understood. A case that changes while somebody pages moves to the front; none is shown twice within one page.
func (s *Store) Cases(ctx context.Context, user caseload.User, q CaseQuery) (page CasePage, err error) {
	defer explain("list cases", &err)
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	l := &listing{org: user.Organization}
	if err := l.after(q.Cursor); err != nil {
		return page, err
	}
	if q.State != "" && stateWhere[q.State] == "" {
		return page, caseload.Errorf(caseload.Invalid, "There is no such filter.").WithField("state")
	}
	words := searchWords(q.Text)
	if strings.TrimSpace(q.Text) != "" && len(words) == 0 {
		return page, nil // nothing but punctuation: nothing is found by it
	}
	query, err := s.plan(ctx, l, words[:min(len(words), maxWords)], q.State, limit+1)
	if err != nil {
		return page, err
	}
	rows, err := s.reader.QueryContext(ctx, query, l.args...)
	found, err := collect(rows, err, scanCase)
	if err != nil {
		return page, err
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		page.Next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%s", toMS(last.ChangedAt), last.ID))
	}
	page.Cases, err = s.summaries(ctx, found)
	return page, err
}

// listing collects the arguments of one list query.
type listing struct {
	org    caseload.OrganizationID
	args   []any
	atMS   int64 // where the page before ended
	atID   string
	paging bool
}

// arg adds an argument and returns its placeholder.
func (l *listing) arg(value any) string {
	l.args = append(l.args, value)
	return "$" + strconv.Itoa(len(l.args))
}

func (l *listing) after(cursor string) error {
	if cursor == "" {
		return nil
	}
	refuse := caseload.Errorf(caseload.Invalid, "The list's cursor is not understood.").WithHint("Start again from the first page.").WithField("cursor")
	decoded, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return refuse
	}
	ms, id, _ := strings.Cut(string(decoded), ".")
	if l.atMS, err = strconv.ParseInt(ms, 10, 64); err != nil || !caseload.ValidID(id) {
		return refuse
	}
	l.atID, l.paging = id, true
	return nil
}

// condition is one thing a case must fulfil, in the two forms in which it can be asked.
type condition struct {
	hits  string                 // FROM and WHERE of the rows that fulfil it, in column h.case_id
	tries func(id string) string // the condition on one case
	few   int                    // up to how many hits it may give the candidates
}

// word is the condition that a case has a term beginning with w. Here and below a scalar subquery stands for EXISTS:
// PostgreSQL would turn that into a join over everything the organization has.
func (l *listing) word(org, w string) condition {
	within := `.term >= ` + l.arg(w) + ` AND %[1]s.term < ` + l.arg(w+lastRune)
	return condition{
		hits: `FROM case_terms h WHERE h.organization_id = ` + org + ` AND h` + fmt.Sprintf(within, "h"),
		tries: func(id string) string {
			return ` AND (SELECT 1 FROM case_terms t WHERE t.case_id = ` + id + ` AND t` + fmt.Sprintf(within, "t") + ` LIMIT 1) IS NOT NULL`
		},
		few: fewHits,
	}
}

// state is the condition of a state filter.
func (l *listing) state(org, state string) condition {
	where := stateWhere[state]
	some := func(id, where string) string {
		return ` AND (SELECT 1 FROM files f WHERE f.organization_id = ` + org + ` AND f.case_id = ` + id + ` AND ` + where + ` LIMIT 1)`
	}
	if state == "ready" { // nearly every case has something ready: never the candidates
		return condition{tries: func(id string) string {
			return some(id, where) + ` IS NOT NULL` + some(id, stateWhere["arriving"]) + ` IS NULL` + some(id, stateWhere["reading"]) + ` IS NULL`
		}}
	}
	return condition{
		hits:  `FROM files h WHERE h.organization_id = ` + org + ` AND ` + strings.ReplaceAll(where, "f.", "h."),
		tries: func(id string) string { return some(id, where) + ` IS NOT NULL` },
		few:   fewHitsOfMany,
	}
}

// plan writes the query. The condition with the fewest hits, when they are few, gives the candidates; everything else
// is tried case by case.
func (s *Store) plan(ctx context.Context, l *listing, words []string, state string, limit int) (string, error) {
	var makers []func(l *listing, org string) condition
	for _, w := range words {
		makers = append(makers, func(l *listing, org string) condition { return l.word(org, w) })
	}
	if state != "" {
		makers = append(makers, func(l *listing, org string) condition { return l.state(org, state) })
	}
	narrowest, least := -1, fewHitsOfMany+1
	for i, make := range makers {
		alone := &listing{}
		c := make(alone, alone.arg(string(l.org)))
		if c.hits == "" {
			continue
		}
		if len(makers) > 1 {
			c.few = fewHitsOfMany
		}
		n, err := s.count(ctx, c.few, `SELECT 1 AS one `+c.hits, alone.args...)
		if err != nil {
			return "", err
		}
		if n <= c.few && n < least {
			narrowest, least = i, n
		}
	}
	org := l.arg(string(l.org))
	with, from, where := "", `FROM cases c`, ` WHERE c.organization_id = `+org+` AND c.deleted_at = 0`
	if l.paging {
		where += ` AND (c.changed_at, c.id) < (` + l.arg(l.atMS) + `, ` + l.arg(l.atID) + `)`
	}
	tried, hits := "", ""
	for i, make := range makers {
		switch c := make(l, org); {
		case i == narrowest:
			hits = c.hits
		case narrowest >= 0:
			tried += c.tries("h.case_id")
		default:
			where += c.tries("c.id")
		}
	}
	if hits != "" {
		with, from = `WITH hit AS MATERIALIZED (SELECT DISTINCT h.case_id `+hits+tried+`) `, `FROM hit JOIN cases c ON c.id = hit.case_id`
		if s.engine == Postgres { // which would rather hash all cases than look up a few thousand; OFFSET keeps it from that
			from = `FROM hit CROSS JOIN LATERAL (SELECT ` + caseColumns + ` FROM cases c WHERE c.id = hit.case_id OFFSET 0) c`
		}
	}
	return with + `SELECT ` + caseColumns + ` ` + from + where + ` ORDER BY c.changed_at DESC, c.id DESC LIMIT ` + l.arg(limit), nil
}

// lastRune comes after every other character, byte by byte.
const lastRune = "\U0010FFFF"

// count returns how many rows the query has, counting no further than limit+1.
func (s *Store) count(ctx context.Context, limit int, query string, args ...any) (n int, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM (`+query+` LIMIT `+strconv.Itoa(limit+1)+`) AS few`, args...).Scan(&n)
	return n, err
}

// summaries counts what the page's cases hold, in one query per table.
func (s *Store) summaries(ctx context.Context, found []caseload.Case) ([]caseload.CaseSummary, error) {
	if len(found) == 0 {
		return nil, nil
	}
	all := make([]caseload.CaseSummary, len(found))
	at := make(map[caseload.CaseID]*caseload.CaseSummary, len(found))
	ids := make([]any, len(found))
	for i, c := range found {
		all[i].Case = c
		at[c.ID], ids[i] = &all[i], string(c.ID)
	}
	in := ` IN (` + s.list(len(ids), 0) + `) `
	each := func(query string, scan func(scan func(...any) error) (struct{}, error)) error {
		rows, err := s.reader.QueryContext(ctx, query, ids...)
		_, err = collect(rows, err, scan)
		return err
	}
	err := each(`SELECT case_id, state, warned, superseded, count(*), sum(size), sum(images), sum(meshes), sum(photos), sum(documents), sum(others)
		FROM files WHERE case_id`+in+`GROUP BY case_id, state, warned, superseded`, func(scan func(...any) error) (struct{}, error) {
		var id caseload.CaseID
		var state caseload.State
		var warned, superseded bool
		var files int
		var bytes int64
		var images, meshes, photos, documents, others int
		err := scan(&id, &state, &warned, &superseded, &files, &bytes, &images, &meshes, &photos, &documents, &others)
		if err != nil || state == caseload.Deleted {
			return struct{}{}, err
		}
		c := at[id]
		if superseded { // takes room, and is not counted otherwise
			c.Bytes += bytes
			return struct{}{}, nil
		}
		if state != caseload.Abandoned {
			c.Files += files
		}
		if state.Acknowledged() {
			c.Bytes += bytes
			c.Images, c.Meshes, c.Photos, c.Documents, c.Others = c.Images+images, c.Meshes+meshes, c.Photos+photos, c.Documents+documents, c.Others+others
		}
		switch state {
		case caseload.Planned, caseload.Sending:
			c.Arriving, c.DueBytes = c.Arriving+files, c.DueBytes+bytes
		case caseload.Stored, caseload.Reading:
			c.InWork += files
		}
		if warned || state == caseload.Rejected || state == caseload.Abandoned {
			c.Attention += files
		}
		return struct{}{}, nil
	})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		query string
		into  func(c *caseload.CaseSummary, n int64)
	}{
		{
			`SELECT case_id, sum(sent_bytes) FROM files WHERE state IN ('planned', 'sending') AND size_open = 0 AND case_id` + in + `GROUP BY case_id`,
			func(c *caseload.CaseSummary, n int64) { c.SentBytes = n },
		},
		{ // nobody said how much they are: they are left out on both sides
			`SELECT case_id, sum(size) FROM files WHERE state IN ('planned', 'sending') AND size_open = 1 AND case_id` + in + `GROUP BY case_id`,
			func(c *caseload.CaseSummary, n int64) { c.DueBytes -= n },
		},
		{
			`SELECT case_id, max(changed_at) FROM files WHERE state IN ('planned', 'sending') AND case_id` + in + `GROUP BY case_id`,
			func(c *caseload.CaseSummary, n int64) { c.HeardAt = fromMS(n) },
		},
		{
			`SELECT case_id, count(*) FROM studies WHERE case_id` + in + `GROUP BY case_id`,
			func(c *caseload.CaseSummary, n int64) { c.Studies = int(n) },
		},
		{
			`SELECT case_id, count(*) FROM series WHERE case_id` + in + `GROUP BY case_id`,
			func(c *caseload.CaseSummary, n int64) { c.Series = int(n) },
		},
	} {
		err := each(part.query, func(scan func(...any) error) (struct{}, error) {
			var id caseload.CaseID
			var n int64
			if err := scan(&id, &n); err != nil {
				return struct{}{}, err
			}
			part.into(at[id], n)
			return struct{}{}, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
