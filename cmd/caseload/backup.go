package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/store"
)

func backupCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "backup FOLDER", Short: "Back up the embedded database and store while they are in use", Args: cobra.ExactArgs(1),
		Long: `Copies the embedded database and every object it refers to into a new folder below FOLDER, named by the moment. A
server may run meanwhile: uploads and deletions go on, and what was acknowledged before the backup began is in it.
Every byte is compared with the checksums it came with. Objects that the backup before holds already are hard links
to it, so that each backup is whole and only new objects take room. Interrupted or killed, it goes on from where it
was when called again. FOLDER should be another disk; copy it to another place besides.

--keep 14 removes the oldest backups afterwards, so that 14 are left; without it none is removed.
--verify makes no backup but reads the newest one in FOLDER (or the one that FOLDER is) whole, and compares it with
its manifest and its own database.

With PostgreSQL or an external store this command refuses: docs/operate.md has the way for those.

Exit codes: 0 done, everything fits · 1 refused or failed · 2 wrong command line · 65 the backup was made or read,
but files in it are missing or damaged (each is named) · 69 the folder, the database or the store cannot be used ·
78 wrong settings · 130 interrupted.`,
		RunE: runBackup,
	})
	f := cmd.Flags()
	f.Bool("verify", false, "read the newest backup instead of making one")
	f.Int("keep", 0, "how many backups are left; 0: all")
	f.Bool("json", false, "one JSON object a line")
	return cmd
}

func restoreCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "restore FOLDER", Short: "Bring a backup back into an empty data folder", Args: cobra.ExactArgs(1),
		Long: `Brings the newest backup in FOLDER, or the one that FOLDER is, back into the data folder (--data), which must be
empty or not exist. Every byte is compared with the backup's manifest when it is read and again where it was
written; then database and store are held against each other as "caseload fsck" does. Only then does it say done.

Everybody is signed out. Tokens and users are as they were when the backup was made: what was revoked or disabled
since then must be so again. Uploads that were under way are given up by the sweep; their senders start again. A
backup that an older version made is restored, too: its database is brought up to date afterwards.

Exit codes: 0 done, everything is as it was · 1 refused or failed, the data folder is not usable (remove it) · 2
wrong command line · 65 restored, but files were missing or damaged in the backup already (each is named) · 69 a folder
cannot be used · 78 wrong settings · 130 interrupted.`,
		RunE: runRestore,
	})
	cmd.Flags().Bool("json", false, "one JSON object a line")
	return cmd
}

// embeddedOnly refuses set-ups that these commands are not for.
func embeddedOnly(cmd *cobra.Command) (*config, error) {
	c, err := loadQuietly(cmd)
	if err != nil {
		return nil, err
	}
	if c.UseS3 || c.postgres() {
		return nil, caseload.Errorf(caseload.Invalid, "This is for the embedded database with the embedded store.").
			WithHint("docs/operate.md, \"Backup and restore\", has the steps for PostgreSQL and an external store.")
	}
	return c, nil
}

// openDatabaseCopy opens a backup's database for reading.
func openDatabaseCopy(ctx context.Context, path string) (backup.Rows, error) {
	return store.OpenCopy(ctx, path)
}

// backupLog writes what backup and restore say.
func backupLog(cmd *cobra.Command) (*fsckLog, *backup.Service) {
	out := &fsckLog{out: cmd.OutOrStdout(), progressTo: cmd.ErrOrStderr()}
	out.asJSON, _ = cmd.Flags().GetBool("json")
	s := &backup.Service{Open: openDatabaseCopy, Names: objectstore.NamesAfter, Now: time.Now, Program: version()}
	s.Said = func(t backup.Trouble) {
		out.clear()
		out.line(struct {
			Event string `json:"event"`
			backup.Trouble
		}{"trouble", t}, "case %q, file %s, object %s: %s", t.Case, t.File, t.Object, t.Text)
	}
	s.Passed = func(p backup.Progress) {
		out.progress(fsck.Progress{Objects: p.Objects, Bytes: p.Bytes}, "%d objects, %s", p.Objects, humanBytes(p.Bytes))
	}
	return out, s
}

