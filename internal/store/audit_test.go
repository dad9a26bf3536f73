package store

import (
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/caseload"
)

func TestTheAuditLogIsAChainWithoutGaps(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-0001", "Kim")
		for _, state := range caseload.States() {
			b.as(c.ID, state)
		}
		report, err := b.s.VerifyAudit(ctx, b.admin.Organization)
		must(t, err)
		all, err := b.s.Events(ctx, b.admin, EventQuery{Limit: 500})
		must(t, err)
		if report.BrokenAt != 0 || report.Events != int64(len(all)) || report.Events < 20 || report.Head != all[0].Hash {
			t.Fatalf("%+v for %d events", report, len(all))
		}
		for i, e := range all {
			if e.Seq != int64(len(all)-i) {
				t.Fatalf("event %d has seq %d", i, e.Seq)
			}
			if strings.Contains(e.Detail, "Kim") || strings.Contains(e.Detail, "scan.zip") {
				t.Errorf("event %d holds a name: %s", e.Seq, e.Detail)
			}
		}
		older, err := b.s.Events(ctx, b.admin, EventQuery{Case: c.ID, Before: all[3].Seq, Limit: 2})
		must(t, err)
		if len(older) != 2 || older[0].Seq >= all[3].Seq || older[0].Case != c.ID {
			t.Errorf("paging gave %+v", older)
		}
		_, err = b.s.VerifyAudit(ctx, "nobody")
		wantKind(t, err, caseload.NotFound)
	})
}

func TestTheAuditLogRefusesChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		statements := []string{
			`UPDATE events SET actor = 'mallory' WHERE seq = 1`, `DELETE FROM events WHERE seq = 1`, `DELETE FROM audit_heads`,
		}
		if b.s.Engine() == Postgres {
			statements = append(statements, `TRUNCATE events`)
		}
		for _, statement := range statements {
			if _, err := b.s.db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: error %v, want a refusal", statement, err)
			}
		}
	})
}

// Somebody with the database's own powers takes the guards off and tampers: the walk names the first broken event.
func TestTamperingIsFound(t *testing.T) {
	tampered := []struct {
		name     string
		sql      []string
		brokenAt int64
	}{
		{"an actor changed", []string{`UPDATE events SET actor = 'mallory' WHERE seq = 3 AND organization_id = $1`}, 3},
		{"a detail changed", []string{`UPDATE events SET detail = '{}' WHERE seq = 5 AND organization_id = $1`}, 5},
		{"a moment changed", []string{`UPDATE events SET at = at + 1 WHERE seq = 4 AND organization_id = $1`}, 4},
		{"one removed", []string{`DELETE FROM events WHERE seq = 4 AND organization_id = $1`}, 4},
		{"the first removed", []string{`DELETE FROM events WHERE seq = 1 AND organization_id = $1`}, 1},
		{"two exchanged", []string{
			`UPDATE events SET seq = 1000 WHERE seq = 3 AND organization_id = $1`, `UPDATE events SET seq = 3 WHERE seq = 4 AND organization_id = $1`,
			`UPDATE events SET seq = 4 WHERE seq = 1000 AND organization_id = $1`,
		}, 3},
		{"the last two cut off", []string{`DELETE FROM events WHERE seq > 4 AND organization_id = $1`}, 5},
		{"the head put back", []string{`UPDATE audit_heads SET seq = 4 WHERE organization_id = $1`}, 6},
		{"the head's hash changed", []string{`UPDATE audit_heads SET hash = 'x' WHERE organization_id = $1`}, 6},
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			for _, c := range tampered {
				t.Run(c.name, func(t *testing.T) {
					b := newBench(t, e.url(t))
					b.as(b.newCase("1", "").ID, caseload.Stored) // organization, user, case, planned, sending, stored: 6 events
					guards := []string{`DROP TRIGGER events_are_never_changed`, `DROP TRIGGER events_are_never_removed`}
					if e.name == Postgres {
						guards = []string{`DROP TRIGGER events_are_never_changed ON events`}
					}
					for _, guard := range guards {
						_, err := b.s.db.ExecContext(t.Context(), guard)
						must(t, err)
					}
					for _, statement := range c.sql {
						_, err := b.s.db.ExecContext(t.Context(), statement, string(b.admin.Organization))
						must(t, err)
					}
					report, err := b.s.VerifyAudit(t.Context(), b.admin.Organization)
					must(t, err)
					if report.BrokenAt != c.brokenAt {
						t.Errorf("broken at %d, want %d", report.BrokenAt, c.brokenAt)
					}
				})
			}
		})
	}
}
