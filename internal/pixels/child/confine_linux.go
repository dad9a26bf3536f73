package child

import (
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// The bounds of a child. The heap is kept well under what the kernel allows, so that a job which fits ends.
const (
	maxHeap   = 160 << 20
	maxData   = 256 << 20 // bytes of private memory that can be written (setrlimit(2), RLIMIT_DATA)
	mostFiles = 16
)

// confine sets the bounds. It is the first thing a child does, before it has read a byte.
func confine() error {
	debug.SetMemoryLimit(maxHeap)
	bounds := map[int]uint64{
		unix.RLIMIT_DATA: maxData, unix.RLIMIT_CPU: maxProcessor, unix.RLIMIT_NOFILE: mostFiles, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0,
	}
	if raced {
		delete(bounds, unix.RLIMIT_DATA)
	}
	for resource, value := range bounds {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	os.Clearenv()
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
