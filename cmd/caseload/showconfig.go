package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Show the effective settings and where each came from", Args: cobra.NoArgs,
		Long: `Shows every setting, its effective value and where it came from. Secrets are redacted.

A flag wins over the environment, the environment (or the file named by NAME_FILE, for secrets) over
the file .env of the working directory, and that over the default.`,
		RunE: showConfig,
	}
	cmd.Flags().Bool("json", false, "as JSON")
	return dataFlag(cmd)
}

// shownSetting is one line of `caseload config --json`.
type shownSetting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

func showConfig(cmd *cobra.Command, _ []string) error {
	c, err := loadFor(cmd)
	if err != nil {
		return err
	}
	var shown []shownSetting
	for _, s := range settings {
		o := c.origins[s.Name]
		if s.Secret {
			o.Raw = Secret(o.Raw).String()
		}
		shown = append(shown, shownSetting{s.Name, o.Raw, o.Source})
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(shown)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, s := range shown {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Value, s.Source)
	}
	return table.Flush()
}
