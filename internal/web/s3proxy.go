package web

import (
	"net/http"
	"os"
	"strings"
)

// gatewayPattern stands for all signed requests in the log and the metrics: their addresses are capabilities.
const gatewayPattern = "/{bucket}/{key}"

// formRoom is how much longer than its file a posted form may be, in bytes.
const formRoom = 32 << 10

// forStore tells whether the request is a signed one for the embedded store. Its path must not be cleaned, redirected
// or matched against our routes: it is part of what was signed.
func (s *Server) forStore(r *http.Request) bool {
	return s.Gateway != nil && (r.URL.Path == "/"+s.Bucket || strings.HasPrefix(r.URL.Path, "/"+s.Bucket+"/"))
}

// passToStore hands the request to the embedded store with Host and path unchanged and without our cookies. The store's
// handler refuses what is not signed and sandboxes every answer; what is added here is that a body may not stand still, on
// its way in or out.
func (s *Server) passToStore(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	x.pattern, x.kind = gatewayPattern, asUpload
	limit := s.Limits.MaxFileSize
	if r.Method == http.MethodPost {
		limit += formRoom
	}
	if r.ContentLength > limit {
		s.fail(w, r, &http.MaxBytesError{Limit: s.Limits.MaxFileSize})
		return
	}
	r.Header.Del("Cookie")
	control := http.NewResponseController(w)
	if r.ContentLength > 0 {
		body := &uploadBody{body: r.Body, control: control, count: s.metrics.received}
		r.Body = body
		defer s.sayTooSlow(w, r, body)
	}
	s.Gateway.ServeHTTP(&takenAnswer{w, control, uploadStall}, r)
}

// sayTooSlow answers for a store that cut the connection because the body did.
func (s *Server) sayTooSlow(w http.ResponseWriter, r *http.Request, body *uploadBody) {
	cause := recover()
	if cause == nil {
		return
	}
	if rec, ok := w.(*recorder); cause != http.ErrAbortHandler || !body.late() || ok && rec.status != 0 { //nolint:errorlint // as net/http compares it
		panic(cause)
	}
	s.fail(w, r, os.ErrDeadlineExceeded)
}
