package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func auditCommand() *cobra.Command {
	return group("audit", "Check the audit log", dataFlag(&cobra.Command{
		Use: "verify", Short: "Prove that no line of the audit log was changed or removed", Args: cobra.NoArgs,
		Long: `Computes every organization's hash chain again, from its first event to its last, and prints the number of
events and the head. Keep heads somewhere else to notice a log that was cut off at the end.

Exit code 65 when a chain does not hold; the first event that does not fit is named.`,
		RunE: verifyAudit,
	}))
}

func verifyAudit(cmd *cobra.Command, _ []string) error {
	db, err := openForCommand(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	organizations, err := db.Organizations(cmd.Context())
	if err != nil {
		return err
	}
	damaged := false
	for _, o := range organizations {
		report, err := db.VerifyAudit(cmd.Context(), o.ID)
		if err != nil {
			return err
		}
		if report.BrokenAt > 0 {
			damaged = true
			fmt.Fprintf(cmd.OutOrStdout(), "%s\tDAMAGED at event %d\n", o.ID, report.BrokenAt)
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\t%d events\thead %s\n", o.ID, report.Events, report.Head)
	}
	if damaged {
		return errDamaged
	}
	return nil
}
