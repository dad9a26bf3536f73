package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"dcdentals.com/caseload/internal/caseload"
)

// readPassword takes a password from the named file, else from the terminal without showing it, else from the first
// line of standard input.
func readPassword(file string, in io.Reader, prompt io.Writer) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", caseload.Errorf(caseload.Invalid, "The password file cannot be read.").WithCause(err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	if f, ok := in.(*os.File); ok {
		if restore, err := hideTyping(f); err == nil {
			defer restore()
			fmt.Fprint(prompt, "Password: ")
			defer fmt.Fprintln(prompt)
		}
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", caseload.Errorf(caseload.Invalid, "No password was given.").WithHint("Type it, pipe it into standard input, or name a file with --password-file.")
	}
	return line, nil
}

// hideTyping turns the terminal's echo off; it fails when f is no terminal.
func hideTyping(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, fmt.Errorf("not a terminal: %w", err)
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		return nil, fmt.Errorf("hide typing: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }, nil
}

// saysYes asks and reads a line; only y or yes is a yes.
func saysYes(out io.Writer, in *bufio.Reader, question string) bool {
	fmt.Fprint(out, question)
	line, err := in.ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "y" || answer == "yes")
}

// isTerminal tells whether a person looks at what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
	return err == nil
}
