package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
)

// showPlan prints what is there and, line by line, what would be changed.
func showPlan(out io.Writer, b doctor.Bucket, p doctor.Plan) {
	kind := string(p.Look.Store)
	if kind == "" {
		kind = "a store of unknown make"
	}
	there := "is there"
	if p.Create {
		there = "is to be made in " + b.Region
	}
	fmt.Fprintf(out, "The bucket %s (%s) %s.\n", b.Name, kind, there)
	for _, change := range p.Changes {
		switch {
		case change.Lacking:
			showLacking(out, change)
			continue
		case !change.Needed() && change.Want == nil:
			fmt.Fprintf(out, "%s: not set, and left so\n", change.Setting)
		case !change.Needed():
			fmt.Fprintf(out, "%s: as it should be\n", change.Setting)
		default:
			fmt.Fprintf(out, "%s: to be changed\n%s", change.Setting, differences(string(change.Have), string(change.Want)))
		}
		for _, note := range change.Notes {
			fmt.Fprintf(out, "  note: %s\n", note)
		}
	}
}

func showLacking(out io.Writer, change doctor.Change) {
	fmt.Fprintf(out, "%s: this store does not have it\n", change.Setting)
	for _, note := range change.Notes {
		fmt.Fprintf(out, "  instead: %s\n", note)
	}
}

// differences returns both texts as one, each line marked: "-" only before, "+" only after.
func differences(before, after string) string {
	a, b := linesOf(before), linesOf(after)
	common := make([][]int, len(a)+1) // common[i][j]: how many lines a[i:] and b[j:] have in common, in order
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	mark := func(sign, line string) { out.WriteString("  " + sign + " " + line + "\n") }
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			mark(" ", a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			mark("-", a[i])
			i++
		default:
			mark("+", b[j])
			j++
		}
	}
	return out.String()
}

// linesOf splits a text; the empty one has none.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// agreedTo asks whether to go on; --yes has answered. Where nobody can be asked it is refused.
func agreedTo(cmd *cobra.Command) error {
	if yes, _ := cmd.Flags().GetBool("yes"); yes {
		return nil
	}
	refused := caseload.Errorf(caseload.Invalid, "Nothing was changed.").WithHint("Add --yes to do it without being asked.")
	if in, ok := cmd.InOrStdin().(*os.File); !ok || !isTerminal(in) {
		return refused
	}
	fmt.Fprint(cmd.OutOrStdout(), "Change this now? [y/N] ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return refused
	}
	return nil
}

// yesFlag gives a command the flag --yes.
func yesFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool("yes", false, "do it without asking")
	return cmd
}
