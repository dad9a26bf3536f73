package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

func corsApplyCommand() *cobra.Command {
	return yesFlag(&cobra.Command{
		Use: "apply", Short: "Give the bucket exactly the CORS rule that cors print shows", Args: cobra.NoArgs,
		Long: `Replaces the bucket's CORS rules by the one that cors print shows, after showing what changes and asking. Rules for
other origins go: they would let others in.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return setUpBucket(cmd, true, true, caseload.BucketCORS) },
	})
}

func corsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the CORS rules the bucket has", Args: cobra.NoArgs,
		Long: `Shows the CORS rules the bucket has, as JSON, and on standard error whether they are what Caseload needs. Exit code 1
when the bucket has none.`,
		RunE: showCORS,
	}
}

func corsPrintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "print", Short: "Print the CORS rule that browsers need", Args: cobra.NoArgs,
		Long: `Prints the CORS rule for exactly the origins of CASELOAD_PUBLIC_URL and CASELOAD_CORS_ORIGINS. Neither the store nor
credentials are needed.

--form cli is what "aws s3api put-bucket-cors --cors-configuration file://cors.json" takes, --form console what the
bucket's page in the console takes (Permissions, Cross-origin resource sharing).`,
		RunE: printCORS,
	}
	cmd.Flags().String("form", string(doctor.CLIForm), "cli ({\"CORSRules\": [...]}) or console (the bare array)")
	return cmd
}

func printCORS(cmd *cobra.Command, _ []string) error {
	form, _ := cmd.Flags().GetString("form")
	if f := doctor.CORSForm(form); f != doctor.CLIForm && f != doctor.ConsoleForm {
		return &usageError{fmt.Errorf("--form is %q; use cli or console", form)}
	}
	_, b, err := loadBucket(cmd, false, true)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(doctor.CORS(b.Origins, doctor.CORSForm(form)))
	return err
}

func showCORS(cmd *cobra.Command, _ []string) error {
	c, b, err := loadBucket(cmd, true, false)
	if err != nil {
		return err
	}
	if c.embeddedOnly() {
		fmt.Fprintln(cmd.ErrOrStderr(), nothingToSetUp)
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: note: this is the rule of the next start")
		_, err := cmd.OutOrStdout().Write(doctor.CORS(c.CORSOrigins, doctor.CLIForm))
		return err
	}
	noteIfUnused(cmd, c)
	store, err := openBucket(cmd.Context(), c)
	if err != nil {
		return err
	}
	plan, err := b.Plan(cmd.Context(), store, []caseload.BucketSetting{caseload.BucketCORS})
	if err != nil {
		return err
	}
	change := plan.Changes[0]
	switch {
	case plan.Create:
		return caseload.Errorf(caseload.NotFound, "There is no bucket %s.", b.Name).WithHint("Make it with `caseload bucket create`.")
	case change.Lacking:
		return caseload.Errorf(caseload.Invalid, "This store has no CORS rules of a bucket.").WithHint(change.Notes[0])
	case change.Have == nil:
		return caseload.Errorf(caseload.NotFound, "The bucket has no CORS rule: browsers cannot send to it.").WithHint("Run `caseload bucket cors apply`.")
	}
	if _, err := cmd.OutOrStdout().Write(change.Have); err != nil {
		return err
	}
	switch {
	case len(b.Origins) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: note: CASELOAD_PUBLIC_URL is empty, so that nobody knows whether this is what is needed")
	case change.Needed():
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: note: this is not the rule that Caseload needs; `caseload bucket cors apply` shows the difference")
	default:
		fmt.Fprintln(cmd.ErrOrStderr(), "caseload: note: this is what Caseload needs")
	}
	return nil
}
