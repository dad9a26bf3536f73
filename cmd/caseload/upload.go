package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func uploadCommand() *cobra.Command {
	cmd := serverFlags(&cobra.Command{
		Use: "upload (--case CASE | --new-case NUMBER) PATH…", Short: "Send files, folders and ZIPs into a case", Args: cobra.MinimumNArgs(1),
		Long: `Sends files into a case of a Caseload server, several at once, each part with its checksum. Folders are
walked through; what systems leave behind (.DS_Store, Thumbs.db, __MACOSX) is left out, links are not
followed. Server and token come from CASELOAD_URL and CASELOAD_TOKEN (or CASELOAD_TOKEN_FILE).

What fails is tried again, part by part, for --give-up-after; a server whose disk is full is waited for
just so, and a line says it. Interrupted (Ctrl-C, a lost line, a power
cut), start it again with the same files: it goes on where the server stands, and what the case has
received already is not sent again (--again insists). A file that changes while it is sent is refused,
never mixed. Every failure is one line on standard error; the other files go on.

On a terminal it shows bars, else plain lines. --json writes one JSON object a line on standard output,
each with "event": begin, checking, planned, sending (at most one a second and file), received (was there
already), stored, failed, retrying, relaying (the store cannot be reached, bytes go through the server),
left_out, end (with "outcome": files stored, received and failed, bytes, seconds, drop, receipt).

--dry-run reads the files as the server would and shows patients, series, images and gaps, whether they are
of another patient than the case, what it has already and what would be sent; without a case it asks no
server. Nothing is sent.

Exit codes: 0 everything is in the case · 1 some files are not · 2 wrong command line · 69 the server
cannot be reached · 77 the token is not valid or may not write · 78 wrong settings · 130 interrupted.`,
		RunE: upload,
	})
	f := cmd.Flags()
	f.String("case", "", "number or id of the case")
	f.String("new-case", "", "open a case of this number")
	f.String("patient", "", "label of the patient, with --new-case")
	f.Bool("again", false, "send even what the case has received already")
	f.String("replaces", "", "id of the case's file that the one file sent is a new version of")
	f.Bool("dry-run", false, "only show what would be sent")
	f.Bool("json", false, "events as JSON lines")
	f.Bool("quiet", false, "only say what failed")
	lineFlags(cmd)
	return cmd
}

// lineFlags are those of every command that sends.
func lineFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Int("parallel", api.DefaultMost, "requests in flight at most; it begins with 3 and follows the line")
	f.Duration("give-up-after", api.DefaultBudget, "how long nothing at all may succeed before it gives up")
	f.String("rate", "", "at most so many bytes a second, such as 10MB/s")
}

func upload(cmd *cobra.Command, args []string) error {
	number, id := cmd.Flags().Lookup("new-case"), cmd.Flags().Lookup("case")
	dry, _ := cmd.Flags().GetBool("dry-run")
	switch {
	case number.Changed && id.Changed:
		return &usageError{errors.New("--case and --new-case exclude each other")}
	case !number.Changed && !id.Changed && !dry:
		return &usageError{errors.New("where to? Name a case with --case, or open one with --new-case")}
	}
	uploader, err := uploaderFor(cmd)
	if err != nil {
		return err
	}
	if dry && !id.Changed {
		return dryRun(cmd, nil, api.Case{}, gather(args))
	}
	client, err := connect(cmd)
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	found := gather(args)
	to, err := caseOf(ctx, cmd, client)
	if err != nil {
		return explainServer(client, interrupted(ctx, err))
	}
	if dry {
		return explainServer(client, dryRun(cmd, client, to, found))
	}
	uploader.Client, uploader.Case = client, to.ID
	return send(ctx, cmd, uploader, to, found)
}

// senderGCPercent keeps a sender small beside the programs of a workstation: what it keeps is little, what 20,000 files
// throw away is not.
const senderGCPercent = 25

// uploaderFor returns an Uploader as the flags want it, without client and case.
func uploaderFor(cmd *cobra.Command) (*api.Uploader, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(senderGCPercent)
	}
	u := &api.Uploader{}
	u.Most, _ = cmd.Flags().GetInt("parallel")
	u.Budget, _ = cmd.Flags().GetDuration("give-up-after")
	if u.Most < 1 || u.Most > 64 {
		return nil, &usageError{fmt.Errorf("--parallel is %d; use 1 to 64", u.Most)}
	}
	if u.Budget <= 0 {
		return nil, &usageError{errors.New("--give-up-after must be more than nothing, such as 24h")}
	}
	if raw, _ := cmd.Flags().GetString("rate"); raw != "" {
		limit, err := parseRate(raw)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--rate %w", err)}
		}
		u.Limit = limit
	}
	return u, nil
}

