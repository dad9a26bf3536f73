package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/store"
)

func reindexCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "reindex", Short: "Read files again after the reader has improved", Args: cobra.NoArgs,
		Long: `Reads files again whose results are those of an older reader. What was read before stays visible until the
new results replace it, all at once. Files that were rejected and can be read now become ready; what cannot be
read again keeps what it had, and its reason is told.

Asking is kept in the database: while a server runs its workers read, one file at a time and only while no new
file waits; this command asks, then shows how far they are. On a data folder without a running server the
command reads by itself; with PostgreSQL and an external store it does so with --here. Interrupted or killed,
it goes on when called again. Called twice, it asks once.

Exit codes: 0 done, or asked with --no-wait · 1 some files could not be read again · 69 the database cannot be
reached · 78 wrong settings · 130 interrupted.`,
		RunE: reindex,
	})
	f := cmd.Flags()
	f.String("case", "", "number or id of the case; without it every case of every organization")
	f.Bool("all", false, "every case of every organization (the default)")
	f.Bool("stale", true, "only files that an older reader read; --stale=false reads the others again, too")
	f.Int("rate", 0, "files a minute at most; 0: as fast as one worker reads")
	f.Bool("here", false, "read in this process too, beside the workers of running servers")
	f.Bool("no-wait", false, "ask, and return at once")
	f.Bool("json", false, "one JSON object a line")
	return cmd
}

// reindexing is one call of the command.
type reindexing struct {
	config *config
	store  *store.Store
	out    reindexLog
	scopes []reindexScope
}

// reindexScope is what is asked for in one organization.
type reindexScope struct {
	user caseload.User
	c    caseload.CaseID // "": every case
}

