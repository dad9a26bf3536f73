package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
)

func quotaCommand() *cobra.Command {
	return dataFlag(&cobra.Command{
		Use: "quota ORGANIZATION [SIZE|none]", Short: "Show or set the most an organization may keep", Args: cobra.RangeArgs(1, 2),
		Long: `With a size (200GB, 1TiB, or bytes) sets the most that the organization's files may hold together: what was received,
older versions among it, and what is planned or arriving. What does not fit is refused before its first byte moves. With
"none" there is no limit. What is kept already stays, even if it is more. ORGANIZATION is its name or id. Administrators can
set a lower limit on the page Storage; the smaller of the two counts, and is shown.

Exit codes: 0 done · 1 no such organization · 2 no such size · 69 the database cannot be reached.`,
		RunE: quota,
	})
}

func quota(cmd *cobra.Command, args []string) error {
	var limit int64
	if len(args) == 2 && args[1] != "none" {
		var err error
		if limit, err = parseSize(args[1]); err != nil || limit == 0 {
			return &usageError{fmt.Errorf("the quota is %q; use bytes, a size such as 200GB, or none", args[1])}
		}
	}
	db, err := openForCommand(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	organizations, err := db.Organizations(cmd.Context())
	if err != nil {
		return err
	}
	var found []caseload.Organization
	for _, o := range organizations {
		if string(o.ID) == args[0] || strings.EqualFold(o.Name, args[0]) {
			found = append(found, o)
		}
	}
	switch {
	case len(found) == 0:
		return caseload.Errorf(caseload.NotFound, "No organization has the name or id %s.", plainName(args[0])).WithHint("`caseload usage` lists them.")
	case len(found) > 1:
		return caseload.Errorf(caseload.NotFound, "%d organizations have that name.", len(found)).WithHint("Give the id; `caseload usage --json` tells them.")
	}
	org := found[0]
	if len(args) == 2 {
		if err := db.SetQuota(cmd.Context(), "", org.ID, limit); err != nil {
			return err
		}
	}
	q, err := db.Quota(cmd.Context(), administrator(org))
	if err != nil {
		return err
	}
	if q.Limit == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\tno quota\n", plainName(org.Name))
		return nil
	}
	whose := ""
	if q.Limit != q.Ceiling {
		whose = "\tset by its administrators"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\tquota %s\tused %s\tfree %s%s\n", plainName(org.Name), caseload.RoundBytes(q.Limit), caseload.RoundBytes(q.Used), caseload.RoundBytes(q.Free()), whose)
	return nil
}
