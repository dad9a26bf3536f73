package ingest

import (
	"context"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Rereadings is what reading files again asks of the database. Every method after StartRereading is fenced by the attempt
// and answers Conflict, changing nothing, when another attempt has the say, the file was deleted, or nobody asks any more.
type Rereadings interface {
	// StartRereading takes the lease on the file that is due longest. NotFound when none is due.
	StartRereading(ctx context.Context, now, until time.Time) (caseload.File, error)
	// RenewRereading extends the lease, or ends it when until is not in the future.
	RenewRereading(ctx context.Context, id caseload.FileID, attempt int, until time.Time) error
	// FinishRereading replaces, in one transaction, everything that was read of the file before.
	FinishRereading(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) error
	// FailRereading ends the reading without a result; what was read before stands.
	FailRereading(ctx context.Context, id caseload.FileID, attempt int, reason string) error
	// ReleaseRereading ends the lease and gives the try back.
	ReleaseRereading(ctx context.Context, id caseload.FileID, attempt int) error
}

// Reread reads again the file that is due longest, exactly as Ingest reads one, while its old results stand until the new
// ones replace them in one transaction. did is false when none was due. An error counted as a try; the file is due again.
// It is safe to run twice at the same time, and after a kill.
func (s *Service) Reread(ctx context.Context, records Rereadings) (did bool, err error) {
	now := s.Now()
	f, err := records.StartRereading(ctx, now, now.Add(s.Lease))
	switch {
	case caseload.KindOf(err) == caseload.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ingest: start reading again: %w", err)
	}
	again := *s
	again.Records = &rereading{records: records, file: f}
	return true, again.Ingest(ctx, f.ID)
}

// rereading lets Ingest read one file again: the same calls, but nothing is changed before the end.
type rereading struct {
	records Rereadings
	file    caseload.File
	found   caseload.Findings
}

func (r *rereading) StartReading(context.Context, caseload.FileID, string, time.Time, time.Time) (caseload.File, error) {
	return r.file, nil
}

func (r *rereading) Renew(ctx context.Context, id caseload.FileID, attempt int, until time.Time, _, _ int) error {
	return r.records.RenewRereading(ctx, id, attempt, until)
}

func (r *rereading) SaveMetadata(_ context.Context, _ caseload.FileID, _ int, found caseload.Findings) error {
	r.found = found
	return nil
}

func (r *rereading) FinishReading(ctx context.Context, id caseload.FileID, attempt int, receipt caseload.Receipt) error {
	return r.records.FinishRereading(ctx, id, attempt, r.found, receipt)
}

func (r *rereading) SaveRead(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, receipt caseload.Receipt) error {
	return r.records.FinishRereading(ctx, id, attempt, found, receipt)
}

func (r *rereading) Reject(ctx context.Context, id caseload.FileID, attempt int, reason string) error {
	return r.records.FailRereading(ctx, id, attempt, reason)
}

func (r *rereading) Release(ctx context.Context, id caseload.FileID, attempt int) error {
	return r.records.ReleaseRereading(ctx, id, attempt)
}
