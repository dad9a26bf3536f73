package main

import (
	"fmt"
	"strings"

	"golang.org/x/time/rate"
)

// rateBurst is how many bytes may leave at once under a limit.
const rateBurst = 64 << 10

// parseRate reads bytes a second: "10MB/s", "500kB/s", "1000000".
func parseRate(raw string) (*rate.Limiter, error) {
	n, err := parseSize(strings.TrimSuffix(raw, "/s"))
	if err != nil || n < 1000 {
		return nil, fmt.Errorf("is %q; use bytes a second, at least 1kB/s, such as 10MB/s", raw)
	}
	return rate.NewLimiter(rate.Limit(n), rateBurst), nil
}
