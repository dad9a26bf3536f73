package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func watchCommand() *cobra.Command {
	cmd := serverFlags(&cobra.Command{
		Use: "watch FOLDER --case-from (name|folder)", Short: "Send what appears in a folder, for as long as it runs", Args: cobra.ExactArgs(1),
		Long: `For the workstation that writes scans into a folder: sends every file and subfolder of FOLDER once it is
complete, that is once names, sizes and dates in it have stayed the same for --settle. A subfolder is sent
as one. Files whose names say that they are still being written (.part, .tmp, .crdownload …) and hidden
ones are left alone. The folder is looked at every --every, so network drives will do.

--case-from name: the name of a file (without its ending) or subfolder begins with the case's number; what
follows the first blank or underscore is the patient's label: "2026-118_Kim Minsu.zip" goes into case
2026-118, which is opened with the label "Kim Minsu" if there is none. --case-from folder: every subfolder
is a case of its own whose number is the subfolder's name; loose files are left alone.

Nothing is kept on this computer. Started again it asks the server what is there already, by size and
checksum, and sends the rest; with a folder that grows for years use --newer-than. A lost line is waited
for without end. What cannot be sent is one line on standard error and tried again later, unless the
server says no for good. Files that are removed meanwhile are no error. One watch runs on a folder.

--rate 10MB/s leaves room on the line; --hours 19:00-07:00 (local time) sends only then: what is under way
in the end goes on the next evening. --once sends what is complete now and ends. --json writes one JSON
object a line: "event" is watching, opened, sent, failed, waiting, resting or stopped.

Exit codes: 0 stopped by a signal, or --once and all is sent · 1 --once and something is not · 2 wrong
command line · 69 --once and the server cannot be reached · 77 the token is not valid or may not write ·
78 wrong settings.`,
		RunE: watch,
	})
	f := cmd.Flags()
	f.String("case-from", "", "name or folder: what tells the case")
	f.Duration("settle", 10*time.Second, "how long something must stay as it is to count as complete")
	f.Duration("every", 5*time.Second, "how often the folder is looked at")
	f.Duration("newer-than", 0, "leave alone what has not changed for longer, such as 720h (default: nothing)")
	f.String("hours", "", "send only then, such as 19:00-07:00 (default: always)")
	f.Bool("once", false, "send what is complete now, then end")
	f.Bool("json", false, "events as JSON lines")
	lineFlags(cmd)
	_ = f.MarkHidden("give-up-after")
	return cmd
}

// watcher sends what appears in a folder.
type watcher struct {
	folder *folder
	from   string
	every  time.Duration
	hours  hours
	once   bool
	client *api.Client
	sender *api.Uploader // without a case
	log    *watchLog
	now    func() time.Time
	failed int
}

func watch(cmd *cobra.Command, args []string) error {
	w, err := watcherFor(cmd, args[0])
	if err != nil {
		return err
	}
	unlock, err := lockFolder(args[0])
	if err != nil {
		return err
	}
	defer unlock()
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	err = interrupted(ctx, w.run(ctx))
	if errors.Is(err, errInterrupted) {
		w.log.say(watchEvent{Event: "stopped"})
		return nil
	}
	return explainServer(w.client, err)
}

func watcherFor(cmd *cobra.Command, path string) (*watcher, error) {
	get := func(name string) time.Duration { d, _ := cmd.Flags().GetDuration(name); return d }
	from, _ := cmd.Flags().GetString("case-from")
	raw, _ := cmd.Flags().GetString("hours")
	once, _ := cmd.Flags().GetBool("once")
	asJSON, _ := cmd.Flags().GetBool("json")
	h, err := parseHours(raw)
	switch {
	case from != caseFromName && from != caseFromFolder:
		return nil, &usageError{fmt.Errorf("--case-from is %q; use name or folder", from)}
	case err != nil:
		return nil, &usageError{fmt.Errorf("--hours %w", err)}
	case get("settle") < 0 || get("every") <= 0 || get("newer-than") < 0:
		return nil, &usageError{errors.New("--settle, --every and --newer-than are lengths of time, such as 10s")}
	}
	sender, err := uploaderFor(cmd)
	if err != nil {
		return nil, err
	}
	if sender.Budget = math.MaxInt64; once {
		sender.Budget = get("give-up-after")
	}
	client, err := connect(cmd)
	if err != nil {
		return nil, err
	}
	w := &watcher{
		folder: &folder{path: path, only: from == caseFromFolder, settle: get("settle"), newer: get("newer-than"), entries: map[string]*entry{}},
		from:   from, every: get("every"), hours: h, once: once, client: client, sender: sender, now: time.Now,
	}
	w.log = newWatchLog(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON, w.now)
	return w, nil
}

// lockFolder keeps a second watch off the folder. A file system that knows no locks is taken as it is: two watches do no
// harm but send twice.
func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
	}
	if err != nil {
		return nil, caseload.Errorf(caseload.Invalid, "The folder cannot be read.").WithCause(lineCause(err))
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return nil, caseload.Errorf(caseload.Conflict, "Another watch is running on this folder.").WithHint("One is enough; stop the other first.")
	}
	return func() { _ = f.Close() }, nil
}

