package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/cleanup"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/transfer"
)

func cleanupCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "cleanup", Short: "Show what can go for good, and let it go", Args: cobra.NoArgs,
		Long: `Chooses what can go: uploads that never arrived, unfinished uploads of the store that no file knows, trash past
its window, and finished cases when the settings say so. A file of a case that is not deleted is never chosen.

With --dry-run it shows what would go and why, and keeps that as a plan, which an administrator can approve on the
page Clean-up for seven days. Without it the plan is carried out, after asking where there is a terminal and no
--yes; each thing is looked at again, and what changed meanwhile stays. Finished cases go into the trash, from where they can be restored until its window is over.

It refuses when the clock or the database look wrong, or when more than CASELOAD_CLEANUP_SHARE of an
organization's files or bytes would go; then --allow-share takes the very number that was shown.

While a server runs on the data folder the command only writes and approves plans; the server carries them out.

Exit codes: 0 done · 1 refused, or something failed · 2 wrong command line · 69 database or store not reachable ·
78 wrong settings · 130 interrupted.`,
		RunE: cleanUp,
	})
	f := cmd.Flags()
	f.String("older-than", "", "age of uploads that go, such as 30d or 72h (CASELOAD_CLEANUP_OLDER_THAN)")
	f.Bool("dry-run", false, "show what would go; nothing is changed")
	f.Bool("yes", false, "carry it out without asking")
	f.String("allow-share", "", "let this share of everything go, in percent, exactly as shown")
	f.String("accept-database", "", "the id of the database: it is the bucket's newest one, whatever the bucket remembers")
	f.Bool("json", false, "one JSON object a line")
	return cmd
}

// cleaning is one call of the command.
type cleaning struct {
	app       *application
	config    *config
	service   *cleanup.Service
	moving    *transfer.Service
	served    bool // a server has the data folder; it carries out
	olderThan time.Duration
	allowed   caseload.Share
	yes       bool                       // carry it out
	ask       func(question string) bool // nil: without asking
	out       cleanupShow
}

func cleanUp(cmd *cobra.Command, _ []string) error {
	text := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	flag := func(name string) bool { v, _ := cmd.Flags().GetBool(name); return v }
	accept := cmd.Flags().Changed("accept-database")
	if count01(flag("dry-run"), flag("yes"), accept) > 1 {
		return &usageError{errors.New("cleanup takes only one of --dry-run, --yes and --accept-database")}
	}
	c, err := loadQuietly(cmd)
	if err != nil {
		return err
	}
	r := &cleaning{app: newApplication(newLog(c)), config: c, yes: !flag("dry-run"), out: cleanupShow{cmd.OutOrStdout(), flag("json")}, olderThan: c.CleanupOlderThan}
	if r.yes && !flag("yes") && isTerminal(os.Stdin) {
		in := bufio.NewReader(cmd.InOrStdin())
		r.ask = func(question string) bool { return saysYes(cmd.OutOrStdout(), in, question) }
	}
	if text("older-than") != "" {
		if r.olderThan, err = parseAge(text("older-than")); err != nil {
			return &usageError{err}
		}
	}
	if text("allow-share") != "" {
		if r.allowed, err = caseload.ParseShare(text("allow-share")); err != nil {
			return &usageError{fmt.Errorf("--allow-share is %q; use a number of percent, such as 12.5", text("allow-share"))}
		}
	}
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	defer func() { _ = r.app.stop(context.WithoutCancel(ctx)) }()
	if err := r.open(ctx); err != nil {
		return err
	}
	if accept {
		return r.accept(ctx, text("accept-database"))
	}
	return interrupted(ctx, r.run(ctx))
}

// open opens the database, and the store unless it is a running server's own.
func (r *cleaning) open(ctx context.Context) (err error) {
	if r.app.store, err = openAsItIs(ctx, r.config); err != nil {
		return err
	}
	if !r.config.UseS3 {
		if r.app.unlock, err = lockData(r.config.Data); caseload.KindOf(err) == caseload.Conflict {
			r.served, r.app.unlock = true, func() {}
		} else if err != nil {
			return err
		}
	}
	var objects *objectstore.Store
	if !r.served {
		if objects, err = r.app.openObjects(ctx, r.config); err != nil {
			return err
		}
	}
	r.moving = &transfer.Service{Records: r.app.store, Objects: objects, Limits: r.config.limits(), Now: time.Now, Log: r.app.log}
	r.service = r.config.cleaner(r.app.store, objects, r.moving, r.app.log)
	r.app.cleaner = r.service
	if r.served {
		return nil
	}
	return r.app.startJobs(ctx, r.config, roleWeb, r.moving, nil, nil) // an upload that turns out to be whole is put into the queue
}

