//go:build !linux

package doctor

import "errors"

// lookDisk knows only Linux.
func lookDisk(string) (Disk, error) { return Disk{}, errors.ErrUnsupported }
