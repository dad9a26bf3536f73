package store

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// scoped are the methods that take a user and an id: what each answers when the id is not the user's organization's
// (NotFound, always) and when it was deleted there.
var scoped = []struct {
	name    string
	deleted caseload.Kind // -1: it answers all the same
	call    func(ctx context.Context, s *Store, user caseload.User, c caseload.Case, f caseload.File) error
}{
	{"Case", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.Case(ctx, u, c.ID)
		return err
	}},
	{"ChangeCase", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		c.Note = "changed"
		return s.ChangeCase(ctx, u, c)
	}},
	{"DeleteCase", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		return s.DeleteCase(ctx, u, c.ID, caseload.EraseAt{Kept: time.Now(), Partial: time.Now()})
	}},
	{"FinishCase", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		return s.FinishCase(ctx, u, c.ID, true)
	}},
	{"CaseFiles", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.CaseFiles(ctx, u, c.ID)
		return err
	}},
	{"CaseUnfinished", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.CaseUnfinished(ctx, u, c.ID)
		return err
	}},
	{"CaseReceived", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, _, err := s.CaseReceived(ctx, u, c.ID, []int64{1000})
		return err
	}},
	{"CaseStudies", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.CaseStudies(ctx, u, c.ID)
		return err
	}},
	{"PlanFiles", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, _, err := s.PlanFiles(ctx, u, c.ID, "", []caseload.Proposal{{File: caseload.File{
			ID: caseload.NewID[caseload.FileID](time.Now()), Name: "a", Size: 1,
			Route: caseload.Small, Object: caseload.NewObjectKey(), Deadline: time.Now(),
		}}})
		return err
	}},
	{"PlanFiles of nothing", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, _, err := s.PlanFiles(ctx, u, c.ID, "", nil)
		return err
	}},
	{"Events of a case", -1, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.Events(ctx, u, EventQuery{Case: c.ID})
		return err
	}},
	{"File", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		_, err := s.File(ctx, u, f.ID)
		return err
	}},
	{"FileIn", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, f caseload.File) error {
		_, err := s.FileIn(ctx, u, c.ID, f.ID)
		return err
	}},
	{"ArrivingIn", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, f caseload.File) error {
		_, err := s.ArrivingIn(ctx, u, c.ID, []caseload.FileID{f.ID})
		return err
	}},
	{"AskRereadings", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.AskRereadings(ctx, u, Reindex{Case: c.ID, Current: true})
		return err
	}},
	{"FileVersions", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		_, err := s.FileVersions(ctx, u, f.ID)
		return err
	}},
	{"RecordUnreached", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, c caseload.Case, _ caseload.File) error {
		_, err := s.RecordUnreached(ctx, u, caseload.StoreCORS, c.ID)
		return err
	}},
	{"DropFiles", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		_, _, err := s.DropFiles(ctx, u, f.Drop)
		return err
	}},
	{"FileStudies", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		_, err := s.FileStudies(ctx, u, f.ID)
		return err
	}},
	{"DeleteFile", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		return s.DeleteFile(ctx, u, f.ID, caseload.EraseAt{Kept: time.Now(), Partial: time.Now()})
	}},
	{"RecordLink", caseload.Gone, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		return s.RecordLink(ctx, u, f.ID)
	}},
	{"Events of a file", -1, func(ctx context.Context, s *Store, u caseload.User, _ caseload.Case, f caseload.File) error {
		_, err := s.Events(ctx, u, EventQuery{File: f.ID})
		return err
	}},
}

// free are the methods with a user whose rights are tested below, each in its own way; those of previews by
// TestPreviewsAreOfOneOrganization, those of the trash and of plans by TestTrashAndPlansAreOfOneOrganization, those of usage and
// quota by TestUsageIsTheOrganizationsOwn, TestWhatIsDeletedMakesRoom and TestAdministratorsSetALowerLimit.
var free = []string{
	"Usage", "Quota", "SetOwnQuota",
	"Trash", "TrashedFile", "TrashedFiles", "RestoreFile", "RestoreCase", "PurgeFile", "PurgeCase", "Plan", "Plans", "ApprovePlan", "EndPlan",
	"TrashedCaseAt", "ReturnToTrash", "UndonePlan",
	"Cases", "ProposeCaseNumber", "CreateCase", "ReportProgress", "Users", "ChangeUser", "CreateToken", "Tokens", "RevokeToken",
	"SignInSucceeded", "Unreached", "CreateFirstAdmin", "CreateUser",
	"CasePreviews", "Picture", "OfferPicture", "OfferSource", "ClaimOffer", "ReleaseOffer", "Instance", "OlderVersions", "RereadingsLeft",
}

