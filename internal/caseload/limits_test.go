package caseload

import "testing"

func TestPartsAreFewAndSmallEnough(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limits     Limits
		size, part int64
	}{
		{Limits{MaxParts: 1000}, 50_000_000, 8 * mib},
		{Limits{MaxParts: 1000}, 192 * mib, 8 * mib},
		{Limits{MaxParts: 1000}, 192*mib + 1, 16 * mib},
		{Limits{MaxParts: 1000}, 512 * mib, 16 * mib},
		{Limits{MaxParts: 1000}, 512*mib + 1, 32 * mib},
		{Limits{MaxParts: 1000}, 1000 * 32 * mib, 32 * mib},
		{Limits{MaxParts: 1000}, 1000*32*mib + 1, 33 * mib}, // no more parts than may be
		{Limits{MaxParts: 1000, PartSize: 6 * mib}, 1 << 30, 6 * mib},
		{Limits{MaxParts: 1000, PartSize: 1}, 1 << 30, MinPartSize},
		{Limits{MaxParts: 100, PartSize: 6 * mib}, 1000 * mib, 10 * mib},
	} {
		if got := c.limits.PartSizeFor(c.size); got != c.part {
			t.Errorf("%d bytes, %+v: parts of %d bytes, want %d", c.size, c.limits, got, c.part)
		}
	}
}
