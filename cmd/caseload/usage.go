package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ledger"
	"dcdentals.com/caseload/internal/store"
)

func usageCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "usage", Short: "Tell what is kept, by whom, and what the bucket holds", Args: cobra.NoArgs,
		Long: `Tells what every organization keeps: files and bytes, the quota, the largest cases, kinds, what came in last and
what is coming in; and what the ledger found in the bucket, with each key that nothing explains. Organizations and
cases are named by name and number; no file names and no patients.

--refresh compares the database with the bucket now, key by key, and then tells. Interrupted, killed, or when the
store goes down, it goes on where it was when called again; a worker goes on with it, too. On a data folder whose
server is running, that server does it. Only current objects are what "aws s3 ls --summarize" counts; where the bucket
keeps versions, the replaced ones and the markers of deletions are counted as versions.

Exit codes: 0 done · 1 --refresh found keys that nothing explains, or files without their object · 69 the database or
the store cannot be reached · 78 wrong settings · 130 interrupted.`,
		RunE: usage,
	})
	cmd.Flags().Bool("refresh", false, "compare the database with the bucket now")
	cmd.Flags().Bool("json", false, "one JSON object")
	return cmd
}

func usage(cmd *cobra.Command, _ []string) error {
	flag := func(name string) bool { v, _ := cmd.Flags().GetBool(name); return v }
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
	if flag("refresh") {
		err := interrupted(ctx, refreshLedger(ctx, c, db, func(format string, args ...any) {
			fmt.Fprintf(cmd.ErrOrStderr(), "caseload: "+format+"\n", args...)
		}))
		if errors.Is(err, errInterrupted) {
			fmt.Fprintln(cmd.ErrOrStderr(), "caseload: interrupted. To go on where it was: caseload usage --refresh")
		}
		if err != nil {
			return err
		}
	}
	u, err := db.UsageOfAll(ctx)
	if err != nil {
		return err
	}
	if flag("json") {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		err = encoder.Encode(api.UsageFrom(u))
	} else {
		err = showUsage(cmd.OutOrStdout(), u)
	}
	if err == nil && flag("refresh") {
		err = unexplained(u)
	}
	return err
}

// unexplained is the error of a ledger that found what it cannot explain.
func unexplained(u caseload.Usage) error {
	var strange, missing int64
	for _, sum := range u.Sums {
		switch sum.Class {
		case caseload.ClassUnexplained:
			strange += sum.Objects
		case caseload.ClassMissing:
			missing += sum.Objects
		}
	}
	if strange+missing == 0 {
		return nil
	}
	return caseload.Errorf(caseload.Invalid, "The store holds %d things that nothing explains, and lacks the objects of %d files.", strange, missing).
		WithHint("The list above names each. `caseload fsck` looks closer; nothing is erased by itself.")
}

// refreshLedger brings a ledger to its end: here, or, where a server owns the data folder, by waiting for that one.
func refreshLedger(ctx context.Context, c *config, db *store.Store, say func(format string, args ...any)) error {
	a := newApplication(newLog(c))
	a.store = db
	if !c.postgres() || !c.UseS3 {
		unlock, err := lockData(c.Data)
		if caseload.KindOf(err) == caseload.Conflict && err != nil {
			if c.UseS3 { // only the database is that server's: both may work at the ledger
				return runLedger(ctx, c, a, say)
			}
			say("A server is running on this data folder; it keeps the ledger, within a minute.")
			return awaitLedger(ctx, db)
		}
		if err != nil {
			return err
		}
		a.unlock = unlock
	}
	return runLedger(ctx, c, a, say)
}

func runLedger(ctx context.Context, c *config, a *application, say func(format string, args ...any)) error {
	db := a.store
	objects, err := a.openObjects(ctx, c)
	a.store = nil // the caller closes it
	defer func() { _ = a.stop(context.WithoutCancel(ctx)) }()
	if err != nil {
		return err
	}
	keeping := &ledger.Service{Records: db, Objects: objects, Now: time.Now, Log: a.log}
	told := time.Now()
	_, err = keeping.Run(ctx, func(l caseload.Ledger) {
		if time.Since(told) >= 2*time.Second {
			told = time.Now()
			say("%d keys compared", l.Keys)
		}
	})
	if err != nil {
		return err
	}
	return db.NoteUsage(ctx)
}

// awaitLedger begins a ledger in the database, which the running server goes on with, and waits for its end. The embedded
// store keeps no versions.
func awaitLedger(ctx context.Context, db *store.Store) error {
	asked, err := db.OpenLedger(ctx, false)
	if err != nil {
		return err
	}
	for tick := time.NewTicker(lookEvery); ; {
		open, err := db.UnfinishedLedger(ctx)
		if err != nil {
			return err
		}
		if open == nil || open.ID != asked.ID {
			tick.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
