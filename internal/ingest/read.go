package ingest

import (
	"context"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// ReleaseWithin bounds the last words to the database after the context has ended: giving back a lease.
const ReleaseWithin = 5 * time.Second

// Ingest reads one file.
func (s *Service) Ingest(ctx context.Context, id caseload.FileID) error { return nil }
