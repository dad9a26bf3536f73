package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// A name is text: it steers no terminal and begins no line of its own.
func TestANameIsOneLegibleLine(t *testing.T) {
	evil := "a\x1b[2J\x1b]0;owned\a\r\ncaseload: all sent\u202e.dcm"
	var out bytes.Buffer
	complain(&out, evil, errors.New("broken: "+evil))
	watching := watchEvent{Event: "failed", Entry: evil, Number: evil, Err: errors.New(evil)}
	for what, text := range map[string]string{
		"a failure": strings.TrimSuffix(out.String(), "\n"), "a source": shown(api.Source{Path: evil, Name: evil}), "an event": watching.text(),
	} {
		if strings.ContainsAny(text, "\x1b\a\r\n\u202e") {
			t.Errorf("%s: %q", what, text)
		}
	}
	if got := legible("임대석 — Müller (1).zip"); got != "임대석 — Müller (1).zip" {
		t.Errorf("%q", got)
	}
}

// What people are told of a failure holds no signed address.
func TestAFailureTellsNoSignedAddress(t *testing.T) {
	line := &url.Error{Op: "Put", URL: "https://store.example/b/k?X-Amz-Signature=secret", Err: errors.New("connection refused")}
	for _, err := range []error{line, fmt.Errorf("send part 1: %w", line), caseload.Errorf(caseload.Unavailable, "The store is away.").WithCause(line)} {
		if text := sentence(err); strings.Contains(text, "X-Amz") || !strings.Contains(text, "connection refused") {
			t.Errorf("%q", text)
		}
	}
}
