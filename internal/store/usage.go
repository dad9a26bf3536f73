package store

import (
	"context"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// within is whose usage is asked for: one organization's, or everybody's.
type within struct {
	all bool
	org caseload.OrganizationID
}

// where writes the condition on the column, whose parameter is $1.
func (w within) where(column string) string {
	if w.all {
		return `$1 = ''`
	}
	return column + ` = $1`
}

// arg is the parameter $1.
func (w within) arg() string {
	if w.all {
		return ""
	}
	return string(w.org)
}

// daysShown is how far back a Usage looks.
const daysShown = 90

// Usage returns what the user's organization keeps, and what the last ledger found of it. Keys that nobody's row speaks of
// are shown where the organization is the only one: then they can be nobody else's.
func (s *Store) Usage(ctx context.Context, user caseload.User) (u caseload.Usage, err error) {
	defer explain("read an organization's usage", &err)
	return s.usage(ctx, within{org: user.Organization})
}

// UsageOfAll returns what all organizations keep: for the operator only.
func (s *Store) UsageOfAll(ctx context.Context) (u caseload.Usage, err error) {
	defer explain("read the usage", &err)
	return s.usage(ctx, within{all: true})
}

func (s *Store) usage(ctx context.Context, w within) (u caseload.Usage, err error) {
	u.At = s.now().UTC()
	for _, read := range []func(context.Context, within, *caseload.Usage) error{
		s.usageOfOrganizations, s.usageByClass, s.usageByKind, s.usageByCase, s.usageRecent, s.usageArriving, s.usageOfPreviews,
		s.usageDays, s.usageLedger,
	} {
		if err := read(ctx, w, &u); err != nil {
			return caseload.Usage{}, err
		}
	}
	return u, nil
}

const (
	received = `state IN ('stored', 'reading', 'ready', 'rejected')`
	arriving = `state IN ('planned', 'sending')`
)

func (s *Store) usageOfOrganizations(ctx context.Context, w within, u *caseload.Usage) (err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT o.id, o.name, o.created_at, `+leastLimit+`,
			COALESCE(sum(CASE WHEN f.`+received+` THEN 1 ELSE 0 END), 0),
			COALESCE(sum(CASE WHEN f.`+received+` THEN f.size ELSE 0 END), 0),
			COALESCE(sum(CASE WHEN f.`+arriving+` THEN f.size ELSE 0 END), 0)
		FROM organizations o LEFT JOIN files f ON f.organization_id = o.id
			AND f.state IN ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected')
		WHERE `+w.where("o.id")+` GROUP BY o.id, o.name, o.created_at, o.quota_bytes, o.own_quota_bytes ORDER BY o.name, o.id`, w.arg())
	u.Organizations, err = collect(rows, err, func(scan func(...any) error) (o caseload.OrganizationUsage, err error) {
		var created int64
		err = scan(&o.ID, &o.Name, &created, &o.Quota, &o.Files, &o.Bytes, &o.Due)
		o.CreatedAt = fromMS(created)
		return o, err
	})
	return err
}

// classQuery counts files by the class their bytes would have in the ledger; what is given up counts while its
// delete-intent is open.
func classQuery(w within, organization string) string {
	return `SELECT ` + organization + ` class, count(*) AS n, sum(bytes) AS b FROM (
		SELECT f.organization_id AS org, CASE WHEN f.` + arriving + ` THEN 'in_flight' WHEN f.superseded = 1 THEN 'older' ELSE 'live' END AS class,
			CASE WHEN f.` + arriving + ` THEN f.sent_bytes ELSE f.size END AS bytes FROM files f
			WHERE f.state IN ('planned', 'sending', 'stored', 'reading', 'ready', 'rejected') AND ` + w.where("f.organization_id") + `
		UNION ALL SELECT f.organization_id, CASE WHEN f.stored_at > 0 THEN 'trash' ELSE 'abandoned' END,
			CASE WHEN f.stored_at > 0 THEN f.size ELSE f.sent_bytes END FROM files f
			WHERE f.state IN ('abandoned', 'deleted') AND f.id IN (SELECT file_id FROM intents WHERE state = 'open') AND ` + w.where("f.organization_id") + `
		) AS held GROUP BY ` + organization + ` class`
}

func (s *Store) usageByClass(ctx context.Context, w within, u *caseload.Usage) error {
	rows, err := s.reader.QueryContext(ctx, classQuery(w, ""), w.arg())
	found, err := collect(rows, err, func(scan func(...any) error) (c caseload.ClassUsage, err error) {
		return c, scan(&c.Class, &c.Objects, &c.Bytes)
	})
	for _, class := range []caseload.Class{caseload.ClassLive, caseload.ClassOlder, caseload.ClassInFlight, caseload.ClassAbandoned, caseload.ClassTrash} {
		c := caseload.ClassUsage{Class: class}
		for _, f := range found {
			if f.Class == class {
				c = f
			}
		}
		u.Classes = append(u.Classes, c)
	}
	return err
}

func (s *Store) usageByKind(ctx context.Context, w within, u *caseload.Usage) (err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT kind, count(*), sum(size) AS bytes FROM files WHERE `+received+` AND `+w.where("organization_id")+`
		GROUP BY kind ORDER BY bytes DESC, kind`, w.arg())
	u.Kinds, err = collect(rows, err, func(scan func(...any) error) (k caseload.KindUsage, err error) {
		return k, scan(&k.Kind, &k.Files, &k.Bytes)
	})
	return err
}

