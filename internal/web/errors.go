package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// statuses maps each kind of error to its HTTP status.
var statuses = map[caseload.Kind]int{
	caseload.Internal: http.StatusInternalServerError, caseload.NotFound: http.StatusNotFound,
	caseload.Invalid: http.StatusBadRequest, caseload.Unauthenticated: http.StatusUnauthorized,
	caseload.Forbidden: http.StatusForbidden, caseload.Conflict: http.StatusConflict, caseload.Gone: http.StatusGone,
	caseload.TooLarge: http.StatusRequestEntityTooLarge, caseload.Unsupported: http.StatusUnsupportedMediaType,
	caseload.TooMany: http.StatusTooManyRequests, caseload.Unavailable: http.StatusServiceUnavailable,
	caseload.Full: http.StatusInsufficientStorage,
}

// lengthError is an upload without Content-Length.
type lengthError struct{}

func (lengthError) Error() string { return "the request does not say how long its body is" }

// waitError is an error together with how long to wait before trying again.
type waitError struct {
	err  error
	wait time.Duration
}

func (e *waitError) Error() string { return e.err.Error() }
func (e *waitError) Unwrap() error { return e.err }

// retryAfter wraps err so that its answer carries Retry-After.
func retryAfter(err error, wait time.Duration) error { return &waitError{err, wait} }

// problemOf sorts any error into the answer for it. What has no kind is internal: the answer tells only the reference.
func problemOf(err error) api.Problem {
	var known *caseload.Error
	var method *methodError
	var tooLarge *http.MaxBytesError
	p := api.Problem{Type: "about:blank"}
	switch {
	case errors.As(err, &method):
		p.Status, p.Kind = http.StatusMethodNotAllowed, caseload.Invalid.String()
		p.Detail, p.Hint = "This address does not take that method.", "It takes: "+method.allow+"."
	case errors.As(err, new(lengthError)):
		p.Status, p.Kind = http.StatusLengthRequired, caseload.Invalid.String()
		p.Detail, p.Hint = "The request does not say how long its body is.", "Send Content-Length; chunked bodies are not taken."
	case errors.As(err, &tooLarge):
		p.Status, p.Kind = http.StatusRequestEntityTooLarge, caseload.TooLarge.String()
		p.Detail = "The body is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes."
	case tooSlow(err):
		p.Status, p.Kind = http.StatusRequestTimeout, caseload.Unavailable.String()
		p.Detail, p.Hint = "The bytes came too slowly.", "Try again over a better line."
	case errors.As(err, &known) && known.Kind != caseload.Internal:
		p.Status, p.Kind = statuses[known.Kind], known.Kind.String()
		p.Detail, p.Hint, p.Field, p.Code = known.Message, known.Hint, known.Field, known.Code
	case errors.Is(err, context.DeadlineExceeded):
		p.Status, p.Kind = http.StatusServiceUnavailable, caseload.Unavailable.String()
		p.Detail, p.Hint = "The answer took too long.", "Try again in a moment."
	default:
		p.Status, p.Kind = http.StatusInternalServerError, caseload.Internal.String()
		p.Detail, p.Hint = "Something went wrong on our side.", "Try again; if it stays, tell the administrator the reference."
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// tooSlow tells whether a body was ended because it came too slowly: an expired deadline of ours, by itself or as the
// cause of a body found cut off. Below an Unavailable it is the store's or the database's.
func tooSlow(err error) bool {
	kind := caseload.KindOf(err)
	return errors.Is(err, os.ErrDeadlineExceeded) && (kind == caseload.Internal || kind == caseload.Invalid)
}

// problem is problemOf with the reference of this request, in the language of whoever reads it (RFC 9457, section 3.1.4).
func (s *Server) problem(r *http.Request, err error) api.Problem {
	p, l := problemOf(err), localeOf(r)
	p.RequestID = exchangeOf(r).id
	p.Detail, p.Hint = l.said(p.Detail), l.said(p.Hint)
	return p
}

// fail answers an error the way its route answers: as a page, as problem details, or by leading to the sign-in page.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	p := s.problem(r, err)
	s.logFailure(r, p, err)
	if rec, ok := w.(*recorder); ok && rec.status != 0 {
		return // the answer has begun; the connection tells the rest
	}
	s.setHeaders(w, r)
	var method *methodError
	if errors.As(err, &method) {
		w.Header().Set("Allow", method.allow)
	}
	if wait := waitFor(err, p); wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	switch {
	case x.kind == asCompanion:
		writeMessage(w, p)
	case x.kind != asPage:
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="caseload"`)
		}
		writeProblem(w, p)
	case p.Status == http.StatusUnauthorized && r.URL.Path != "/sign-in":
		s.leadToSignIn(w, r)
	default:
		if err := s.showError(w, r, p); err != nil {
			s.Log.ErrorContext(r.Context(), "render error page", "request_id", x.id, "error", err)
			writeProblem(w, p)
		}
	}
}

// leadToSignIn sends a person without a session to the sign-in page, and back to where he was afterwards.
func (s *Server) leadToSignIn(w http.ResponseWriter, r *http.Request) {
	target := "/sign-in"
	if r.Method == http.MethodGet && r.URL.Path != "/" && r.URL.Path != "/sign-out" {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	if r.Header.Get("HX-Request") == "true" { // htmx would put the sign-in page into a fragment
		w.Header().Set("HX-Redirect", "/sign-in")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// waitFor is how long the answer asks the client to wait; 0 when it does not.
func waitFor(err error, p api.Problem) time.Duration {
	var wait *waitError
	switch {
	case errors.As(err, &wait):
		return max(wait.wait, time.Second)
	case p.Status == http.StatusServiceUnavailable:
		return 2 * time.Second
	case p.Status == http.StatusTooManyRequests:
		return time.Second
	case p.Status == http.StatusInsufficientStorage:
		return time.Minute
	}
	return 0
}

// logFailure keeps the cause where only operators look. Errors of the client are told at debug level.
func (s *Server) logFailure(r *http.Request, p api.Problem, err error) {
	level, x := s.Log.DebugContext, exchangeOf(r)
	if p.Status >= 500 {
		level = s.Log.ErrorContext
	}
	if r.Context().Err() != nil { // the client has left
		level = s.Log.DebugContext
	}
	level(r.Context(), "request failed", "request_id", x.id, "route", x.pattern, "kind", p.Kind, "error", err)
}

// writeMessage answers an error in the shape that Uppy's versions 3 to 5 show to people; version 6 shows the status.
func writeMessage(w http.ResponseWriter, p api.Problem) {
	message := strings.TrimSpace(p.Detail + " " + p.Hint)
	_ = answer(w, p.Status, struct { // encoding two texts does not fail
		Message   string `json:"message"`
		RequestID string `json:"requestId,omitempty"`
	}{message, p.RequestID})
}

func writeProblem(w http.ResponseWriter, p api.Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"status":500,"kind":"internal"}`)
	}
	w.Header().Set("Content-Type", api.ProblemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that has left hears nothing
}
