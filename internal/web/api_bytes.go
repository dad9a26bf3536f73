package web

import (
	"net/http"
	"strconv"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

// checksumHeader carries the base64 of the body's CRC-64/NVME, as S3 names it.
const checksumHeader = "X-Amz-Checksum-Crc64nvme"

// apiReceiveFile takes a whole file of the small route. The body is streamed on; the length and the checksum are
// declared before it.
func (s *Server) apiReceiveFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	checksum, err := s.beginBody(w, r)
	if err != nil {
		return err
	}
	f, err := s.Transfer.Receive(r.Context(), s.user(r), id, r.Body, r.ContentLength, checksum)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFile(f))
}

// apiRelayPart takes one part through the server, for browsers that cannot reach the store.
func (s *Server) apiRelayPart(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return caseload.Errorf(caseload.Invalid, "The part's number must be a whole number from 1.").WithField("number")
	}
	checksum, err := s.beginBody(w, r)
	if err != nil {
		return err
	}
	p, err := s.Transfer.Relay(r.Context(), s.user(r), id, transfer.PartSpec{Number: number, CRC64NVME: checksum}, r.Body, r.ContentLength)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Part{Number: p.Number, Size: p.Size, CRC64NVME: p.CRC64NVME})
}

// beginBody checks what must be said before a body of bytes and makes the body one that is bounded, counted, and ended
// when it stands still. It returns the declared checksum.
func (s *Server) beginBody(w http.ResponseWriter, r *http.Request) (checksum string, err error) {
	if checksum = r.Header.Get(checksumHeader); checksum == "" {
		return "", checksumMissing("request")
	}
	return checksum, s.streamBody(w, r, s.Limits.MaxFileSize)
}

// streamBody makes the body one that is at most that many bytes long, counted, and ended when it stands still.
func (s *Server) streamBody(w http.ResponseWriter, r *http.Request, most int64) error {
	switch {
	case r.ContentLength < 0:
		return lengthError{}
	case r.ContentLength > most:
		return &http.MaxBytesError{Limit: most}
	}
	r.Body = &uploadBody{
		body: http.MaxBytesReader(w, r.Body, r.ContentLength), control: http.NewResponseController(w), count: s.metrics.received,
	}
	return nil
}

func checksumMissing(what string) error {
	return caseload.Errorf(caseload.Invalid, "The %s does not say the checksum of its body.", what).
		WithHint("Send " + checksumHeader + ": the base64 of its CRC-64/NVME.").WithField("crc64nvme")
}

func (s *Server) apiSignParts(w http.ResponseWriter, r *http.Request) error {
	var in api.SignParts
	id, err := fileID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	specs := make([]transfer.PartSpec, 0, len(in.Parts))
	for _, p := range in.Parts {
		specs = append(specs, transfer.PartSpec(p))
	}
	signed, err := s.Transfer.Sign(r.Context(), s.user(r), id, s.origin(r), specs)
	if err != nil {
		return err
	}
	s.metrics.signed(len(signed))
	out := api.SignedParts{Requests: make([]api.SignedRequest, 0, len(signed))}
	for _, q := range signed {
		out.Requests = append(out.Requests, api.SignedRequest{
			Part: q.Part, Method: q.Method, URL: q.URL, Headers: q.Headers, ExpiresAt: q.ExpiresAt.UTC(),
		})
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiListParts(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	held, err := s.Transfer.Held(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	out := api.Parts{Parts: make([]api.Part, 0, len(held))}
	for _, p := range held {
		out.Parts = append(out.Parts, api.Part{Number: p.Number, Size: p.Size, CRC64NVME: p.CRC64NVME})
	}
	return answer(w, http.StatusOK, out)
}
