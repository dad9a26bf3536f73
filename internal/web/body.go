package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// decode reads a JSON request strictly: the content type must say JSON, unknown fields, a second value and anything
// larger than the route's limit are refused.
func decode(r *http.Request, into any) error {
	return decodeJSON(r, into, (*json.Decoder).DisallowUnknownFields)
}

// decodeKnown is decode for clients that are not ours: fields that are not known are passed over, and numbers of no
// fixed type keep their digits.
func decodeKnown(r *http.Request, into any) error {
	return decodeJSON(r, into, (*json.Decoder).UseNumber)
}

func decodeJSON(r *http.Request, into any, set func(*json.Decoder)) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return caseload.Errorf(caseload.Unsupported, "The body must be JSON.").WithHint("Send Content-Type: application/json.")
	}
	d := json.NewDecoder(r.Body)
	set(d)
	if err := d.Decode(into); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err != nil && !isSyntax(err) {
			return err
		}
		return caseload.Errorf(caseload.Invalid, "The body goes on after its JSON value.")
	}
	return nil
}

// decodeAny is decode for a request that may come without a body; into then stays as it is.
func decodeAny(r *http.Request, into any) error {
	body := bufio.NewReader(r.Body)
	if _, err := body.Peek(1); errors.Is(err, io.EOF) {
		return nil
	}
	r.Body = io.NopCloser(body)
	return decode(r, into)
}

// noBody refuses a request that brings a body where none is looked at.
func noBody(r *http.Request) error {
	if n, _ := io.ReadFull(r.Body, make([]byte, 1)); n > 0 {
		return caseload.Errorf(caseload.Invalid, "This address takes no body.")
	}
	return nil
}

func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// badJSON tells what is wrong with a body without repeating what it holds.
func badJSON(err error) error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, io.EOF):
		return caseload.Errorf(caseload.Invalid, "The body is empty; it must be JSON.")
	case errors.As(err, &wrongType):
		return caseload.Errorf(caseload.Invalid, "The field must be %s.", jsonType(wrongType)).WithField(wrongType.Field)
	case isUnknown:
		return caseload.Errorf(caseload.Invalid, "The body holds a field that is not known.").WithField(cut(strings.Trim(unknown, `"`), 64))
	case isSyntax(err), errors.Is(err, io.ErrUnexpectedEOF):
		return caseload.Errorf(caseload.Invalid, "The body is not valid JSON.").WithCause(err)
	}
	var parse *time.ParseError
	if errors.As(err, &parse) {
		return caseload.Errorf(caseload.Invalid, "A time in the body is not RFC 3339.").WithHint(`Write it as "2026-01-31T12:00:00Z".`)
	}
	if strings.HasPrefix(err.Error(), "json:") || strings.HasPrefix(err.Error(), "Time.UnmarshalJSON") {
		return caseload.Errorf(caseload.Invalid, "The body is not what this address takes.").WithCause(err)
	}
	return err
}

func jsonType(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind().String() {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number in range"
	case "slice":
		return "a list"
	default:
		return "an object"
	}
}

func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that has left hears nothing
	return nil
}

// timedBody ends a form or JSON body that takes too long.
type timedBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	until   time.Time
	begun   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		_ = b.control.SetReadDeadline(b.until) // refused only by connections that have none (tests)
	}
	n, err := b.body.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{}) // the same connection is watched for the client leaving
	}
	return n, err
}

func (b *timedBody) Close() error { return b.body.Close() }

// An upload may take long but not stand still: after a first allowance it must have come at this rate on average, and
// no pause may be longer than the stall.
const uploadMinRate = 4 << 10 // bytes per second

// Variables for the tests' sake.
var (
	uploadAllowance = 30 * time.Second
	uploadStall     = 60 * time.Second
)

// uploadBody is a body of bytes that is streamed on: it is counted, and ended when it comes too slowly.
type uploadBody struct {
	body     io.ReadCloser
	control  *http.ResponseController
	begun    time.Time
	received int64
	count    func(n int)
	due      atomic.Int64 // when the read under way is ended, in nanoseconds since 1970
}

// late tells whether the body was ended, or should be, because it came too slowly. Safe while it is read.
func (b *uploadBody) late() bool {
	due := b.due.Load()
	return due > 0 && time.Now().UnixNano() >= due
}

func (b *uploadBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
	}
	due := b.begun.Add(uploadAllowance + time.Duration(b.received/uploadMinRate)*time.Second)
	if stall := now.Add(uploadStall); stall.Before(due) {
		due = stall
	}
	b.due.Store(due.UnixNano())
	_ = b.control.SetReadDeadline(due) // refused only by connections that have none (tests)
	n, err := b.body.Read(p)
	b.received += int64(n)
	b.count(n)
	if err == nil || errors.Is(err, io.EOF) {
		b.due.Store(0)
	}
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *uploadBody) Close() error { return b.body.Close() }

// takenAnswer is an answer of bytes that is ended when the client does not take the next piece within the stall.
type takenAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

func (a *takenAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *takenAnswer) Write(p []byte) (int, error) {
	_ = a.control.SetWriteDeadline(time.Now().Add(a.stall)) // refused only by connections that have none (tests)
	return a.ResponseWriter.Write(p)
}
