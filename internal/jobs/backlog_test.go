package jobs_test

import (
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// A long queue behind workers that stand still must not grow by being swept: each file waits in it once. What waits no
// longer, its job lost or its reader killed, is put into it again.
func TestABacklogWaitsOnceHoweverOftenItIsSwept(t *testing.T) {
	const files = 300
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "one") // paused: not started yet
		ctx := t.Context()
		all := make([]caseload.File, files)
		for i := range all {
			all[i] = n.stored()
		}
		later := time.Now()
		sweep := func(what string, want int) {
			t.Helper()
			later = later.Add(time.Minute)
			if got, err := n.store.RequeueLapsed(ctx, later, 2*files); err != nil || got != want {
				t.Errorf("%s: %d readings were enqueued again, want %d (%v)", what, got, want, err)
			}
			if waiting, err := n.jobs.Waiting(ctx); err != nil || waiting != files {
				t.Errorf("%s: %d jobs wait for %d files (%v)", what, waiting, files, err)
			}
		}
		for range 3 {
			sweep("nobody has begun", 0)
		}
		query(t, n, `UPDATE river_job SET state = 'retryable', attempt = 1 WHERE id IN (SELECT id FROM river_job WHERE kind = 'read_file' LIMIT 10)`)
		sweep("ten wait for another try", 0)
		query(t, n, `DELETE FROM river_job WHERE id IN (SELECT id FROM river_job WHERE kind = 'read_file' LIMIT 7)`)
		sweep("seven jobs are lost", 7)
		query(t, n, `UPDATE river_job SET state = 'running', attempt = 1 WHERE id IN (SELECT id FROM river_job WHERE kind = 'read_file' AND state = 'available' LIMIT 5)`)
		sweep("five are running in a process that was killed", 5)

		n.start()
		for _, f := range all {
			n.await(f.ID, caseload.Ready, 60*time.Second)
		}
		if got := n.objects.streams.Load(); got != files {
			t.Errorf("%d files were read %d times", files, got)
		}
	})
}

func query(t *testing.T, n *node, statement string) {
	t.Helper()
	if _, err := n.store.DB().ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestTheBacklogTellsWhetherAnybodyWorks(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		n := newNode(t, url, "one") // paused: not started yet
		ctx := t.Context()
		f := n.stored()
		query(t, n, map[string]string{
			"sqlite":   `UPDATE river_job SET scheduled_at = datetime('now', '-3600 seconds') WHERE kind = 'read_file'`,
			"postgres": `UPDATE river_job SET scheduled_at = now() - interval '3600 seconds' WHERE kind = 'read_file'`,
		}[n.store.Engine()])
		ready, oldest, working, err := n.jobs.Backlog(ctx)
		if err != nil || ready != 1 || oldest < 59*time.Minute || oldest > 2*time.Hour || working {
			t.Errorf("before the start: %d ready, the oldest %s, working %t, %v", ready, oldest, working, err)
		}
		n.start()
		n.await(f.ID, caseload.Ready, 60*time.Second)
		for deadline := time.Now().Add(30 * time.Second); !working && time.Now().Before(deadline); { // a leader is elected soon
			if ready, _, working, err = n.jobs.Backlog(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if ready != 0 || !working {
			t.Errorf("at work: %d ready, working %t", ready, working)
		}
	})
}
