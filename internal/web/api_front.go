package web

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/doctor"
)

// frontStream bounds a stream of the doctor's; it leaves when it has the first event.
const frontStream = time.Minute

// apiFrontBody takes a body as large as one of the small route and answers how the request came. Only a trial of the
// doctor's that is under way in our database is answered; to all others there is nothing here.
func (s *Server) apiFrontBody(w http.ResponseWriter, r *http.Request) error {
	if err := s.onTrial(r); err != nil {
		return err
	}
	if err := s.streamBody(w, r, s.Limits.DirectThreshold); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return err
	}
	seen := s.seen(r)
	seen.Received = n
	return answer(w, http.StatusOK, seen)
}

// apiFrontStream streams one event, how the request came, and stays open until the client leaves.
func (s *Server) apiFrontStream(w http.ResponseWriter, r *http.Request) error {
	if err := s.onTrial(r); err != nil {
		return err
	}
	seen, err := json.Marshal(s.seen(r))
	if err != nil {
		return err
	}
	stream, going := openEvents(w)
	if !going || !stream.write("event: front\ndata: %s\n\n", seen) {
		return nil
	}
	end := time.NewTimer(frontStream)
	defer end.Stop()
	select {
	case <-end.C:
	case <-r.Context().Done():
	case <-s.live.closed:
	}
	return nil
}

// onTrial answers NotFound unless the request carries the word of a trial that is under way.
func (s *Server) onTrial(r *http.Request) error {
	word := sha256.Sum256([]byte(r.Header.Get(doctor.TrialHeader)))
	return s.Store.Trial(r.Context(), word[:], s.Now())
}

// seen is what of a request a proxy before us decides.
func (s *Server) seen(r *http.Request) doctor.Seen {
	hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
	return doctor.Seen{
		Public: s.PublicURL, Host: r.Host, Secure: s.secure(r), Encrypted: r.TLS != nil, Address: s.address(r), Peer: bareHost(r.RemoteAddr),
		Forwarded: s.TrustProxy && net.ParseIP(strings.TrimSpace(hops[len(hops)-1])) != nil,
	}
}
