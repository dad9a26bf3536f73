package objectstore

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxFormHead is how many bytes of a posted form may come before its file: our own fields take about two kilobytes.
const maxFormHead = 16 << 10

// servableForm is servable for the bucket's own address, where forms are posted to and nothing else is done.
func servableForm(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.Method == http.MethodOptions:
		return true
	case r.Method != http.MethodPost || r.URL.RawQuery != "" || r.URL.ForceQuery: // ?delete, ?uploads … are other operations
		http.Error(w, "Only single objects can be asked for.", http.StatusForbidden)
	case r.ContentLength < 0:
		http.Error(w, "The length of the body must be announced.", http.StatusLengthRequired)
	default:
		return true
	}
	return false
}

// guardForm returns the form's body once its fields are known to be few and short, or what is wrong with it; err when it
// broke off. The gateway reads the fields line by line before it looks at the signature, and a line may be as long as the
// body: here is where that ends. The grammar is the gateway's own (versitygw s3api/utils.MultipartParser): lines end in
// CRLF, the file is the first part named so or with a file name.
func guardForm(r *http.Request) (body io.ReadCloser, fault string, err error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, "The body must be a form with a file.", nil
	}
	head := bufio.NewReaderSize(r.Body, maxFormHead)
	bytes, err := head.Peek(int(min(r.ContentLength, maxFormHead)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	if !fileFollows(string(bytes), "--"+strings.TrimSpace(params["boundary"])) {
		return nil, "The form's fields are too long or not well formed.", nil
	}
	return struct {
		io.Reader
		io.Closer
	}{head, r.Body}, "", nil
}

// unparsed spells a form's media type in capitals, which means the same (RFC 9110, section 8.3.1). Spelled small,
// fasthttp would take the form apart before versitygw sees it: keep the file in memory or in a temporary file, and then
// write the form anew into memory as a whole, its fields in any order.
func unparsed(contentType string) string {
	media, parameters, _ := strings.Cut(contentType, ";")
	return strings.ToUpper(media) + ";" + parameters
}

// fileFollows tells whether the head of a form holds whole fields and then the beginning of the file.
func fileFollows(head, delimiter string) bool {
	line, rest, found := strings.Cut(head, "\r\n")
	if !found || line != delimiter {
		return false
	}
	for {
		isFile := false
		for { // the part's headers
			if line, rest, found = strings.Cut(rest, "\r\n"); !found || strings.Contains(line, "\n") {
				return false
			}
			if line == "" {
				break
			}
			name, value, _ := strings.Cut(line, ":")
			if strings.EqualFold(strings.TrimSpace(name), "Content-Disposition") {
				_, params, err := mime.ParseMediaType(value)
				_, named := params["filename"]
				isFile = err == nil && (named || strings.EqualFold(params["name"], "file"))
			}
		}
		if isFile {
			return true
		}
		for line != delimiter { // the field's value
			if line, rest, found = strings.Cut(rest, "\r\n"); !found || strings.Contains(line, "\n") {
				return false
			}
		}
	}
}
