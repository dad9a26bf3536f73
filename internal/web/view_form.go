package web

import (
	"errors"
	"net/http"
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// formProblem is an error told beside the form it is about.
type formProblem struct {
	Field, Message, Hint string
	Status               int
}

// asFormProblem tells whether a person can mend the error in the form, and how it is told there.
func asFormProblem(err error) (*formProblem, bool) {
	var known *caseload.Error
	if !errors.As(err, &known) {
		return nil, false
	}
	switch known.Kind {
	case caseload.Invalid, caseload.Conflict, caseload.TooMany, caseload.Unauthenticated, caseload.TooLarge:
		return &formProblem{Field: known.Field, Message: known.Message, Hint: known.Hint, Status: statuses[known.Kind]}, true
	default:
		return nil, false
	}
}

// field returns a text field of the form without surrounding white space.
func field(r *http.Request, name string) string { return strings.TrimSpace(r.PostFormValue(name)) }

// parseForm reads the form; it answers Invalid when there is none and TooLarge by way of the body's limit.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return err
	default:
		return caseload.Errorf(caseload.Invalid, "The form could not be read.").WithHint("Go back, reload the page and try again.").WithCause(err)
	}
}

// safeNext returns where to go after signing in: an address of ours only.
func safeNext(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/cases"
	}
	return next
}
