//go:build !linux

package child

import (
	"os"
	"runtime/debug"
)

// confine keeps the heap low; what else bounds the child is the wall time, which the parent watches.
func confine() error {
	debug.SetMemoryLimit(176 << 20)
	os.Clearenv()
	return nil
}
