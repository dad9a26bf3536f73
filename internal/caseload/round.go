package caseload

import (
	"fmt"
	"strings"
)

// RoundBytes writes an amount with at most two digits after the point, rounded down: "1.23 GB", "812 bytes". Nobody is
// promised more than there is.
func RoundBytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= u.size {
			hundredths := n / (u.size / 100)
			text := fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
			return strings.TrimRight(strings.TrimRight(text, "0"), ".") + " " + u.name
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
