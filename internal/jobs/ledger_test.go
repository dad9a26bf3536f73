package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"dcdentals.com/caseload/internal/caseload"
)

// A round of the ledger is carried out once; rounds asked for before its end are not made up for; one that failed says what
// kind of failure it was and nothing of its text; one that the process's end cut off is no failure.
func TestTheLedgersRounds(t *testing.T) {
	rounds, fails := 0, error(nil)
	var log strings.Builder
	j := &Jobs{cfg: Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Ledger: func(context.Context) error { rounds++; return fails }}}
	keeper := &ledgerKeeper{jobs: j}
	work := func(ctx context.Context, asked time.Time) error {
		return keeper.Work(ctx, &river.Job[ledgerArgs]{JobRow: &rivertype.JobRow{CreatedAt: asked}})
	}
	begun := time.Now()
	if err := work(t.Context(), begun); err != nil || rounds != 1 {
		t.Fatalf("%d rounds, %v", rounds, err)
	}
	if err := work(t.Context(), begun); err != nil || rounds != 1 {
		t.Errorf("a round asked for before the end of the last: %d rounds, %v", rounds, err)
	}
	fails = caseload.Errorf(caseload.Unavailable, "The object store cannot be reached.").WithCause(errors.New("canary"))
	if err := work(t.Context(), time.Now().Add(time.Second)); err == nil || err.Error() != caseload.Unavailable.String() || rounds != 2 {
		t.Errorf("with the store down: %d rounds, %v", rounds, err)
	}
	if !strings.Contains(log.String(), "it goes on where it was") {
		t.Errorf("the log says %q", log.String())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := work(ended, time.Now().Add(time.Second)); err != nil || rounds != 3 {
		t.Errorf("cut off by the end of the process: %d rounds, %v", rounds, err)
	}
	if limit := keeper.Timeout(nil); limit != LedgerWithin || (ledgerArgs{}).InsertOpts().MaxAttempts != 1 {
		t.Errorf("a round may take %v", limit)
	}
	j.cfg.Ledger = nil
	if err := work(t.Context(), time.Now().Add(time.Second)); err != nil {
		t.Errorf("where nobody keeps a ledger: %v", err)
	}
}
