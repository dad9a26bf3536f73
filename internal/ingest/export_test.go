package ingest

import (
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// KindOf is kindOf, for the table test.
func KindOf(head []byte) (caseload.FileKind, string) {
	return kindOf(head[:min(len(head), headSize)], int64(len(head)))
}

// SetPause replaces waiting for a store that does not answer.
func (s *Service) SetPause(pause func(time.Duration)) { s.pause = pause }
