package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"dcdentals.com/caseload/internal/caseload"
)

// makeDataFolder makes the data folder if it is missing and lets nobody but its owner in.
func makeDataFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return caseload.Errorf(caseload.Invalid, "The data folder cannot be made.").WithHint("Check CASELOAD_DATA and the rights of the folder above it.").WithCause(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return caseload.Errorf(caseload.Invalid, "The data folder's mode cannot be set to 0700.").WithHint("It must belong to the user who runs Caseload.").WithCause(err)
	}
	return nil
}

// lockData keeps a second serve or worker out of the data folder: the embedded store is one process, and SQLite's jobs
// left running by a kill are handed out again at start. The lock ends with the process, however it ends. The returned
// function gives it back; it is never nil.
func lockData(dir string) (unlock func(), err error) {
	if err := refuseHalfRestored(dir); err != nil {
		return func() {}, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}, caseload.Errorf(caseload.Invalid, "The data folder cannot be written to.").WithCause(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return func() {}, caseload.Errorf(caseload.Conflict, "Another Caseload is running on this data folder.").
				WithHint("Stop it first, or give this one another CASELOAD_DATA. Several processes need PostgreSQL and an external store.")
		}
		return func() {}, caseload.Errorf(caseload.Invalid, "The data folder cannot be locked.").WithCause(err)
	}
	return func() { _ = f.Close() }, nil
}
