package dicom

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
)

// walkers are those that no Read uses any more. Nothing that Read returns points into one.
var walkers = sync.Pool{New: func() any { return new(walker) }}

// Read walks the header of the DICOM object in r[0:size) up to the pixel data (PS3.10 7, PS3.5 7). What is damaged or
// written against the standard ends up in Header.Warnings, never in the error: the header then holds what was readable.
//
// The error is ErrNotDICOM (with a nil header), the context's, or a read error of r; the latter two come with what was
// read until then. Memory stays within Options.MaxKept and a few windows, whatever the object claims.
func Read(ctx context.Context, r io.ReaderAt, size int64, opt Options) (*Header, error) {
	opt = opt.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := walkers.Get().(*walker)
	defer w.release()
	w.ctx, w.opt, w.h, w.in = ctx, opt, &Header{}, w.file.reset(r, size, opt.Window, opt.MaxRead)
	head, err := w.in.peek(0, min(farthest, opt.Window))
	if err != nil {
		return nil, err
	}
	start, ok := locate(head, w.in.size)
	if !ok {
		return nil, ErrNotDICOM
	}
	w.preamble(head, start)
	w.pos = start
	err = w.meta()
	if err == nil {
		err = w.dataSet()
	}
	if err == nil {
		err = w.sentAsText()
	}
	return w.finish(err)
}

// release gives the walker back, with the memory that the next one can use again: its stack, room for elements, and the
// buffers of its windows.
func (w *walker) release() {
	clear(w.stack)
	next := walker{stack: w.stack[:0], top: w.top}
	next.file.buf, next.data.buf = keepable(w.file.buf), keepable(w.data.buf)
	*w = next
	walkers.Put(w)
}

// keepable is the buffer of a window of the default length, nil for any other.
func keepable(buf []byte) []byte {
	if len(buf) != defaultWindow {
		return nil
	}
	return buf
}

// preamble notes how the object begins (PS3.10 7.1).
func (w *walker) preamble(head []byte, start int64) {
	switch {
	case start > 132:
		w.h.warn(WarnNoPreamble, 0, 0, "the object begins behind %d bytes of something else", start-132)
	case start == 132:
		w.h.HasPreamble = true
		if w.h.Polyglot = polyglotOf(head[:128]); w.h.Polyglot != "" {
			w.h.warn(WarnPolyglot, 0, 0, "the first 128 bytes could be taken for another kind of file (%s)", w.h.Polyglot)
		}
	default:
		w.h.warn(WarnNoPreamble, 0, 0, "the file does not begin with 128 bytes and DICM")
	}
}

// meta walks the file meta information (group 0002, PS3.10 7.1): explicit little endian by the book, as found in fact.
// It ends where the group ends, whatever the group length says.
func (w *walker) meta() error {
	if err := w.open(explicitLE, metaGroup); err != nil {
		return err
	}
	first := w.pos
	if err := w.walk(metaGroup); err != nil || w.stopped {
		return err
	}
	w.h.HasMeta = w.pos > first
	w.h.TransferSyntax = w.h.String(TagTransferSyntaxUID)
	if len(w.h.TransferSyntax) > maxUID {
		w.h.TransferSyntax = strings.ToValidUTF8(w.h.TransferSyntax[:maxUID], "")
		w.h.warn(WarnValue, TagTransferSyntaxUID, -1, "the transfer syntax is longer than the %d characters of a UID", maxUID)
	}
	w.h.looked = false
	if !w.h.HasMeta {
		w.h.warn(WarnNoMeta, 0, first, "the file has no meta information (group 0002)")
		return nil
	}
	length, ok := w.h.Int(0x00020000)
	if after := first + 12 + int64(length); ok && after != w.pos {
		w.h.warn(WarnMetaLength, 0x00020000, first, "the meta information is %d bytes long, its group length says %d", w.pos-first-12, length)
	} else if !ok {
		w.h.warn(WarnMetaLength, 0x00020000, first, "the meta information has no group length")
	}
	if w.h.TransferSyntax == "" {
		w.h.warn(WarnNoSyntax, TagTransferSyntaxUID, -1, "the transfer syntax is missing; the encoding was recognised from the data")
	}
	return nil
}

