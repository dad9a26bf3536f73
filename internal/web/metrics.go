package web

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/store"
)

// metrics counts what the server answers. Labels are route patterns, methods and statuses: never what people typed.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytesIn  prometheus.Counter
	signs    prometheus.Counter
	streams  prometheus.GaugeFunc

	unreached *prometheus.CounterVec
}

func newMetrics(live *hub) *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "caseload_http_requests_total", Help: "Requests answered, by route pattern, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "caseload_http_request_seconds", Help: "Time until the answer was out, by route pattern.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60, 600},
		}, []string{"route"}),
		bytesIn: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "caseload_received_bytes_total", Help: "Bytes of files that came through this process: small route, relay and embedded store.",
		}),
		signs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "caseload_signed_requests_total", Help: "Upload requests signed.",
		}),
		unreached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "caseload_store_unreached_total", Help: "Reports that the object store was not reached from where somebody works, by code.",
		}, []string{"code"}),
		streams: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "caseload_live_streams", Help: "Pages that are being told of changes.",
		}, func() float64 { return float64(live.streams()) }),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.seconds, m.bytesIn, m.signs, m.streams, m.unreached}
}

func (m *metrics) answered(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, knownMethod(method), strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) received(n int) { m.bytesIn.Add(float64(n)) }
func (m *metrics) signed(n int)   { m.signs.Add(float64(n)) }

// fileCollector asks the database for the files by state and route whenever /metrics is read, so that every process
// tells the same truth.
type fileCollector struct {
	source *store.Store
	log    *slog.Logger
}

var (
	filesDesc   = prometheus.NewDesc("caseload_files", "Files by state and route.", []string{"state", "route"}, nil)
	intentsDesc = prometheus.NewDesc("caseload_delete_intents", "Objects waiting to be erased.", nil, nil)
	bytesDesc   = prometheus.NewDesc("caseload_file_bytes", "Bytes of files by state and route.", []string{"state", "route"}, nil)
)

func (c fileCollector) Describe(out chan<- *prometheus.Desc) {
	out <- filesDesc
	out <- bytesDesc
	out <- intentsDesc
	describeUsage(out)
}

func (c fileCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats, err := c.source.Stats(ctx)
	if err != nil {
		c.log.Warn("metrics without the files", "error", err)
		return
	}
	c.collectUsage(ctx, out)
	out <- prometheus.MustNewConstMetric(intentsDesc, prometheus.GaugeValue, float64(stats.Intents))
	for _, line := range stats.Files {
		out <- prometheus.MustNewConstMetric(filesDesc, prometheus.GaugeValue, float64(line.Files), string(line.State), string(line.Route))
		out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(line.Bytes), string(line.State), string(line.Route))
	}
}
