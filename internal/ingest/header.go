package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// What looking through one header may cost: it is done while a person waits.
const (
	headerValue    = 64 << 10 // bytes kept of one value
	headerKept     = 4 << 20  // bytes kept of all values
	headerElements = 100_000
	headerJSON     = 16 << 20 // bytes of the header as JSON
	headerInflated = 32 << 20 // bytes of a compressed entry
	headerSkipped  = 1 << 30  // bytes inflated to come to an entry of a ZIP in a ZIP
)

// HeaderLine is one line of a header: an element, or the beginning of an item of a sequence.
type HeaderLine = dicom.Line

// HeaderQuery says what of a header is wanted.
type HeaderQuery struct {
	Text    string   // words; a line must hold each in its tag, keyword, name, private creator or value. "": every line
	Tags    []string // tags or keywords; a line must be one of them. nil: any
	Longest int      // characters shown of a value
	Most    int      // lines at most
}

// HeaderView is a header as people look through it.
type HeaderView struct {
	Lines    []HeaderLine
	Found    int      // lines that match, those beyond Most too
	All      int      // lines of the header
	Warnings []string // what is wrong with it, in plain words
}

// Header reads the header of an instance of the file out of the store, by range, up to its pixels. Errors are those of the
// store; Invalid when there is no header any more where one was found.
func (s *Service) Header(ctx context.Context, f caseload.File, m caseload.Instance, q HeaderQuery) (HeaderView, error) {
	src := newSource(ctx, s.Objects, f)
	defer src.close()
	view, err := ReadHeader(ctx, src, f.Size, m.Entry, q)
	if failed := src.failed(); failed != nil {
		return HeaderView{}, failed
	}
	return view, err
}

// ReadHeader is Header of an object of size bytes that lies anywhere.
func ReadHeader(ctx context.Context, object io.ReaderAt, size int64, e caseload.EntryRef, q HeaderQuery) (HeaderView, error) {
	h, err := headerOf(ctx, object, size, e)
	if err != nil {
		return HeaderView{}, err
	}
	var view HeaderView
	words := wordsOf(q.Text)
	for line := range h.Lines(q.Longest) {
		view.All++
		if !matches(line, words) || len(q.Tags) > 0 && !named(line, q.Tags) {
			continue
		}
		if view.Found++; len(view.Lines) < q.Most {
			view.Lines = append(view.Lines, line)
		}
	}
	for _, w := range h.Warnings[:min(len(h.Warnings), maxWarnings)] {
		view.Warnings = append(view.Warnings, clean(w.Text, 200))
	}
	return view, nil
}

// HeaderJSON returns the header of an instance of the file as one object of the DICOM JSON Model (PS3.18 F.2), without pixels
// and values longer than 64 KiB. Errors are those of Header; TooLarge when it has more than 16 MiB of JSON.
func (s *Service) HeaderJSON(ctx context.Context, f caseload.File, m caseload.Instance) ([]byte, error) {
	src := newSource(ctx, s.Objects, f)
	defer src.close()
	h, err := headerOf(ctx, src, f.Size, m.Entry)
	if failed := src.failed(); failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.WriteJSON(&b, dicom.JSONOptions{MaxBytes: headerJSON}); errors.Is(err, dicom.ErrJSONCut) {
		return nil, caseload.Errorf(caseload.TooLarge, "The header is too large to be written as JSON.").WithHint("Download the file.")
	} else if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// headerOf reads a header within the bounds of this file.
func headerOf(ctx context.Context, object io.ReaderAt, size int64, e caseload.EntryRef) (*dicom.Header, error) {
	r, size, err := entryOf(object, size, e)
	if err != nil {
		return nil, err
	}
	h, err := dicom.Read(ctx, r, size, dicom.Options{MaxValue: headerValue, MaxKept: headerKept, MaxElements: headerElements})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case h == nil && errors.Is(err, dicom.ErrNotDICOM):
		return nil, caseload.Errorf(caseload.Invalid, "This is not a DICOM object.")
	case h == nil:
		return nil, err
	}
	return h, nil
}

// wordsOf folds what a person searches for. A tag may be written (0010,0020), 0010,0020 or 00100020.
func wordsOf(text string) []string {
	words := strings.Fields(lowered(text))
	for i, w := range words {
		bare := strings.Trim(w, "()")
		if tag := strings.ReplaceAll(bare, ",", ""); len(tag) == 8 && strings.Trim(tag, "0123456789abcdef") == "" {
			words[i] = tag[:4] + "," + tag[4:]
		}
	}
	return words
}

