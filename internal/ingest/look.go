package ingest

import (
	"context"
	"errors"
	"io"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
)

// content is what the first look leaves for the whole pass.
type content struct {
	zip    *archive.Archive // nil: not an archive that can be read
	unread map[int]bool     // entries of zip, by index, that are already known to be unreadable
}

// look finds out what the file is, reading as little of it as it takes: the head, the DICOM header, or the directory
// and the heads of the entries of a ZIP. Contents that cannot be read are no error but a warning; errors are those of
// the store and of the context.
func (a *attempt) look(ctx context.Context) (caseload.Findings, content, error) {
	src := newSource(ctx, a.Objects, a.file)
	found, c, err := a.lookAt(ctx, src)
	switch {
	case src.failed() != nil:
		err = src.failed()
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	found.BytesRead, _ = src.cost()
	return found, c, err
}

func (a *attempt) lookAt(ctx context.Context, src *source) (caseload.Findings, content, error) {
	size := a.file.Size
	head := make([]byte, min(headSize, size))
	if n, err := src.ReadAt(head, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(head)) {
		return caseload.Findings{}, content{}, err
	}
	kind, advice := kindOf(head, size)
	switch kind {
	case caseload.KindZIP:
		return lookIntoZIP(ctx, src, size)
	case caseload.KindDICOM:
		found, err := lookAtDICOM(ctx, src, size)
		return found, content{}, err
	}
	found := caseload.Findings{Kind: kind}
	count(&found.Contents, kind)
	if advice != "" {
		found.Warnings = []string{advice}
	}
	return found, content{}, nil
}

// count adds one thing of the kind.
func count(c *caseload.Contents, kind caseload.FileKind) {
	switch kind {
	case caseload.KindDICOM:
		c.Images++
	case caseload.KindSTL, caseload.KindPLY, caseload.KindOBJ:
		c.Meshes++
	case caseload.KindJPEG, caseload.KindPNG:
		c.Photos++
	case caseload.KindPDF:
		c.Documents++
	default:
		c.Others++
	}
}

// lookAtDICOM reads the header of a file that is one DICOM object.
func lookAtDICOM(ctx context.Context, src io.ReaderAt, size int64) (caseload.Findings, error) {
	h, err := dicom.Read(ctx, src, size, dicom.Options{})
	switch {
	case errors.Is(err, dicom.ErrNotDICOM):
		return caseload.Findings{Kind: caseload.KindOther, Contents: caseload.Contents{Others: 1}}, nil
	case h == nil:
		return caseload.Findings{}, err
	case h.IsDICOMDIR:
		return caseload.Findings{Kind: caseload.KindDICOMDIR, Contents: caseload.Contents{Others: 1}}, err
	}
	var cat catalog
	cat.add(dicom.Describe(h), caseload.EntryRef{Index: -1})
	found := cat.findings(caseload.KindDICOM)
	return found, err
}

// Reasons for people why an entry of a ZIP is not looked into.
const (
	reasonNested = "An archive inside the archive is not opened. Unpack it and send it by itself."
	reasonNotZIP = "The ZIP is cut off or damaged: its list of contents is missing. Copy it again from where it came from and send that."
	reasonLocked = "The ZIP is protected by a password; send it without."
	reasonLink   = "A link to another file is not followed."
)

// headReaders is how many ranges of a ZIP are asked for at once: with 20 ms to the store, 500 heads take 0.7 s.
const headReaders = 16

// lookIntoZIP reads the directory of a ZIP and the head of every entry.
func lookIntoZIP(ctx context.Context, src *source, size int64) (caseload.Findings, content, error) {
	zip, err := archive.Open(ctx, directReader{src}, size, archive.Limits{})
	var refused *archive.Refused
	switch {
	case errors.As(err, &refused):
		return caseload.Findings{Kind: caseload.KindZIP, Warnings: []string{refused.Reason}}, content{}, nil
	case errors.Is(err, archive.ErrNotZip):
		return caseload.Findings{Kind: caseload.KindZIP, Warnings: []string{reasonNotZIP}}, content{}, nil
	case err != nil:
		return caseload.Findings{}, content{}, err
	}
	entries := make([]entry, len(zip.Entries))
	for i, e := range zip.Entries {
		switch err := e.Supported(); {
		case e.Symlink:
			entries[i].unread = reasonLink
		case err != nil:
			entries[i].unread = reasonFor(err)
		}
	}
	err = zip.Heads(ctx, archive.HeadOptions{Workers: headReaders}, func(h *archive.Head) error {
		entries[h.Entry.Index] = readEntry(ctx, h)
		if err := src.failed(); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return caseload.Findings{}, content{}, err
	}
	found, unread := sumUp(zip, entries)
	return found, content{zip: zip, unread: unread}, nil
}

// entry is what the head of one entry gave.
type entry struct {
	kind   caseload.FileKind
	image  *dicom.Instance
	ref    caseload.EntryRef
	unread string // why it could not be read; "" when it could
}

// readEntry tells what an entry is and reads its header when it is DICOM.
func readEntry(ctx context.Context, h *archive.Head) entry {
	if h.Err != nil {
		return entry{kind: caseload.KindOther, unread: reasonFor(h.Err)}
	}
	head := make([]byte, min(headSize, h.Size()))
	if n, err := h.ReadAt(head, 0); n < len(head) {
		return entry{kind: caseload.KindOther, unread: reasonFor(err)}
	}
	e := entry{}
	e.kind, _ = kindOf(head, h.Size())
	switch e.kind {
	case caseload.KindZIP:
		e.unread = reasonNested
		return e
	case caseload.KindDICOM:
	default:
		return e
	}
	header, err := dicom.Read(ctx, h, h.Size(), dicom.Options{})
	switch {
	case header == nil && errors.Is(err, dicom.ErrNotDICOM):
		e.kind = caseload.KindOther
		return e
	case err != nil:
		e.unread = reasonFor(err)
	}
	switch {
	case header == nil:
	case header.IsDICOMDIR:
		e.kind = caseload.KindDICOMDIR
	default:
		in := dicom.Describe(header)
		e.image = &in
		z := h.Entry
		e.ref = caseload.EntryRef{
			Index: z.Index, Name: clean(z.Name, caseload.MaxPathLength), Method: z.Method, DataOffset: h.DataOffset,
			Compressed: z.Compressed, Size: z.Size, CRC32: z.CRC32,
		}
	}
	return e
}

// reasonFor says for people why something in an archive cannot be read.
func reasonFor(err error) string {
	var refused *archive.Refused
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return "The entry cannot be read."
}

// sumUp adds up the entries of a ZIP in the directory's order, whatever order they were read in.
func sumUp(zip *archive.Archive, entries []entry) (caseload.Findings, map[int]bool) {
	var cat catalog
	unread := map[int]bool{}
	cat.contents.Ignored = zip.Ignored
	for i, e := range entries {
		z := zip.Entries[i]
		if z.Dir {
			continue
		}
		cat.contents.Entries++
		if e.unread != "" {
			unread[i] = true
			cat.unread(z.Name, e.unread)
		}
		if e.image != nil {
			cat.add(*e.image, e.ref)
		} else {
			count(&cat.contents, e.kind)
		}
	}
	found := cat.findings(caseload.KindZIP)
	if zip.Encrypted {
		found.Warnings = append([]string{reasonLocked}, found.Warnings...)
	}
	return found, unread
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
