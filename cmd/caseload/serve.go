package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/doctor"
)

// drainFor bounds how long a stop waits for small uploads that are under way and for jobs to be handed back.
const drainFor = 30 * time.Second

// role is which halves of the program a process runs.
type role string

const (
	roleAll    role = "all"
	roleWeb    role = "web"
	roleWorker role = "worker"
)

func (r role) web() bool    { return r != roleWorker }
func (r role) worker() bool { return r != roleWeb }

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the pages and the API, and read what arrives", Args: cobra.NoArgs,
		Long: `Starts the web server and the workers in one process, brings the database to the current schema, and
prints one line with the address on standard output when it is ready. The log goes to standard error.

SIGTERM or Ctrl-C stops it in order: no new requests, small uploads that are under way finish (at most
30 s), reading is handed back. A second signal ends it at once; nothing acknowledged is lost either way.

With PostgreSQL (CASELOAD_DATABASE_URL) and an external store (USE_S3) any number of processes may run,
each with --role web, worker or all.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, _ := cmd.Flags().GetString("role")
			r := role(name)
			if r != roleAll && r != roleWeb && r != roleWorker {
				return &usageError{fmt.Errorf("--role is %q; use web, worker or all", name)}
			}
			return serve(cmd, r)
		},
	}
	cmd.Flags().String("role", string(roleAll), "which halves this process runs: web, worker or all")
	cmd.Flags().String("addr", "", "address and port to listen on (CASELOAD_ADDR)")
	return dataFlag(cmd)
}

func workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "worker", Short: "Only read what arrives (serve --role worker)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, roleWorker) },
	}
	return dataFlag(cmd)
}

// webGCPercent makes a process that only answers requests collect garbage early: what it keeps is small and what a
// burst of a thousand connections throws away is not (docs/benchmarks.md, memory of the web process).
const webGCPercent = 25

// serve runs until a signal or a failure of one of the listeners.
func serve(cmd *cobra.Command, r role) error {
	c, err := load(flagsOf(cmd), r)
	if err != nil {
		return err
	}
	if r == roleWeb && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(webGCPercent)
	}
	log := newLog(c)
	for _, f := range c.judged {
		if f.Level == doctor.Warning {
			log.Warn("a setting is odd; `caseload doctor` says more", "check", f.Check, "got", f.Got, "fix", f.Fix.Say)
		}
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	a, err := start(ctx, c, r, log)
	if err != nil {
		return err
	}
	if r.web() {
		fmt.Fprintf(cmd.OutOrStdout(), "caseload: ready at %s\n", a.address())
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), "caseload: worker ready")
	}

	var failure error
	select {
	case s := <-signals:
		log.Info("stopping", "signal", s.String())
	case failure = <-a.failed:
		log.Error("stopping", "error", failure)
	}
	go func() {
		<-signals
		log.Warn("stopped at once by a second signal")
		os.Exit(exitFailed)
	}()
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer done()
	if err := a.stop(drain); err != nil {
		log.Warn("not everything stopped in order; nothing acknowledged is lost", "error", err)
	}
	log.Info("stopped")
	return failure
}

// listen opens addr; the error names the setting.
func listen(addr, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &settingsError{[]string{fmt.Sprintf("%s: cannot listen on %s: %v", setting, addr, err)}}
	}
	return l, nil
}

// newServer returns an HTTP server with the limits every connection obeys. Bodies have no overall deadline here: a
// gigabyte over a bad line takes its time; the handlers bound what may be slow.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serveOn serves until Shutdown or Close; anything else goes to failed.
func serveOn(s *http.Server, l net.Listener, failed chan<- error) {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
}
