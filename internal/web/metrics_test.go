package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"dcdentals.com/caseload/internal/web"
)

func httpGet(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	if rec.Code != 200 {
		t.Fatalf("%s answered %d: %s", path, rec.Code, rec.Body)
	}
	return rec.Body.String()
}

func TestMetricsCountFilesRequestsAndBytes(t *testing.T) {
	h := open(t)
	c := h.openCase()
	h.stored(c.ID, "a.txt", pattern(1000, 'a'))
	h.plan(c.ID, "b.bin", 10<<20)
	text := httpGet(t, h.server.Monitor().Handler(), "/metrics")
	for _, want := range []string{
		`caseload_files{route="small",state="stored"} 1`,
		`caseload_file_bytes{route="small",state="stored"} 1000`,
		`caseload_files{route="direct",state="planned"} 1`,
		`caseload_received_bytes_total 1000`,
		`caseload_http_requests_total{method="PUT",route="PUT /api/v1/files/{file}/content",status="200"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestAMonitorNeedsNoPages(t *testing.T) {
	h := open(t)
	h.stored(h.openCase().ID, "a.txt", pattern(1000, 'a'))
	broken := false
	jobs := prometheus.NewCounter(prometheus.CounterOpts{Name: "caseload_of_a_worker_total", Help: "Of a worker."})
	m := web.NewMonitor(web.MonitorConfig{
		Store: h.store, Log: slog.New(slog.DiscardHandler), Collectors: []prometheus.Collector{jobs}, Version: "v9",
		Ready: func(context.Context) []web.Check {
			if broken {
				return []web.Check{{Name: "store", Err: errors.New("away")}}
			}
			return []web.Check{{Name: "store"}}
		},
	}).Handler()
	text := httpGet(t, m, "/metrics")
	for _, want := range []string{`caseload_files{route="small",state="stored"} 1`, "caseload_of_a_worker_total 0", "process_open_fds", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, "caseload_http_") {
		t.Error("a process without pages counts requests")
	}
	if health := httpGet(t, m, "/healthz"); !strings.Contains(health, `"v9"`) {
		t.Errorf("/healthz says %s", health)
	}
	if ready := httpGet(t, m, "/readyz"); !strings.Contains(ready, `"database"`) || !strings.Contains(ready, `"store"`) {
		t.Errorf("/readyz says %s", ready)
	}
	broken = true
	for path, want := range map[string]int{"/readyz": 503, "/cases": 404, "/api/v1/me": 404} {
		rec := httptest.NewRecorder()
		m.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != want {
			t.Errorf("%s answered %d, want %d", path, rec.Code, want)
		}
	}
}

func TestMetricsAreNotPublic(t *testing.T) {
	h := open(t)
	if resp, _ := h.ask("admin", "GET", "/metrics", "", ""); resp.StatusCode != 404 {
		t.Fatalf("/metrics answered %d on the public address", resp.StatusCode)
	}
}

func TestReadinessFailsWithAnyOfItsChecks(t *testing.T) {
	fault := errors.New("secret-host:5432 refused")
	broken := false
	h := open(t, func(c *web.Config) {
		c.Ready = func(context.Context) []web.Check {
			if broken {
				return []web.Check{{Name: "store", Err: fault}, {Name: "queue"}}
			}
			return []web.Check{{Name: "store"}, {Name: "queue"}}
		}
	})
	type health struct {
		Status string
		Checks []struct {
			Name string
			OK   bool
		}
	}
	ready := func() (int, health, string) {
		resp, body := h.ask("", "GET", "/readyz", "", "", "X-Forwarded-Host", "evil.example")
		var out health
		must(t, json.Unmarshal([]byte(body), &out))
		return resp.StatusCode, out, body
	}
	if status, out, body := ready(); status != 200 || out.Status != "ok" || len(out.Checks) != 4 {
		t.Fatalf("well: %d %s", status, body)
	}
	broken = true
	status, out, body := ready()
	if status != 503 || out.Status != "failing" || out.Checks[2].OK || strings.Contains(body, "secret-host") {
		t.Fatalf("broken: %d %s", status, body)
	}
	if resp, _ := h.ask("", "GET", "/healthz", "", ""); resp.StatusCode != 200 {
		t.Fatalf("/healthz answered %d", resp.StatusCode)
	}
	must(t, h.store.Close())
	if status, _, body := ready(); status != 503 {
		t.Fatalf("without a database: %d %s", status, body)
	}
}
