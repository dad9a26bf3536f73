package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

const caseColumns = `c.id, c.organization_id, c.number, c.patient, c.note, c.created_by, c.created_at, c.changed_at, c.revision, c.finished_at, c.deleted_at`

func scanCase(scan func(...any) error) (c caseload.Case, err error) {
	var created, changed, finished, deleted int64
	err = scan(&c.ID, &c.Organization, &c.Number, &c.Patient, &c.Note, &c.CreatedBy, &created, &changed, &c.Revision, &finished, &deleted)
	c.CreatedAt, c.ChangedAt, c.FinishedAt, c.DeletedAt = fromMS(created), fromMS(changed), fromMS(finished), fromMS(deleted)
	return c, err
}

// caseOf reads a case of the user's organization: NotFound when it is not there, Gone (with the case) when deleted.
func (s *Store) caseOf(ctx context.Context, q querier, user caseload.User, id caseload.CaseID) (caseload.Case, error) {
	c, err := scanCase(q.QueryRowContext(ctx, `SELECT `+caseColumns+` FROM cases c WHERE c.id = $1 AND c.organization_id = $2`,
		string(id), string(user.Organization)).Scan)
	if err == nil && !c.DeletedAt.IsZero() {
		err = gone("case")
	}
	return c, noRow(err, "case")
}

// lockCase reads a case of the user's organization like caseOf and keeps it until the transaction ends.
func (t *tx) lockCase(ctx context.Context, user caseload.User, id caseload.CaseID) (caseload.Case, error) {
	c, err := scanCase(t.QueryRowContext(ctx, t.locked(`SELECT `+caseColumns+` FROM cases c WHERE c.id = $1 AND c.organization_id = $2`),
		string(id), string(user.Organization)).Scan)
	if err == nil && !c.DeletedAt.IsZero() {
		err = gone("case")
	}
	return c, noRow(err, "case")
}

// touchCase lets live pages see that something about the case changed. It also takes the lock on the case.
func (t *tx) touchCase(ctx context.Context, id caseload.CaseID) error {
	_, err := t.ExecContext(ctx, `UPDATE cases SET revision = revision + 1, changed_at = $2 WHERE id = $1`, string(id), toMS(t.now))
	return err
}

// Case returns one case of the user's organization.
func (s *Store) Case(ctx context.Context, user caseload.User, id caseload.CaseID) (c caseload.Case, err error) {
	defer explain("read a case", &err)
	if c, err = s.caseOf(ctx, s.reader, user, id); err != nil {
		return caseload.Case{}, err
	}
	return c, nil
}

