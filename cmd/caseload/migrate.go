package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

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
			fmt.Fprintln(cmd.OutOrStdout(), "caseload: the database has the current schema")
			return nil
		},
	})
}
