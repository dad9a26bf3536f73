package main

import (
	"os"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/pixels/child"
)

// decodeCommand is what this binary starts itself with to make a preview (package child). People never type it.
func decodeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "decode", Short: "Make one preview from standard input, in bounds", Hidden: true, Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { os.Exit(child.Main(os.Stdin, os.Stdout)) },
	}
}
