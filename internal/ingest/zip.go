package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// content is what the first look leaves for the whole pass: a ZIP, what of it is already known to be unreadable, and
// the ZIPs inside it. The zero content is no archive that can be read.
type content struct {
	zip    *archive.Archive
	unread map[int]bool    // entries of zip, by index
	inside map[int]content // by the index of the entry that each is
}

// Reasons for people why an archive or an entry of it is not looked into. The codes are those of Unread.Code, beside
// archive's and dicom's own.
const (
	reasonNotZIP = "The ZIP is cut off or damaged: its list of contents is missing. Copy it again from where it came from and send that."
	reasonLocked = "The ZIP is protected by a password; send it without."
	reasonLink   = "A link to another file is not followed."
	reasonDeep   = "An archive inside an archive of the ZIP is not opened. Unpack it and send it by itself."
	reasonMany   = "There are too many archives in the ZIP; this one is not opened. Unpack it and send it by itself."
	reasonBig    = "The archive inside the ZIP is too large to be looked into there. Send it by itself."

	codeLink    = "link"
	codeDeep    = "nested"
	codeForeign = "other-archive"
	codeUnread  = "unreadable"
	codeNotZIP  = "not-a-zip"
)

// Bounds of one ZIP with all that is in it.
const (
	headReaders    = 16       // ranges asked for at once: with 20 ms to the store, 500 heads take 0.7 s
	zipEntries     = 20_000   // of the ZIP and of those inside it
	zipTotal       = 64 << 30 // bytes they claim to unpack to
	zipsInside     = 32
	zipInsideBytes = 2 << 30 // of a ZIP inside that is compressed again: all of it is inflated twice
)

// lookIntoZIP reads the directory of a ZIP and the head of every entry, and the same of the ZIPs that are entries of it.
func lookIntoZIP(ctx context.Context, src *source, size int64) (caseload.Findings, content, error) {
	zip, err := archive.Recover(ctx, directReader{src}, size, archive.Limits{Entries: zipEntries, Total: zipTotal})
	var refused *archive.Refused
	switch {
	case errors.As(err, &refused):
		return caseload.Findings{Kind: caseload.KindZIP, Warnings: []string{refused.Reason}}, content{}, nil
	case errors.Is(err, archive.ErrNotZip):
		return caseload.Findings{Kind: caseload.KindZIP, Warnings: []string{reasonNotZIP}}, content{}, nil
	case err != nil:
		return caseload.Findings{}, content{}, err
	}
	r := zipReader{src: src, entries: len(zip.Entries) + zip.Ignored, total: zip.Declared}
	c, err := r.read(ctx, zip, nil)
	if err != nil {
		return caseload.Findings{}, content{}, err
	}
	found := r.findings(caseload.KindZIP)
	if zip.Salvaged {
		found.Warnings = append([]string{r.salvaged(zip)}, found.Warnings...)
	}
	switch {
	case r.locked:
		found.Warnings = append([]string{reasonLocked}, found.Warnings...)
	case zip.Prefix > 0:
		found.Warnings = append(found.Warnings, fmt.Sprintf("The ZIP begins behind %d bytes of something else. Only the ZIP was looked into.", zip.Prefix))
	}
	return found, c, nil
}

// zipReader gathers what a ZIP and the ZIPs inside it hold.
type zipReader struct {
	catalog
	src     *source
	entries int   // of all archives opened
	total   int64 // bytes they claim to unpack to
	opened  int   // archives inside
	locked  bool
}

// entry is what the head of one entry gave.
type entry struct {
	kind   caseload.FileKind
	image  *dicom.Instance
	ref    caseload.EntryRef
	unread *caseload.Unread // why it could not be read; nil when it could
}

// read takes in the entries of a ZIP in the order of its directory, whatever order they were read in. outer is the
// entry of the file's ZIP that zip is, nil for that ZIP itself.
func (r *zipReader) read(ctx context.Context, zip *archive.Archive, outer *caseload.EntryRef) (content, error) {
	entries, err := r.heads(ctx, zip, outer)
	if err != nil {
		return content{}, err
	}
	c := content{zip: zip, unread: map[int]bool{}}
	r.locked = r.locked || zip.Encrypted
	r.junk(zip)
	r.lost(zip, outer)
	for i, e := range entries {
		z := zip.Entries[i]
		if z.Dir {
			continue
		}
		r.contents.Entries++
		if e.kind == caseload.KindZIP && e.unread == nil {
			inner, unread, err := r.inside(ctx, zip, z, outer)
			if err != nil {
				return content{}, err
			}
			if e.unread = unread; unread == nil {
				if c.inside == nil {
					c.inside = map[int]content{}
				}
				c.inside[i] = inner
				continue
			}
		}
		if e.unread != nil {
			c.unread[i] = !e.unread.Part
			r.unread(*e.unread)
		}
		switch {
		case e.image != nil:
			r.add(*e.image, e.ref)
		case !c.unread[i]:
			count(&r.contents, e.kind)
			r.enclose(e.kind, e.ref)
		}
	}
	return c, nil
}

