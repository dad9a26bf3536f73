package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
)

func bucketTestCommand() *cobra.Command {
	return dataFlag(&cobra.Command{
		Use: "test", Short: "Put, get, delete and send in parts, one line each", Args: cobra.NoArgs,
		Long: `Puts an object, gets it back and compares it, deletes it, and sends another in two parts by signed requests, as a
browser does; one line each. What it makes it removes. "caseload doctor" tries everything else.

With the embedded store it needs the data folder for itself: stop the server first.

Exit codes: 0 all went well · 1 something failed · 78 wrong settings.`,
		RunE: testBucket,
	})
}

func testBucket(cmd *cobra.Command, _ []string) error {
	c, _, err := loadBucket(cmd, true, false)
	if err != nil {
		return err
	}
	ctx, cancel := untilInterrupted(cmd.Context())
	defer cancel()
	out := cmd.OutOrStdout()
	said := func(s doctor.Step) {
		if s.Err != nil {
			fmt.Fprintf(out, "FAIL  %-9s  %s: %s\n", s.Name, s.Did, sentence(s.Err))
			return
		}
		fmt.Fprintf(out, "ok    %-9s  %s (%s)\n", s.Name, s.Did, s.Took.Round(time.Millisecond))
	}
	well, err := c.tryBucket(ctx, said)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return errInterrupted
	case !well:
		return caseload.Errorf(caseload.Invalid, "The bucket does not do what Caseload needs.").WithHint("`caseload doctor` says what is wrong and how it is mended.")
	}
	return nil
}

// tryBucket makes the round trip on the external store, or on the embedded one started for it alone.
func (c *config) tryBucket(ctx context.Context, said func(doctor.Step)) (well bool, err error) {
	if !c.embeddedOnly() {
		store, err := openBucket(ctx, c)
		if err != nil {
			return false, err
		}
		return doctor.RoundTrip(ctx, store, "", http.DefaultClient, said), nil
	}
	if err := makeDataFolder(c.Data); err != nil {
		return false, err
	}
	unlock, err := lockData(c.Data)
	if err != nil {
		return false, err
	}
	defer unlock()
	embedded, err := objectstore.StartEmbedded(ctx, filepath.Join(c.Data, "store"), newLog(c))
	if err != nil {
		return false, err
	}
	defer func() { _ = embedded.Close(context.WithoutCancel(ctx)) }()
	door, err := net.Listen("tcp", "127.0.0.1:0") // for the signed requests alone
	if err != nil {
		return false, fmt.Errorf("open a port for the signed requests: %w", err)
	}
	server := newServer(embedded.Handler(), newLog(c))
	defer server.Close()
	go func() { _ = server.Serve(door) }()
	return doctor.RoundTrip(ctx, embedded.Store(), "http://"+door.Addr().String(), http.DefaultClient, said), nil
}
