package web

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/caseload"
)

// What the last ledger found, and how full each organization is. Organizations are told by id: a name may be anything.
var (
	bucketObjectsDesc = prometheus.NewDesc("caseload_bucket_objects", "Objects, versions and uploads the last ledger found, by class and source.", []string{"class", "source"}, nil)
	bucketBytesDesc   = prometheus.NewDesc("caseload_bucket_bytes", "Bytes the last ledger found, by class and source; source row: rows without their object.", []string{"class", "source"}, nil)
	unexplainedDesc   = prometheus.NewDesc("caseload_ledger_unexplained", "Keys that nothing explains and files without their object, by the last ledger.", nil, nil)
	ledgerAtDesc      = prometheus.NewDesc("caseload_last_ledger_timestamp_seconds", "When the last ledger was finished, Unix time; 0: none yet.", nil, nil)
	keptDesc          = prometheus.NewDesc("caseload_organization_bytes", "Bytes an organization keeps and has planned, where it has a quota.", []string{"organization"}, nil)
	quotaShareDesc    = prometheus.NewDesc("caseload_quota_used_ratio", "Share of its quota an organization uses, 0 to 1 and more, where it has one.", []string{"organization"}, nil)
)

func describeUsage(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{bucketObjectsDesc, bucketBytesDesc, unexplainedDesc, ledgerAtDesc, keptDesc, quotaShareDesc} {
		out <- d
	}
}

// collectUsage tells what the database keeps of the last ledger, and the quotas. What cannot be read is left out.
func (c fileCollector) collectUsage(ctx context.Context, out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	found, err := c.source.BucketStats(ctx)
	if err != nil {
		c.log.Warn("metrics without the ledger", "error", err)
		return
	}
	if found.Ledger == nil {
		gauge(ledgerAtDesc, 0)
	} else {
		gauge(ledgerAtDesc, float64(found.Ledger.FinishedAt.UnixMilli())/1000)
		var strange int64
		for _, sum := range found.Sums {
			gauge(bucketObjectsDesc, float64(sum.Objects), string(sum.Class), string(sum.Source))
			gauge(bucketBytesDesc, float64(sum.Bytes), string(sum.Class), string(sum.Source))
			if sum.Class == caseload.ClassUnexplained || sum.Class == caseload.ClassMissing {
				strange += sum.Objects
			}
		}
		gauge(unexplainedDesc, float64(strange))
	}
	for org, quota := range found.Quotas {
		gauge(keptDesc, float64(quota.Used), string(org))
		gauge(quotaShareDesc, float64(quota.Used)/float64(quota.Limit), string(org))
	}
}
