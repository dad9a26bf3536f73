package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// rootCommand returns the whole tree of commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "caseload",
		Short: "Take in the files of dental and medical cases",
		Long: `Caseload takes in the files of dental and medical cases, reads what they are, and shows it.

"caseload serve" starts everything on one address, with no cloud account. Settings come from the
environment and from the file .env of the working directory; "caseload config" shows them.

Exit codes: 0 done · 1 refused or failed, or some of the files were · 2 wrong command line ·
3 doctor: only warnings · 65 damaged audit log, files lost or damaged · 69 database, store or server not
reachable · 77 token not valid or not allowed · 78 wrong settings, nothing was started · 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		serveCommand(), workerCommand(), uploadCommand(), watchCommand(), inspectCommand(), userCommand(), tokenCommand(), migrateCommand(), reindexCommand(), configCommand(), doctorCommand(),
		bucketCommand(),
		fsckCommand(), checkCommand(), backupCommand(), restoreCommand(), auditCommand(), versionCommand(), docsCommand(), decodeCommand(),
		usageCommand(), quotaCommand(), healthCommand(),
	)
	root.AddCommand(cleanupCommand())
	markUsage(root)
	return root
}

// markUsage makes every complaint about arguments a usageError, so that it ends with exitUsage.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w; use: %s", err, cmd.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// group returns a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{fmt.Errorf("caseload %s needs one of its subcommands", use)}
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}

// dataFlag gives a command the flag --data.
func dataFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("data", "", "folder of the embedded database and store (CASELOAD_DATA)")
	return cmd
}

// loadFor reads the settings, with the flags that were given on cmd over them.
func loadFor(cmd *cobra.Command) (*config, error) { return load(flagsOf(cmd), "") }

// loadQuietly does the same for a command whose answer is on standard output: unless somebody wishes more, only what is
// wrong stands beside it.
func loadQuietly(cmd *cobra.Command) (*config, error) {
	c, err := loadFor(cmd)
	if err == nil && c.origins["CASELOAD_LOG_LEVEL"].Source == "default" {
		c.LogLevel = "warn"
	}
	return c, err
}

func flagsOf(cmd *cobra.Command) overrides {
	flags := overrides{}
	for flag, name := range map[string]string{"addr": "CASELOAD_ADDR", "data": "CASELOAD_DATA"} {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			flags[name] = flagValue{flag, f.Value.String()}
		}
	}
	return flags
}

// newLog returns the log, which goes to standard error.
func newLog(c *config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the table admits only slog's own names
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}