// heads reads the beginning of every entry.
func (r *zipReader) heads(ctx context.Context, zip *archive.Archive, outer *caseload.EntryRef) ([]entry, error) {
	entries := make([]entry, len(zip.Entries))
	for i, e := range zip.Entries {
		u := caseload.Unread{Entry: nameOf(e, outer), Offset: placeOf(zip, e, outer)}
		switch err := e.Supported(); {
		case e.Symlink:
			u.Code, u.Reason = codeLink, reasonLink
			entries[i].unread = &u
		case err != nil:
			entries[i].unread = because(u, err)
		}
	}
	opt := archive.HeadOptions{Workers: headReaders}
	if zip.Base < 0 {
		opt.Workers = 1 // it can only be read from its beginning to its end
	}
	err := zip.Heads(ctx, opt, func(h *archive.Head) error {
		entries[h.Entry.Index] = readEntry(ctx, h, zip, outer)
		if err := r.src.failed(); err != nil {
			return err
		}
		return ctx.Err()
	})
	return entries, err
}

// inside opens and reads an entry that is a ZIP itself; unread says why it was not opened. One level, and no more.
func (r *zipReader) inside(ctx context.Context, zip *archive.Archive, z archive.Entry, outer *caseload.EntryRef) (c content, unread *caseload.Unread, err error) {
	u := caseload.Unread{Entry: nameOf(z, outer), Offset: placeOf(zip, z, outer), Code: codeDeep}
	switch {
	case outer != nil:
		u.Reason = reasonDeep
		return c, &u, nil
	case r.opened >= zipsInside:
		u.Reason = reasonMany
		return c, &u, nil
	case z.Method != archive.Store && z.Size > zipInsideBytes:
		u.Reason = reasonBig
		return c, &u, nil
	}
	r.opened++
	lim := archive.Limits{Entries: max(1, zipEntries-r.entries), Total: max(1, zipTotal-r.total)}
	inner, err := zip.Inside(ctx, z, lim)
	if inner == nil {
		if failed := r.src.failed(); failed != nil || ctx.Err() != nil {
			return c, nil, errors.Join(failed, ctx.Err())
		}
		return c, because(u, err), nil
	}
	r.entries += len(inner.Entries) + inner.Ignored
	r.total += inner.Declared
	at, err := zip.DataOffset(ctx, z)
	if err != nil {
		return c, because(u, err), nil
	}
	c, err = r.read(ctx, inner, &caseload.EntryRef{
		Index: z.Index, Name: clean(z.Name, caseload.MaxPathLength), Method: z.Method, DataOffset: at,
		Compressed: z.Compressed, Size: z.Size, CRC32: z.CRC32,
	})
	if inner.Salvaged {
		r.unread(salvagedInside(u, inner))
	}
	return c, nil, err
}

// junk counts what systems leave behind, and says what it is called.
func (r *zipReader) junk(zip *archive.Archive) {
	r.contents.Ignored += zip.Ignored
	for _, name := range zip.IgnoredNames {
		name = clean(junkName(name), 40)
		if len(r.contents.Junk) < caseload.MaxJunkNames && !slices.Contains(r.contents.Junk, name) {
			r.contents.Junk = append(r.contents.Junk, name)
		}
	}
}