// lowered makes letters alike that differ in case only.
func lowered(text string) string { return strings.Map(unicode.ToLower, strings.ToValidUTF8(text, "")) }

func matches(line HeaderLine, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := lowered(strings.Join([]string{line.Tag.String(), line.Keyword, line.Name, line.Creator, line.Text}, "\n"))
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// named tells whether the line is one of the tags, written (0010,0020), 0010,0020, 00100020 or by keyword.
func named(line HeaderLine, tags []string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool {
		return line.Item == 0 && (strings.EqualFold(tag, line.Keyword) || strings.EqualFold(strings.NewReplacer("(", "", ")", "", ",", "").Replace(tag), line.Tag.Hex()))
	})
}

// entryOf returns the bytes of an instance: the object itself, or an entry of the ZIP that it is.
func entryOf(object io.ReaderAt, size int64, e caseload.EntryRef) (io.ReaderAt, int64, error) {
	if e.Index < 0 {
		return object, size, nil
	}
	within := func(offset, length, all int64) bool {
		return offset >= 0 && length >= 0 && offset <= all && length <= all-offset
	}
	open := func() (io.Reader, error) { return io.NewSectionReader(object, e.DataOffset, e.Compressed), nil }
	switch outer := e.Within; {
	case outer.Size == 0 && !within(e.DataOffset, e.Compressed, size), outer.Size > 0 && !within(outer.DataOffset, outer.Compressed, size), e.Size < 0:
		return nil, 0, caseload.Errorf(caseload.Invalid, "The place of the image in the ZIP is not known.")
	case outer.Size > 0 && e.DataOffset > headerSkipped:
		return nil, 0, caseload.Errorf(caseload.TooLarge, "The image lies too deep in a ZIP of the ZIP to be looked at here.").WithHint("Download the file.")
	case outer.Size == 0 && e.Method == archive.Store:
		length := min(e.Size, e.Compressed)
		return io.NewSectionReader(object, e.DataOffset, length), length, nil
	case outer.Size > 0:
		open = func() (io.Reader, error) {
			r, err := archive.Inflated(outer.Method, buffered(io.NewSectionReader(object, outer.DataOffset, outer.Compressed), outer.Compressed))
			if err != nil {
				return nil, err
			}
			if _, err := io.CopyN(io.Discard, r, e.DataOffset); err != nil {
				return nil, err
			}
			return io.LimitReader(r, e.Compressed), nil
		}
	}
	return &beginning{size: e.Size, open: func() (io.Reader, error) {
		compressed, err := open()
		if err != nil {
			return nil, err
		}
		return archive.Inflated(e.Method, buffered(compressed, e.Compressed))
	}}, e.Size, nil
}

// buffered asks for a window at a time, and for no more than there is.
func buffered(r io.Reader, length int64) io.Reader {
	return bufio.NewReaderSize(r, int(min(length, window))+1)
}

// beginning is a compressed entry as an io.ReaderAt: it is inflated as far as somebody reads, at most headerInflated bytes.
type beginning struct {
	open func() (io.Reader, error)
	size int64
	r    io.Reader
	b    []byte
	err  error
}

func (p *beginning) ReadAt(into []byte, off int64) (int, error) {
	end := min(off+int64(len(into)), p.size)
	if off < 0 || off >= p.size {
		return 0, io.EOF
	}
	p.inflate(end)
	if off >= int64(len(p.b)) {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(into, p.b[off:min(end, int64(len(p.b)))])
	switch {
	case n < int(end-off):
		return n, io.ErrUnexpectedEOF
	case n < len(into):
		return n, io.EOF
	}
	return n, nil
}

// inflate goes on until end, the entry's end or the bound. What cannot be inflated ends it.
func (p *beginning) inflate(end int64) {
	if p.r == nil && p.err == nil {
		p.r, p.err = p.open()
	}
	if more := min(end, headerInflated) - int64(len(p.b)); more > 0 && p.err == nil {
		piece := make([]byte, max(more, min(window, p.size-int64(len(p.b)))))
		var n int
		n, p.err = io.ReadFull(p.r, piece)
		p.b = append(p.b, piece[:n]...)
	}
}
