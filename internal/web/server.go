// Package web is the door of HTTP: pages for people, /api/v1 for programs, server-sent events for everybody who looks,
// and the embedded store's requests passed on under our own port. routes.go is its table of contents. A handler decodes,
// checks, calls one verb and answers; it returns an error and errors.go renders it. The package knows the verbs, the
// nouns, the JSON contract and the database's questions, and nothing of the object store's client, SQL or the queue.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
)

// Config is what a Server needs. Store, Transfer, Reading, Frames, Cleanup, Limits, Log and Now are required.
type Config struct {
	Store    *store.Store
	Transfer *transfer.Service
	Reading  *ingest.Service // reads headers by range for people who look
	Frames   Frames          // finds what browsers are to decode
	Cleanup  *cleanup.Service
	Limits   caseload.Limits

	Gateway      http.Handler // the embedded store's S3 handler, mounted at /{Bucket}/; nil with an external store
	Bucket       string       // reserved path segment of the embedded store
	StoreOrigins []string     // scheme and host of external stores and download domains, for the content security policy

	PublicURL    string   // "https://caseload.example": what people type; "" means the request's own Host
	AllowedHosts []string // further Host values answered, with or without a port; loopback always is
	TrustProxy   bool     // believe X-Forwarded-Proto and the last X-Forwarded-For of the peer

	SessionIdle     time.Duration // a session unused this long ends; 0: 15 minutes
	SessionAbsolute time.Duration // a session ends this long after sign-in; 0: 12 hours
	RequestRate     float64       // requests per second of one user; 0: 500. A fifth of it for one address without a user

	Ready      func(ctx context.Context) []Check // what /readyz asks besides the database; nil: nothing
	Examine    Examine                           // tries everything the deployment stands on; nil: there is nothing to try
	Collectors []prometheus.Collector            // further metrics (job times, queue depth)
	Version    string

	Log *slog.Logger
	Now func() time.Time
}

// Frames finds what a preview left to browsers is to be drawn from; preview.Service says which errors.
type Frames interface {
	Frame(ctx context.Context, o caseload.PreviewOrder) (caseload.CodedFrame, error)
	Slices(ctx context.Context, o caseload.PreviewOrder, each func(caseload.CodedFrame) error) error
}

// Check is one line of /readyz. Err nil means well; of an error people read the caseload.Error's Message, the rest goes to the log.
type Check struct {
	Name string // database, store, queue, clock
	Err  error
}

// Server answers every HTTP request of the product. Close ends its live streams.
type Server struct {
	Config
	routes   []route
	hosts    hostList
	csrf     *http.CrossOriginProtection
	policy   string // content security policy of pages
	rates    *rateLimiter
	live     *hub
	examiner *examiner
	metrics  *metrics
	monitor  *Monitor
	handler  http.Handler

	pageTurns, storeTurns chan struct{}
}

// New returns the server for the configuration. It panics when the route table contradicts itself.
func New(c Config) *Server {
	if c.SessionIdle == 0 {
		c.SessionIdle = 15 * time.Minute
	}
	if c.SessionAbsolute == 0 {
		c.SessionAbsolute = 12 * time.Hour
	}
	if c.RequestRate == 0 {
		c.RequestRate = 500
	}
	s := &Server{
		Config: c,
		hosts:  newHostList(c.PublicURL, c.AllowedHosts),
		csrf:   newCrossOriginProtection(c.PublicURL),
		policy: contentPolicy(c.StoreOrigins),
		rates:  newRateLimiter(c.RequestRate),
		live:   newHub(c.Store, c.Log),

		examiner: newExaminer(c.Examine, c.Now),

		pageTurns: make(chan struct{}, turnsOfPages), storeTurns: make(chan struct{}, turnsOfStore),
	}
	s.metrics = newMetrics(s.live)
	s.monitor = NewMonitor(MonitorConfig{
		Store: c.Store, Ready: c.Ready, Collectors: slices.Concat(c.Collectors, s.metrics.collectors()), Version: c.Version, Log: c.Log,
	})
	s.routes = s.routeTable()
	s.handler = s.observe(s.hardened(s.dispatch()))
	return s
}

// Handler answers everything people, programs and, with an embedded store, signed requests ask for.
func (s *Server) Handler() http.Handler { return s.handler }

// Monitor is what an address that is not public answers.
func (s *Server) Monitor() *Monitor { return s.monitor }

// Close ends the live streams, so that a graceful shutdown of the HTTP server need not wait for them, and an
// examination under way.
func (s *Server) Close() {
	s.live.close()
	s.examiner.close()
}

// Route is one line of the route table, for tests and documentation.
type Route struct {
	Pattern string // as net/http's ServeMux takes it: "GET /cases/{case}"
	Needs   string // anyone, reader, writer, admin
	Answers string // page, json, upload, companion, stream, probe, asset
}

// Routes returns the route table in order.
func (s *Server) Routes() []Route {
	needs := map[need]string{forAnyone: "anyone", forReader: "reader", forWriter: "writer", forAdmin: "admin"}
	answers := map[kind]string{asPage: "page", asJSON: "json", asStored: "json", asUpload: "upload", asCompanion: "companion", asStream: "stream", asProbe: "probe", asAsset: "asset"}
	out := make([]Route, 0, len(s.routes))
	for _, rt := range s.routes {
		out = append(out, Route{rt.pattern, needs[rt.needs], answers[rt.kind]})
	}
	return out
}
