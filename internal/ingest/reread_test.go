package ingest_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
)

// dying is a database whose process dies before or after a call.
type dying struct {
	ingest.Rereadings
	n    atomic.Int64
	hook func(n int64) error
}

func (d *dying) step() error { return d.hook(d.n.Add(1) - 1) }

func (d *dying) StartRereading(ctx context.Context, now, until time.Time) (caseload.File, error) {
	if err := d.step(); err != nil {
		return caseload.File{}, err
	}
	f, err := d.Rereadings.StartRereading(ctx, now, until)
	return f, errors.Join(err, d.step())
}

func (d *dying) FinishRereading(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) error {
	if err := d.step(); err != nil {
		return err
	}
	return errors.Join(d.Rereadings.FinishRereading(ctx, id, attempt, found, r), d.step())
}

func (d *dying) RenewRereading(ctx context.Context, id caseload.FileID, attempt int, until time.Time) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Rereadings.RenewRereading(ctx, id, attempt, until)
}

func (d *dying) ReleaseRereading(ctx context.Context, id caseload.FileID, attempt int) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Rereadings.ReleaseRereading(ctx, id, attempt)
}

// outdated makes every file one that an older reader read, and spoils what it read.
func (c *clinic) outdated(id caseload.CaseID) {
	c.t.Helper()
	for _, statement := range []string{
		`UPDATE files SET reader = 0, warnings = '["old"]', warned = 1 WHERE case_id = $1`,
		`UPDATE studies SET patient_name = 'old' WHERE case_id = $1`,
		`UPDATE instances SET number = 1000000 + number WHERE series_id IN (SELECT id FROM series WHERE case_id = $1)`,
	} {
		_, err := c.store.DB().ExecContext(c.t.Context(), statement, string(id))
		must(c.t, err)
	}
}

func (c *clinic) ask(id caseload.CaseID) {
	c.t.Helper()
	_, err := c.store.AskRereadings(c.t.Context(), c.user, store.Reindex{Case: id})
	must(c.t, err)
}

func TestOnRealPartsReadingAgainGivesWhatReadingGaveAndEndsWhenNothingIsDue(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		id, files := c.stored(caseZIP(c.t, 12), slice(1).bytes(), []byte("%PDF-1.7"))
		s := c.reader(c.store, c.objects)
		for _, f := range files {
			must(c.t, s.Ingest(c.t.Context(), f))
		}
		want := c.picture(id)
		c.outdated(id)
		old := c.picture(id)
		if old == want {
			c.t.Fatal("nothing was outdated")
		}
		c.ask(id)
		n := 0
		for did := true; did && n < 10; n++ {
			var err error
			did, err = s.Reread(c.t.Context(), c.store)
			must(c.t, err)
		}
		if got := c.picture(id); n != len(files)+1 || got != want {
			c.t.Errorf("after %d rounds:\n%.2000s\nwant\n%.2000s", n, got, want)
		}
	})
}

func TestOnRealPartsAKillWhileReadingAgainLeavesOldOrNewNeverBoth(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		id, files := c.stored(caseZIP(c.t, 12))
		s := c.reader(c.store, c.objects)
		must(c.t, s.Ingest(c.t.Context(), files[0]))
		want := c.picture(id)
		later := c.reader(c.store, c.objects)
		calls := int64(1)
		for at := int64(0); at < calls; at++ {
			c.outdated(id)
			old := c.picture(id)
			c.ask(id)
			dead := func(n int64) error {
				if n >= at && calls > 1 {
					return errors.New("the process is dead")
				}
				return nil
			}
			records := &dying{Rereadings: c.store, hook: dead}
			objects := &faulty{objects: c.objects, hook: func(int64) error { // what the store holds is seen to be old before every read of it
				if got := c.picture(id); got != old && got != want {
					c.t.Errorf("while it is read again:\n%.2000s", got)
				}
				return records.step()
			}}
			_, _ = c.reader(c.store, objects).Reread(c.t.Context(), records)
			if calls == 1 {
				calls, at = records.n.Load(), -1 // the first round only counts
			}
			if got := c.picture(id); got != old && got != want {
				c.t.Fatalf("killed at call %d of %d:\n%.3000s", at, calls, got)
			}
			later.Now = func() time.Time { return time.Now().Add(time.Minute) } // the lease has lapsed
			if _, err := later.Reread(c.t.Context(), c.store); err != nil {
				c.t.Fatal(err)
			}
			if got := c.picture(id); got != want {
				c.t.Fatalf("killed at call %d of %d, read again:\n%.3000s\nwant\n%.3000s", at, calls, got, want)
			}
		}
		if calls < 6 {
			c.t.Errorf("only %d calls", calls)
		}
	})
}

// Whoever looks while the results are replaced sees one or the other whole.
func TestOnRealPartsReadersSeeTheOldResultsUntilTheNewOnesAreThere(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		id, files := c.stored(caseZIP(c.t, 200))
		s := c.reader(c.store, c.objects)
		must(c.t, s.Ingest(c.t.Context(), files[0]))
		numbers := func() (low, high int) {
			all, err := c.store.CaseStudies(c.t.Context(), c.user, id)
			must(c.t, err)
			for _, study := range all {
				for _, series := range study.Series {
					for _, m := range series.Members {
						if m.Number > 1_000_000 {
							high++
						} else {
							low++
						}
					}
				}
			}
			return low, high
		}
		for range 5 {
			c.outdated(id)
			c.ask(id)
			ended := make(chan error, 1)
			go func() {
				_, err := s.Reread(context.Background(), c.store)
				ended <- err
			}()
			for looks := 0; ; looks++ {
				low, high := numbers()
				if low+high != 200 || low != 0 && high != 0 {
					c.t.Fatalf("look %d: %d new, %d old", looks, low, high)
				}
				if low == 200 {
					break
				}
			}
			must(c.t, <-ended)
		}
	})
}

func TestAFileThatCannotBeReadAgainFailsAfterItsTriesAndKeepsWhatItHad(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		id, files := c.stored(caseZIP(c.t, 3))
		s := c.reader(c.store, c.objects)
		must(c.t, s.Ingest(c.t.Context(), files[0]))
		c.outdated(id)
		old := c.picture(id)
		c.ask(id)
		broken := c.reader(c.store, &panicking{c.objects})
		for range ingest.DefaultTries {
			if did, _ := broken.Reread(c.t.Context(), c.store); !did {
				c.t.Fatal("given up too early")
			}
		}
		if did, err := broken.Reread(c.t.Context(), c.store); did || err != nil {
			c.t.Errorf("tried for ever (%v)", err)
		}
		if got := c.picture(id); got != old {
			c.t.Errorf("%.2000s\nwant what it had\n%.2000s", got, old)
		}
		var reason string
		must(c.t, c.store.DB().QueryRowContext(c.t.Context(), `SELECT reason FROM rereadings`).Scan(&reason))
		if !strings.Contains(reason, "make the reader fail") {
			c.t.Errorf("the reason is %q", reason)
		}
	})
}

// panicking is a store whose bytes make the reader fail.
type panicking struct{ ingest.Objects }

func (p *panicking) ReadRange(context.Context, caseload.Object, []byte, int64) (int, error) {
	panic("what was read")
}
