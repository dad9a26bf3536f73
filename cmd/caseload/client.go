package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// serverFlags gives a command what it takes to speak to a server.
func serverFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("server", "", "address of the server (CASELOAD_URL; the token comes from CASELOAD_TOKEN or CASELOAD_TOKEN_FILE)")
	return cmd
}

// connect returns a client of the server the settings name. Nothing is asked of it yet.
func connect(cmd *cobra.Command) (*api.Client, error) {
	flags := overrides{}
	if f := cmd.Flags().Lookup("server"); f.Changed {
		flags["CASELOAD_URL"] = flagValue{"server", f.Value.String()}
	}
	c, err := loadClient(flags)
	if err != nil {
		return nil, err
	}
	return &api.Client{Base: strings.TrimSuffix(c.ServerURL.String(), "/"), Token: c.Token.Reveal()}, nil
}

// explainServer turns what a call to the server came to into what people can act upon. Without an answer it is
// Unavailable.
func explainServer(client *api.Client, err error) error {
	var p *api.Problem
	var known *caseload.Error
	switch {
	case err == nil, errors.Is(err, errInterrupted), !errors.As(err, &p) && errors.As(err, &known):
		return err
	case p == nil:
		return caseload.Errorf(caseload.Unavailable, "The server at %s cannot be reached.", client.Base).
			WithHint("Check the address (--server, CASELOAD_URL) and the network; then run the same command again, it goes on where it was.").WithCause(lineCause(err))
	case caseload.KindOf(p) == caseload.Unauthenticated:
		return caseload.Errorf(caseload.Unauthenticated, "The server does not know the token, or it has ended.").
			WithHint("Make a new one with `caseload token create` or on the page Tokens, and set CASELOAD_TOKEN.")
	case caseload.KindOf(p) == caseload.Internal:
		return caseload.Errorf(caseload.Unavailable, "The server answered %d.", p.Status).WithHint("Its log tells the cause under the request id " + or(p.RequestID, "of the time") + ".")
	}
	return err
}

// lineCause is what went wrong on the line, without the address, which the message tells.
func lineCause(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// findCase returns the case with that id or, else, that number.
func findCase(ctx context.Context, client *api.Client, name string) (api.Case, error) {
	if caseload.ValidID(name) {
		found, err := client.Case(ctx, name)
		if err == nil || caseload.KindOf(err) != caseload.NotFound {
			return found, err
		}
	}
	for query := (api.CaseQuery{Text: name, Limit: 100}); ; {
		page, err := client.Cases(ctx, query)
		if err != nil {
			return api.Case{}, err
		}
		for _, c := range page.Cases {
			if c.Number == name {
				return c.Case, nil
			}
		}
		if query.Cursor = page.Next; page.Next == "" {
			return api.Case{}, caseload.Errorf(caseload.NotFound, "No case has the number or id %q.", name).
				WithHint("`--new-case` opens one.")
		}
	}
}

// openCase opens a case of that number.
func openCase(ctx context.Context, client *api.Client, number, patient string) (api.Case, error) {
	made, err := client.CreateCase(ctx, api.NewCase{Number: number, Patient: patient})
	if caseload.KindOf(err) == caseload.Conflict {
		return made, caseload.Errorf(caseload.Conflict, "There is a case of the number %q already.", number).
			WithHint(fmt.Sprintf("To send into it, or to go on: --case %q.", number))
	}
	return made, err
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
