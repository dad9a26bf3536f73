// Package cleanup decides what of a deployment's files may go, and sees to it that nothing else does. It writes plans, has
// them approved, carries them out item by item, and releases trash whose window is over; before any of that it doubts the
// clock, the database and the amount (doubt.go). It deletes nothing itself: files and cases go through delete-intents
// (package transfer erases those), parts of uploads that no row knows through a claimed item of a plan. It knows the
// database, the store and the uploads only through the small interfaces below.
//
// What an operator should know. The bucket gets one small object, caseload-marker, by which a database knows it is the
// right one; it needs s3:PutObject and s3:GetObject, and to find stray uploads s3:ListBucketMultipartUploads. One page of
// a listing is read when there is no marker yet (s3:ListBucket).
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Policy is when plans are made without a person.
type Policy string

const (
	Off     Policy = "off"     // never; only trash past its window goes by itself
	Propose Policy = "propose" // a plan a day, which waits for an administrator's word
	On      Policy = "on"      // a plan a day, which is carried out unless more than Rules.Share would go
)

// Rules are what is chosen to go, as the settings say.
type Rules struct {
	OlderThan     time.Duration  // uploads without a sign of life for this long; never less than least
	FinishedAfter time.Duration  // cases that are finished and unchanged for this long; 0: they stay
	Share         caseload.Share // of an organization's objects or bytes; more goes only at a person's word
	AbandonAfter  time.Duration  // an upload can be resumed this long
	TrashWindow   time.Duration  // what is deleted can be restored this long
}

// least is the shortest OlderThan: a day, within which a browser, a clock or a store may be wrong about the hour.
const least = 24 * time.Hour

// Service carries out the verbs. All exported fields are required. It must not be copied once in use.
type Service struct {
	Records Records
	Objects Objects
	Uploads Uploads
	Rules   Rules
	Policy  Policy
	Now     func() time.Time
	Log     *slog.Logger

	mu       sync.Mutex
	held     time.Time // when Release last let trash lie because of its share
	noted    time.Time // when the marker was last written
	looked   time.Time // when Tend last doubted
	planning sync.Mutex
}

// Records is what cleanup asks of the database; package store says what each method answers.
type Records interface {
	Facts(ctx context.Context, gap time.Duration) (caseload.DatabaseFacts, error)
	RecordAccepted(ctx context.Context, database string) error
	Organizations(ctx context.Context) ([]caseload.Organization, error)
	DueTrash(ctx context.Context, now time.Time) (map[caseload.OrganizationID]caseload.DueTrash, error)
	ReleaseTrash(ctx context.Context, org caseload.OrganizationID, now time.Time) (int64, error)
	MakePlan(ctx context.Context, p caseload.CleanupPlan, strays []caseload.OpenUpload) (caseload.CleanupPlan, error)
	Plan(ctx context.Context, user caseload.User, id caseload.PlanID) (caseload.CleanupPlan, error)
	ApprovedPlans(ctx context.Context) ([]caseload.CleanupPlan, error)
	ApprovePlan(ctx context.Context, user caseload.User, id caseload.PlanID, allowed, most caseload.Share) (caseload.CleanupPlan, error)
	EndPlan(ctx context.Context, user caseload.User, id caseload.PlanID, state caseload.PlanState, doubts []caseload.Doubt) error
	Items(ctx context.Context, id caseload.PlanID, after, limit int) ([]caseload.CleanupItem, error)
	CarryOut(ctx context.Context, p caseload.CleanupPlan, n int, due caseload.EraseAt) (caseload.CleanupItem, error)
	SettleItem(ctx context.Context, p caseload.CleanupPlan, n int, why string) error
	FinishStray(ctx context.Context, p caseload.CleanupPlan, n int) error
	TrashedCaseAt(ctx context.Context, user caseload.User, id caseload.CaseID) (time.Time, error)
	UndonePlan(ctx context.Context, user caseload.User, id caseload.PlanID, cases, files int) (caseload.CleanupPlan, error)
	LastPlanned(ctx context.Context, org caseload.OrganizationID) (time.Time, error)
}

// Objects is what cleanup asks of the object store.
type Objects interface {
	// Marker reads the bucket's marker; nil when there is none. at is the store's own clock.
	Marker(ctx context.Context) (m *caseload.Marker, at time.Time, err error)
	WriteMarker(ctx context.Context, m caseload.Marker) error
	// OldestObject returns when the oldest of our objects on the first page of a listing was written; zero: there is none.
	OldestObject(ctx context.Context) (time.Time, error)
	// OpenUploads lists every unfinished multipart upload. Unsupported when the store cannot.
	OpenUploads(ctx context.Context, each func(caseload.OpenUpload) error) error
	AbortMultipart(ctx context.Context, key caseload.ObjectKey, uploadID string) error
}

