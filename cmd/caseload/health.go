package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
)

func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Ask the server of these settings whether it answers", Args: cobra.NoArgs,
		Long: `Asks /healthz of the process that runs with these settings on this machine, at CASELOAD_ADMIN_ADDR if that is
set, else at CASELOAD_ADDR. For containers, whose image holds nothing else that could ask.

Exit codes: 0 it answers · 69 it does not, within 4 seconds · 78 wrong settings.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadFor(cmd)
			if err != nil {
				return err
			}
			return askHealth(cmd.Context(), c)
		},
	}
}

// askHealth fails unless the process answers.
func askHealth(ctx context.Context, c *config) error {
	at := c.AdminAddr
	if at == "" {
		at = c.Addr
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(ask) // not through a proxy
	if err != nil {
		return caseload.Errorf(caseload.Unavailable, "No server answers at %s.", at).WithCause(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return caseload.Errorf(caseload.Unavailable, "The server at %s answers %s.", at, answer.Status)
	}
	return nil
}
