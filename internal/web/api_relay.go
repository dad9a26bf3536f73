package web

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// relayStill is how long a relayed download may stand still before it is given up.
const relayStill = 30 * time.Second

// apiRelayFile sends a stored file through the server, for browsers that do not reach the store.
func (s *Server) apiRelayFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	body, f, err := s.Transfer.Content(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	taken := &takenAnswer{w, http.NewResponseController(w), relayStill}
	if _, err := io.CopyBuffer(taken, struct{ io.Reader }{body}, make([]byte, 256<<10)); err != nil {
		s.Log.WarnContext(r.Context(), "a file was not relayed to its end", "file", id, "error", err) // its length was announced: the client sees it
	}
	return nil
}
