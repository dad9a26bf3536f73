package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// exchange is what is known of the request being answered. observe makes it; later stations fill it in.
type exchange struct {
	id      string // reference id: X-Request-Id, the log, error answers
	pattern string // of the route; "" while unknown
	kind    kind   // of the route; by the path while unknown
	caller  caller
	turn    turn
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{kind: kindByPath(r.URL.Path)}
}

func withExchange(r *http.Request, x *exchange) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// kindByPath is how an address that is no route is answered.
func kindByPath(path string) kind {
	switch {
	case strings.HasPrefix(path, "/api/"):
		return asJSON
	case strings.HasPrefix(path, "/companion/"):
		return asCompanion
	}
	return asPage
}

// dispatch finds the route. What is not in the table is NotFound; a known address asked with another method is
// answered 405 with Allow (RFC 9110, section 15.5.6).
func (s *Server) dispatch() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.routes {
		mux.Handle(rt.pattern, s.handle(rt))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" {
			s.fail(w, r, missing(h, r))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// methodError is a known address asked with a method it does not have.
type methodError struct{ allow string }

func (e *methodError) Error() string { return "method not allowed; allowed: " + e.allow }

func missing(h http.Handler, r *http.Request) error {
	p := peek{header: http.Header{}}
	h.ServeHTTP(&p, r)
	if allow := p.header.Get("Allow"); allow != "" {
		return &methodError{allow}
	}
	return caseload.Errorf(caseload.NotFound, "There is nothing at this address.")
}

// peek takes the headers of ServeMux's own answer and drops the rest.
type peek struct{ header http.Header }

func (p *peek) Header() http.Header         { return p.header }
func (p *peek) Write(b []byte) (int, error) { return len(b), nil }
func (p *peek) WriteHeader(int)             {}

// bodyWait is how long a whole form or JSON body may take, and how long an answer may take to be taken.
const bodyWait = time.Minute

// handle makes the route's handler: who calls, may he, is he asking too often, how large a body; then the handler, and
// its error rendered.
func (s *Server) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r)
		x.pattern, x.kind, x.turn.places = rt.pattern, rt.kind, s.turnsFor(rt.kind)
		defer x.turn.leave()
		if err := x.turn.take(r.Context()); err != nil {
			s.fail(w, r, err)
			return
		}
		s.setHeaders(w, r)
		if err := s.admit(rt, r); err != nil {
			s.fail(w, r, err)
			return
		}
		if rt.kind == asStream || rt.kind == asUpload { // they go on as long as the client does
			x.turn.leave()
		}
		control := http.NewResponseController(w)
		if rt.kind != asStream && rt.kind != asUpload {
			_ = control.SetWriteDeadline(time.Now().Add(bodyWait)) // refused only by writers without a connection (tests)
		}
		if r.Body != nil && r.Body != http.NoBody && rt.kind != asUpload {
			timed := &timedBody{body: http.MaxBytesReader(w, r.Body, bodyLimit(rt)), control: control, until: time.Now().Add(bodyWait)}
			r.Body = &turnBody{timed, r.Context(), &x.turn}
		}
		if err := rt.handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// turnsFor returns the queue of a kind of route; nil: it waits in none.
func (s *Server) turnsFor(k kind) chan struct{} {
	switch k {
	case asProbe, asAsset:
		return nil
	case asStored, asCompanion:
		return s.storeTurns
	default:
		return s.pageTurns
	}
}

// admit says who is calling and refuses who may not.
func (s *Server) admit(rt route, r *http.Request) error {
	if rt.kind == asProbe || rt.kind == asAsset {
		return nil
	}
	c, err := s.identify(r, rt.kind == asPage)
	if err != nil {
		return err
	}
	exchangeOf(r).caller = c
	if err := s.rates.allow(c, s.address(r)); err != nil {
		return err
	}
	return permit(rt.needs, c)
}

// permit answers Unauthenticated or Forbidden when the caller does not meet the need.
func permit(n need, c caller) error {
	switch {
	case n == forAnyone:
		return nil
	case !c.known():
		return caseload.Errorf(caseload.Unauthenticated, "Nobody is signed in.").
			WithHint("Sign in, or send a bearer token.")
	case n == forWriter && !c.user.Role.CanWrite():
		return caseload.Errorf(caseload.Forbidden, "Your role only allows looking and downloading.").
			WithHint("Ask an administrator of your organization for the member role.")
	case n == forAdmin && !c.user.Role.CanAdminister():
		return caseload.Errorf(caseload.Forbidden, "Only an administrator may do this.").
			WithHint("Ask an administrator of your organization.")
	}
	return nil
}

// Body limits in bytes.
const (
	maxBody = 1 << 20
	maxPlan = 4 << 20 // a plan of a thousand files with long names
)

func bodyLimit(rt route) int64 {
	if rt.pattern == "POST /api/v1/cases/{case}/files" {
		return maxPlan
	}
	return maxBody
}

// caseID, fileID and the others take an identifier out of the address. A malformed one names nothing: NotFound.
func caseID(r *http.Request) (caseload.CaseID, error) { return pathID[caseload.CaseID](r, "case") }

func fileID(r *http.Request) (caseload.FileID, error) { return pathID[caseload.FileID](r, "file") }

func instanceID(r *http.Request) (caseload.InstanceID, error) {
	return pathID[caseload.InstanceID](r, "instance")
}

func dropID(r *http.Request) (caseload.DropID, error) { return pathID[caseload.DropID](r, "drop") }

func userID(r *http.Request) (caseload.UserID, error) { return pathID[caseload.UserID](r, "user") }

func tokenID(r *http.Request) (caseload.TokenID, error) { return pathID[caseload.TokenID](r, "token") }

func planID(r *http.Request) (caseload.PlanID, error) { return pathID[caseload.PlanID](r, "plan") }

func pathID[T ~string](r *http.Request, noun string) (T, error) {
	id := r.PathValue(noun)
	if !caseload.ValidID(id) {
		return "", caseload.Errorf(caseload.NotFound, "%s", fmt.Sprintf("There is no such %s.", noun))
	}
	return T(id), nil
}
