package web

import (
	"context"
	"net/http"
	"strconv"
)

// apiShowHeader answers the header of one instance in the DICOM JSON Model (PS3.18 F), read by range when asked.
func (s *Server) apiShowHeader(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), headerWithin)
	defer cancel()
	id, err := instanceID(r)
	if err != nil {
		return err
	}
	f, instance, err := s.Store.Instance(ctx, s.user(r), id)
	if err != nil {
		return err
	}
	b, err := s.Reading.HeaderJSON(ctx, f, instance)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/dicom+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // a client that has left hears nothing
	return nil
}
