package web

import "time"

// SetHeartbeat shortens the pause after which a live stream looks at its session again.
func (s *Server) SetHeartbeat(pause time.Duration) { s.live.heartbeat = pause }

// Watched counts the live streams.
func (s *Server) Watched() int { return s.live.streams() }

// SetUploadPace shortens how long an upload may be slow; the returned function puts it back.
func SetUploadPace(allowance, stall time.Duration) (restore func()) {
	old := [2]time.Duration{uploadAllowance, uploadStall}
	uploadAllowance, uploadStall = allowance, stall
	return func() { uploadAllowance, uploadStall = old[0], old[1] }
}
