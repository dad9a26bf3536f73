package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/web"
)

func tokenCommand() *cobra.Command {
	create := dataFlag(&cobra.Command{
		Use: "create E-MAIL", Short: "Make a bearer token that acts as a user", Args: cobra.ExactArgs(1),
		Long: `Makes a bearer token of the API that acts as the user, with at most the given role, and prints it once on
standard output. Only its hash is kept.`,
		RunE: createToken,
	})
	create.Flags().String("name", "command line", "what the token is for")
	create.Flags().String("role", "", "admin, member or viewer (default: the user's own role)")
	create.Flags().Duration("expires", 0, "life of the token, such as 720h (default: until revoked)")

	return group("token", "Make, list and revoke tokens of the API",
		create,
		dataFlag(&cobra.Command{Use: "list E-MAIL", Short: "List a user's tokens", Args: cobra.ExactArgs(1), RunE: listTokens}),
		dataFlag(&cobra.Command{Use: "revoke E-MAIL TOKEN-ID", Short: "Revoke a token", Args: cobra.ExactArgs(2), RunE: revokeToken}),
	)
}

func createToken(cmd *cobra.Command, args []string) error {
	name, _ := cmd.Flags().GetString("name")
	role, _ := cmd.Flags().GetString("role")
	life, _ := cmd.Flags().GetDuration("expires")
	if role != "" && !caseload.Role(role).Valid() {
		return &usageError{fmt.Errorf("--role is %q; use admin, member or viewer", role)}
	}
	if life < 0 {
		return &usageError{fmt.Errorf("--expires is negative")}
	}
	db, u, err := openForUser(cmd, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	now := time.Now()
	t := caseload.Token{ID: caseload.NewID[caseload.TokenID](now), User: u.ID, Name: name, Role: u.Role, CreatedAt: now}
	if role != "" {
		t.Role = caseload.Role(role)
	}
	if life > 0 {
		t.ExpiresAt = now.Add(life)
	}
	secret, hash := web.NewTokenSecret()
	if err := db.CreateToken(cmd.Context(), u, t, hash); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), secret)
	return nil
}

func listTokens(cmd *cobra.Command, args []string) error {
	db, u, err := openForUser(cmd, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	tokens, err := db.Tokens(cmd.Context(), u)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, t := range tokens {
		state := "valid until " + day(t.ExpiresAt, "revoked")
		if !t.RevokedAt.IsZero() {
			state = "revoked " + day(t.RevokedAt, "")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\tlast used %s\n", t.ID, t.Name, t.Role, state, day(t.LastUsedAt, "never"))
	}
	return table.Flush()
}

func revokeToken(cmd *cobra.Command, args []string) error {
	db, u, err := openForUser(cmd, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.RevokeToken(cmd.Context(), u, caseload.TokenID(args[1])); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\trevoked\n", args[1])
	return nil
}