func (s *Store) usageByCase(ctx context.Context, w within, u *caseload.Usage) (err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT c.id, c.organization_id, c.number, t.files, t.bytes FROM (
			SELECT case_id, count(*) AS files, sum(size) AS bytes FROM files WHERE `+received+` AND `+w.where("organization_id")+`
			GROUP BY case_id ORDER BY bytes DESC, case_id LIMIT $2) AS t
		JOIN cases c ON c.id = t.case_id ORDER BY t.bytes DESC, c.id`, w.arg(), caseload.MaxUsageRows)
	u.Cases, err = collect(rows, err, func(scan func(...any) error) (c caseload.CaseUsage, err error) {
		return c, scan(&c.Case, &c.Organization, &c.Number, &c.Files, &c.Bytes)
	})
	return err
}

// usageFiles lists files that the condition names, in that order.
func (s *Store) usageFiles(ctx context.Context, w within, at, condition string) ([]caseload.RecentFile, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT f.id, f.name, f.case_id, f.organization_id, c.number, f.kind, f.size, f.sent_bytes, f.route, f.`+at+`
		FROM files f JOIN cases c ON c.id = f.case_id WHERE `+w.where("f.organization_id")+` AND `+condition+` LIMIT $2`, w.arg(), caseload.MaxUsageRows)
	return collect(rows, err, func(scan func(...any) error) (f caseload.RecentFile, err error) {
		var ms int64
		err = scan(&f.File, &f.Name, &f.Case, &f.Organization, &f.Number, &f.Kind, &f.Size, &f.Sent, &f.Route, &ms)
		f.At = fromMS(ms)
		return f, err
	})
}

func (s *Store) usageRecent(ctx context.Context, w within, u *caseload.Usage) (err error) {
	u.Recent, err = s.usageFiles(ctx, w, "stored_at", `f.`+received+` ORDER BY f.stored_at DESC, f.id DESC`)
	return err
}

func (s *Store) usageArriving(ctx context.Context, w within, u *caseload.Usage) (err error) {
	u.Arriving, err = s.usageFiles(ctx, w, "changed_at", `f.`+arriving+` ORDER BY f.sent_bytes DESC, f.id`)
	return err
}

