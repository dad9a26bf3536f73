package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
)

func checkCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "check --read-data", Short: "Read every stored file again and compare its checksums", Args: cobra.NoArgs,
		Long: `Reads the bytes of every file that was acknowledged out of the store and compares SHA-256 and CRC-64/NVME with
what was verified when it came. So a disk that lost a bit is noticed while there is still a backup. It may run
beside a server and changes nothing; with --mark each damaged file gets a warning on its page and an event in the
audit log.

--read-data-subset 3/10, or --read-data --subset 3/10, reads the third of ten equal parts; a file is always in the same
part, so ten runs, one a night say, read everything once. --rate 20MB/s leaves the store some air. --state FILE keeps how far it is, so that the same
command goes on there after an interruption or a kill; the file goes when the run is done.

Each damaged file is one line: its kind, the case's number and the file's id, what is wrong, what to do. File
names may name patients and are left out unless --names asks for them.

Exit codes: 0 every byte is as it came · 2 wrong command line · 65 files are missing or damaged · 69 the database
or the store cannot be reached · 78 wrong settings · 130 interrupted.`,
		RunE: runCheck,
	})
	f := cmd.Flags()
	f.Bool("read-data", false, "read the bytes; this or the next must be given, since it reads all of the store")
	f.String("read-data-subset", "", "read the bytes of only this part, such as 3/10")
	f.String("subset", "", "with --read-data: only this part, such as 3/10")
	f.String("rate", "", "at most so many bytes a second, such as 20MB/s")
	f.String("state", "", "file that keeps how far it is")
	f.Bool("mark", false, "put a warning on damaged files, with an event")
	f.Bool("names", false, "show the names of files")
	f.Bool("json", false, "one JSON object a line")
	return cmd
}

func runCheck(cmd *cobra.Command, _ []string) error {
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	text := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	part, err := partToRead(cmd)
	if err != nil {
		return &usageError{err}
	}
	limit, err := readingRate(text("rate"))
	if err != nil {
		return &usageError{err}
	}
	kept, err := loadCheckState(text("state"), part)
	if err != nil {
		return err
	}
	service, out, done, err := openFsck(ctx, cmd)
	if err != nil {
		return err
	}
	defer done()
	service.Part, service.Limit = part, limit
	service.Repair, _ = cmd.Flags().GetBool("mark")
	service.Passed = func(p fsck.Progress) { out.progress(p, "%d files, %s read", p.Files, humanBytes(p.Bytes)) }
	service.Kept = kept.keep
	r, err := service.ReadAgain(ctx, kept.After, kept.Report)
	out.clear()
	if err != nil {
		if saved := kept.save(); saved != nil {
			return saved
		}
		return interrupted(ctx, err)
	}
	out.line(struct {
		Event  string `json:"event"`
		Subset string `json:"subset"`
		fsck.Report
	}{"done", part.String(), r}, "%d files, %s read: %s", r.Files, humanBytes(r.Bytes), checkSummary(r))
	return errors.Join(kept.remove(), verdict(r))
}

// partToRead is what the flags ask to be read.
func partToRead(cmd *cobra.Command) (part fsck.Subset, err error) {
	read, _ := cmd.Flags().GetBool("read-data")
	subset, _ := cmd.Flags().GetString("subset")
	flag := "--subset"
	if given, _ := cmd.Flags().GetString("read-data-subset"); given != "" {
		if subset != "" {
			return part, errors.New("--read-data-subset and --subset say the same; use one of them")
		}
		read, subset, flag = true, given, "--read-data-subset"
	}
	if !read {
		return part, errors.New("check needs --read-data: it reads every byte of the store; `caseload fsck` compares without reading")
	}
	if subset == "" {
		subset = "1/1"
	}
	if part, err = fsck.ParseSubset(subset); err != nil {
		return part, fmt.Errorf("%s %w", flag, err)
	}
	return part, nil
}

func checkSummary(r fsck.Report) string {
	if r.Found == 0 {
		return "every byte is as it came"
	}
	return fmt.Sprintf("%d are missing or damaged", r.Found)
}

// readingRate is what --rate asks for as a wait before more is read; nil without a limit.
func readingRate(raw string) (func(context.Context, int) error, error) {
	if raw == "" {
		return nil, nil
	}
	limiter, err := parseRate(raw)
	if err != nil {
		return nil, fmt.Errorf("--rate %w", err)
	}
	return func(ctx context.Context, n int) error {
		for n > 0 {
			step := min(n, limiter.Burst())
			if err := limiter.WaitN(ctx, step); err != nil {
				return context.Cause(ctx)
			}
			n -= step
		}
		return nil
	}, nil
}

// checkState is what --state keeps.
type checkState struct {
	Subset string          `json:"subset"`
	After  caseload.FileID `json:"after"`
	Report fsck.Report     `json:"report"` // of everything up to there

	path  string // "": nothing is kept
	saved time.Time
}

// loadCheckState reads the file, or begins anew when it is not there.
func loadCheckState(path string, part fsck.Subset) (*checkState, error) {
	s := &checkState{Subset: part.String(), path: path, saved: time.Now()}
	if path == "" {
		return s, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, s.save() // that it can be written is known before anything is read
	}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		return nil, caseload.Errorf(caseload.Invalid, "The state file cannot be read.").WithHint("Remove it to begin anew.").WithCause(err)
	}
	if s.Subset != part.String() {
		return nil, caseload.Errorf(caseload.Invalid, "The state file is of subset %s.", s.Subset).
			WithHint("Go on with that subset, or give each subset a state file of its own.")
	}
	return s, nil
}

// keep is called after every file, and writes at most once a second.
func (s *checkState) keep(last caseload.FileID, r fsck.Report) {
	s.After, s.Report = last, r
	if time.Since(s.saved) >= time.Second {
		_ = s.save() // the next one, or the end, tells
	}
}

// save replaces the file as a whole.
func (s *checkState) save() error {
	if s.path == "" {
		return nil
	}
	s.saved = time.Now()
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(s.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return caseload.Errorf(caseload.Invalid, "The state file %s cannot be written.", filepath.Base(s.path)).WithCause(err)
	}
	return nil
}

func (s *checkState) remove() error {
	if s.path == "" {
		return nil
	}
	return os.Remove(s.path)
}
