package pixels

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strconv"
)

// Bounds of looking for the page tree of a PDF.
const (
	maxInflated = 16 << 20 // bytes of all object streams together
	maxLooked   = 64 << 20 // bytes looked at for the ends of dictionaries
	maxPages    = 1 << 20
	leastPage   = 8 // bytes; the reference to a page and its dictionary take more (ISO 32000-1, 7.7.3.3)
)

var (
	objectStream   = regexp.MustCompile(`/Type\s*/ObjStm\b`)
	pagesNode      = regexp.MustCompile(`/Type\s*/Pages\b`)
	countEntry     = regexp.MustCompile(`/Count\s+(\d{1,7})\b`)
	countElsewhere = regexp.MustCompile(`/Count\s+\d+\s+\d+\s+R\b`) // in an object of its own (ISO 32000-1, 7.3.10)
	parentEntry    = regexp.MustCompile(`/Parent\s+\d`)
	encrypted      = regexp.MustCompile(`/Encrypt\s*(\d|<<)`)
)

// countPages finds the number of pages of a PDF: /Count of the page tree's root, which is the /Pages dictionary without a
// /Parent (ISO 32000-1, 7.7.3.2), the last one where a PDF was changed by appending (7.5.6). Dictionaries inside object
// streams (7.5.7) are looked at, too. What is not sure is unknown: Facts.Pages 0 and Unsupported.
func countPages(p PDF, r io.Reader) (Result, error) {
	switch {
	case p.Size < 1:
		return Result{}, refuse(Truncated, "The document is empty.")
	case p.Size > MaxCoded:
		return Result{}, refuse(TooLarge, "The document is larger than 64 MB.")
	}
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Result{}, cutShort(err)
	}
	unknown := refuse(Unsupported, "The number of pages is not known.")
	if encrypted.Match(data) {
		return Result{}, unknown
	}
	looked := maxLooked
	pages := rootCount(data, &looked)
	left := int64(maxInflated)
	for _, at := range objectStream.FindAllIndex(data, 10_000) {
		if n := rootCount(inflatedAfter(data, at[1], &left), &looked); n > 0 {
			pages = n
		}
	}
	there := (p.Size + maxInflated - left) / leastPage
	if pages < 1 || pages > maxPages || int64(pages) > there || looked <= 0 {
		return Result{}, unknown
	}
	return Result{Facts: Facts{Pages: pages}}, nil
}

// rootCount returns /Count of the last /Pages dictionary without a /Parent; 0 when there is none.
func rootCount(b []byte, looked *int) int {
	found := 0
	for _, at := range pagesNode.FindAllIndex(b, 100_000) {
		dictionary := around(b, at[0], looked)
		count := countEntry.FindSubmatch(dictionary)
		if count == nil || countElsewhere.Match(dictionary) || parentEntry.Match(dictionary) {
			continue
		}
		found, _ = strconv.Atoi(string(count[1]))
	}
	return found
}

// around returns the dictionary << … >> that holds position at, nil when it is damaged or absurdly large. What it looks at
// is taken off *looked; when that is used up it finds nothing any more.
func around(b []byte, at int, looked *int) []byte {
	const reach = 256 << 10
	depth, from := 0, -1
	for i := at; i > max(0, at-reach) && from < 0 && *looked > 0; i-- {
		*looked--
		switch {
		case b[i-1] == '>' && b[i] == '>':
			depth++
			i--
		case b[i-1] == '<' && b[i] == '<':
			if depth == 0 {
				from = i - 1
			}
			depth--
			i--
		}
	}
	if from < 0 {
		return nil
	}
	depth = 0
	for i := from; i+1 < min(len(b), from+reach) && *looked > 0; i++ {
		*looked--
		switch {
		case b[i] == '<' && b[i+1] == '<':
			depth++
			i++
		case b[i] == '>' && b[i+1] == '>':
			if depth--; depth == 0 {
				return b[from : i+2]
			}
			i++
		}
	}
	return nil
}

// inflatedAfter returns the bytes of the deflated stream that follows position at (ISO 32000-1, 7.3.8, 7.4.4), at most
// *left of them, which it takes off.
func inflatedAfter(b []byte, at int, left *int64) []byte {
	i := bytes.Index(b[at:min(len(b), at+4096)], []byte("stream"))
	if i < 0 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(bytes.TrimLeft(b[at+i+len("stream"):], "\r\n")))
	if err != nil {
		return nil
	}
	inflated, _ := io.ReadAll(io.LimitReader(z, *left)) // what comes before the damage counts
	*left -= int64(len(inflated))
	return inflated
}