// caseOf finds or opens the case the flags name.
func caseOf(ctx context.Context, cmd *cobra.Command, client *api.Client) (api.Case, error) {
	if name, _ := cmd.Flags().GetString("case"); name != "" {
		return findCase(ctx, client, name)
	}
	number, _ := cmd.Flags().GetString("new-case")
	patient, _ := cmd.Flags().GetString("patient")
	return openCase(ctx, client, number, patient)
}

// send sends what was found and says how it went.
func send(ctx context.Context, cmd *cobra.Command, u *api.Uploader, to api.Case, found *gathered) error {
	begun := time.Now()
	told := showFor(cmd, found)
	tellLeftOut(cmd, found)
	u.Again, _ = cmd.Flags().GetBool("again")
	u.Replaces, _ = cmd.Flags().GetString("replaces")
	if n := len(found.sources) + len(found.failed); u.Replaces != "" && n != 1 {
		return &usageError{fmt.Errorf("--replaces takes one file; these are %d", n)}
	}
	u.Tell = told.notice
	told.begin(destination{to, u.Client.Base})
	outcome, err := api.Outcome{}, error(nil)
	if len(found.sources) > 0 {
		outcome, err = u.Run(ctx, found.sources)
	}
	s := summary{Outcome: outcome, Unread: len(found.failed), Took: time.Since(begun)}
	if outcome.Drop != "" {
		s.Receipt = u.Client.Base + "/drops/" + outcome.Drop + "/receipt"
	}
	told.end(s)
	if err := interrupted(ctx, err); errors.Is(err, errInterrupted) {
		fmt.Fprintf(cmd.ErrOrStderr(), "caseload: interrupted. What has arrived is kept; to go on: caseload upload --case %q and the same files.\n", to.Number)
		return err
	} else if err != nil {
		return explainServer(u.Client, err)
	}
	if failed := outcome.Failed + len(found.failed); failed > 0 {
		return caseload.Errorf(caseload.Invalid, "%d of %s could not be sent; the lines above say why.", failed, plural(len(found.sources)+len(found.failed), "file")).
			WithHint("Run the same command again to go on: what has arrived is not sent twice.")
	}
	return nil
}

// showFor picks how progress is shown.
func showFor(cmd *cobra.Command, found *gathered) show {
	quiet, _ := cmd.Flags().GetBool("quiet")
	asJSON, _ := cmd.Flags().GetBool("json")
	t := newTally(found.sources, time.Now())
	plain := &lines{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), sources: found.sources, tally: t, quiet: quiet, now: time.Now}
	switch {
	case asJSON:
		return &jsonLines{
			out: json.NewEncoder(cmd.OutOrStdout()), err: cmd.ErrOrStderr(), sources: found.sources, paths: found.paths, tally: t,
			now: time.Now, told: map[int]time.Time{},
		}
	case !quiet && isTerminal(cmd.OutOrStdout()) && isTerminal(cmd.ErrOrStderr()):
		return newBars(cmd.OutOrStdout(), plain)
	}
	return plain
}

// tellLeftOut says what is not sent, and why.
func tellLeftOut(cmd *cobra.Command, found *gathered) {
	quiet, _ := cmd.Flags().GetBool("quiet")
	asJSON, _ := cmd.Flags().GetBool("json")
	for _, f := range found.failed {
		complain(cmd.ErrOrStderr(), f.path, f.err)
	}
	if asJSON {
		out := json.NewEncoder(cmd.OutOrStdout())
		for _, f := range found.failed {
			_ = out.Encode(jsonEvent{Event: "failed", Path: f.path, Kind: caseload.KindOf(f.err).String(), Error: sentence(f.err)})
		}
		for _, l := range found.left {
			_ = out.Encode(jsonEvent{Event: "left_out", Path: l.path, Reason: l.why})
		}
		return
	}
	if quiet {
		return
	}
	for _, l := range found.left {
		fmt.Fprintf(cmd.OutOrStdout(), "left out %s: %s\n", legible(l.path), l.why)
	}
	if found.junk > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "left out %s that the system made (.DS_Store, Thumbs.db and their like)\n", plural(found.junk, "file"))
	}
}

// untilInterrupted ends the context with errInterrupted at Ctrl-C or SIGTERM. A second signal ends the program.
func untilInterrupted(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals) // from now on the system's own way: at once
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// interrupted returns errInterrupted when that is why err came about.
func interrupted(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}