// Uploads is what cleanup asks of package transfer.
type Uploads interface {
	// GiveUp ends an upload without a sign of life after quiet, or says by a word why not.
	GiveUp(ctx context.Context, org caseload.OrganizationID, id caseload.FileID, quiet time.Time) (why string, err error)
	EraseAt() caseload.EraseAt
	// RestoreCase takes a deleted case out of the trash with the files that went with it.
	RestoreCase(ctx context.Context, user caseload.User, id caseload.CaseID) (back, lost int, err error)
	// ReturnToTrash takes a file that was let go back into the trash.
	ReturnToTrash(ctx context.Context, user caseload.User, id caseload.FileID) error
}

// maxStrays bounds the stray uploads of one plan.
const maxStrays = 10_000

// Plan writes down what of the user's organization would go by the rules, or by stricter ones, and changes nothing else.
// The caller is an administrator. Conflict with the doubts' words when something looks wrong.
func (s *Service) Plan(ctx context.Context, user caseload.User, olderThan time.Duration) (caseload.CleanupPlan, error) {
	s.planning.Lock()
	defer s.planning.Unlock()
	doubts, err := s.Doubts(ctx)
	if err != nil {
		return caseload.CleanupPlan{}, err
	}
	if len(doubts) > 0 {
		return caseload.CleanupPlan{}, Refusal(doubts)
	}
	p := s.Draft(user, olderThan)
	var strays []caseload.OpenUpload
	err = s.Objects.OpenUploads(ctx, func(u caseload.OpenUpload) error {
		if caseload.OwnKey(u.Key) && !u.Begun.IsZero() && !u.Begun.After(p.QuietSince) && len(strays) < maxStrays {
			strays = append(strays, u)
		}
		return nil
	})
	if err != nil {
		if caseload.KindOf(err) != caseload.Unsupported {
			return p, fmt.Errorf("list the store's unfinished uploads: %w", err)
		}
		s.Log.WarnContext(ctx, "the store does not list unfinished uploads; its own rule has to end them", "error", err)
	}
	return s.Records.MakePlan(ctx, p, strays)
}

// Draft returns a plan by the rules of which nothing is looked for yet. The store is not asked: a plan made of it
// (Records.MakePlan) has no strays, and is doubted when it is carried out.
func (s *Service) Draft(user caseload.User, olderThan time.Duration) caseload.CleanupPlan {
	now := s.Now()
	p := caseload.CleanupPlan{Organization: user.Organization, MadeBy: actorOf(user), QuietSince: now.Add(-max(olderThan, s.Rules.AbandonAfter, least))}
	if s.Rules.FinishedAfter > 0 {
		p.FinishedSince = now.Add(-max(s.Rules.FinishedAfter, least))
	}
	return p
}

// Approve is a person's yes to a plan; allowed is the share he typed, 0 when he typed none. The plan is carried out by the
// next Tend.
func (s *Service) Approve(ctx context.Context, user caseload.User, id caseload.PlanID, allowed caseload.Share) (caseload.CleanupPlan, error) {
	return s.Records.ApprovePlan(ctx, user, id, allowed, s.Rules.Share)
}

// Dismiss is a person's no.
func (s *Service) Dismiss(ctx context.Context, user caseload.User, id caseload.PlanID) error {
	return s.Records.EndPlan(ctx, user, id, caseload.PlanDismissed, nil)
}

// Tend carries out approved plans and makes those that the policy asks for. Every deployment's sweep calls it; safe to run
// twice, and at once in several processes.
func (s *Service) Tend(ctx context.Context) error {
	plans, err := s.Records.ApprovedPlans(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range plans {
		if _, err := s.CarryOut(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("clean-up plan %s: %w", p.ID, err))
		}
	}
	errs = append(errs, s.lookAround(ctx))
	if s.Policy != Off {
		errs = append(errs, s.planDaily(ctx))
	}
	return errors.Join(errs...)
}

// lookEvery is how often everything is doubted while there is nothing to do, so that a gap in time is seen as one.
const lookEvery = time.Hour

func (s *Service) lookAround(ctx context.Context) error {
	now := s.Now()
	s.mu.Lock()
	recent := !s.looked.IsZero() && now.Sub(s.looked).Abs() < lookEvery
	s.looked = now
	s.mu.Unlock()
	if recent {
		return nil
	}
	doubts, err := s.Doubts(ctx)
	if len(doubts) > 0 {
		s.Log.ErrorContext(ctx, "nothing is erased until this is mended", "doubts", doubts)
	}
	return err
}

// planEvery is how often the policy plans.
const planEvery = 24 * time.Hour

