package store

import (
	"context"
	"encoding/json"
	"sort"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// unreachedEvery is how often one user's reports of one code are worth an event.
const unreachedEvery = time.Hour

// RecordUnreached writes a StoreUnreached event, about a case of the user's organization unless c is "". recorded is false
// when there is one of this user and code that is less than an hour old. NotFound or Gone for the case.
func (s *Store) RecordUnreached(ctx context.Context, user caseload.User, code caseload.StoreCode, c caseload.CaseID) (recorded bool, err error) {
	defer explain("record that the store was not reached", &err)
	err = s.write(ctx, func(t *tx) error {
		if c != "" {
			if _, err := t.lockCase(ctx, user, c); err != nil {
				return err
			}
		}
		// The log's head orders an organization's events: what was reported is not reported again beside this transaction.
		if err := t.QueryRowContext(ctx, t.locked(`SELECT organization_id FROM audit_heads WHERE organization_id = $1`), string(user.Organization)).
			Scan(new(string)); err != nil {
			return noRow(err, "organization")
		}
		told, err := unreached(ctx, t, user.Organization, t.now.Add(-unreachedEvery))
		if err != nil {
			return err
		}
		for _, e := range told {
			if e.Actor == string(user.ID) && codeOf(e) == code {
				return nil
			}
		}
		recorded = true
		if c != "" {
			if err := t.touchCase(ctx, c); err != nil {
				return err
			}
		}
		return t.record(ctx, user.Organization, newEvent(string(user.ID), caseload.StoreUnreached, c, "", detail{"code": code}))
	})
	return recorded && err == nil, err
}

// Unreached returns how often each code was reported in the user's organization since then, the most frequent first.
func (s *Store) Unreached(ctx context.Context, user caseload.User, since time.Time) (all []caseload.Unreached, err error) {
	defer explain("look for reports about the store", &err)
	told, err := unreached(ctx, s.reader, user.Organization, since)
	if err != nil {
		return nil, err
	}
	times := map[caseload.StoreCode]int{}
	for _, e := range told {
		times[codeOf(e)]++
	}
	for code, n := range times {
		all = append(all, caseload.Unreached{Code: code, Times: n})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Times > all[j].Times || all[i].Times == all[j].Times && all[i].Code < all[j].Code
	})
	return all, nil
}

func unreached(ctx context.Context, q querier, org caseload.OrganizationID, since time.Time) ([]caseload.Event, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+eventColumns+` FROM events
		WHERE organization_id = $1 AND action = 'store.unreached' AND at > $2`, string(org), toMS(since))
	return collect(rows, err, scanEvent)
}

// codeOf is the code an event tells of.
func codeOf(e caseload.Event) caseload.StoreCode {
	var d struct {
		Code caseload.StoreCode `json:"code"`
	}
	if json.Unmarshal([]byte(e.Detail), &d) != nil {
		return "" // no event of ours
	}
	return d.Code
}