var yearNumber = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,9})$`)

// ProposeCaseNumber returns the number after the highest one of this year, "2026-0042". Nothing is reserved: CreateCase
// answers Conflict to the slower of two.
func (s *Store) ProposeCaseNumber(ctx context.Context, user caseload.User) (number string, err error) {
	defer explain("propose a case number", &err)
	year := s.now().UTC().Year()
	var last int64
	err = s.reader.QueryRowContext(ctx, `SELECT COALESCE(max(last), 0) FROM case_numbers WHERE organization_id = $1 AND year = $2`,
		string(user.Organization), year).Scan(&last)
	return fmt.Sprintf("%d-%04d", year, last+1), err
}

// keepNumber remembers the highest number of its year.
func (t *tx) keepNumber(ctx context.Context, org caseload.OrganizationID, number string) error {
	match := yearNumber.FindStringSubmatch(number)
	if match == nil {
		return nil
	}
	year, _ := strconv.ParseInt(match[1], 10, 64) // digits, by the pattern
	last, _ := strconv.ParseInt(match[2], 10, 64)
	if last == 0 {
		return nil
	}
	_, err := t.ExecContext(ctx, `INSERT INTO case_numbers (organization_id, year, last) VALUES ($1, $2, $3)
		ON CONFLICT (organization_id, year) DO UPDATE SET last = excluded.last WHERE case_numbers.last < excluded.last`,
		string(org), year, last)
	return err
}

// CreateCase makes a case in the user's organization from its Number, Patient and Note. Conflict when the number was
// ever used there, Invalid when it is empty.
func (s *Store) CreateCase(ctx context.Context, user caseload.User, c caseload.Case) (_ caseload.Case, err error) {
	defer explain("create a case", &err)
	if c, err = tidyCase(c); err != nil {
		return caseload.Case{}, err
	}
	err = s.write(ctx, func(t *tx) error {
		if c.ID == "" {
			c.ID = caseload.NewID[caseload.CaseID](t.now)
		}
		c.Organization, c.CreatedBy, c.Revision = user.Organization, user.ID, 1
		c.CreatedAt = fromMS(toMS(t.now))
		c.ChangedAt, c.FinishedAt, c.DeletedAt = c.CreatedAt, fromMS(0), fromMS(0)
		_, err := t.ExecContext(ctx, `INSERT INTO cases
			(id, organization_id, number, patient, note, created_by, created_at, changed_at, revision)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			string(c.ID), string(c.Organization), c.Number, c.Patient, c.Note, string(c.CreatedBy), toMS(c.CreatedAt), toMS(c.ChangedAt), c.Revision)
		if err != nil {
			return usedNumber(err)
		}
		if err := t.keepNumber(ctx, c.Organization, c.Number); err != nil {
			return err
		}
		if err := t.rewriteTerms(ctx, c); err != nil {
			return err
		}
		return t.record(ctx, c.Organization, newEvent(string(user.ID), caseload.CaseCreated, c.ID, "", nil))
	})
	if err != nil {
		return caseload.Case{}, err
	}
	return c, nil
}

// ChangeCase sets number, patient and note of a case of the user's organization. Conflict when the number is another's.
func (s *Store) ChangeCase(ctx context.Context, user caseload.User, c caseload.Case) (err error) {
	defer explain("change a case", &err)
	if c, err = tidyCase(c); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		old, err := t.lockCase(ctx, user, c.ID)
		if err != nil {
			return err
		}
		now := old
		now.Number, now.Patient, now.Note = c.Number, c.Patient, c.Note
		if now == old {
			return nil
		}
		if _, err := t.ExecContext(ctx, `UPDATE cases SET number = $2, patient = $3, note = $4 WHERE id = $1`,
			string(now.ID), now.Number, now.Patient, now.Note); err != nil {
			return usedNumber(err)
		}
		if err := t.keepNumber(ctx, now.Organization, now.Number); err != nil {
			return err
		}
		if err := t.rewriteTerms(ctx, now); err != nil {
			return err
		}
		if err := t.touchCase(ctx, now.ID); err != nil {
			return err
		}
		return t.record(ctx, now.Organization, newEvent(string(user.ID), caseload.CaseChanged, now.ID, "",
			detail{"number": now.Number != old.Number, "patient": now.Patient != old.Patient, "note": now.Note != old.Note}))
	})
}

func tidyCase(c caseload.Case) (caseload.Case, error) {
	c.Number, c.Patient, c.Note = strings.TrimSpace(text(c.Number)), strings.TrimSpace(text(c.Patient)), strings.TrimSpace(text(c.Note))
	switch {
	case c.Number == "":
		return c, caseload.Errorf(caseload.Invalid, "The case needs a number.").WithField("number")
	case len(c.Number) > 64:
		return c, caseload.Errorf(caseload.Invalid, "The case number is longer than 64 bytes.").WithField("number")
	case len(c.Patient) > 512:
		return c, caseload.Errorf(caseload.Invalid, "The patient label is longer than 512 bytes.").WithField("patient")
	case len(c.Note) > 16<<10:
		return c, caseload.Errorf(caseload.Invalid, "The note is longer than 16 KiB.").WithField("note")
	}
	return c, nil
}

func usedNumber(err error) error {
	if duplicate(err) {
		return conflict("This case number is used already.").WithHint("Choose another one.").WithField("number")
	}
	return err
}