func (s *Store) usageOfPreviews(ctx context.Context, w within, u *caseload.Usage) error {
	u.Previews.Class = "previews"
	return s.reader.QueryRowContext(ctx, `SELECT count(*), COALESCE(sum(length(k.bytes)), 0) FROM preview_pictures k
		JOIN previews p ON p.id = k.preview_id WHERE `+w.where("p.organization_id"), w.arg()).Scan(&u.Previews.Objects, &u.Previews.Bytes)
}

func (s *Store) usageDays(ctx context.Context, w within, u *caseload.Usage) (err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT day, class, sum(objects), sum(bytes) FROM usage_days
		WHERE `+w.where("organization_id")+` AND day >= $2 GROUP BY day, class ORDER BY day, class`,
		w.arg(), u.At.AddDate(0, 0, -daysShown).Format(time.DateOnly))
	u.Days, err = collect(rows, err, func(scan func(...any) error) (d caseload.UsageDay, err error) {
		return d, scan(&d.Day, &d.Class, &d.Objects, &d.Bytes)
	})
	return err
}

func (s *Store) usageLedger(ctx context.Context, w within, u *caseload.Usage) (err error) {
	if u.Running, err = ledgerWhere(ctx, s.reader, `finished_at = 0`); err != nil {
		return err
	}
	if u.Ledger, err = ledgerWhere(ctx, s.reader, `finished_at > 0 ORDER BY finished_at DESC`); err != nil || u.Ledger == nil {
		return err
	}
	mine := w.where("organization_id")
	if !w.all {
		mine = `(` + mine + ` OR organization_id = '' AND (SELECT count(*) FROM organizations) = 1)`
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT organization_id, class, source, objects, bytes FROM ledger_sums
		WHERE `+mine+` AND ledger_id = $2 ORDER BY organization_id, class, source`, w.arg(), string(u.Ledger.ID))
	u.Sums, err = collect(rows, err, func(scan func(...any) error) (l caseload.LedgerSum, err error) {
		return l, scan(&l.Organization, &l.Class, &l.Source, &l.Objects, &l.Bytes)
	})
	if err != nil {
		return err
	}
	rows, err = s.reader.QueryContext(ctx, `SELECT class, object, version_id, upload_id, organization_id, file_id, bytes, why FROM ledger_lines
		WHERE `+mine+` AND ledger_id = $2 ORDER BY class, bytes DESC, object`, w.arg(), string(u.Ledger.ID))
	u.Lines, err = collect(rows, err, func(scan func(...any) error) (l caseload.LedgerLine, err error) {
		return l, scan(&l.Class, &l.Object, &l.VersionID, &l.UploadID, &l.Organization, &l.File, &l.Bytes, &l.Why)
	})
	return err
}

// keepDays is how many days of the past are kept: a year and a month.
const keepDays = 400

// NoteUsage keeps what every organization holds today, once more if it was noted already; days long past are removed.
func (s *Store) NoteUsage(ctx context.Context) (err error) {
	defer explain("note the usage of the day", &err)
	return s.write(ctx, func(t *tx) error {
		day := t.now.Format(time.DateOnly)
		if _, err := t.ExecContext(ctx, `DELETE FROM usage_days WHERE day = $1 OR day < $2`, day, t.now.AddDate(0, 0, -keepDays).Format(time.DateOnly)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, fmt.Sprintf(`INSERT INTO usage_days (organization_id, day, class, objects, bytes)
			SELECT org, '%s', class, n, b FROM (%s) AS today`, day, classQuery(within{all: true}, "org,")), "")
		return err
	})
}

// UsageNoted tells whether today's usage was noted.
func (s *Store) UsageNoted(ctx context.Context) (noted bool, err error) {
	defer explain("look for today's usage", &err)
	var n int
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM usage_days WHERE day = $1 LIMIT 1) AS one`,
		s.now().UTC().Format(time.DateOnly)).Scan(&n)
	return n > 0, err
}