// readEntry tells what an entry is and reads its header when it is DICOM.
func readEntry(ctx context.Context, h *archive.Head, zip *archive.Archive, outer *caseload.EntryRef) entry {
	e := entry{kind: caseload.KindOther}
	u := caseload.Unread{Entry: nameOf(h.Entry, outer), Offset: placeOf(zip, h.Entry, outer)}
	if h.Err != nil {
		e.unread = because(u, h.Err)
		return e
	}
	head := make([]byte, min(headSize, h.Size()))
	if n, err := h.ReadAt(head, 0); n < len(head) {
		e.unread = because(u, err)
		return e
	}
	var advice string
	if e.kind, advice = kindOf(head, h.Size()); e.kind == caseload.KindOther && advice == "" {
		advice = adviceForImage(h, h.Size())
	}
	if advice != "" {
		u.Code, u.Reason = codeForeign, advice
		e.unread = &u
	}
	if e.kind != caseload.KindDICOM {
		e.ref = refOf(h, zip, outer)
		return e
	}
	header, err := dicom.Read(ctx, h, h.Size(), dicom.Options{})
	switch {
	case header == nil && errors.Is(err, dicom.ErrNotDICOM):
		e.kind = caseload.KindOther
		return e
	case err != nil:
		e.unread = because(u, err)
	}
	switch {
	case header == nil:
	case header.IsDICOMDIR:
		e.kind = caseload.KindDICOMDIR
	default:
		in := dicom.Describe(header)
		e.image, e.ref = &in, refOf(h, zip, outer)
		if e.unread == nil {
			e.unread = brokenOff(u, in.Warnings)
		}
	}
	return e
}

// brokenOff reports an image that ends before it should: it was read as far as it goes.
func brokenOff(u caseload.Unread, warnings []dicom.Warning) *caseload.Unread {
	for _, w := range warnings {
		if w.Code == dicom.WarnTruncated || w.Code == dicom.WarnPixels || w.Code == dicom.WarnUnreadable {
			u.Part, u.Code, u.Reason = true, string(w.Code), sentence(w.Text)
			if w.Tag != 0 {
				u.Tag = w.Tag.String()
			}
			return &u
		}
	}
	return nil
}

// refOf says where an entry lies in the file.
func refOf(h *archive.Head, zip *archive.Archive, outer *caseload.EntryRef) caseload.EntryRef {
	z := h.Entry
	ref := caseload.EntryRef{
		Index: z.Index, Name: nameOf(z, outer), Method: z.Method, DataOffset: h.DataOffset,
		Compressed: z.Compressed, Size: z.Size, CRC32: z.CRC32,
	}
	switch {
	case outer == nil:
	case zip.Base >= 0:
		ref.Index, ref.DataOffset = outer.Index, zip.Base+h.DataOffset
	default:
		ref.Index = outer.Index
		ref.Within = caseload.Packing{Method: outer.Method, DataOffset: outer.DataOffset, Compressed: outer.Compressed, Size: outer.Size}
	}
	return ref
}

// nameOf is the entry's name with that of the ZIP inside that it lies in, for people.
func nameOf(e archive.Entry, outer *caseload.EntryRef) string { return within(e.Name, outer) }

func within(name string, outer *caseload.EntryRef) string {
	if outer != nil {
		name = outer.Name + "/" + name
	}
	return clean(name, caseload.MaxPathLength)
}

// placeOf is where the entry's header lies in the file; of an entry of a compressed ZIP inside, where that ZIP's bytes do.
func placeOf(zip *archive.Archive, e archive.Entry, outer *caseload.EntryRef) int64 {
	if zip.Base < 0 {
		return outer.DataOffset
	}
	return zip.Base + e.HeaderOffset
}

// because fills in why an entry is not read.
func because(u caseload.Unread, err error) *caseload.Unread {
	var refused *archive.Refused
	switch {
	case errors.As(err, &refused):
		u.Code, u.Reason = string(refused.Code), refused.Reason
	case errors.Is(err, archive.ErrNotZip):
		u.Code, u.Reason = codeNotZIP, reasonNotZIP
	case errors.Is(err, io.EOF):
		u.Code, u.Reason = string(archive.Truncated), "The entry is cut off: it is shorter than the list of contents says."
	default:
		u.Code, u.Reason = codeUnread, "The entry cannot be read."
	}
	return &u
}

// junkName is what a piece of junk is called: the folder that marks it, or its own name.
func junkName(name string) string {
	for dir := name; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if base := path.Base(dir); base == "__MACOSX" {
			return base
		}
	}
	return path.Base(name)
}

// directReader reads a source without the window: archive plans its reads itself.
type directReader struct{ *source }

func (d directReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= d.object.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), d.object.Size-off)
	if n := d.remembered(p, off, off+want); n == int(want) && n == len(p) {
		return n, nil
	}
	if err := d.failed(); err != nil {
		return 0, err
	}
	n, err := d.ask(p[:want], off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}
