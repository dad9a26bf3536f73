package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// MaxItems is how many items one plan has at most; what is left over is the next plan's.
const MaxItems = 10_000

// MakePlan writes down what of one organization would go: uploads without a sign of life since quiet, cases that are
// finished and unchanged since finished (zero: none), trash whose window is over. Strays are the store's unfinished uploads
// that may be nobody's: only the oldest organization's plan keeps those that no row knows. A plan that still waited is
// dismissed, and so is one in which nothing would go. Nothing is changed of what the plan speaks of.
func (s *Store) MakePlan(ctx context.Context, p caseload.CleanupPlan, strays []caseload.OpenUpload) (_ caseload.CleanupPlan, err error) {
	defer explain("make a clean-up plan", &err)
	err = s.write(ctx, func(t *tx) error {
		p.ID, p.State, p.MadeAt = caseload.NewID[caseload.PlanID](t.now), caseload.PlanWaiting, fromMS(toMS(t.now))
		if p.Total, err = s.everything(ctx, t, p.Organization); err != nil {
			return err
		}
		items, err := t.candidates(ctx, p)
		if err != nil {
			return err
		}
		oldest, err := oldestOrganization(ctx, t)
		if err != nil {
			return err
		}
		if oldest == p.Organization {
			more, err := t.nobodys(ctx, p, strays)
			if err != nil {
				return err
			}
			items = append(items, more...)
		}
		items = items[:min(len(items), MaxItems)]
		for _, i := range items {
			p.Goes = p.Goes.Add(i.Tally)
		}
		if err := t.dismissWaiting(ctx, p.Organization, p.MadeBy); err != nil {
			return err
		}
		if len(items) == 0 {
			p.State, p.EndedAt = caseload.PlanDismissed, p.MadeAt
		}
		return t.insertPlan(ctx, p, items)
	})
	return p, err
}

