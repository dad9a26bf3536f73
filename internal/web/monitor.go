package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dcdentals.com/caseload/internal/store"
)

// MonitorConfig is what a Monitor needs. Store and Log are required.
type MonitorConfig struct {
	Store      *store.Store
	Ready      func(ctx context.Context) []Check // what /readyz asks besides the database; nil: nothing
	Collectors []prometheus.Collector            // besides the files by state and the Go runtime
	Version    string
	Log        *slog.Logger
}

// Monitor answers the monitoring: /metrics, /healthz and /readyz. It needs no pages: a worker has one, too.
type Monitor struct {
	config  MonitorConfig
	metrics http.Handler
}

// NewMonitor returns the monitor for the configuration. It panics when two collectors contradict each other.
func NewMonitor(c MonitorConfig) *Monitor {
	registry := prometheus.NewRegistry()
	registry.MustRegister(fileCollector{c.Store, c.Log},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(c.Collectors...)
	return &Monitor{c, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
}

// Handler is for an address that is not public.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.metrics)
	mux.Handle("GET /healthz", m.probe(m.showHealth))
	mux.Handle("GET /readyz", m.probe(m.showReadiness))
	return mux
}

// probe makes a plain handler of one that may fail.
func (m *Monitor) probe(show func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := show(w, r); err != nil {
			m.config.Log.ErrorContext(r.Context(), "probe failed", "error", err)
			http.Error(w, "The probe failed; the log says why.", http.StatusInternalServerError)
		}
	})
}
