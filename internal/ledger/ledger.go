// Package ledger compares the database with the bucket and explains every byte the store holds: objects, versions of
// objects, and the parts of unfinished uploads. It goes through both in the order of the keys, page by page, in memory
// that does not grow with their number; what a step found and where the next one begins are written down together, so
// that a killed ledger, or one whose store went down, goes on where it was. It changes nothing in the store.
//
// What an operator should know. A ledger of n objects costs n/1,000 list requests, one ListParts for each unfinished
// upload, and one HEAD for each object that seems to be missing. It needs s3:ListBucket, s3:ListBucketMultipartUploads,
// s3:ListMultipartUploadParts, s3:GetObject and, where the bucket keeps versions, s3:GetBucketVersioning and
// s3:ListBucketVersions.
//
// It knows the database and the object store only through the two small interfaces below.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// sizes bound one step.
type sizes struct{ keys, rows, uploads int }

// usual is what a store lists at once (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html), the rows
// beside it, and how many uploads, each of which costs a ListParts.
var usual = sizes{keys: 1000, rows: 2000, uploads: 100}

// Service keeps the ledger. Records, Objects, Now and Log are required.
type Service struct {
	Records Records
	Objects Objects
	Now     func() time.Time
	Log     *slog.Logger
	Rest    time.Duration // between two steps, so that a store that serves people is not kept busy; 0: none

	sizes *sizes // nil: usual
}

func (s *Service) atOnce() sizes {
	if s.sizes != nil {
		return *s.sizes
	}
	return usual
}

// Records is what the ledger asks of the database.
type Records interface {
	// OpenLedger returns the ledger under way; without one it begins a new one, in which versions tells whether every
	// version is listed.
	OpenLedger(ctx context.Context, versions bool) (caseload.Ledger, error)
	// UnfinishedLedger returns the ledger under way, or nil.
	UnfinishedLedger(ctx context.Context) (*caseload.Ledger, error)
	// LedgerRows returns the files whose object lies behind the key, in the order of the objects, at most limit.
	LedgerRows(ctx context.Context, after caseload.ObjectKey, limit int) ([]caseload.LedgerRow, error)
	// LedgerRowsOf returns what the database says of the keys, those of posted forms included, in no order.
	LedgerRowsOf(ctx context.Context, keys []caseload.ObjectKey) ([]caseload.LedgerRow, error)
	// LedgerUploads returns the files behind the key that may have an unfinished upload, in the order of the objects.
	LedgerUploads(ctx context.Context, after caseload.ObjectKey, limit int) ([]caseload.LedgerRow, error)
	// LastLedger returns the ledger that was finished last, or nil.
	LastLedger(ctx context.Context) (*caseload.Ledger, error)
	// SaveLedger adds a step to its ledger. Conflict when another step came first, or the ledger is not there any more.
	SaveLedger(ctx context.Context, step caseload.LedgerStep) error
	// UsageNoted tells whether what is kept today was noted, NoteUsage notes it (again).
	UsageNoted(ctx context.Context) (bool, error)
	NoteUsage(ctx context.Context) error
}

// Objects is what the ledger asks of the object store. Listings are in the order of the keys' bytes.
type Objects interface {
	// KeepsVersions tells whether the bucket keeps, or once kept, versions of its objects.
	KeepsVersions(ctx context.Context) (bool, error)
	// List returns the objects behind the mark, at most limit, with versions each version of them, in pages as
	// caseload.Behind says; more tells whether there are others behind the last.
	List(ctx context.Context, after caseload.Mark, versions bool, limit int) (page []caseload.Listed, more bool, err error)
	// ListUploads does the same for unfinished multipart uploads.
	ListUploads(ctx context.Context, after caseload.Mark, limit int) (page []caseload.ListedUpload, more bool, err error)
	// ListParts returns the parts of an unfinished upload; NotFound when there is no such upload.
	ListParts(ctx context.Context, key caseload.ObjectKey, uploadID string) ([]caseload.Part, error)
	// Head returns what the store holds under the key, that version when given. NotFound when it holds nothing.
	Head(ctx context.Context, key caseload.ObjectKey, versionID string) (caseload.Object, error)
}

