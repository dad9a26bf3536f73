package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/store"
	"dcdentals.com/caseload/internal/web"
)

func userCommand() *cobra.Command {
	add := dataFlag(&cobra.Command{
		Use: "add E-MAIL", Short: "Add a user, and the organization when it is new", Args: cobra.ExactArgs(1),
		Long: `Adds a user. The password is asked for on a terminal, else read from the first line of standard input or
from --password-file. --organization may be left out while there is only one.`,
		RunE: addUser,
	})
	add.Flags().String("organization", "", "name of the organization; made when there is none of that name")
	add.Flags().String("name", "", "the user's name (default: the e-mail address)")
	add.Flags().String("role", string(caseload.Member), "admin, member or viewer")
	add.Flags().String("password-file", "", "file that holds the password")

	passwd := dataFlag(&cobra.Command{
		Use: "passwd E-MAIL", Short: "Set a user's password and end the user's sessions", Args: cobra.ExactArgs(1), RunE: setPassword,
	})
	passwd.Flags().String("password-file", "", "file that holds the password")

	return group("user", "Add, list and change users",
		add, passwd,
		dataFlag(&cobra.Command{Use: "list", Short: "List the users of every organization", Args: cobra.NoArgs, RunE: listUsers}),
		dataFlag(&cobra.Command{Use: "disable E-MAIL", Short: "Keep a user out and end the user's sessions", Args: cobra.ExactArgs(1), RunE: disableUser}),
	)
}

// openMigrated opens the database with the current schema.
func openMigrated(ctx context.Context, c *config) (*store.Store, error) {
	if !c.postgres() {
		if err := makeDataFolder(c.Data); err != nil {
			return nil, err
		}
	}
	db, err := openStore(ctx, c, newLog(c))
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// openForCommand opens the database of an administrator's command, which may run beside a serving process.
func openForCommand(cmd *cobra.Command) (*store.Store, error) {
	c, err := loadQuietly(cmd)
	if err != nil {
		return nil, err
	}
	return openMigrated(cmd.Context(), c)
}

func addUser(cmd *cobra.Command, args []string) error {
	flag := func(name string) string { v, _ := cmd.Flags().GetString(name); return v }
	u := caseload.User{Email: args[0], Name: flag("name"), Role: caseload.Role(flag("role"))}
	if !u.Role.Valid() {
		return &usageError{fmt.Errorf("--role is %q; use admin, member or viewer", u.Role)}
	}
	if u.Name == "" {
		u.Name = u.Email
	}
	hash, err := newPassword(cmd)
	if err != nil {
		return err
	}
	db, err := openForCommand(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := cmd.Context()
	o, err := organizationFor(ctx, db, strings.TrimSpace(flag("organization")))
	if err != nil {
		return err
	}
	u.Organization = o.ID
	if u, err = db.CreateUser(ctx, caseload.SystemActor, u, hash); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s\t%s\n", u.ID, u.Email, u.Role, o.Name)
	return nil
}

// newPassword reads a password and returns its hash.
func newPassword(cmd *cobra.Command) (string, error) {
	file, _ := cmd.Flags().GetString("password-file")
	password, err := readPassword(file, cmd.InOrStdin(), cmd.ErrOrStderr())
	if err != nil {
		return "", err
	}
	return web.HashPassword(cmd.Context(), password)
}

// organizationFor returns the organization of that name, made when it is new; without a name the only one there is.
func organizationFor(ctx context.Context, db *store.Store, name string) (caseload.Organization, error) {
	organizations, err := db.Organizations(ctx)
	if err != nil {
		return caseload.Organization{}, err
	}
	if name == "" {
		if len(organizations) == 1 {
			return organizations[0], nil
		}
		return caseload.Organization{}, caseload.Errorf(caseload.Invalid, "There are %d organizations.", len(organizations)).
			WithHint("Name the user's with --organization.")
	}
	for _, o := range organizations {
		if o.Name == name {
			return o, nil
		}
	}
	return db.CreateOrganization(ctx, name)
}

func listUsers(cmd *cobra.Command, _ []string) error {
	db, err := openForCommand(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	organizations, err := db.Organizations(cmd.Context())
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, o := range organizations {
		users, err := db.Users(cmd.Context(), administrator(o))
		if err != nil {
			return err
		}
		for _, u := range users {
			state := "active"
			if u.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\tlast seen %s\n", u.Email, u.Name, u.Role, o.Name, state, day(u.LastSeenAt, "never"))
		}
	}
	return table.Flush()
}

func setPassword(cmd *cobra.Command, args []string) error {
	hash, err := newPassword(cmd)
	if err != nil {
		return err
	}
	db, u, err := openForUser(cmd, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.SetPassword(cmd.Context(), caseload.SystemActor, u.ID, hash); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\tpassword set\n", u.Email)
	return nil
}

func disableUser(cmd *cobra.Command, args []string) error {
	db, u, err := openForUser(cmd, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.ChangeUser(cmd.Context(), administrator(caseload.Organization{ID: u.Organization}), u.ID, u.Name, u.Role, true); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\tdisabled\n", u.Email)
	return nil
}

// openForUser opens the database, for the caller to close, and finds the user with that e-mail address, of whatever
// organization.
func openForUser(cmd *cobra.Command, email string) (*store.Store, caseload.User, error) {
	db, err := openForCommand(cmd)
	if err != nil {
		return nil, caseload.User{}, err
	}
	u, _, err := db.UserByEmail(cmd.Context(), email)
	if caseload.KindOf(err) == caseload.NotFound {
		err = caseload.Errorf(caseload.NotFound, "No user has that e-mail address.").WithHint("`caseload user list` shows them.")
	}
	if err != nil {
		_ = db.Close()
		return nil, caseload.User{}, err
	}
	return db, u, nil
}

// administrator is whom a command on the server's own machine acts as in an organization.
func administrator(o caseload.Organization) caseload.User {
	return caseload.User{ID: caseload.SystemActor, Organization: o.ID, Role: caseload.Admin, Name: "command line"}
}

// day writes a date in UTC, or never for the zero time.
func day(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format(time.DateOnly)
}
