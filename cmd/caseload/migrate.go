package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/jobs"
	"dcdentals.com/caseload/internal/store"
)

// migrateQueue brings the queue's own tables up to date, as serve does when it starts.
func migrateQueue(ctx context.Context, c *config, db *store.Store) error {
	queue, err := idleQueue(c, db, newLog(c))
	if err != nil {
		return err
	}
	defer func() { _ = queue.Stop(ctx) }()
	return queue.Migrate(ctx)
}

// idleQueue connects the queue without working on it.
func idleQueue(c *config, db *store.Store, log *slog.Logger) (*jobs.Jobs, error) {
	cfg := jobs.Config{Engine: db.Engine(), Log: log}
	if c.postgres() {
		cfg.PostgresURL = c.DatabaseURL.Reveal()
	} else {
		cfg.DB = db.DB()
	}
	return jobs.New(cfg)
}

func migrateCommand() *cobra.Command {
	return dataFlag(&cobra.Command{
		Use: "migrate", Short: "Bring the database to the schema of this version", Args: cobra.NoArgs,
		Long: `Brings the database to the schema of this version; serve does the same when it starts. A database of a
newer version is refused and left as it is.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadFor(cmd)
			if err != nil {
				return err
			}
			db, err := openMigrated(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := migrateQueue(cmd.Context(), c, db); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "caseload: the database has the current schema")
			return nil
		},
	})
}
