package ingest

import "time"

// SetPause replaces waiting for a store that does not answer.
func (s *Service) SetPause(pause func(time.Duration)) { s.pause = pause }
