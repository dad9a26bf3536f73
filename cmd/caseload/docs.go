package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go run . docs ../../docs

func docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs FOLDER", Short: "Write docs/config.md and docs/cli.md", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, content := range map[string]string{"config.md": configDoc(), "cli.md": cliDoc(cmd.Root())} {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(content), 0o644); err != nil {
					return fmt.Errorf("write %s: %w", name, err)
				}
			}
			return nil
		},
	}
}

const generated = "<!-- Written by `go generate ./cmd/caseload` from the program itself; do not edit. -->\n\n"

// configDoc describes every setting.
func configDoc() string {
	var b strings.Builder
	b.WriteString(generated + `# Settings

Set them in the environment or in a file ` + "`.env`" + ` in the working directory. A flag wins over the environment, the
environment over ` + "`.env`" + `, and that over the default. Every secret may instead be put into a file named by
` + "`NAME_FILE`" + `. An empty value is the same as none. ` + "`caseload config`" + ` shows the effective values and where each
came from. All wrong settings are reported at once, with exit code 78, and nothing is started.

Sizes are bytes (` + "`50000000`" + `) or a number with a unit: ` + "`kB MB GB TB`" + ` are powers of 1000, ` + "`KiB MiB GiB TiB`" + `
powers of 1024. Durations look like ` + "`90s`, `15m`, `12h`" + `.
`)
	for _, s := range slices.Concat(settings, clientSettings) {
		if s.Group != "" {
			fmt.Fprintf(&b, "\n## %s\n\n| name | default | form | meaning |\n|---|---|---|---|\n", s.Group)
		}
		def := "–"
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		form := string(s.Kind)
		if s.Kind == choice {
			form = strings.Join(s.Choices, ", ")
		}
		if s.Secret {
			form += ", secret"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, def, form, s.Help)
	}
	return b.String()
}

// cliDoc describes every command.
func cliDoc(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(generated + "# Commands\n\n" + root.Long + "\n")
	describe(&b, root)
	return b.String()
}

func describe(b *strings.Builder, parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		if cmd.Hidden || cmd.Name() == "help" {
			continue
		}
		if cmd.HasSubCommands() {
			describe(b, cmd)
			continue
		}
		fmt.Fprintf(b, "\n## %s\n\n%s.\n", cmd.UseLine(), cmd.Short)
		if cmd.Long != "" {
			b.WriteString("\n" + cmd.Long + "\n")
		}
		var flags strings.Builder
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				kind, usage := pflag.UnquoteUsage(f)
				fmt.Fprintf(&flags, "| `--%s` %s | %s | %s |\n", f.Name, kind, f.DefValue, usage)
			}
		})
		if flags.Len() > 0 {
			b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n" + flags.String())
		}
	}
}
