package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/jobs"
)

// queueMetrics shows the queue's own counts to Prometheus when they are asked for.
type queueMetrics struct{ jobs *jobs.Jobs }

var (
	queueWaiting = prometheus.NewDesc("caseload_queue_waiting", "Readings in the queue that have not begun, all processes together.", nil, nil)
	readsRunning = prometheus.NewDesc("caseload_reads_running", "Files this process is reading now.", nil, nil)
	readsEnded   = prometheus.NewDesc("caseload_reads_total", "Deliveries of readings that ended in this process, by outcome.", []string{"outcome"}, nil)
	readSeconds  = prometheus.NewDesc("caseload_read_seconds_total", "Time this process has spent reading files.", nil, nil)
	sweepsEnded  = prometheus.NewDesc("caseload_sweeps_total", "Sweeps that ended in this process, by outcome.", []string{"outcome"}, nil)
	lastSweep    = prometheus.NewDesc("caseload_last_sweep_timestamp_seconds", "When the last sweep that succeeded began, Unix time; 0: none yet.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m queueMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueWaiting, readsRunning, readsEnded, readSeconds, sweepsEnded, lastSweep} {
		out <- d
	}
}

// Collect implements prometheus.Collector. A queue that does not answer within a second is left out.
func (m queueMetrics) Collect(out chan<- prometheus.Metric) {
	s := m.jobs.Stats()
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n, err := m.jobs.Waiting(ctx); err == nil {
		gauge(queueWaiting, float64(n))
	}
	gauge(readsRunning, float64(s.ReadsRunning))
	counter(readsEnded, float64(s.ReadsDone), "done")
	counter(readsEnded, float64(s.ReadsFailed), "failed")
	counter(readsEnded, float64(s.ReadsInterrupted), "interrupted")
	counter(readsEnded, float64(s.ReadsCancelled), "cancelled")
	counter(readSeconds, s.ReadTime.Seconds())
	counter(sweepsEnded, float64(s.SweepsDone), "done")
	counter(sweepsEnded, float64(s.SweepsFailed), "failed")
	if s.LastSweep.IsZero() {
		gauge(lastSweep, 0)
	} else {
		gauge(lastSweep, float64(s.LastSweep.UnixMilli())/1000)
	}
}