// Run goes on with the ledger under way, or begins one, until it is done. told hears of every step; it may be nil.
// When another process works at the same ledger, each step is written down by whoever comes first. An error leaves the
// ledger where it was, to be gone on with by the next Run: Unavailable when the store or the database is down.
func (s *Service) Run(ctx context.Context, told func(caseload.Ledger)) (caseload.Ledger, error) {
	l, err := s.open(ctx)
	if err != nil {
		return l, err
	}
	for l.Phase != caseload.LedgerDone {
		after, err := s.step(ctx, l)
		switch {
		case err == nil:
			l = after
		case caseload.KindOf(err) == caseload.Conflict:
			open, lookErr := s.Records.UnfinishedLedger(ctx)
			if lookErr != nil {
				return l, fmt.Errorf("look where the ledger stands: %w", lookErr)
			}
			if open == nil || open.ID != l.ID {
				l.Phase = caseload.LedgerDone // the other process has finished it
				return l, nil
			}
			l = *open
		default:
			return l, err
		}
		if told != nil {
			told(l)
		}
		if err := s.rest(ctx); err != nil {
			return l, err
		}
	}
	return l, nil
}

// Keep is what a schedule calls often: it notes the usage of the day, and goes on with the ledger that is under way, or
// begins one when the last was finished longer than every ago. every 0 begins none. It returns at once when nothing is due.
func (s *Service) Keep(ctx context.Context, every time.Duration) error {
	noted, err := s.Records.UsageNoted(ctx)
	if err == nil && !noted {
		err = s.Records.NoteUsage(ctx)
	}
	if err != nil {
		return fmt.Errorf("note the usage of the day: %w", err)
	}
	due, err := s.due(ctx, every)
	if err != nil || !due {
		return err
	}
	l, err := s.Run(ctx, nil)
	if err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "the ledger is done", "ledger", string(l.ID), "keys", l.Keys)
	return s.Records.NoteUsage(ctx)
}

func (s *Service) due(ctx context.Context, every time.Duration) (bool, error) {
	open, err := s.Records.UnfinishedLedger(ctx)
	if err != nil || open != nil {
		return open != nil, err
	}
	if every <= 0 {
		return false, nil
	}
	last, err := s.Records.LastLedger(ctx)
	return err == nil && (last == nil || !s.Now().Before(last.FinishedAt.Add(every))), err
}

func (s *Service) open(ctx context.Context) (caseload.Ledger, error) {
	open, err := s.Records.UnfinishedLedger(ctx)
	if err != nil {
		return caseload.Ledger{}, fmt.Errorf("look for an unfinished ledger: %w", err)
	}
	if open != nil {
		return *open, nil
	}
	versions, err := s.Objects.KeepsVersions(ctx)
	if err != nil {
		return caseload.Ledger{}, fmt.Errorf("ask whether the bucket keeps versions: %w", err)
	}
	l, err := s.Records.OpenLedger(ctx, versions)
	if err != nil {
		return l, fmt.Errorf("begin a ledger: %w", err)
	}
	return l, nil
}

// rest waits between two steps.
func (s *Service) rest(ctx context.Context) error {
	if s.Rest <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(s.Rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// step does the next step and writes it down. It returns the ledger as it then stands.
func (s *Service) step(ctx context.Context, l caseload.Ledger) (caseload.Ledger, error) {
	work := map[caseload.LedgerPhase]func(context.Context, caseload.Ledger) (page, error){
		caseload.LedgerObjects: s.objects, caseload.LedgerUploads: s.uploads, caseload.LedgerStrangers: s.strangers,
	}[l.Phase]
	if work == nil {
		return l, errors.New("ledger: there is no phase " + string(l.Phase))
	}
	p, err := work(ctx, l)
	if err != nil {
		return l, err
	}
	next := l
	next.After, next.Keys = p.after, l.Keys+p.keys
	if p.last {
		next.Phase, next.After = following[l.Phase], caseload.Mark{}
	}
	if err := s.Records.SaveLedger(ctx, caseload.LedgerStep{Ledger: next, Sums: p.sums(), Lines: p.lines}); err != nil {
		return l, fmt.Errorf("write the ledger's step %d down: %w", l.Step, err)
	}
	next.Step++
	return next, nil
}

// following is the phase behind each.
var following = map[caseload.LedgerPhase]caseload.LedgerPhase{
	caseload.LedgerObjects: caseload.LedgerUploads, caseload.LedgerUploads: caseload.LedgerStrangers,
	caseload.LedgerStrangers: caseload.LedgerDone,
}
