package web

import (
	"net/http"
	"strings"
)

// gatewayPattern stands for all signed requests in the log and the metrics: their addresses are capabilities.
const gatewayPattern = "/{bucket}/{key}"

// forStore tells whether the request is a signed one for the embedded store. Its path must not be cleaned, redirected
// or matched against our routes: it is part of what was signed.
func (s *Server) forStore(r *http.Request) bool {
	return s.Gateway != nil && (r.URL.Path == "/"+s.Bucket || strings.HasPrefix(r.URL.Path, "/"+s.Bucket+"/"))
}

// passToStore hands the request to the embedded store with Host and path unchanged and without our cookies. The store's
// handler refuses what is not signed and sandboxes every answer; what is added here is that a body may not stand still.
func (s *Server) passToStore(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	x.pattern, x.kind = gatewayPattern, asUpload
	if r.ContentLength > s.Limits.MaxFileSize {
		s.fail(w, r, &http.MaxBytesError{Limit: s.Limits.MaxFileSize})
		return
	}
	r.Header.Del("Cookie")
	if r.ContentLength > 0 {
		r.Body = &uploadBody{body: r.Body, control: http.NewResponseController(w), count: s.metrics.received}
	}
	s.Gateway.ServeHTTP(w, r)
}
