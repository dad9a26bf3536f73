package caseload

import (
	"errors"
	"fmt"
)

// Kind sorts every error a person or a program may meet into one of few. Doors turn it into a status or an exit code;
// jobs let it decide the retry. An error without a Kind is internal and is shown as a reference id only.
type Kind int

const (
	Internal        Kind = iota // a fault of ours: 500
	NotFound                    // it is not there, or not yours (both look the same): 404
	Invalid                     // the request cannot be right as it stands: 400
	Unauthenticated             // nobody is signed in: 401
	Forbidden                   // signed in, but the role does not allow it: 403
	Conflict                    // it is in another state than the request assumes: 409
	Gone                        // it was here and was deleted: 410
	TooLarge                    // over a limit: 413
	Unsupported                 // wrong content type: 415
	TooMany                     // asked too often: 429
	Unavailable                 // the store or the database cannot answer now; the same call may succeed later: 503
	Full                        // no room left on the store or the disk: 507
)

var kindNames = [...]string{
	"internal", "not_found", "invalid", "unauthenticated", "forbidden", "conflict", "gone", "too_large", "unsupported",
	"too_many", "unavailable", "full",
}

// String returns the stable name used in JSON ("not_found", "too_large", …).
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "internal"
	}
	return kindNames[k]
}

// Kinds returns every kind, for tables and tests.
func Kinds() []Kind {
	kinds := make([]Kind, len(kindNames))
	for i := range kinds {
		kinds[i] = Kind(i)
	}
	return kinds
}

// Error is an error meant to be read by whoever caused it or has to mend it. Message says what happened, Hint what to
// do next; neither holds patient text or file names. Err is the cause, for the log only.
type Error struct {
	Kind    Kind
	Message string
	Hint    string
	Field   string // the offending field of the request, when there is one
	Code    string // stable, for programs that must tell this error from others of its kind; "" for most
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the kind with the message. Attach a cause with WithCause.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy of the error that carries the next step to take.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// WithField returns a copy of the error that names the field of the request it is about.
func (e *Error) WithField(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// CodeQuota is the Code of what an organization's quota has no room for.
const CodeQuota = "quota_exceeded"

// WithCode returns a copy of the error that carries the code.
func (e *Error) WithCode(code string) *Error {
	c := *e
	c.Code = code
	return &c
}

// WithCause returns a copy of the error that wraps err; the cause reaches the log, not the person.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// KindOf returns the kind of the outermost *Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