// candidates reads what the plan's rules choose of its organization.
func (t *tx) candidates(ctx context.Context, p caseload.CleanupPlan) (items []caseload.CleanupItem, err error) {
	quiet, finished := toMS(p.QuietSince), toMS(p.FinishedSince)
	for _, find := range []struct {
		kind  caseload.ItemKind
		query string
		args  []any
	}{
		{caseload.ItemTrash, `SELECT f.case_id, f.id, 1, f.size, i.due_at FROM intents i JOIN files f ON f.id = i.file_id
			WHERE i.organization_id = $1 AND i.state = 'open' AND i.kept = 1 AND i.released_at = 0 AND i.due_at <= $2 ORDER BY i.due_at, i.id`, []any{toMS(t.now)}},
		{caseload.ItemCase, `SELECT c.id, '', count(f.id), COALESCE(sum(f.size), 0), c.finished_at FROM cases c
			LEFT JOIN files f ON f.case_id = c.id AND f.state IN ('ready', 'rejected')
			WHERE c.organization_id = $1 AND c.deleted_at = 0 AND c.finished_at > 0 AND c.finished_at <= $2 AND c.changed_at <= $2
			AND NOT EXISTS (SELECT 1 FROM files x WHERE x.case_id = c.id AND x.state IN ('planned', 'sending', 'stored', 'reading'))
			GROUP BY c.id, c.finished_at ORDER BY c.finished_at, c.id`, []any{finished}},
		{caseload.ItemUnfinished, `SELECT f.case_id, f.id, 0, 0, f.changed_at FROM files f
			WHERE f.organization_id = $1 AND f.state IN ('planned', 'sending') AND f.changed_at <= $2 ORDER BY f.changed_at, f.id`, []any{quiet}},
		{caseload.ItemAbandoned, `SELECT f.case_id, f.id, 0, 0, f.changed_at FROM files f
			WHERE f.organization_id = $1 AND f.state = 'abandoned' AND f.changed_at <= $2 ORDER BY f.changed_at, f.id`, []any{quiet}},
	} {
		rows, err := t.QueryContext(ctx, find.query+` LIMIT `+strconv.Itoa(MaxItems), append([]any{string(p.Organization)}, find.args...)...)
		found, err := collect(rows, err, func(scan func(...any) error) (i caseload.CleanupItem, err error) {
			var since int64
			err = scan(&i.Case, &i.File, &i.Objects, &i.Bytes, &since)
			i.Kind, i.Since = find.kind, fromMS(since)
			return i, err
		})
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// nobodys keeps those of the store's unfinished uploads that no row knows.
func (t *tx) nobodys(ctx context.Context, p caseload.CleanupPlan, uploads []caseload.OpenUpload) (items []caseload.CleanupItem, err error) {
	for _, u := range uploads {
		if u.Begun.After(p.QuietSince) || !caseload.OwnKey(u.Key) {
			continue
		}
		known, err := t.knowsUpload(ctx, u.Key, u.UploadID)
		if err != nil {
			return nil, err
		}
		if !known {
			items = append(items, caseload.CleanupItem{Kind: caseload.ItemStray, Object: u.Key, UploadID: u.UploadID, Since: u.Begun})
		}
	}
	return items, nil
}

// knowsUpload tells whether a live row has the upload, or its key while it has yet to note one, or whether a delete-intent
// that is not carried out yet will see to it.
func (t *tx) knowsUpload(ctx context.Context, key caseload.ObjectKey, uploadID string) (known bool, err error) {
	err = t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM files WHERE object = $1 AND ((upload_id = $2 AND state NOT IN ('abandoned', 'deleted')) OR (upload_id = '' AND state IN ('planned', 'sending'))))
		OR EXISTS (SELECT 1 FROM intents WHERE object = $1 AND upload_id = $2 AND state = 'open')`, string(key), uploadID).Scan(&known)
	return known, err
}

func (t *tx) insertPlan(ctx context.Context, p caseload.CleanupPlan, items []caseload.CleanupItem) error {
	if _, err := t.ExecContext(ctx, `INSERT INTO cleanup_plans
		(id, organization_id, state, made_at, made_by, quiet_since, finished_since, total_objects, total_bytes, goes_objects, goes_bytes, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		string(p.ID), string(p.Organization), string(p.State), toMS(p.MadeAt), p.MadeBy, toMS(p.QuietSince), toMS(p.FinishedSince),
		p.Total.Objects, p.Total.Bytes, p.Goes.Objects, p.Goes.Bytes, toMS(p.EndedAt)); err != nil || len(items) == 0 {
		return err
	}
	if err := t.insertRows(ctx, `INSERT INTO cleanup_items (plan_id, n, kind, case_id, file_id, object, upload_id, objects, bytes, since)`, "", len(items), 10,
		func(i int) []any {
			item := items[i]
			return []any{
				string(p.ID), int64(i + 1), string(item.Kind), string(item.Case), string(item.File), string(item.Object), item.UploadID,
				item.Objects, item.Bytes, toMS(item.Since),
			}
		}); err != nil {
		return err
	}
	return t.record(ctx, p.Organization, newEvent(p.MadeBy, caseload.CleanupPlanned, "", "",
		detail{"plan": p.ID, "items": len(items), "objects": p.Goes.Objects, "bytes": p.Goes.Bytes}))
}

func (t *tx) dismissWaiting(ctx context.Context, org caseload.OrganizationID, actor string) error {
	rows, err := t.QueryContext(ctx, t.locked(`SELECT id FROM cleanup_plans WHERE organization_id = $1 AND state = 'waiting' ORDER BY id`), string(org))
	ids, err := collect(rows, err, func(scan func(...any) error) (id caseload.PlanID, err error) { return id, scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.endPlan(ctx, org, id, caseload.PlanDismissed, actor, nil); err != nil {
			return err
		}
	}
	return nil
}

// endPlan writes how a plan ended, with its event; its lock is held.
func (t *tx) endPlan(ctx context.Context, org caseload.OrganizationID, id caseload.PlanID, state caseload.PlanState, actor string, doubts []caseload.Doubt) error {
	if doubts == nil {
		doubts = []caseload.Doubt{}
	}
	encoded, err := json.Marshal(doubts)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `UPDATE cleanup_plans SET state = $2, ended_at = $3, doubts = $4 WHERE id = $1`,
		string(id), string(state), toMS(t.now), string(encoded)); err != nil {
		return err
	}
	return t.record(ctx, org, newEvent(actor, caseload.CleanupEnded, "", "", detail{"plan": id, "state": state, "doubts": doubts}))
}

const planColumns = `p.id, p.organization_id, p.state, p.made_at, p.made_by, p.quiet_since, p.finished_since, p.total_objects, p.total_bytes,
	p.goes_objects, p.goes_bytes, p.allowed, p.approved_by, p.approved_at, p.ended_at, p.doubts, p.undone_at, p.undone_by`

func scanPlan(scan func(...any) error) (p caseload.CleanupPlan, err error) {
	var made, quiet, finished, approved, ended, undone int64
	var doubts string
	err = scan(&p.ID, &p.Organization, &p.State, &made, &p.MadeBy, &quiet, &finished, &p.Total.Objects, &p.Total.Bytes,
		&p.Goes.Objects, &p.Goes.Bytes, &p.Allowed, &p.ApprovedBy, &approved, &ended, &doubts, &undone, &p.UndoneBy)
	if err != nil {
		return p, err
	}
	p.MadeAt, p.QuietSince, p.FinishedSince, p.ApprovedAt, p.EndedAt, p.UndoneAt = fromMS(made), fromMS(quiet), fromMS(finished), fromMS(approved), fromMS(ended), fromMS(undone)
	return p, json.Unmarshal([]byte(doubts), &p.Doubts)
}

// lockPlan reads a plan of the user's organization under lock. NotFound when it is not there.
func (t *tx) lockPlan(ctx context.Context, org caseload.OrganizationID, id caseload.PlanID) (caseload.CleanupPlan, error) {
	p, err := scanPlan(t.QueryRowContext(ctx, t.locked(`SELECT `+planColumns+` FROM cleanup_plans p WHERE p.id = $1 AND p.organization_id = $2`),
		string(id), string(org)).Scan)
	return p, noRow(err, "clean-up plan")
}

// ApprovePlan is a person's, or the policy's, yes to a plan that waits. allowed is the share a person typed; it has to be
// the plan's own when that is above most. NotFound when it is not the organization's; Conflict when it no longer waits or is
// too old; Invalid when the share is not the one.
func (s *Store) ApprovePlan(ctx context.Context, user caseload.User, id caseload.PlanID, allowed, most caseload.Share) (p caseload.CleanupPlan, err error) {
	defer explain("approve a clean-up plan", &err)
	err = s.write(ctx, func(t *tx) error {
		if p, err = t.lockPlan(ctx, user.Organization, id); err != nil {
			return err
		}
		switch {
		case !user.Role.CanAdminister():
			return caseload.Errorf(caseload.Forbidden, "Only an administrator can approve a clean-up.")
		case p.State != caseload.PlanWaiting:
			return conflict("This plan no longer waits for a word.").WithHint("Make a new one.")
		case t.now.Sub(p.MadeAt) > caseload.PlanGoodFor || t.now.Before(p.MadeAt):
			return conflict("This plan is too old.").WithHint("Make a new one.")
		case p.Share() > most && allowed != p.Share():
			return caseload.Errorf(caseload.Invalid, "%s %% of everything would go, more than %s %%.", p.Share(), most).
				WithHint("Look at the plan again; to go on, type that number.").WithField("share")
		}
		actor := string(user.ID)
		if actor == "" {
			actor = caseload.SystemActor
		}
		p.State, p.Allowed, p.ApprovedBy, p.ApprovedAt = caseload.PlanApproved, allowed, actor, fromMS(toMS(t.now))
		if _, err := t.ExecContext(ctx, `UPDATE cleanup_plans SET state = 'approved', allowed = $2, approved_by = $3, approved_at = $4 WHERE id = $1`,
			string(id), int64(allowed), actor, toMS(t.now)); err != nil {
			return err
		}
		return t.record(ctx, p.Organization, newEvent(actor, caseload.CleanupApproved, "", "", detail{"plan": id, "share": p.Share(), "allowed": allowed}))
	})
	return p, err
}

// EndPlan ends a plan of the organization as refused, done or dismissed. Once more is no error; NotFound as above.
func (s *Store) EndPlan(ctx context.Context, user caseload.User, id caseload.PlanID, state caseload.PlanState, doubts []caseload.Doubt) (err error) {
	defer explain("end a clean-up plan", &err)
	return s.write(ctx, func(t *tx) error {
		p, err := t.lockPlan(ctx, user.Organization, id)
		switch {
		case err != nil:
			return err
		case p.State != caseload.PlanWaiting && p.State != caseload.PlanApproved:
			return nil
		case state == caseload.PlanDismissed && p.State != caseload.PlanWaiting:
			return conflict("This plan is being carried out.")
		}
		return t.endPlan(ctx, p.Organization, id, state, string(user.ID), doubts)
	})
}

// Plans returns the organization's plans with their counts, the newest first, at most limit.
func (s *Store) Plans(ctx context.Context, user caseload.User, limit int) (plans []caseload.CleanupPlan, err error) {
	defer explain("list clean-up plans", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+planColumns+` FROM cleanup_plans p WHERE p.organization_id = $1
		ORDER BY p.made_at DESC, p.id DESC LIMIT `+strconv.Itoa(limit), string(user.Organization))
	if plans, err = collect(rows, err, scanPlan); err != nil {
		return nil, err
	}
	for i := range plans {
		if err := s.countItems(ctx, &plans[i]); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// ApprovedPlans returns the plans of every organization that are to be carried out, the oldest word first.
func (s *Store) ApprovedPlans(ctx context.Context) (plans []caseload.CleanupPlan, err error) {
	defer explain("list approved clean-up plans", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT `+planColumns+` FROM cleanup_plans p WHERE p.state = 'approved' ORDER BY p.approved_at, p.id LIMIT 100`)
	return collect(rows, err, scanPlan)
}

// Plan returns one plan of the organization with its counts. NotFound as above.
func (s *Store) Plan(ctx context.Context, user caseload.User, id caseload.PlanID) (p caseload.CleanupPlan, err error) {
	defer explain("read a clean-up plan", &err)
	p, err = scanPlan(s.reader.QueryRowContext(ctx, `SELECT `+planColumns+` FROM cleanup_plans p WHERE p.id = $1 AND p.organization_id = $2`,
		string(id), string(user.Organization)).Scan)
	if err != nil {
		return p, noRow(err, "clean-up plan")
	}
	return p, s.countItems(ctx, &p)
}

func (s *Store) countItems(ctx context.Context, p *caseload.CleanupPlan) error {
	rows, err := s.reader.QueryContext(ctx, `SELECT kind, state, count(*) FROM cleanup_items WHERE plan_id = $1 GROUP BY kind, state`, string(p.ID))
	p.Items = map[caseload.ItemKind]map[caseload.ItemState]int{}
	_, err = collect(rows, err, func(scan func(...any) error) (n int, err error) {
		var kind caseload.ItemKind
		var state caseload.ItemState
		err = scan(&kind, &state, &n)
		if p.Items[kind] == nil {
			p.Items[kind] = map[caseload.ItemState]int{}
		}
		p.Items[kind][state] = n
		return n, err
	})
	return err
}

// Items returns items of a plan in order, those after n only, at most limit, with what they are called.
func (s *Store) Items(ctx context.Context, id caseload.PlanID, after, limit int) (items []caseload.CleanupItem, err error) {
	defer explain("list what would go", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT i.n, i.kind, i.case_id, i.file_id, i.object, i.upload_id, i.objects, i.bytes, i.since, i.state, i.why,
			COALESCE(f.name, ''), COALESCE(c.number, '')
		FROM cleanup_items i LEFT JOIN files f ON f.id = i.file_id LEFT JOIN cases c ON c.id = i.case_id
		WHERE i.plan_id = $1 AND i.n > $2 ORDER BY i.n LIMIT `+strconv.Itoa(limit), string(id), after)
	return collect(rows, err, func(scan func(...any) error) (i caseload.CleanupItem, err error) {
		var since int64
		err = scan(&i.N, &i.Kind, &i.Case, &i.File, &i.Object, &i.UploadID, &i.Objects, &i.Bytes, &since, &i.State, &i.Why, &i.Name, &i.Number)
		i.Plan, i.Since = id, fromMS(since)
		return i, err
	})
}

// LastPlanned returns when the system last made a plan for the organization; zero: never.
func (s *Store) LastPlanned(ctx context.Context, org caseload.OrganizationID) (at time.Time, err error) {
	defer explain("look for the last clean-up plan", &err)
	var ms int64
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(max(made_at), 0) FROM cleanup_plans WHERE organization_id = $1 AND made_by = $2`,
		string(org), caseload.SystemActor).Scan(&ms)
	return fromMS(ms), err
}