// A method that takes a user and is in neither list above has no test of its rights.
func TestEveryMethodThatTakesAUserIsTestedForRights(t *testing.T) {
	covered := slices.Clone(free)
	for _, m := range scoped {
		covered = append(covered, m.name)
	}
	covered = append(covered, "Events")
	of := reflect.TypeFor[*Store]()
	for i := range of.NumMethod() {
		m := of.Method(i)
		for j := range m.Type.NumIn() {
			if m.Type.In(j) == reflect.TypeFor[caseload.User]() && !slices.Contains(covered, m.Name) {
				t.Errorf("%s takes a user, and no test asks what it shows of other organizations", m.Name)
			}
		}
	}
}

// fingerprint is everything an organization has, as text.
func (b *bench) fingerprint(org caseload.OrganizationID) string {
	b.t.Helper()
	all := ""
	for _, query := range []string{
		`SELECT id || number || note || revision || '/' || deleted_at FROM cases WHERE organization_id = $1 ORDER BY id`,
		`SELECT id || state || changed_at || '/' || sent_bytes FROM files WHERE organization_id = $1 ORDER BY id`,
		`SELECT id || role || disabled_at || name FROM users WHERE organization_id = $1 ORDER BY id`,
		`SELECT t.id || t.revoked_at FROM tokens t JOIN users u ON u.id = t.user_id WHERE u.organization_id = $1 ORDER BY t.id`,
		`SELECT id || state FROM intents WHERE organization_id = $1 ORDER BY id`,
		`SELECT hash FROM audit_heads WHERE organization_id = $1`,
	} {
		rows, err := b.s.reader.QueryContext(b.t.Context(), query, string(org))
		lines, err := collect(rows, err, func(scan func(...any) error) (s string, err error) { return s, scan(&s) })
		must(b.t, err)
		for _, l := range lines {
			all += l + "\n"
		}
	}
	return all
}

func TestForeignIsNotFoundAndDeletedIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-0001", "Kim")
		f := b.as(c.ID, caseload.Ready)
		before := b.fingerprint(b.admin.Organization)
		for _, m := range scoped {
			for who, user := range map[string]caseload.User{
				"another organization's administrator": b.other,
				"nobody":                               {},
			} {
				err := m.call(ctx, b.s, user, c, f)
				if caseload.KindOf(err) != caseload.NotFound || err == nil {
					t.Errorf("%s by %s: error %v, want NotFound", m.name, who, err)
				}
			}
		}
		if b.fingerprint(b.admin.Organization) != before {
			t.Fatal("a refused call changed something")
		}
		gone := b.newCase("2026-0002", "Lee")
		goneFile := b.as(gone.ID, caseload.Ready)
		must(t, b.s.DeleteCase(ctx, b.admin, gone.ID, b.inAnHour()))
		before = b.fingerprint(b.admin.Organization)
		for _, m := range scoped {
			err := m.call(ctx, b.s, b.admin, gone, goneFile)
			if m.deleted >= 0 && (err == nil || caseload.KindOf(err) != m.deleted) || m.deleted < 0 && err != nil {
				t.Errorf("%s on what was deleted: error %v, want %v", m.name, err, m.deleted)
			}
			wantKind(t, m.call(ctx, b.s, b.other, gone, goneFile), caseload.NotFound)
		}
		if b.fingerprint(b.admin.Organization) != before {
			t.Fatal("a refused call changed something")
		}
	})
}

func TestListsAndAccountsStayWithinTheOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-0001", "Kim")
		f := b.as(c.ID, caseload.Sending)
		token := caseload.Token{ID: caseload.NewID[caseload.TokenID](b.now()), Role: caseload.Viewer, Name: "lab"}
		must(t, b.s.CreateToken(ctx, b.admin, token, []byte("secret")))
		before := b.fingerprint(b.admin.Organization)

		for _, q := range []CaseQuery{{}, {Text: "kim"}, {Text: "2026"}, {State: "arriving"}} {
			page, err := b.s.Cases(ctx, b.other, q)
			must(t, err)
			if len(page.Cases) != 0 {
				t.Errorf("%+v shows another organization's case", q)
			}
			page, err = b.s.Cases(ctx, b.admin, q)
			must(t, err)
			if len(page.Cases) != 1 {
				t.Errorf("%+v finds %d cases of one's own, want 1", q, len(page.Cases))
			}
		}
		must(t, b.s.ReportProgress(ctx, b.other, []caseload.Progress{{File: f.ID, Sent: 500}}))
		users, err := b.s.Users(ctx, b.other)
		must(t, err)
		if len(users) != 1 || users[0].ID != b.other.ID {
			t.Errorf("Users shows %d users", len(users))
		}
		tokens, err := b.s.Tokens(ctx, b.other)
		must(t, err)
		if len(tokens) != 0 {
			t.Errorf("Tokens shows another organization's token")
		}
		wantKind(t, b.s.ChangeUser(ctx, b.other, b.admin.ID, "Mallory", caseload.Viewer, true), caseload.NotFound)
		wantKind(t, b.s.RevokeToken(ctx, b.other, token.ID), caseload.NotFound)
		wantKind(t, b.s.CreateToken(ctx, b.other, caseload.Token{User: b.admin.ID, Role: caseload.Admin}, []byte("x")), caseload.NotFound)
		stranger := b.admin
		stranger.Organization = b.other.Organization
		wantKind(t, b.s.SignInSucceeded(ctx, nil, stranger), caseload.NotFound)
		if b.fingerprint(b.admin.Organization) != before {
			t.Error("another organization's user changed something")
		}
		number, err := b.s.ProposeCaseNumber(ctx, b.other)
		must(t, err)
		if number != "2026-0001" {
			t.Errorf("another organization's numbers count: %q", number)
		}
		twin, err := b.s.CreateCase(ctx, b.other, caseload.Case{Number: "2026-0001", Organization: b.admin.Organization})
		must(t, err)
		if twin.Organization != b.other.Organization {
			t.Error("CreateCase believes the organization it is told")
		}
	})
}

// What hangs on a case's files is nobody else's: its images, older versions and what is to be read again.
func TestWhatHangsOnAFileStaysWithinTheOrganization(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("2026-0001", "Kim")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(1)))
		must(t, b.s.FinishReading(ctx, f.ID, 1, caseload.Receipt{SHA256: strings.Repeat("a", 64)}))
		studies, err := b.s.CaseStudies(ctx, b.admin, c.ID)
		must(t, err)
		image := studies[0].Series[0].Members[0].ID
		_, _, err = b.s.Instance(ctx, b.admin, image)
		must(t, err)
		_, _, err = b.s.Instance(ctx, b.other, image)
		wantKind(t, err, caseload.NotFound)

		asked, err := b.s.AskRereadings(ctx, b.admin, Reindex{Current: true})
		must(t, err)
		foreign, err := b.s.AskRereadings(ctx, b.other, Reindex{Current: true})
		must(t, err)
		if asked != 1 || foreign != 0 {
			t.Errorf("asked for %d of one's own and %d of another organization", asked, foreign)
		}
		for user, want := range map[caseload.User]int{b.admin: 1, b.other: 0} {
			for _, of := range []caseload.CaseID{"", c.ID} {
				left, _, err := b.s.RereadingsLeft(ctx, user, of)
				must(t, err)
				if left != want {
					t.Errorf("%d are to be read again, want %d", left, want)
				}
			}
		}
		_, err = b.s.db.ExecContext(ctx, `UPDATE files SET superseded = 1, family = id WHERE id = $1`, string(f.ID))
		must(t, err)
		for user, want := range map[caseload.User]int{b.admin: 1, b.other: 0} {
			older, err := b.s.OlderVersions(ctx, user, c.ID)
			must(t, err)
			if len(older) != want {
				t.Errorf("%d files have older versions, want %d", len(older), want)
			}
		}
	})
}