// run looks and sends until the context ends, or once.
func (w *watcher) run(ctx context.Context) error {
	w.log.say(watchEvent{Event: "watching", Entry: w.folder.path, Server: w.client.Base})
	begun := w.now()
	lost := false
	for {
		err := w.folder.look(w.now())
		if err != nil && !lost {
			w.log.say(watchEvent{Event: "waiting", Entry: w.folder.path, Err: fmt.Errorf("the folder cannot be read: %w", lineCause(err))})
		}
		if lost = err != nil; lost && w.once {
			return caseload.Errorf(caseload.Invalid, "The folder cannot be read.").WithCause(lineCause(err))
		}
		if err := w.sendReady(ctx); err != nil {
			return err
		}
		if w.once && w.now().Sub(begun) >= w.folder.settle {
			return w.onceDone()
		}
		if err := wait(ctx, w.pause(begun)); err != nil {
			return err
		}
	}
}

// pause is how long nothing is looked at.
func (w *watcher) pause(begun time.Time) time.Duration {
	if w.once {
		return max(w.folder.settle-w.now().Sub(begun), time.Millisecond)
	}
	return w.every
}

func (w *watcher) onceDone() error {
	left := w.folder.waiting(w.now())
	if left > 0 {
		return caseload.Errorf(caseload.Invalid, "%d of what is in the folder could not be sent or is still being written.", left)
	}
	if w.failed > 0 {
		return caseload.Errorf(caseload.Invalid, "%s could not be sent; the lines above say why.", plural(w.failed, "file"))
	}
	return nil
}

// sendReady sends what is complete, while the hours allow it.
func (w *watcher) sendReady(ctx context.Context) error {
	ready := w.folder.ready(w.now())
	if len(ready) == 0 {
		return nil
	}
	if !w.hours.always() {
		open, until := w.hours.at(w.now())
		if !open {
			w.log.rest(until)
			return nil
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, until.Sub(w.now()), errHours)
		defer cancel()
	}
	for _, e := range ready {
		switch err := w.send(ctx, e); {
		case errors.Is(context.Cause(ctx), errHours):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// errHours ends what is under way when the hours are over.
var errHours = errors.New("the hours are over")

// send sends one entry. An error is what ends the watch.
func (w *watcher) send(ctx context.Context, e *entry) error {
	sign := e.sign
	found := gather([]string{filepath.Join(w.folder.path, e.name)})
	found.drop(unfinishedNames)
	if len(found.sources) == 0 && len(found.failed) == 0 {
		e.sent = sign
		return nil
	}
	number, patient := caseNamed(w.from, e.name, e.dir)
	var to api.Case
	opened := false
	err := w.persist(ctx, func() (err error) {
		to, opened, err = findOrOpen(ctx, w.client, number, patient)
		return err
	})
	if err != nil {
		return w.refused(ctx, e, number, err)
	}
	if opened {
		w.log.say(watchEvent{Event: "opened", Entry: e.name, Number: number, Case: to.ID})
	}
	u := *w.sender
	u.Client, u.Case = w.client, to.ID
	begun, forGood := w.now(), true
	left := 0
	fail := func(name string, err error) {
		if caseload.KindOf(err) == caseload.NotFound && isLocal(err) {
			return // it was removed
		}
		left++
		forGood = forGood && isNo(err)
		w.log.say(watchEvent{Event: "failed", Entry: e.name, Number: number, File: name, Err: err})
	}
	for _, f := range found.failed {
		fail(f.path, f.err)
	}
	u.Tell = func(n api.Notice) {
		switch n.Stage {
		case api.StageFailed:
			fail(shown(found.sources[n.Index]), n.Err)
		case api.StageRelaying:
			w.log.say(watchEvent{Event: "waiting", Entry: e.name, Number: number, Err: errors.New(relaying(n.Err))})
		case api.StageRetrying:
			w.log.retrying(e.name, n)
		}
	}
	outcome, err := u.Run(ctx, found.sources)
	if err != nil {
		return w.refused(ctx, e, number, err)
	}
	w.failed += left
	w.log.say(watchEvent{Event: "sent", Entry: e.name, Number: number, Case: to.ID, Outcome: &outcome, Took: w.now().Sub(begun), Left: left})
	if left == 0 || forGood {
		e.sent = sign // what the server refused for good is tried again when it has changed
	} else {
		e.again(w.now())
	}
	return nil
}

// isNo tells the server's no to what was sent, which stands until that changes, from what may pass: a full store is given
// room.
func isNo(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status < 500
}

// isLocal tells a fault of this side from the server's.
func isLocal(err error) bool {
	var local *api.ReadError
	var p *api.Problem
	return errors.As(err, &local) || !errors.As(err, &p)
}

// refused notes that an entry could not be sent at all. It returns what ends the watch: the context's end, a token that
// is not valid or may not write, and with --once a server that cannot be reached.
func (w *watcher) refused(ctx context.Context, e *entry, number string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	kind := caseload.KindOf(err)
	var p *api.Problem
	if kind == caseload.Unauthenticated || kind == caseload.Forbidden || w.once && !errors.As(err, &p) {
		return err
	}
	w.failed++
	w.log.say(watchEvent{Event: "failed", Entry: e.name, Number: number, Err: err})
	e.again(w.now())
	return nil
}

// persist does f until it succeeds or is refused; with --once as often as the client does by itself.
func (w *watcher) persist(ctx context.Context, f func() error) error {
	for pause := 5 * time.Second; ; pause = min(2*pause, time.Minute) {
		err := f()
		var p *api.Problem
		if err == nil || w.once || ctx.Err() != nil || errors.As(err, &p) && p.Status < 500 && p.Status != 429 {
			return err
		}
		w.log.retrying("", api.Notice{Err: err, Wait: pause})
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// wait waits, or returns the context's cause.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