// DeleteCase marks the case and all its files deleted, each file with a delete-intent, due by what it was. What was read
// out of them and the words to find the case by go at once; the audit log stays.
func (s *Store) DeleteCase(ctx context.Context, user caseload.User, id caseload.CaseID, due caseload.EraseAt) (err error) {
	defer explain("delete a case", &err)
	return s.write(ctx, func(t *tx) error {
		c, err := t.lockCase(ctx, user, id)
		if err != nil {
			return err
		}
		return t.deleteCase(ctx, c, givenUp{reason: "the case was deleted", due: due, actor: string(user.ID), withCase: true}, nil)
	})
}

// deleteCase is DeleteCase for a case whose lock is held. more goes into its event.
func (t *tx) deleteCase(ctx context.Context, c caseload.Case, how givenUp, more detail) error {
	rows, err := t.QueryContext(ctx, t.locked(`SELECT `+fileColumns+` FROM files f WHERE f.case_id = $1 AND f.state <> 'deleted' ORDER BY f.id`), string(c.ID))
	files, err := collect(rows, err, scanFile)
	if err != nil {
		return err
	}
	about := detail{"files": len(files)}
	maps.Copy(about, more)
	events := []caseload.Event{newEvent(how.actor, caseload.CaseDeleted, c.ID, "", about)}
	for _, before := range files {
		after := before
		after.State = caseload.Deleted
		if err := t.saveFile(ctx, before, after); err != nil {
			return err
		}
		events = append(events, newEvent(how.actor, caseload.FileDeleted, c.ID, before.ID, detail{"from": before.State}))
	}
	if err := t.insertIntents(ctx, files, how); err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM parts WHERE file_id IN (SELECT id FROM files WHERE case_id = $1)`,
		`DELETE FROM instances WHERE file_id IN (SELECT id FROM files WHERE case_id = $1)`,
		`DELETE FROM series WHERE case_id = $1`,
		`DELETE FROM previews WHERE case_id = $1`,
		`DELETE FROM studies WHERE case_id = $1`,
		`DELETE FROM case_terms WHERE case_id = $1`,
	} {
		if _, err := t.ExecContext(ctx, statement, string(c.ID)); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `UPDATE cases SET deleted_at = $2, deleted_by = $3, changed_at = $2, revision = revision + 1 WHERE id = $1`,
		string(c.ID), toMS(t.now), cmp.Or(how.actor, caseload.SystemActor)); err != nil {
		return err
	}
	return t.record(ctx, c.Organization, events...)
}

// Revisions returns the revision of each case there is, deleted ones included. It asks nobody's rights: for the hub of
// live pages only, which checked them when the page was opened.
func (s *Store) Revisions(ctx context.Context, ids []caseload.CaseID) (_ map[caseload.CaseID]int64, err error) {
	defer explain("read revisions", &err)
	return revisions(ctx, s, `SELECT id, revision FROM cases WHERE id IN (`, ids)
}

// OrganizationRevision returns the last Seq of each organization's audit log; for the hub of live pages only.
func (s *Store) OrganizationRevision(ctx context.Context, ids []caseload.OrganizationID) (_ map[caseload.OrganizationID]int64, err error) {
	defer explain("read organizations' revisions", &err)
	return revisions(ctx, s, `SELECT organization_id, seq FROM audit_heads WHERE organization_id IN (`, ids)
}

func revisions[T ~string](ctx context.Context, s *Store, query string, ids []T) (map[T]int64, error) {
	found := make(map[T]int64, len(ids))
	for len(ids) > 0 {
		some := ids[:min(len(ids), 1000)]
		ids = ids[len(some):]
		rows, err := s.reader.QueryContext(ctx, query+s.list(len(some), 0)+`)`, values(some)...)
		_, err = collect(rows, err, func(scan func(...any) error) (struct{}, error) {
			var id T
			var revision int64
			err := scan(&id, &revision)
			found[id] = revision
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
