// Command caseload takes in the files of dental and medical cases. One binary serves the web pages, the API and the
// embedded store, reads what arrived, and carries the administrator's commands. It is the only package that knows every
// concrete type (wire.go) and the only one that reads the environment (config.go, load.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// Exit codes, the same for every command. 65, 69, 77 and 78 are those of sysexits.h.
const (
	exitDone        = 0   // done
	exitFailed      = 1   // refused or failed, or some of the files were; the message says why
	exitUsage       = 2   // the command line is wrong
	exitWarned      = 3   // doctor: it works, and something is to be mended
	exitDamaged     = 65  // audit verify: the chain is broken; fsck, check, backup: an acknowledged file is lost or damaged
	exitUnavailable = 69  // the database, the store or the server cannot be reached now
	exitForbidden   = 77  // the token is not valid, or its role does not allow it
	exitConfig      = 78  // the settings are wrong; nothing was started
	exitInterrupted = 130 // stopped by Ctrl-C or SIGTERM before the end
)

func main() { os.Exit(run()) }

func run() int {
	cmd := rootCommand()
	err := cmd.ExecuteContext(context.Background())
	return report(os.Stderr, err)
}

// usageError is a wrong command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errDamaged marks an audit chain that does not hold; the command has printed where.
var errDamaged = errors.New("the audit log is damaged")

// errLost marks files that cannot be given back as they came; the command has named them.
var errLost = errors.New("files are lost or damaged")

// errInterrupted marks work that a signal ended; the command has said how to go on.
var errInterrupted = errors.New("interrupted")

// report prints err as people read it and returns the exit code it stands for.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	var known *caseload.Error
	var wrong *settingsError
	var usage *usageError
	var examined errExamined
	switch {
	case errors.As(err, &examined):
		return examined.code
	case errors.As(err, &wrong):
		fmt.Fprintln(w, "caseload: error: "+wrong.Error())
		fmt.Fprintln(w, "caseload: hint: set them in the environment or in .env; `caseload help config` and docs/config.md explain each. Nothing was started.")
		return exitConfig
	case errors.As(err, &usage):
		fmt.Fprintln(w, "caseload: error: "+usage.Error())
		fmt.Fprintln(w, "caseload: hint: `caseload --help` shows the commands and flags.")
		return exitUsage
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &known):
		message := err.Error()
		if known.Err == nil || known.Kind != caseload.Internal {
			message = known.Message
			if known.Err != nil {
				message = strings.TrimSuffix(message, ".") + ": " + known.Err.Error()
			}
		}
		fmt.Fprintln(w, "caseload: error: "+message)
		if known.Hint != "" {
			fmt.Fprintln(w, "caseload: hint: "+known.Hint)
		}
		switch known.Kind {
		case caseload.Unavailable:
			return exitUnavailable
		case caseload.Unauthenticated, caseload.Forbidden:
			return exitForbidden
		}
	default:
		fmt.Fprintln(w, "caseload: error: "+err.Error())
	}
	if errors.Is(err, errDamaged) || errors.Is(err, errLost) {
		return exitDamaged
	}
	return exitFailed
}
