//go:build unix

package child

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownGroup makes the child the head of a group of processes, so that a Ctrl-C at the terminal does not reach it and a
// kill reaches whatever it started.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// outOfTime tells whether the kernel ended the child for its processor time (setrlimit(2), RLIMIT_CPU).
func outOfTime(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	used := exit.UserTime() + exit.SystemTime()
	return ok && status.Signaled() && used.Seconds() >= float64(maxProcessor)-1
}
