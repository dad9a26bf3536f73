package caseload

import "strings"

// Remark is one sentence for people about what was read.
type Remark struct {
	Code string `json:"code"` // names the kind, for programs; stable
	Text string `json:"text"` // plain words; may hold patient text
}

// Check is one point of a list that something has to meet, and whether it does.
type Check struct {
	Code   string `json:"code"` // names the point, for programs; stable
	Passed bool   `json:"passed"`
	Text   string `json:"text"` // plain words: what is so, or what is not
}

// Sentences joins the texts of remarks.
func Sentences(remarks []Remark) string {
	texts := make([]string, len(remarks))
	for i, r := range remarks {
		texts[i] = r.Text
	}
	return strings.Join(texts, " ")
}
