package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// firstPause and longestPause bound the pause before another try: it doubles from the first to the longest, and half of
// it is chance.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// backoff is the pause after the given number of tries that failed.
func backoff(first time.Duration, tries int) time.Duration {
	ceiling := min(first<<min(tries-1, 10), longestPause)
	return ceiling/2 + rand.N(ceiling/2+1) // #nosec: jitter, not a secret
}

// retryAfter is how long the other side asked to be left alone; 0 when it did not.
func retryAfter(err error) time.Duration {
	var p *Problem
	var s *storeError
	switch {
	case errors.As(err, &p):
		return p.RetryAfter
	case errors.As(err, &s):
		return s.retryAfter
	}
	return 0
}

// patientWith is how often in a row the store may refuse the same bytes before they count as refused for good. A byte
// that was flipped on the way and an address that expired are refused as well.
const patientWith = 8

// mayHelp tells whether the same request may succeed later, when it failed for the given time in a row.
func mayHelp(err error, tries int) bool {
	var p *Problem
	var s *storeError
	var local *ReadError
	switch {
	case errors.As(err, &local):
		return false
	case IsFull(err):
		return true
	case errors.As(err, &p):
		return passing(p.Status)
	case errors.As(err, &s):
		return passing(s.status) || s.status != http.StatusNotFound && tries < patientWith
	}
	return true // the line
}

// IsFull tells whether the server, or its store, has no room left (507). Somebody has to make room; an Uploader waits for
// that within its Budget. A single call of a Client does not: to it that is a no.
func IsFull(err error) bool {
	var p *Problem
	var s *storeError
	return errors.As(err, &p) && p.Status == http.StatusInsufficientStorage ||
		errors.As(err, &s) && s.status == http.StatusInsufficientStorage
}

// passing tells a status that says "not now" from one that says "no".
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusInsufficientStorage:
		return false
	}
	return status >= 500
}

// sleep waits; it returns early, with the context's cause, when the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
