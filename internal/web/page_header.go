package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// What a header's page shows at most, and how long it may ask the store.
const (
	headerLines   = 3000
	headerLongest = 240 // characters of a value
	headerSearch  = 200 // bytes of what is searched for
	headerWithin  = 15 * time.Second
)

// headerPage is the header of one instance.
type headerPage struct {
	ID, File, FileName, Case, CaseNumber string
	Entry                                string // where in the ZIP
	Series, UID                          string
	Query                                string
	Lines                                []headerLine
	Told                                 string // how many lines there are
	Whole                                bool   // Lines is the whole header: the script can search by itself
	Warnings                             []string
}

// headerLine is one element, or the beginning of an item.
type headerLine struct {
	Tag, VR, Keyword, Name, Creator, Length, Value string
	Depth, Item                                    int
	Cut, Private                                   bool
}

// showHeader shows every element of an instance, read by range when asked.
func (s *Server) showHeader(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), headerWithin)
	defer cancel()
	user, l := s.user(r), localeOf(r)
	id, err := instanceID(r)
	if err != nil {
		return err
	}
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	if len(query) > headerSearch {
		return caseload.Errorf(caseload.Invalid, "Search for at most %d characters.", headerSearch).WithField("q")
	}
	f, instance, err := s.Store.Instance(ctx, user, id)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(ctx, user, f.Case)
	if err != nil {
		return err
	}
	found, err := s.Reading.Header(ctx, f, instance, ingest.HeaderQuery{Text: query, Longest: headerLongest, Most: headerLines})
	if err != nil {
		return err
	}
	page := headerPage{
		ID: string(id), File: string(f.ID), FileName: f.Name, Case: string(c.ID), CaseNumber: c.Number, Entry: instance.Entry.Name, UID: instance.SOPInstanceUID,
		Query: query, Whole: query == "" && found.Found == len(found.Lines),
	}
	switch {
	case len(found.Lines) < found.Found:
		page.Told = l.text("header.first", "n", formatNumber(int64(len(found.Lines))), "all", formatNumber(int64(found.Found)))
	case query != "":
		page.Told = l.text("header.found", "n", formatNumber(int64(found.Found)), "all", formatNumber(int64(found.All)))
	default:
		page.Told = l.count("header.all", found.All)
	}
	for _, line := range found.Lines {
		page.Lines = append(page.Lines, l.headerLine(line))
	}
	for _, text := range found.Warnings {
		page.Warnings = append(page.Warnings, l.remark(text))
	}
	return s.render(w, r, http.StatusOK, "header.html", page)
}

// deepest is how far lines are moved to the right at most.
const deepest = 8

func (l locale) headerLine(line ingest.HeaderLine) headerLine {
	v := headerLine{
		Tag: line.Tag.String(), VR: string(line.VR), Keyword: line.Keyword, Name: line.Name, Creator: line.Creator,
		Value: line.Text, Cut: line.Cut, Item: line.Item, Private: line.Tag.Private(), Depth: min(line.Depth, deepest),
	}
	switch {
	case line.Item > 0:
		v.Depth = min(line.Depth+1, deepest)
	case line.Length >= 0:
		v.Length = formatNumber(line.Length)
	default:
		v.Length = l.text("header.delimited")
	}
	return v
}
