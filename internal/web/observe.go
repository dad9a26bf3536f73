package web

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// observe is the outermost station: it gives the request its reference, catches a panic, and when the answer is out
// writes one line of log and the metrics. Of the address only the route's pattern is kept: paths and queries may hold
// what people typed.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		x := &exchange{id: newReference(), kind: kindByPath(r.URL.Path)}
		r = withExchange(r, x)
		rec := &recorder{ResponseWriter: w, turn: &x.turn}
		rec.Header().Set("X-Request-Id", x.id)
		defer func() {
			if cause := recover(); cause != nil {
				s.recovered(rec, r, cause)
			}
			s.report(r, x, rec, time.Since(begun))
		}()
		next.ServeHTTP(rec, r)
	})
}

// recovered answers a panic as an internal error. http.ErrAbortHandler goes on: it is how a connection is cut.
func (s *Server) recovered(rec *recorder, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way
		panic(cause)
	}
	s.Log.ErrorContext(r.Context(), "panic", "request_id", exchangeOf(r).id, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: cut the connection rather than pass it off as whole
	}
	s.fail(rec, r, fmt.Errorf("panic: %v", cause))
}

func (s *Server) report(r *http.Request, x *exchange, rec *recorder, took time.Duration) {
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	pattern := x.pattern
	if pattern == "" {
		pattern = "none"
	}
	s.metrics.answered(pattern, r.Method, status, took)
	level := s.Log.InfoContext
	if x.kind == asProbe || x.kind == asAsset || pattern == gatewayPattern {
		level = s.Log.DebugContext
	}
	level(r.Context(), "http", "request_id", x.id, "method", knownMethod(r.Method), "route", pattern, "status", status,
		"bytes", rec.bytes, "ms", took.Milliseconds(), "user", string(x.caller.user.ID))
}

// knownMethod keeps invented methods out of logs and metrics.
func knownMethod(m string) string {
	if strings.Contains(" GET HEAD POST PUT PATCH DELETE OPTIONS ", " "+m+" ") {
		return m
	}
	return "other"
}

func newReference() string {
	var b [9]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("web: no randomness: " + err.Error()) // crypto/rand never fails on the systems we run on
	}
	return hex.EncodeToString(b[:])
}

// recorder notes the status and the size of the answer. Unwrap keeps http.ResponseController working.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	turn   *turn // given back when the answer begins: the client may take it slowly
}

func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

func (rec *recorder) WriteHeader(status int) {
	rec.turn.leave()
	if rec.status == 0 && status >= 200 {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(p []byte) (int, error) {
	rec.turn.leave()
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(p)
	rec.bytes += int64(n)
	return n, err
}
