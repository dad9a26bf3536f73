package api

import (
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// ProblemType is the content type of every error answer (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is an error answer. Kind is stable and meant for programs, as is Code, which a few
// errors have besides; Detail and Hint are meant for people. An internal
// error carries nothing but the request id under which the log tells the cause.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Kind      string `json:"kind"`
	Hint      string `json:"hint,omitempty"`
	Field     string `json:"field,omitempty"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"request_id,omitempty"`

	RetryAfter time.Duration `json:"-"` // from the Retry-After header, when the client was told to wait
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s: %s", p.Status, p.Kind, p.Detail)
	if p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return text
}

// Unwrap lets caseload.KindOf tell the kind of an error that came over HTTP.
func (p *Problem) Unwrap() error {
	for _, kind := range caseload.Kinds() {
		if kind.String() == p.Kind {
			return &caseload.Error{Kind: kind, Message: p.Detail, Hint: p.Hint, Field: p.Field, Code: p.Code}
		}
	}
	return &caseload.Error{Kind: caseload.Internal, Message: p.Detail}
}