func reindex(cmd *cobra.Command, _ []string) error {
	flag := func(name string) bool { v, _ := cmd.Flags().GetBool(name); return v }
	rate, _ := cmd.Flags().GetInt("rate")
	switch {
	case rate < 0:
		return &usageError{fmt.Errorf("--rate is %d; use files a minute, 0 for no limit", rate)}
	case flag("all") && cmd.Flags().Changed("case"):
		return &usageError{errors.New("--case and --all contradict each other")}
	case flag("here") && flag("no-wait"):
		return &usageError{errors.New("--here and --no-wait contradict each other")}
	}
	c, err := loadQuietly(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	db, err := openMigrated(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	r := &reindexing{config: c, store: db, out: reindexLog{out: cmd.OutOrStdout(), asJSON: flag("json")}}
	name, _ := cmd.Flags().GetString("case")
	if r.scopes, err = reindexScopes(ctx, db, name); err != nil {
		return err
	}
	ask := store.Reindex{Current: !flag("stale")}
	if rate > 0 {
		ask.Every = time.Minute / time.Duration(rate)
	}
	asked := 0
	for _, s := range r.scopes {
		ask.Case = s.c
		n, err := db.AskRereadings(ctx, s.user, ask)
		if err != nil {
			return err
		}
		asked += n
	}
	left, _, err := r.left(ctx)
	if err != nil {
		return err
	}
	r.out.asked(asked, left)
	if left > 0 {
		if err := r.wake(ctx); err != nil {
			return err
		}
	}
	if flag("no-wait") {
		return nil
	}
	err = interrupted(ctx, r.see(ctx, left, flag("here")))
	if errors.Is(err, errInterrupted) {
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: interrupted. What was asked for stays asked for; to go on: caseload reindex")
	}
	return err
}

// wake tells the workers of running servers that something is due: they look at once, not with their next round.
func (r *reindexing) wake(ctx context.Context) error {
	cfg := jobs.Config{Engine: r.store.Engine(), DB: r.store.DB()}
	if r.config.postgres() {
		cfg.PostgresURL = r.config.DatabaseURL.Reveal()
	}
	queue, err := jobs.New(cfg)
	if err != nil {
		return fmt.Errorf("reach the queue: %w", err)
	}
	defer func() { _ = queue.Stop(context.WithoutCancel(ctx)) }()
	if err := queue.Migrate(ctx); err != nil {
		return fmt.Errorf("reach the queue: %w", err)
	}
	return queue.RereadNow(ctx)
}

// reindexScopes finds what --case names, or every organization.
func reindexScopes(ctx context.Context, db *store.Store, name string) ([]reindexScope, error) {
	organizations, err := db.Organizations(ctx)
	if err != nil {
		return nil, err
	}
	var scopes []reindexScope
	for _, o := range organizations {
		scope := reindexScope{user: administrator(o)}
		if name != "" {
			c, err := caseIn(ctx, db, scope.user, name)
			if caseload.KindOf(err) == caseload.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			scope.c = c
		}
		scopes = append(scopes, scope)
	}
	switch {
	case name != "" && len(scopes) == 0:
		return nil, caseload.Errorf(caseload.NotFound, "No case has the number or id %q.", name)
	case name != "" && len(scopes) > 1:
		return nil, caseload.Errorf(caseload.Conflict, "%d organizations have a case of the number %q.", len(scopes), name).
			WithHint("Use the case's id: the last part of its page's address.")
	}
	return scopes, nil
}

// caseIn finds a case by id or number.
func caseIn(ctx context.Context, db *store.Store, user caseload.User, name string) (caseload.CaseID, error) {
	if caseload.ValidID(name) {
		c, err := db.Case(ctx, user, caseload.CaseID(name))
		if err == nil || caseload.KindOf(err) != caseload.NotFound {
			return c.ID, err
		}
	}
	for query := (store.CaseQuery{Text: name, Limit: 200}); ; {
		page, err := db.Cases(ctx, user, query)
		if err != nil {
			return "", err
		}
		for _, c := range page.Cases {
			if c.Number == name {
				return c.ID, nil
			}
		}
		if query.Cursor = page.Next; page.Next == "" {
			return "", caseload.Errorf(caseload.NotFound, "No case has the number or id %q.", name)
		}
	}
}

func (r *reindexing) left(ctx context.Context) (left, failed int, err error) {
	for _, s := range r.scopes {
		l, f, err := r.store.RereadingsLeft(ctx, s.user, s.c)
		if err != nil {
			return 0, 0, err
		}
		left, failed = left+l, failed+f
	}
	return left, failed, nil
}

// lookEvery is how often the command looks how far the reading is, and for the next file that is due.
const lookEvery = time.Second

// see waits until nothing is left, reading here when no server does, and tells how far it is.
func (r *reindexing) see(ctx context.Context, total int, here bool) error {
	read, done, err := r.reader(ctx, here)
	if err != nil {
		return err
	}
	defer done()
	for tick := time.NewTicker(lookEvery); ; {
		did, err := read(ctx)
		if err != nil && ctx.Err() == nil {
			r.out.trouble(err)
		}
		left, failed, err := r.left(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			tick.Stop()
			return r.out.done(total, failed)
		}
		r.out.progress(max(0, total-left-failed), left, failed)
		if did {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// reader returns what reads one file that is due, if there was one, and how to take it down. Where a server runs, or may
// run, it reads nothing unless asked to.
func (r *reindexing) reader(ctx context.Context, here bool) (read func(context.Context) (bool, error), done func(), err error) {
	nothing := func(context.Context) (bool, error) { return false, nil }
	a := newApplication(newLog(r.config))
	if !r.config.postgres() || !r.config.UseS3 {
		if a.unlock, err = lockData(r.config.Data); caseload.KindOf(err) == caseload.Conflict && !here {
			r.out.note("A server is running on this data folder; its workers read.")
			return nothing, func() {}, nil
		}
	} else if !here {
		r.out.note("The workers of running servers read; without any, use --here.")
		return nothing, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	objects, err := a.openObjects(ctx, r.config)
	if err != nil {
		a.unlock()
		return nil, nil, err
	}
	service := &ingest.Service{
		Records: r.store, Objects: objects, Owner: ownerName(), Now: time.Now, Log: a.log,
		Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills,
	}
	read = func(ctx context.Context) (bool, error) { return service.Reread(ctx, r.store) }
	return read, func() { _ = a.stop(context.WithoutCancel(ctx)) }, nil
}

// reindexLog writes plain lines or JSON lines.
type reindexLog struct {
	out    io.Writer
	asJSON bool
	told   time.Time // of the last progress
}

// reindexLine is one line of --json.
type reindexLine struct {
	Event  string `json:"event"` // asked, note, trouble, progress, done
	Asked  *int   `json:"asked,omitempty"`
	Read   *int   `json:"read,omitempty"`
	Left   *int   `json:"left,omitempty"`
	Failed *int   `json:"failed,omitempty"`
	Text   string `json:"text,omitempty"`
}

func (l *reindexLog) say(line reindexLine, format string, args ...any) {
	if l.asJSON {
		_ = json.NewEncoder(l.out).Encode(line)
		return
	}
	fmt.Fprintf(l.out, "caseload: "+format+"\n", args...)
}

func (l *reindexLog) asked(n, left int) {
	l.say(reindexLine{Event: "asked", Asked: &n, Left: &left}, "%d asked for now, %d to be read again", n, left)
}

func (l *reindexLog) note(text string) {
	l.say(reindexLine{Event: "note", Text: text}, "%s", text)
}

func (l *reindexLog) trouble(err error) {
	l.say(reindexLine{Event: "trouble", Text: err.Error()}, "%v", err)
}

// progress tells at most once every two seconds.
func (l *reindexLog) progress(read, left, failed int) {
	if time.Since(l.told) < 2*lookEvery {
		return
	}
	l.told = time.Now()
	l.say(reindexLine{Event: "progress", Read: &read, Left: &left, Failed: &failed}, "%d read again, %d left, %d could not be read again", read, left, failed)
}

func (l *reindexLog) done(total, failed int) error {
	read := max(0, total-failed)
	l.say(reindexLine{Event: "done", Read: &read, Failed: &failed}, "done: %d read again, %d could not be; those keep what was read before", read, failed)
	if failed > 0 {
		return caseload.Errorf(caseload.Invalid, "%d files could not be read again.", failed).WithHint("The log says why; what was read before stands.")
	}
	return nil
}