// dataSet walks everything after the meta information in the encoding found there (PS3.5 10).
func (w *walker) dataSet() error {
	if w.stopped || w.pos >= w.in.size {
		return nil
	}
	declared, deflated, known := syntaxEncoding(w.h.TransferSyntax)
	if !known && w.h.TransferSyntax != "" {
		w.h.warn(WarnUnknownSyntax, TagTransferSyntaxUID, -1, "the transfer syntax %.64q is not known; its header was read as %s", w.h.TransferSyntax, declared)
	}
	if deflated {
		if err := w.inflate(declared); err != nil {
			return err
		}
	}
	if err := w.open(declared, everyGroup); err != nil {
		return err
	}
	return w.walk(everyGroup)
}

// inflate puts an inflater between source and walker, unless the data set is not deflated after all.
func (w *walker) inflate(declared encoding) error {
	b, err := w.in.ahead(w.pos)
	if err != nil {
		return err
	}
	if readsAs(b, w.in.size-w.pos, declared) >= 2 {
		w.h.warn(WarnOtherSyntax, TagTransferSyntaxUID, w.pos, "the data set is not deflated although the transfer syntax says so")
		return nil
	}
	keep := w.opt.Window + int(min(w.opt.MaxValue, 1<<20)) + 32<<10
	w.inflated = newInflater(w.ctx, w.in.r, w.pos, w.in.size, keep, w.opt.MaxInflated)
	w.h.deflated = deflated{w.pos, w.opt.MaxInflated}
	w.outer = w.in
	w.in = w.data.reset(w.inflated, w.opt.MaxInflated, w.opt.Window, w.opt.MaxRead)
	w.pos = 0
	return nil
}

// open starts the walk of a group of elements and settles their encoding by looking at the first of them.
func (w *walker) open(declared encoding, group uint16) error {
	b, err := w.in.ahead(w.pos)
	if err != nil {
		return err
	}
	e, sure := guessEncoding(b, w.in.size-w.pos, declared)
	if sure && e != declared && (group == everyGroup || e.tag(b).Group() == group) {
		if group == metaGroup || w.h.TransferSyntax != "" {
			w.h.warn(WarnOtherSyntax, 0, w.pos, "written in %s where %s was announced", e, declared)
		}
	} else if group == metaGroup {
		e = declared
	}
	if len(w.stack) == 0 {
		if w.top == nil {
			w.top = make([]Element, 0, usualElements)
		}
		w.stack = append(w.stack, level{kind: dataSetLevel, elements: w.top, undefined: true})
	}
	w.stack[0].enc = e // the data set goes on where the file meta information ended
	return nil
}

// finish sorts the error that ended the walk into "noted" and "told", and completes the header.
func (w *walker) finish(err error) (*Header, error) {
	w.unwind()
	h := w.h
	switch {
	case errors.Is(err, errBudget):
		h.warn(WarnBudget, 0, w.pos, "the header takes more than %d bytes; the rest was not read", w.opt.MaxRead)
		err = nil
	case errors.Is(err, errInflated):
		h.warn(WarnBudget, 0, w.pos, "the data set inflates to more than %d bytes; the rest was not read", w.opt.MaxInflated)
		err = nil
	}
	h.BytesRead, h.Reads = w.in.bytesRead, w.in.reads
	if w.outer != nil {
		h.BytesRead = w.outer.bytesRead + w.inflated.source.bytes
		h.Reads = w.outer.reads + w.inflated.source.reads
	}
	class, _ := h.Find(TagMediaStorageSOPClassUID).plainText()
	h.IsDICOMDIR = string(class) == "1.2.840.10008.1.3.10" || h.Find(TagDirectoryRecordSequence) != nil
	h.resolveCharset()
	return h, err
}
