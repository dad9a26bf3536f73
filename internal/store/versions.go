package store

import (
	"context"

	"dcdentals.com/caseload/internal/caseload"
)

// FileVersions returns the received versions of a file of the user's organization, the latest first: the file alone when it
// has but one. NotFound or Gone like File.
func (s *Store) FileVersions(ctx context.Context, user caseload.User, id caseload.FileID) (versions []caseload.File, err error) {
	defer explain("list a file's versions", &err)
	f, err := s.fileOf(ctx, s.reader, user, id)
	if err != nil {
		return nil, err
	}
	if f.Family == "" {
		return []caseload.File{f}, nil
	}
	return familyOf(ctx, s.reader, f)
}

// OlderVersions counts the superseded versions in a case of the user's organization, by family.
func (s *Store) OlderVersions(ctx context.Context, user caseload.User, c caseload.CaseID) (older map[caseload.FileID]int, err error) {
	defer explain("count older versions", &err)
	rows, err := s.reader.QueryContext(ctx, `SELECT family, count(*) FROM files
		WHERE case_id = $1 AND organization_id = $2 AND superseded = 1 AND state <> 'deleted' GROUP BY family`, string(c), string(user.Organization))
	older = map[caseload.FileID]int{}
	_, err = collect(rows, err, func(scan func(...any) error) (n int, err error) {
		var family caseload.FileID
		err = scan(&family, &n)
		older[family] = n
		return n, err
	})
	return older, err
}

// familyOf reads the received versions of the file's family, the latest first: those received at one moment by identifier.
func familyOf(ctx context.Context, q querier, f caseload.File) ([]caseload.File, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.family = $1 AND f.case_id = $2 AND f.organization_id = $3
		AND f.state IN ('stored', 'reading', 'ready', 'rejected') ORDER BY f.stored_at DESC, f.id DESC`,
		string(f.Family), string(f.Case), string(f.Organization))
	return collect(rows, err, scanFile)
}

// sortFamily makes the latest received version of f's family plain and the others superseded, with an event for each that
// changes. The case's lock is held. Without a family there is nothing to sort.
func (t *tx) sortFamily(ctx context.Context, f caseload.File, actor string) error {
	if f.Family == "" {
		return nil
	}
	// The first version joins its own family once there is a second one.
	if _, err := t.ExecContext(ctx, `UPDATE files SET family = id WHERE id = $1 AND family = '' AND case_id = $2`, string(f.Family), string(f.Case)); err != nil {
		return err
	}
	versions, err := familyOf(ctx, t, f)
	if err != nil {
		return err
	}
	var events []caseload.Event
	for i, before := range versions {
		if before.Superseded == (i > 0) {
			continue
		}
		after, action := before, caseload.FileLatest
		if after.Superseded = i > 0; after.Superseded {
			action = caseload.FileReplaced
		}
		if err := t.saveFile(ctx, before, after); err != nil {
			return err
		}
		events = append(events, newEvent(actor, action, before.Case, before.ID, detail{"family": f.Family, "latest": versions[0].ID, "versions": len(versions)}))
	}
	if len(events) == 0 {
		return nil
	}
	return t.record(ctx, f.Organization, events...)
}

// sameName finds the plain files of a case ($1) that have a name ($2) and folder ($3), without the file itself ($4).
const sameName = `SELECT ` + fileColumns + ` FROM files f WHERE f.case_id = $1 AND f.name = $2 AND f.path = $3 AND f.id <> $4
	AND f.superseded = 0 AND f.state IN ('reading', 'ready', 'rejected') ORDER BY f.stored_at DESC, f.id DESC`

// joinByName makes f, just read, a version of the plain file it replaces by name, when there is one, whichever of the two
// was read first.
func (t *tx) joinByName(ctx context.Context, f *caseload.File) error {
	if f.Family != "" {
		return nil
	}
	rows, err := t.QueryContext(ctx, sameName, string(f.Case), f.Name, f.Path, string(f.ID))
	same, err := collect(rows, err, scanFile)
	if err != nil {
		return err
	}
	for _, other := range same {
		if f.ReplacesByName(other) {
			f.Family = other.FamilyID()
			return nil
		}
	}
	return nil
}
