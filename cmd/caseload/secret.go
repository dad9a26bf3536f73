package main

import "log/slog"

// Secret is text that must not be seen: every way of printing it gives "[redacted]". Reveal is the only way in.
type Secret string

const redacted = "[redacted]"

// String returns "[redacted]", or "" when there is nothing to hide.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps slog from showing it.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps JSON and its like from showing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the text itself, for the one call that needs it.
func (s Secret) Reveal() string { return string(s) }