func runBackup(cmd *cobra.Command, args []string) error {
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	out, s := backupLog(cmd)
	keep, _ := cmd.Flags().GetInt("keep")
	if keep < 0 {
		return &usageError{fmt.Errorf("--keep is %d; use the number of backups to be left, 0 for all", keep)}
	}
	if verify, _ := cmd.Flags().GetBool("verify"); verify {
		folder, err := backup.Latest(args[0])
		if err != nil {
			return err
		}
		r, err := s.Verify(ctx, folder)
		if err != nil {
			return interrupted(ctx, err)
		}
		return backupDone(out, "verified", "is whole", r)
	}
	c, err := embeddedOnly(cmd)
	if err != nil {
		return err
	}
	db, err := openAsItIs(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	objects, err := objectstore.OpenFolder(filepath.Join(c.Data, "store"))
	if err != nil {
		return err
	}
	if err := outside(args[0], c.Data); err != nil {
		return err
	}
	s.Copy, s.Objects = db.CopyTo, objects
	r, err := s.Take(ctx, args[0])
	if err != nil {
		return interrupted(ctx, err)
	}
	if _, err := backup.Prune(args[0], keep); err != nil {
		return err
	}
	return backupDone(out, "done", "is made", r)
}

// outside refuses a backup folder within the data folder, where it would be lost together with it.
func outside(folder, data string) error {
	folder, err := followed(folder)
	if err != nil {
		return err
	}
	if data, err = followed(data); err != nil {
		return err
	}
	if inside, err := filepath.Rel(data, folder); err == nil && inside != ".." && !strings.HasPrefix(inside, "../") {
		return caseload.Errorf(caseload.Invalid, "The backup would lie in the data folder itself.").WithHint("Name a folder on another disk.")
	}
	return nil
}

// followed returns where a path leads when its links are followed; what of it does not exist yet stays as it is said.
func followed(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest), nil
		}
		if at == filepath.Dir(at) {
			return path, nil
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

func backupDone(out *fsckLog, event, words string, r backup.Report) error {
	out.clear()
	copied := ""
	if event == "done" {
		copied = fmt.Sprintf(" (%s of them new)", humanBytes(r.Copied))
	}
	out.line(struct {
		Event string `json:"event"`
		backup.Report
	}{event, r}, "%s %s: %d objects, %s%s, %s", r.Folder, words, r.Objects, humanBytes(r.Bytes), copied, troubleText(r.Trouble))
	if r.Trouble > 0 {
		return errLost
	}
	return nil
}

func troubleText(n int) string {
	if n == 0 {
		return "every byte compared"
	}
	return fmt.Sprintf("%d files missing or damaged", n)
}

func runRestore(cmd *cobra.Command, args []string) error {
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	c, err := embeddedOnly(cmd)
	if err != nil {
		return err
	}
	folder, err := backup.Latest(args[0])
	if err != nil {
		return err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	out, s := backupLog(cmd)
	r, err := s.Restore(ctx, folder, c.Data, func(ctx context.Context, dir string) (backup.Target, error) {
		return objectstore.NewFolder(ctx, dir, newLog(c))
	})
	if err != nil {
		return interrupted(ctx, err)
	}
	compared, err := afterRestore(ctx, c, out)
	if err != nil {
		return interrupted(ctx, err)
	}
	r.Trouble = max(r.Trouble, compared.Losses)
	out.clear()
	out.line(struct {
		Event string `json:"event"`
		backup.Report
	}{"done", r}, "restored %s of %s into %s: %d objects, %s, %s. Everybody is signed out.",
		filepath.Base(folder), r.Made.Format(time.RFC3339), c.Data, r.Objects, humanBytes(r.Bytes), troubleText(r.Trouble))
	if r.Trouble > 0 {
		return errLost
	}
	return nil
}

// afterRestore brings the schema up to date, signs everybody out and holds the restored database and store against each other.
func afterRestore(ctx context.Context, c *config, out *fsckLog) (r fsck.Report, err error) {
	db, err := openMigrated(ctx, c)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.EndAllSessions(ctx); err != nil {
		return r, err
	}
	objects, err := objectstore.OpenFolder(filepath.Join(c.Data, "store"))
	if err != nil {
		return r, err
	}
	return (&fsck.Service{Rows: db, Objects: objects, Now: time.Now, Said: func(f fsck.Finding) {
		if f.Loss {
			out.found(f)
		}
	}}).Run(ctx)
}

// refuseHalfRestored keeps a server out of a data folder whose restore did not come to its end.
func refuseHalfRestored(data string) error {
	if _, err := os.Lstat(filepath.Join(data, backup.Restoring)); err != nil {
		return nil
	}
	return caseload.Errorf(caseload.Conflict, "A restore into this data folder did not come to its end.").
		WithHint("Remove the folder and restore again, or wait for the restore that is running.")
}
