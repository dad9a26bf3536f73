package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// health is the answer of /healthz and /readyz.
type health struct {
	Status  string        `json:"status"` // ok, failing
	Version string        `json:"version,omitempty"`
	Checks  []checkAnswer `json:"checks,omitempty"`
}

type checkAnswer struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// readyWithin bounds all checks together; balancers ask often and wait little.
const readyWithin = 3 * time.Second

// maxSkew is how far the database's clock may be from ours: signed addresses and deadlines go by ours.
const maxSkew = 30 * time.Second

// showHealth tells that the process answers at all.
func (m *Monitor) showHealth(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, health{Status: "ok", Version: m.config.Version})
}

// showReadiness asks everything the process depends on: 503 when any of it fails.
func (m *Monitor) showReadiness(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	checks := m.checkDatabase(ctx)
	if m.config.Ready != nil {
		checks = append(checks, m.config.Ready(ctx)...)
	}
	out, status := health{Status: "ok", Version: m.config.Version}, http.StatusOK
	for _, c := range checks {
		line := checkAnswer{Name: c.Name, OK: c.Err == nil}
		if c.Err != nil {
			line.Detail = m.sayFailing(ctx, c)
			out.Status, status = "failing", http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "2")
		}
		out.Checks = append(out.Checks, line)
	}
	return answer(w, status, out)
}

// sayFailing returns what anybody may read of a failing check; the log gets the cause.
func (m *Monitor) sayFailing(ctx context.Context, c Check) string {
	m.config.Log.WarnContext(ctx, "not ready", "check", c.Name, "error", c.Err)
	var known *caseload.Error
	if errors.As(c.Err, &known) {
		return known.Message
	}
	return "It does not answer as it should."
}

// checkDatabase asks the database for its time, which tells of the database and of the clock.
func (m *Monitor) checkDatabase(ctx context.Context) []Check {
	theirs, err := m.config.Store.Ping(ctx)
	if err != nil {
		return []Check{{"database", caseload.Errorf(caseload.Unavailable, "The database does not answer.").WithCause(err)}}
	}
	clock := Check{Name: "clock"}
	if skew := time.Since(theirs).Abs(); skew > maxSkew {
		clock.Err = caseload.Errorf(caseload.Unavailable, "Our clock and the database's differ by %s.", skew.Round(time.Second))
	}
	return []Check{{Name: "database"}, clock}
}
