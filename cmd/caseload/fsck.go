package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
)

func fsckCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "fsck", Short: "Hold the database against the store: what is missing, left over or odd", Args: cobra.NoArgs,
		Long: `Compares every file of the database with every object of the store: files whose object is missing or another
one (size, checksum, ETag, version), objects that no file knows, and what deleted files left behind. Then it looks
for rows that no healthy run leaves: overdue uploads, readings and delete-intents, versions out of order, previews
of nothing, without a picture or damaged. It may run beside a server, needs little memory however much there is,
and changes nothing. It reads no object; "caseload check --read-data" does.

Each finding is one line: its kind, the case's number and the file's id, what is wrong, what to do. File names may
name patients and are left out unless --names asks for them.

--repair mends what can be proved or undone, each with an event in the audit log: an object that was copied (into
another bucket, say) is read, and taken when every byte is the file's; what deleted files left is given a
delete-intent and erased by the sweep a day later; delete-intents for live files are cancelled; versions are put
in order; previews are made again or removed. It never erases an object itself, and never one that no file knows.

Exit codes: 0 nothing was found, or all of it was repaired · 1 something is left, but no file's bytes are lost ·
65 a file's bytes are missing or not those that came · 69 the database or the store cannot be reached · 78 wrong
settings · 130 interrupted.`,
		RunE: runFsck,
	})
	f := cmd.Flags()
	f.Bool("repair", false, "mend what is safe")
	f.Bool("names", false, "show the names of files")
	f.Bool("json", false, "one JSON object a line")
	return cmd
}

func runFsck(cmd *cobra.Command, _ []string) error {
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	service, out, done, err := openFsck(ctx, cmd)
	if err != nil {
		return err
	}
	defer done()
	service.Repair, _ = cmd.Flags().GetBool("repair")
	service.Passed = func(p fsck.Progress) {
		out.progress(p, "%d files and %d objects looked at", p.Files, p.Objects)
	}
	r, err := service.Run(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	out.clear()
	out.line(struct {
		Event string `json:"event"`
		fsck.Report
	}{"done", r}, "%d files, %d objects: %s", r.Files, r.Objects, fsckSummary(r))
	return verdict(r)
}

// fsckSummary is the last line in words.
func fsckSummary(r fsck.Report) string {
	if r.Found == 0 {
		return "nothing is wrong"
	}
	return fmt.Sprintf("%d found, %d of them lost or damaged, %d repaired", r.Found, r.Losses, r.Repaired)
}

// verdict turns a report into the exit code.
func verdict(r fsck.Report) error {
	switch {
	case r.Losses > 0:
		return errLost
	case r.Found > r.Repaired:
		return caseload.Errorf(caseload.Invalid, "%d of what was found is left.", r.Found-r.Repaired).WithHint("Each line says what to do about it.")
	}
	return nil
}

// openFsck opens the database and the store of the settings, beside a server that may be running, and changes nothing.
func openFsck(ctx context.Context, cmd *cobra.Command) (*fsck.Service, *fsckLog, func(), error) {
	c, err := loadQuietly(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := openAsItIs(ctx, c)
	if err != nil {
		return nil, nil, nil, err
	}
	objects, err := besideServer(ctx, c)
	if err != nil {
		_ = db.Close()
		return nil, nil, nil, err
	}
	out := &fsckLog{out: cmd.OutOrStdout(), progressTo: cmd.ErrOrStderr()}
	out.asJSON, _ = cmd.Flags().GetBool("json")
	out.names, _ = cmd.Flags().GetBool("names")
	return &fsck.Service{Rows: db, Objects: objects, Now: time.Now, Said: out.found}, out, func() { _ = db.Close() }, nil
}

// openAsItIs opens a database that exists and has this program's schema.
func openAsItIs(ctx context.Context, c *config) (*store.Store, error) {
	if !c.postgres() {
		path := strings.TrimPrefix(c.DatabaseURL.Reveal(), "sqlite:")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, caseload.Errorf(caseload.NotFound, "There is no database at %s.", path).WithHint("Name the data folder with --data or CASELOAD_DATA.")
		}
	}
	db, err := openStore(ctx, c, newLog(c))
	if err != nil {
		return nil, err
	}
	if err := db.CheckSchema(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// besideServer opens the store for looking: the external one, or the embedded one's folder.
func besideServer(ctx context.Context, c *config) (fsck.Objects, error) {
	if c.UseS3 {
		return objectstore.New(ctx, c.s3(newLog(c)))
	}
	return objectstore.OpenFolder(filepath.Join(c.Data, "store"))
}

// fsckLog writes what fsck and check find, plain or as JSON lines, and on a terminal how far they are.
type fsckLog struct {
	out        io.Writer
	progressTo io.Writer
	asJSON     bool
	names      bool
	told       time.Time // of the last progress
	drawn      bool      // a line of progress stands on the terminal
}

func (w *fsckLog) found(f fsck.Finding) {
	w.clear()
	name := ""
	if w.names {
		name = f.Name
	}
	if w.asJSON {
		w.line(struct {
			Event string `json:"event"`
			fsck.Finding
			Name string `json:"name,omitempty"`
		}{"found", f, name}, "")
		return
	}
	where := "object " + string(f.Object)
	switch {
	case f.File != "":
		where = fmt.Sprintf("case %q, file %s", f.Case, f.File)
		if name != "" {
			where += fmt.Sprintf(" %q", name)
		}
	case f.Case != "":
		where = fmt.Sprintf("case %q", f.Case)
	}
	if f.Object != "" && f.File != "" {
		where += ", object " + string(f.Object)
	}
	if f.Repaired {
		w.line(nil, "%s\t%s: %s. Repaired.", f.Kind, where, f.Text)
		return
	}
	w.line(nil, "%s\t%s: %s. What to do: %s.", f.Kind, where, f.Text, f.Advice)
}

// line writes value as one line of JSON, or the text.
func (w *fsckLog) line(value any, format string, args ...any) {
	if w.asJSON {
		_ = json.NewEncoder(w.out).Encode(value)
		return
	}
	fmt.Fprintf(w.out, format+"\n", args...)
}

// toldEvery is how often progress is told.
const toldEvery = time.Second

// progress tells how far a run is: on a terminal in one line that changes, with --json as a line, else not at all.
func (w *fsckLog) progress(p fsck.Progress, format string, args ...any) {
	if time.Since(w.told) < toldEvery {
		return
	}
	w.told = time.Now()
	switch {
	case w.asJSON:
		w.line(struct {
			Event string `json:"event"`
			fsck.Progress
		}{"progress", p}, "")
	case isTerminal(w.progressTo):
		fmt.Fprintf(w.progressTo, "\r\x1b[K"+format, args...)
		w.drawn = true
	}
}

func (w *fsckLog) clear() {
	if w.drawn {
		fmt.Fprint(w.progressTo, "\r\x1b[K")
		w.drawn = false
	}
}
