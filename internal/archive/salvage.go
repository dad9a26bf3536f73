package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Lost is an entry whose own header is there and whose bytes are not, or not all.
type Lost struct {
	Name         string // display text, as Entry.Name
	HeaderOffset int64  // of the local header, from the start of the archive
	Why          *Refused
}

// Recover opens a ZIP as Open does. Where the list of contents is missing or damaged it goes through the entries from the
// front, by their own headers (APPNOTE 4.3.7), and returns what is whole, with Salvaged set: the entries in their order,
// those that broke off in Lost, and in Cut whether the archive ends before its list of contents begins.
//
// An entry that leaves its sizes to a data descriptor (4.3.9) ends where one stands that states just this length. Behind
// a damaged stretch the walk goes on at the next header. Each byte is searched a bounded number of times, nothing is
// inflated, and the limits are those of Open. When no entry is whole, Recover returns what Open returned. A list of contents
// that leaves out entries in front of it may be that of a ZIP inside the one that was cut off: then the walk decides, if
// it finds more.
func Recover(ctx context.Context, r io.ReaderAt, size int64, lim Limits) (*Archive, error) {
	a, err := Open(ctx, r, size, lim)
	var refused *Refused
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil && !a.beginsBefore():
		return a, nil
	case err == nil:
		if more, failed := salvage(ctx, r, size, lim.withDefaults()); failed == nil && len(more.Entries) > len(a.Entries) {
			return more, nil
		}
		return a, ctx.Err()
	case errors.Is(err, ErrNotZip):
	case errors.As(err, &refused) && salvageable[refused.Code]:
	default:
		return nil, err
	}
	a, failed := salvage(ctx, r, size, lim.withDefaults())
	switch {
	case failed != nil:
		return nil, failed
	case len(a.Entries)+a.Ignored == 0:
		return nil, err
	}
	return a, nil
}

// beginsBefore tells whether an entry stands at the very beginning of the file, in front of what the list of contents
// knows.
func (a *Archive) beginsBefore() bool {
	sign := make([]byte, 4)
	return a.Prefix > 0 && a.readAt(sign, 0) == nil && bytes.Equal(sign, signLocal)
}

// salvageable are the reasons of Open that mean damage; what it refuses as a bomb stays refused. All but the first come
// from an archive that lies in a damaged entry of another one.
var salvageable = map[Code]bool{DirectoryDamaged: true, EntryDamaged: true, Truncated: true, ChecksumWrong: true, SizeWrong: true}

// salvage makes an archive of the local headers.
func salvage(ctx context.Context, r io.ReaderAt, size int64, lim Limits) (*Archive, error) {
	a := &Archive{r: r, Size: size, Salvaged: true}
	w := walk{ctx: ctx, a: a, lim: lim, end: size, budget: searchEach*size + searchMore}
	if err := w.through(); err != nil {
		return nil, err
	}
	var sample []byte
	for _, f := range w.found {
		sample = addSample(sample, []byte(f.raw), f.flags)
	}
	names := nameDecoder{legacyEncoding(sample)}
	var whole []Entry
	for _, f := range w.found {
		e := f.Entry
		e.Name = names.decode([]byte(e.raw), e.flags&utf8Name != 0, f.extra)
		if f.why != nil {
			a.Lost = append(a.Lost, Lost{e.Name, e.HeaderOffset, f.why})
			continue
		}
		e.Dir = len(e.Name) > 0 && e.Name[len(e.Name)-1] == '/'
		e.Nested = !e.Dir && archiveName(e.Name)
		whole = append(whole, e)
	}
	n := len(w.found)
	a.Cut = !w.directory || n > 0 && w.found[n-1].why != nil
	for ; n > 0 && w.found[n-1].why != nil; n-- {
	}
	a.CutAfter = n
	if err := a.guard(whole, w.end, lim); err != nil {
		return nil, err
	}
	a.sortOut(whole)
	return a, nil
}
