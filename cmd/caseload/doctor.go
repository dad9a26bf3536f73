package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

func doctorCommand() *cobra.Command {
	cmd := dataFlag(&cobra.Command{
		Use: "doctor", Short: "Try everything a deployment stands on, say what is wrong and how it is mended", Args: cobra.NoArgs,
		Long: `Tries what the server needs, as the server, as a browser and as an anonymous stranger would: settings,
database, queue, the way to the store, clock, credentials, and the bucket with its rights and rules. It says per check
what was tried, what came back, what it means and how it is mended, with commands and documents ready to paste. It
cleans up after itself, starts nothing and changes nothing unless --fix is given. What it prints holds no secret, no
signed address and nothing of a patient: it is safe to send to somebody who helps.

--principal setup tries, with the credentials of whoever sets the bucket up, each right that this takes, and how the
bucket is set up; neither the database nor files are touched then.

--fix mends what it can, one by one, after asking (--yes: without asking), then looks again. What it may not do
itself it prints for whoever has the rights.

Exit codes, by the worst finding: 0 nothing to mend · 3 only warnings · 1 a failure, or something could not be tried ·
78 the settings are wrong, so that serve would not start · 2 wrong command line · 130 interrupted.`,
		RunE: runDoctor,
	})
	f := cmd.Flags()
	f.Bool("json", false, "the report as one JSON object, the form of /api/v1/doctor")
	f.Bool("fix", false, "mend what can be mended, after asking")
	f.Bool("yes", false, "with --fix: without asking")
	f.String("principal", string(doctor.ServerPrincipal), "whose credentials are tried: server, or setup (whoever sets the bucket up)")
	f.String("origin", "", "address that people's browsers use, for the checks of CORS (default: CASELOAD_PUBLIC_URL)")
	return cmd
}

// errExamined ends the command with an exit code; the report has been printed.
type errExamined struct{ code int }

func (e errExamined) Error() string { return "something is to be mended" }

func runDoctor(cmd *cobra.Command, _ []string) error {
	flag := func(name string) bool { v, _ := cmd.Flags().GetBool(name); return v }
	raw, _ := cmd.Flags().GetString("origin")
	origins, err := parseOrigins(raw)
	switch {
	case err != nil || len(origins) > 1:
		return &usageError{fmt.Errorf("--origin is %q; use one exact origin such as https://caseload.example", raw)}
	case flag("yes") && !flag("fix"):
		return &usageError{errors.New("--yes is for --fix")}
	case flag("json") && flag("fix"):
		return &usageError{errors.New("--json only reports; --fix asks a person")}
	case flag("fix") && !flag("yes") && !isTerminal(os.Stdin):
		return &usageError{errors.New("--fix asks before it changes anything, and there is no terminal; add --yes to mend without asking")}
	}
	principal, err := principalOf(cmd)
	if err != nil || principal == doctor.SignerPrincipal {
		return &usageError{errors.New("--principal is server or setup")}
	}
	dotenv, err := readDotenv()
	if err != nil {
		return err
	}
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	c, judged := examine(flagsOf(cmd), processEnvironment(), dotenv, "")
	c.examinedPrincipal = principal
	if principal == doctor.SetupPrincipal && !c.UseS3 {
		return caseload.Errorf(caseload.Invalid, "USE_S3 is not True: there is no bucket to set up.").WithHint("Set USE_S3=True, AWS_STORAGE_BUCKET_NAME and AWS_S3_REGION_NAME, and the credentials of whoever sets the bucket up.")
	}
	if len(origins) == 1 {
		c.examinedOrigin = origins[0]
	}
	examined := c.examination(judged)
	defer examined.close()

	out := cmd.OutOrStdout()
	if flag("json") {
		report := examined.run(ctx, nil)
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(report); err != nil {
			return err
		}
		return examinedAs(ctx, report)
	}
	shown := newFindings(out)
	report := examined.run(ctx, shown.show)
	shown.end(report)
	if flag("fix") {
		if mend(ctx, cmd, report, flag("yes")) > 0 && ctx.Err() == nil {
			fmt.Fprintln(out, "\nLooking again …")
			shown = newFindings(out)
			report = examined.run(ctx, shown.showProblem)
			shown.end(report)
		}
	}
	return examinedAs(ctx, report)
}

// examinedAs is how the command ends after this report.
func examinedAs(ctx context.Context, report doctor.Report) error {
	refused := slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
		return f.Level == doctor.Failure && doctor.GroupOf(f.Check).Key == "config"
	})
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case refused:
		return errExamined{exitConfig}
	case report.Worst() == doctor.Failure:
		return errExamined{exitFailed}
	case report.Worst() == doctor.Warning:
		return errExamined{exitWarned}
	}
	return nil
}

// mend does what can be done, after asking, and prints what a person must do. It returns how many things were changed.
func mend(ctx context.Context, cmd *cobra.Command, report doctor.Report, yes bool) (changed int) {
	out, in := cmd.OutOrStdout(), bufio.NewReader(cmd.InOrStdin())
	for _, f := range report.Findings {
		if f.Fix == nil || f.Fix.Apply == nil || ctx.Err() != nil {
			continue
		}
		if !yes && !agreed(out, in, f) {
			continue
		}
		if err := f.Fix.Apply(ctx); err != nil {
			fmt.Fprintf(out, "\n%s could not be mended: %s\n", f.Check, sentence(err))
			handOver(out, f)
			continue
		}
		changed++
		fmt.Fprintf(out, "\n%s: done. %s\n", f.Check, f.Fix.Say)
	}
	if changed == 0 {
		fmt.Fprintln(out, "\nNothing was changed. What is left above is for a person to mend.")
	}
	return changed
}

// agreed asks on the terminal; only y or yes is a yes.
func agreed(out io.Writer, in *bufio.Reader, f doctor.Finding) bool {
	return saysYes(out, in, fmt.Sprintf("\n%s: %s\nDo it now? [y/N] ", f.Check, f.Fix.Say))
}

// handOver prints what somebody with more rights needs.
func handOver(out io.Writer, f doctor.Finding) {
	fmt.Fprintln(out, "Hand this to whoever has the rights:")
	fmt.Fprintln(out, indent(f.Fix.Say, "  "))
	if len(f.Fix.Needs) > 0 {
		fmt.Fprintln(out, "  It needs "+strings.Join(f.Fix.Needs, ", ")+".")
	}
	if f.Fix.Command != "" {
		fmt.Fprintln(out, indent(f.Fix.Command, "    "))
	}
	if f.Fix.Document != "" {
		fmt.Fprintln(out, indent(f.Fix.Document, "    "))
	}
}
