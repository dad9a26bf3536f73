package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

func policyPrintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "print", Short: "Print the policy with exactly what is needed", Args: cobra.NoArgs,
		Long: `Prints an IAM policy for the bucket of the settings, with its partition, key and versions, ready to paste. Neither the
store nor credentials are needed.

server: what serve and worker run with. signer: what the signed requests of browsers may do and nothing else, as a
ceiling for another program that signs them; Caseload itself signs as the server. setup: for whoever runs
"caseload bucket" and "caseload doctor --fix". --why lists instead what each action is for.`,
		RunE: printPolicy,
	}
	principalFlag(cmd)
	cmd.Flags().Bool("why", false, "list each action, the calls that need it and what it is for")
	return cmd
}

func policyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "Say what a policy lacks and where it is too wide", Args: cobra.MaximumNArgs(1),
		Long: `Reads the IAM policy in FILE ("-": standard input), in the form of the console or of "aws iam get-policy-version", and
names each action that is missing, refused or given too widely. The store is not asked.

Without FILE it reads the bucket's own policy from the store: whether it opens the bucket to strangers, shuts Caseload
out, or takes requests without TLS. It reads; "caseload doctor" tries.

Exit codes: 0 nothing to mend · 1 something is missing, refused or open · 3 only too wide, or without TLS.`,
		RunE: checkPolicy,
	}
	principalFlag(cmd)
	return cmd
}

func principalFlag(cmd *cobra.Command) {
	cmd.Flags().String("principal", string(doctor.ServerPrincipal), "server, signer or setup")
}

func principalOf(cmd *cobra.Command) (doctor.Principal, error) {
	name, _ := cmd.Flags().GetString("principal")
	if p := doctor.Principal(name); slices.Contains(doctor.Principals(), p) {
		return p, nil
	}
	return "", &usageError{fmt.Errorf("--principal is %q; use server, signer or setup", name)}
}

// noPoliciesInside is for the store inside this program.
var noPoliciesInside = caseload.Errorf(caseload.Invalid, "USE_S3 is not True: the embedded store has no users, so there are no policies to give.").
	WithHint("For a bucket elsewhere, set AWS_STORAGE_BUCKET_NAME and AWS_S3_REGION_NAME.")

func printPolicy(cmd *cobra.Command, _ []string) error {
	principal, err := principalOf(cmd)
	if err != nil {
		return err
	}
	c, b, err := loadBucket(cmd, true, false)
	if err != nil {
		return err
	}
	if c.embeddedOnly() {
		return noPoliciesInside
	}
	noteIfUnused(cmd, c)
	if why, _ := cmd.Flags().GetBool("why"); why {
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
		for _, p := range b.Permissions(principal) {
			fmt.Fprintf(table, "%s\t%s\n", p.Action, p.Why)
		}
		return table.Flush()
	}
	_, err = cmd.OutOrStdout().Write(b.Policy(principal).JSON())
	return err
}

func checkPolicy(cmd *cobra.Command, args []string) error {
	principal, err := principalOf(cmd)
	if err != nil {
		return err
	}
	c, b, err := loadBucket(cmd, true, false)
	if err != nil {
		return err
	}
	if c.embeddedOnly() {
		return noPoliciesInside
	}
	var found []doctor.Finding
	if len(args) == 1 {
		found, err = checkPolicyFile(cmd.InOrStdin(), args[0], b, principal)
	} else {
		found, err = checkBucketPolicy(cmd, c, b)
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	worst := doctor.Fine
	for _, f := range found {
		mark := marks[f.Level]
		fmt.Fprintf(out, "%-4s  %s\n      %s\n", mark.word, f.Got, f.Means)
		if f.Fix != nil {
			fmt.Fprintf(out, "      fix: %s\n", f.Fix.Say)
		}
		if f.Level.Rank() > worst.Rank() {
			worst = f.Level
		}
	}
	switch worst {
	case doctor.Failure:
		return errExamined{exitFailed}
	case doctor.Warning:
		return errExamined{exitWarned}
	}
	fmt.Fprintln(out, "ok    nothing to mend")
	return nil
}

func checkPolicyFile(in io.Reader, path string, b doctor.Bucket, p doctor.Principal) ([]doctor.Finding, error) {
	const mostPolicy = 1 << 20 // bytes; IAM's own limit is 10,240 characters
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, caseload.Errorf(caseload.Invalid, "The policy cannot be read.").WithCause(err)
		}
		defer file.Close()
		in = file
	}
	document, err := io.ReadAll(io.LimitReader(in, mostPolicy))
	if err != nil {
		return nil, caseload.Errorf(caseload.Invalid, "The policy cannot be read.").WithCause(err)
	}
	return b.CheckPolicy(p, document)
}

func checkBucketPolicy(cmd *cobra.Command, c *config, b doctor.Bucket) ([]doctor.Finding, error) {
	noteIfUnused(cmd, c)
	store, err := openBucket(cmd.Context(), c)
	if err != nil {
		return nil, err
	}
	document, err := store.Setting(cmd.Context(), caseload.BucketPolicy)
	if err != nil {
		return nil, err
	}
	return b.CheckBucketPolicy(document)
}
