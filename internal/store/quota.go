package store

import (
	"context"
	"fmt"

	"dcdentals.com/caseload/internal/caseload"
)

// SetQuota sets the most an organization may keep, in bytes; 0 takes the limit away. What is kept already stays, even if
// it is more. NotFound when there is no such organization, Invalid for less than nothing. actor is a user id, or "" for
// the system.
func (s *Store) SetQuota(ctx context.Context, actor string, id caseload.OrganizationID, bytes int64) (err error) {
	defer explain("set a quota", &err)
	if bytes < 0 {
		return caseload.Errorf(caseload.Invalid, "A quota cannot be %d bytes.", bytes).WithField("quota")
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE organizations SET quota_bytes = $2 WHERE id = $1`, string(id), bytes)
		if err == nil && n == 0 {
			err = notFound("organization")
		}
		if err != nil {
			return err
		}
		return t.record(ctx, id, newEvent(actor, caseload.QuotaChanged, "", "", detail{"bytes": bytes}))
	})
}

// SetOwnQuota sets the limit that the administrators of an organization give it themselves, in bytes; 0 takes it away, and
// the operator's remains. Forbidden unless the user administers the organization, Invalid for less than nothing and for
// more than the operator allows.
func (s *Store) SetOwnQuota(ctx context.Context, user caseload.User, bytes int64) (q caseload.Quota, err error) {
	defer explain("set an organization's own quota", &err)
	if user.Role != caseload.Admin {
		return q, caseload.Errorf(caseload.Forbidden, "Only an administrator may do this.")
	}
	if bytes < 0 {
		return q, caseload.Errorf(caseload.Invalid, "A limit cannot be less than nothing.").WithField("limit")
	}
	err = s.write(ctx, func(t *tx) error {
		q, err := quotaOf(ctx, t, user.Organization, t.store.on(Postgres, ` FOR NO KEY UPDATE`))
		if err != nil {
			return err
		}
		if q.Ceiling > 0 && bytes > q.Ceiling {
			return caseload.Errorf(caseload.Invalid, "Whoever runs this server allows your organization %s at most.", caseload.RoundBytes(q.Ceiling)).
				WithHint("Choose a smaller limit, or ask for a larger quota.").WithField("limit")
		}
		if _, err := t.exec(ctx, `UPDATE organizations SET own_quota_bytes = $2 WHERE id = $1`, string(user.Organization), bytes); err != nil {
			return err
		}
		return t.record(ctx, user.Organization, newEvent(string(user.ID), caseload.QuotaChanged, "", "", detail{"own_bytes": bytes}))
	})
	if err != nil {
		return q, err
	}
	return quotaOf(ctx, s.reader, user.Organization, "")
}

// leastLimit is the smaller of the two limits of an organization, of which 0 is none.
const leastLimit = `CASE WHEN own_quota_bytes = 0 OR quota_bytes > 0 AND quota_bytes < own_quota_bytes THEN quota_bytes ELSE own_quota_bytes END`

// Quota returns the limit of the user's organization and what counts towards it.
func (s *Store) Quota(ctx context.Context, user caseload.User) (q caseload.Quota, err error) {
	defer explain("read a quota", &err)
	return quotaOf(ctx, s.reader, user.Organization, "")
}

// quotaOf reads the limit of an organization, and where it has one what is received and planned.
func quotaOf(ctx context.Context, q querier, org caseload.OrganizationID, lock string) (quota caseload.Quota, err error) {
	if err = q.QueryRowContext(ctx, `SELECT quota_bytes, own_quota_bytes, `+leastLimit+` FROM organizations WHERE id = $1`+lock, string(org)).
		Scan(&quota.Ceiling, &quota.Own, &quota.Limit); err != nil {
		return quota, noRow(err, "organization")
	}
	if quota.Limit == 0 {
		return quota, nil
	}
	err = q.QueryRowContext(ctx, `SELECT COALESCE(sum(size), 0) FROM files
		WHERE organization_id = $1 AND state IN ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected')`, string(org)).Scan(&quota.Used)
	return quota, err
}

// refuseOverQuota puts an error on every new file of the batch when they do not fit into what the organization may keep:
// half a scan is of no use. The organization's row stays locked until the transaction ends, so that two batches are
// measured one after the other. Files that go on or were received need no more room.
func (t *tx) refuseOverQuota(ctx context.Context, org caseload.OrganizationID, placed []caseload.Placed) error {
	quota, err := quotaOf(ctx, t, org, t.store.on(Postgres, ` FOR NO KEY UPDATE`))
	if err != nil || quota.Limit == 0 {
		return err
	}
	var need int64
	files := 0
	for _, p := range placed {
		if p.Match == caseload.MatchNone {
			need, files = need+p.Size, files+1
		}
	}
	if files == 0 || need <= quota.Free() {
		return nil
	}
	refusal := overQuota(quota, files, need)
	for i := range placed {
		if placed[i].Match == caseload.MatchNone {
			placed[i].Err = refusal
		}
	}
	return nil
}

func overQuota(quota caseload.Quota, files int, need int64) error {
	what := fmt.Sprintf("these %d files need %s", files, caseload.RoundBytes(need))
	if files == 1 {
		what = "this file needs " + caseload.RoundBytes(need)
	}
	return caseload.Errorf(caseload.TooLarge, "Your organization may keep %s, of which %s are free; %s.",
		caseload.RoundBytes(quota.Limit), caseload.RoundBytes(quota.Free()), what).
		WithHint("Delete what is not needed any more, or ask an administrator, or whoever runs this server, for a larger quota.").
		WithField("size").WithCode(caseload.CodeQuota)
}