func (r *cleaning) accept(ctx context.Context, id string) error {
	if r.served {
		return caseload.Errorf(caseload.Conflict, "A server is running on this data folder.").WithHint("Stop it, then accept the database.")
	}
	if err := r.service.Accept(ctx, id); err != nil {
		return err
	}
	r.out.note("The bucket now knows this database.")
	return nil
}

// run makes a plan for each organization and, when asked to, carries it out.
func (r *cleaning) run(ctx context.Context) error {
	organizations, err := r.app.store.Organizations(ctx)
	if err != nil {
		return err
	}
	if r.served {
		r.out.note("A server is running on this data folder: it looks for stray uploads of the store, and it carries plans out.")
	}
	var refused error
	for _, o := range organizations {
		p, err := r.plan(ctx, administrator(o))
		if err != nil {
			return err
		}
		items, err := r.items(ctx, p)
		if err != nil {
			return err
		}
		r.out.plan(o, p, items)
		if !r.yes || p.State != caseload.PlanWaiting || r.ask != nil && !r.ask("Carry it out? [y/N] ") {
			continue
		}
		if err := r.carryOut(ctx, o, p); err != nil {
			if caseload.KindOf(err) != caseload.Conflict && caseload.KindOf(err) != caseload.Invalid {
				return err
			}
			refused = err
		}
	}
	if refused == nil && r.yes && !r.served {
		return r.erase(ctx)
	}
	return refused
}

func (r *cleaning) plan(ctx context.Context, user caseload.User) (caseload.CleanupPlan, error) {
	if r.served {
		return r.app.store.MakePlan(ctx, r.service.Draft(user, r.olderThan), nil)
	}
	return r.service.Plan(ctx, user, r.olderThan)
}

func (r *cleaning) items(ctx context.Context, p caseload.CleanupPlan) (items []caseload.CleanupItem, err error) {
	for after := 0; ; {
		some, err := r.app.store.Items(ctx, p.ID, after, 1000)
		if err != nil || len(some) == 0 {
			return items, err
		}
		items, after = append(items, some...), some[len(some)-1].N
	}
}

func (r *cleaning) carryOut(ctx context.Context, o caseload.Organization, p caseload.CleanupPlan) (err error) {
	user := administrator(o)
	if p, err = r.service.Approve(ctx, user, p.ID, r.allowed); err != nil {
		return err
	}
	if r.served {
		p, err = r.await(ctx, user, p)
	} else {
		p, err = r.service.CarryOut(ctx, p)
	}
	if err != nil {
		return err
	}
	r.out.ended(o, p)
	if p.State == caseload.PlanRefused {
		return cleanup.Refusal(p.Doubts)
	}
	return nil
}

// await waits until the running server has carried the plan out.
func (r *cleaning) await(ctx context.Context, user caseload.User, p caseload.CleanupPlan) (caseload.CleanupPlan, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		now, err := r.app.store.Plan(ctx, user, p.ID)
		if err != nil || now.State != caseload.PlanApproved {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-tick.C:
		}
	}
}

// erase carries out the delete-intents that are due.
func (r *cleaning) erase(ctx context.Context) error {
	var report transfer.SweepReport
	if err := r.moving.Erase(ctx, &report); err != nil {
		return err
	}
	r.out.erased(report.Erased, report.Failed)
	if report.Failed > 0 {
		return caseload.Errorf(caseload.Unavailable, "%d objects could not be erased now.", report.Failed).WithHint("They are tried again by the next sweep.")
	}
	return nil
}

// parseAge reads "30d", or what time.ParseDuration reads.
func parseAge(raw string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(raw, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d < 24*time.Hour {
		return 0, fmt.Errorf("--older-than is %q; use days such as 30d, one at least", raw)
	}
	return d, nil
}

func count01(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

var _ cleanup.Records = (*store.Store)(nil)
