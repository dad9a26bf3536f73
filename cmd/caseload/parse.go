package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseInto parses raw by the setting's kind and puts the value where the setting says. The error's text finishes the
// sentence "NAME …" and says what would be right.
func (s setting) parseInto(c *config, raw string) error {
	if secret, ok := s.into(c).(*Secret); ok {
		*secret = Secret(raw)
		return nil
	}
	switch s.Kind {
	case text:
		*s.into(c).(*string) = raw
	case choice:
		if !slices.Contains(s.Choices, raw) {
			return fmt.Errorf("is %q; use one of %s", raw, strings.Join(s.Choices, ", "))
		}
		*s.into(c).(*string) = raw
	case address:
		if err := checkAddress(raw); err != nil {
			return err
		}
		*s.into(c).(*string) = raw
	case webURL:
		u, err := parseWebURL(raw)
		if err != nil {
			return err
		}
		*s.into(c).(**url.URL) = u
	case size:
		n, err := parseSize(raw)
		if err != nil {
			return err
		}
		if err := s.within(n, formatSize); err != nil {
			return err
		}
		*s.into(c).(*int64) = n
	case duration:
		d, err := time.ParseDuration(raw)
		if err != nil {
			return fmt.Errorf("is %q; use a duration such as 90s, 15m or 12h", raw)
		}
		if err := s.within(int64(d), func(n int64) string { return formatDuration(time.Duration(n)) }); err != nil {
			return err
		}
		*s.into(c).(*time.Duration) = d
	case count:
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return fmt.Errorf("is %q; use a whole number", raw)
		}
		if err := s.within(n, func(n int64) string { return strconv.FormatInt(n, 10) }); err != nil {
			return err
		}
		*s.into(c).(*int) = int(n)
	case yesNo:
		b, err := parseYesNo(raw)
		if err != nil {
			return err
		}
		*s.into(c).(*bool) = b
	case list:
		*s.into(c).(*[]string) = splitList(raw)
	case origins:
		found, err := parseOrigins(raw)
		if err != nil {
			return err
		}
		*s.into(c).(*[]string) = found
	case networks:
		prefixes, err := parseNetworks(raw)
		if err != nil {
			return err
		}
		*s.into(c).(*[]netip.Prefix) = prefixes
	}
	return nil
}

func (s setting) within(n int64, format func(int64) string) error {
	if n < s.Min {
		return fmt.Errorf("is %s; the least is %s", format(n), format(s.Min))
	}
	if s.Max > 0 && n > s.Max {
		return fmt.Errorf("is %s; the most is %s", format(n), format(s.Max))
	}
	return nil
}

func checkAddress(raw string) error {
	if raw == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(raw)
	if err != nil {
		return fmt.Errorf("is %q; use host:port, such as 127.0.0.1:8080", raw)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > math.MaxUint16 {
		return fmt.Errorf("is %q; the port must be a number from 0 to 65535", raw)
	}
	return nil
}

// parseWebURL takes a scheme and host only: what follows the host could not be signed for.
func parseWebURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("is %q; use an address such as https://caseload.example", raw)
	}
	if u.User != nil {
		return nil, fmt.Errorf("holds a user name or password; leave them out")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("is %q; leave out what follows the host", raw)
	}
	u.Path = ""
	return u, nil
}

// units are powers of ten with "B" alone and powers of two with "iB", as IEC 80000-13 has them.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// parseSize reads bytes ("50000000") or a number with a unit ("50MB", "64MiB", "1.5 GiB").
func parseSize(raw string) (int64, error) {
	wrong := fmt.Errorf("is %q; use bytes (50000000) or a size such as 64MiB or 50MB", raw)
	number, unit := strings.TrimSpace(raw), int64(1)
	for _, u := range units {
		if before, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/unit {
			return 0, wrong
		}
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*float64(unit) >= math.MaxInt64 {
		return 0, wrong
	}
	return int64(f * float64(unit)), nil
}

// formatSize writes a size so that parseSize reads the same number back, in the largest unit of which it is a whole number.
func formatSize(n int64) string {
	largest := units[len(units)-1]
	for _, u := range units {
		if n > 0 && n%u.bytes == 0 && u.bytes > largest.bytes {
			largest = u
		}
	}
	if largest.bytes == 1 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n/largest.bytes, 10) + largest.name
}

// formatDuration writes 15m0s as 15m and 168h0m0s as 168h.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseYesNo(raw string) (bool, error) {
	switch strings.ToLower(raw) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off", "":
		return false, nil
	}
	return false, fmt.Errorf("is %q; use True or False", raw)
}

func splitList(raw string) []string {
	var out []string
	for _, item := range strings.Split(raw, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func parseNetworks(raw string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, item := range splitList(raw) {
		if addr, err := netip.ParseAddr(item); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, fmt.Errorf("holds %q; use networks such as 10.0.0.0/8 or single addresses", item)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// parseOrigins takes origins as browsers send them: scheme and host, a port only where it is not the usual one.
func parseOrigins(raw string) (found []string, err error) {
	for _, item := range splitList(raw) {
		u, err := parseWebURL(item)
		if err != nil || u == nil || strings.Contains(u.Host, "*") {
			return nil, fmt.Errorf("holds %q; use exact origins such as https://app.example", item)
		}
		host := strings.ToLower(u.Host)
		if u.Scheme == "https" {
			host = strings.TrimSuffix(host, ":443")
		} else {
			host = strings.TrimSuffix(host, ":80")
		}
		found = append(found, u.Scheme+"://"+host)
	}
	return found, nil
}