func (s *Service) planDaily(ctx context.Context) error {
	organizations, err := s.Records.Organizations(ctx)
	if err != nil {
		return err
	}
	for _, o := range organizations {
		last, err := s.Records.LastPlanned(ctx, o.ID)
		if err != nil {
			return err
		}
		if since := s.Now().Sub(last); since >= 0 && since < planEvery {
			continue
		}
		system := caseload.User{Organization: o.ID, Role: caseload.Admin}
		p, err := s.Plan(ctx, system, s.Rules.OlderThan)
		if err != nil {
			return err
		}
		if s.Policy == On && p.State == caseload.PlanWaiting && p.Share() <= s.Rules.Share {
			if _, err := s.Approve(ctx, system, p.ID, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// itemsAtOnce is how many items are read at once.
const itemsAtOnce = 500

// CarryOut does what an approved plan says, each item after another look at it; what changed since falls out of the plan. It
// doubts everything once more first: then the plan ends refused and nothing has gone. After a failure or a kill it goes on
// where it stood when called again. It returns the plan as it then stands.
func (s *Service) CarryOut(ctx context.Context, p caseload.CleanupPlan) (caseload.CleanupPlan, error) {
	user := caseload.User{Organization: p.Organization, ID: caseload.UserID(personOf(p.ApprovedBy)), Role: caseload.Admin}
	doubts, err := s.Doubts(ctx)
	if err != nil {
		return p, err
	}
	if p.Share() > max(s.Rules.Share, p.Allowed) {
		doubts = append(doubts, caseload.DoubtShare)
	}
	if len(doubts) > 0 {
		s.Log.ErrorContext(ctx, "a clean-up was refused", "plan", p.ID, "doubts", doubts)
		return s.end(ctx, user, p, caseload.PlanRefused, doubts)
	}
	for after := 0; ; {
		items, err := s.Records.Items(ctx, p.ID, after, itemsAtOnce)
		if err != nil {
			return p, err
		}
		if len(items) == 0 {
			return s.end(ctx, user, p, caseload.PlanDone, nil)
		}
		for _, i := range items {
			after = i.N
			if err := s.item(ctx, p, i); err != nil {
				return p, fmt.Errorf("item %d: %w", i.N, err)
			}
		}
	}
}

// item does one item that is not done yet.
func (s *Service) item(ctx context.Context, p caseload.CleanupPlan, i caseload.CleanupItem) (err error) {
	if i.State == caseload.ItemDone || i.State == caseload.ItemFell {
		return nil
	}
	if i.Kind == caseload.ItemUnfinished {
		why, err := s.Uploads.GiveUp(ctx, p.Organization, i.File, p.QuietSince)
		if err != nil {
			return err
		}
		return s.Records.SettleItem(ctx, p, i.N, why)
	}
	if i.State == caseload.ItemWaiting {
		if i, err = s.Records.CarryOut(ctx, p, i.N, s.Uploads.EraseAt()); err != nil {
			return err
		}
	}
	if i.Kind != caseload.ItemStray || i.State != caseload.ItemClaimed {
		return nil
	}
	if err := s.Objects.AbortMultipart(ctx, i.Object, i.UploadID); err != nil && caseload.KindOf(err) != caseload.NotFound {
		return fmt.Errorf("throw parts away: %w", err)
	}
	return s.Records.FinishStray(ctx, p, i.N)
}

func (s *Service) end(ctx context.Context, user caseload.User, p caseload.CleanupPlan, state caseload.PlanState, doubts []caseload.Doubt) (caseload.CleanupPlan, error) {
	if err := s.Records.EndPlan(ctx, user, p.ID, state, doubts); err != nil {
		return p, err
	}
	return s.Records.Plan(ctx, user, p.ID)
}

// holdFor is how long trash that is too much to go by itself lies before it is counted again.
const holdFor = 10 * time.Minute

// Release lets trash go that is past its window, of every organization of which that is not too much at once
// (caseload.DueTrash.TooMuch); the rest waits for a plan and a person's word. transfer asks it before it erases anything. An error means that something
// looks wrong: then nothing may be erased.
func (s *Service) Release(ctx context.Context) error {
	doubts, err := s.Doubts(ctx)
	if err != nil {
		return fmt.Errorf("look whether anything may be erased: %w", err)
	}
	if len(doubts) > 0 {
		return Refusal(doubts)
	}
	now := s.Now()
	s.mu.Lock()
	wait := now.Sub(s.held) >= 0 && now.Sub(s.held) < holdFor
	s.mu.Unlock()
	if wait {
		return nil
	}
	due, err := s.Records.DueTrash(ctx, now)
	if err != nil {
		return err
	}
	for org, t := range due {
		if t.TooMuch(s.Rules.Share) {
			s.mu.Lock()
			s.held = now
			s.mu.Unlock()
			s.Log.WarnContext(ctx, "trash past its window waits for an administrator: it is too large a part of everything", "organization", org, "percent", caseload.ShareOf(t.All, t.Whole).String())
			continue
		}
		if _, err := s.Records.ReleaseTrash(ctx, org, now); err != nil {
			return err
		}
	}
	return nil
}

func actorOf(u caseload.User) string {
	if u.ID == "" {
		return caseload.SystemActor
	}
	return string(u.ID)
}

// personOf is the user an actor is; "" for the system.
func personOf(actor string) string {
	if actor == caseload.SystemActor {
		return ""
	}
	return actor
}
