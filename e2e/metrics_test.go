package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/mustrun"
)

// TestPrometheusReadsTheGauges has promtool check what a server tells of a finished ledger and of a quota.
func TestPrometheusReadsTheGauges(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		mustrun.Skip(t, "promtool", "not installed here: apt-get install prometheus")
	}
	address := freeAddress(t)
	s := newSite(t, "CASELOAD_ADMIN_ADDR="+address, "CASELOAD_LOG_LEVEL=warn")
	admin := s.newAdmin()
	s.serve([]string{"serve"})
	f, err := admin.upload(t.Context(), admin.newCase(t, "2026-0001", "Gauge"), "a.bin", noise(1000, 'g'))
	if err != nil {
		t.Fatal(err)
	}
	admin.ready(t, f.ID, 60e9)
	if code, _, said := s.usage(t); code != 0 {
		t.Fatalf("usage: exit %d, %s", code, said)
	}
	me, err := admin.client().Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.run("", "quota", string(me.Organization.ID), "1GB")
	resp, err := http.Get("http://" + address + "/metrics") //nolint:noctx // a test's, on loopback
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	told, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, gauge := range []string{"caseload_bucket_bytes", "caseload_bucket_objects", "caseload_quota_used_ratio", "caseload_last_ledger_timestamp_seconds"} {
		if !strings.Contains(string(told), gauge) {
			t.Errorf("there is no %s", gauge)
		}
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = bytes.NewReader(told)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
