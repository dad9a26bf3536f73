package web

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// frameWithin is how long finding and reading one frame may take.
const frameWithin = 30 * time.Second

// apiClaimPreview lets one browser of all that look at the case draw a preview.
func (s *Server) apiClaimPreview(w http.ResponseWriter, r *http.Request) error {
	id, err := previewID(r)
	if err != nil {
		return err
	}
	if err := noBody(r); err != nil {
		return err
	}
	if err := s.Store.ClaimOffer(r.Context(), s.user(r), id, s.Now().Add(caseload.OfferClaim)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiReleasePreview lets the next browser draw a preview: whoever had it left.
func (s *Server) apiReleasePreview(w http.ResponseWriter, r *http.Request) error {
	id, err := previewID(r)
	if err != nil {
		return err
	}
	if err := s.Store.ReleaseOffer(r.Context(), s.user(r), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiShowFrame describes the frame that a browser is to decode.
func (s *Server) apiShowFrame(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), frameWithin)
	defer cancel()
	f, err := s.codedFrame(ctx, r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFrame(f))
}

// apiSendFrame sends the frame's bytes as they lie in the file, which may lie in a ZIP.
func (s *Server) apiSendFrame(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), frameWithin)
	defer cancel()
	f, err := s.codedFrame(ctx, r)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if err := f.Write(w); err != nil {
		s.Log.WarnContext(ctx, "a frame was not sent to its end", "error", err) // its length was announced: the client sees it
	}
	return nil
}

// slicesWithin is how long reading the slices of one preview may take.
const slicesWithin = 90 * time.Second

// apiSendSlices sends the slices that a browser draws planes from: of each the length of its description in four bytes, the
// highest first, the description, and its bytes.
func (s *Server) apiSendSlices(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), slicesWithin)
	defer cancel()
	id, err := previewID(r)
	if err != nil {
		return err
	}
	o, err := s.Store.OfferSource(ctx, s.user(r), id)
	if err != nil {
		return err
	}
	taken, begun := &takenAnswer{w, http.NewResponseController(w), relayStill}, false
	err = s.Frames.Slices(ctx, o, func(f caseload.CodedFrame) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		}
		described, err := json.Marshal(api.FromFrame(f))
		if err != nil {
			return err
		}
		if _, err := taken.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(described))), described...)); err != nil || f.Size == 0 {
			return err
		}
		return f.Write(taken)
	})
	if err != nil && begun {
		s.Log.WarnContext(ctx, "the slices of a preview were not sent to their end", "error", err) // their number was announced: the client sees it
		return nil
	}
	return err
}

// codedFrame finds the frame of the preview that the address names.
func (s *Server) codedFrame(ctx context.Context, r *http.Request) (caseload.CodedFrame, error) {
	id, err := previewID(r)
	if err != nil {
		return caseload.CodedFrame{}, err
	}
	o, err := s.Store.OfferSource(ctx, s.user(r), id)
	if err != nil {
		return caseload.CodedFrame{}, err
	}
	return s.Frames.Frame(ctx, o)
}
