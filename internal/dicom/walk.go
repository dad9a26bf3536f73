package dicom

import "context"

// walker goes through a data set without recursion: open sequences and items stand on a stack of its own, at most
// Options.MaxDepth deep.
type walker struct {
	ctx context.Context
	opt Options
	h   *Header

	in       *window // where the data set comes from: file or data
	outer    *window // the file's own window, when in is inflated
	inflated *inflater
	file     window
	data     window // of an inflated data set

	pos      int64
	stack    []level
	top      []Element // room for the elements of the top level, empty
	depth    int       // open sequences
	elements int
	kept     int64
	stopped  bool // the walk cannot or need not go on
	lastTag  Tag  // of the top level, to see padding and disorder
}

type levelKind uint8

const (
	dataSetLevel  levelKind = iota // the object itself, or an item: elements
	sequenceLevel                  // items
	fragmentLevel                  // items of bytes: an encapsulated value (PS3.5 A.4)
)

// level is one open data set, sequence or encapsulated value.
type level struct {
	kind      levelKind
	enc       encoding
	start     int64 // of an item: where its tag stands
	end       int64 // first byte after it; for the undefined ones, of what encloses them
	undefined bool  // ends at a delimiter
	elements  []Element
	items     []Item
	owner     Element // the element a sequence or encapsulated value belongs to
}

// What walk goes through.
const (
	metaGroup  uint16 = 0x0002
	everyGroup uint16 = 0xFFFF
)

// elementCost is what an element takes in memory besides its value, in bytes, as charged to Options.MaxKept.
const elementCost = 128

// usualElements is how many top-level elements a walker has room for.
const usualElements = 256

// walk goes on until the object ends, the group ends, or the pixel data are found.
func (w *walker) walk(group uint16) error {
	for !w.stopped {
		if w.elements++; w.elements > w.opt.MaxElements {
			w.stop(WarnBudget, 0, "more than %d elements; the rest was not read", w.opt.MaxElements)
			break
		}
		if w.elements&0xFF == 0 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
		}
		top := &w.stack[len(w.stack)-1]
		if len(w.stack) > 1 && !top.undefined && w.pos >= top.end {
			w.pop()
			continue
		}
		b, err := w.in.peek(w.pos, longestHead)
		if err != nil {
			return err
		}
		if len(b) < 8 {
			w.endOfObject(b)
			break
		}
		if group != everyGroup && len(w.stack) == 1 && top.enc.tag(b).Group() != group {
			break
		}
		switch top.kind {
		case dataSetLevel:
			err = w.element(b)
		case sequenceLevel:
			err = w.item(b)
		case fragmentLevel:
			w.fragment(b)
		}
		if err != nil {
			return err
		}
	}
	if !w.stopped && group != everyGroup {
		w.h.Elements = w.stack[0].elements // until the end
	}
	return nil
}

// endOfObject closes the walk where fewer bytes than an element head are left.
func (w *walker) endOfObject(rest []byte) {
	switch {
	case len(w.stack) > 1:
		w.stop(WarnTruncated, w.stack[len(w.stack)-1].owner.Tag, "the file ends inside a sequence")
	case len(rest) > 0 && allZero(rest):
		w.h.warn(WarnPadding, 0, w.pos, "zero bytes stand after the last element")
	case len(rest) > 0:
		w.h.warn(WarnTruncated, 0, w.pos, "the file ends inside an element")
	}
}

// stop notes why the walk ends here.
func (w *walker) stop(code Code, tag Tag, format string, args ...any) {
	w.h.warn(code, tag, w.pos, format, args...)
	w.stopped = true
}

// enclosingEnd returns the first byte after what encloses the position; the object's end for the top level.
func (w *walker) enclosingEnd() int64 {
	if top := &w.stack[len(w.stack)-1]; len(w.stack) > 1 && top.end < w.in.size {
		return top.end
	}
	return w.in.size
}

// element reads one element of a data set or item; b holds its head.
func (w *walker) element(b []byte) error {
	top := &w.stack[len(w.stack)-1]
	tag := top.enc.tag(b)
	if tag.Group() == 0xFFFE {
		w.delimiter(tag)
		return nil
	}
	end := w.enclosingEnd()
	room := end - w.pos
	if tag == 0 && allZero(b[:8]) {
		w.padding(end)
		return nil
	}
	head, note, ok := decodeHead(b, top.enc, room)
	if !ok {
		w.stop(WarnUnreadable, tag, "the bytes after this point are no DICOM elements")
		return nil
	}
	if note == WarnMixedVR {
		top.enc.explicit = head.explicit
		w.h.warn(note, tag, w.pos, "the encoding changes to %s within the data set", top.enc)
	} else if note != "" {
		w.h.warn(note, tag, w.pos, "the value representation %q is not one of the standard, or not written as it should be", b[4:6])
	}
	if len(w.stack) == 1 {
		if tag <= w.lastTag && !w.h.enough(WarnOrder) {
			w.h.warn(WarnOrder, tag, w.pos, "the element stands after %s", w.lastTag)
		}
		w.lastTag = tag
	}
	w.pos += int64(head.size)
	return w.value(w.elementOf(head, top.enc), end)
}

// elementOf turns a head into an element; what is written as UN gets its VR from the dictionary (PS3.5 6.2.2).
func (w *walker) elementOf(head elementHead, enc encoding) Element {
	if head.vr == VRUnknown && head.length != Undefined {
		if entry, ok := LookUp(head.tag); ok && entry.VR != VRSequence {
			head.vr = entry.VR
		}
	}
	return Element{Tag: head.tag, VR: head.vr, Offset: w.pos, Length: head.length, BigEndian: enc.bigEndian}
}

// value takes or skips what follows an element's head: pixel data, a sequence, an encapsulated value, or bytes.
func (w *walker) value(e Element, end int64) error {
	switch {
	case e.Tag.isPixelData() && len(w.stack) == 1:
		return w.pixels(e)
	case e.Length == Undefined:
		return w.openUndefined(e, end)
	case e.VR == VRSequence || e.VR == VRUnknown && w.isUnknownSequence(e):
		w.openSequence(e, w.clip(e, end), false)
		return nil
	}
	last := w.clip(e, end)
	if n := last - e.Offset; n > 0 && n <= w.opt.MaxValue && w.afford(n) {
		value, err := w.in.copyOut(e.Offset, int(n))
		if err != nil {
			return err
		}
		e.Value = value
	}
	w.pos = last
	w.keep(e)
	return nil
}

// clip returns where the value ends: as claimed, but not beyond what encloses it.
func (w *walker) clip(e Element, end int64) int64 {
	if last := e.Offset + e.Length; last <= end {
		return last
	}
	switch {
	case w.inflated != nil && end >= w.opt.MaxInflated:
		w.h.warn(WarnBudget, e.Tag, e.Offset, "the value claims %d bytes; no more than %d are inflated", e.Length, w.opt.MaxInflated)
	case end >= w.in.size:
		w.h.warn(WarnTruncated, e.Tag, e.Offset, "the value claims %d bytes, the file holds %d more", e.Length, max(0, end-e.Offset))
	default:
		w.h.warn(WarnLength, e.Tag, e.Offset, "the value claims %d bytes, its item holds %d more", e.Length, max(0, end-e.Offset))
	}
	return max(end, e.Offset)
}

// openUndefined opens a value of undefined length: a sequence; with VR UN a sequence in implicit little endian (PS3.5
// 6.2.2, CP-246); with any other VR, bytes in items.
func (w *walker) openUndefined(e Element, end int64) error {
	switch e.VR {
	case VRSequence, VRUnknown:
		w.openSequence(e, end, true)
	case VROtherByte, VROtherWord, "OD", "OF", "OL", "OV": // (PS3.5 A.4; only pixel data may be so)
		w.stack = append(w.stack, level{kind: fragmentLevel, enc: w.stack[len(w.stack)-1].enc, end: end, undefined: true, owner: e})
	default:
		b, err := w.in.peek(e.Offset, 4)
		if err != nil {
			return err
		}
		if enc := w.stack[len(w.stack)-1].enc; len(b) < 4 || enc.tag(b) != tagItem && enc.tag(b) != tagSequenceDelimitation {
			w.stop(WarnLength, e.Tag, "a value of representation %s cannot have undefined length", e.VR)
			return nil
		}
		w.h.warn(WarnLength, e.Tag, e.Offset, "a value of representation %s has undefined length; it was read as the sequence it is", e.VR)
		e.VR = VRSequence
		w.openSequence(e, end, true)
	}
	return nil
}

// isUnknownSequence reports whether a UN value of defined length is a sequence: the dictionary says so, and it begins
// with an item.
func (w *walker) isUnknownSequence(e Element) bool {
	entry, ok := LookUp(e.Tag)
	if !ok || entry.VR != VRSequence || e.Length < 8 {
		return false
	}
	b, err := w.in.peek(e.Offset, 4)
	return err == nil && len(b) == 4 && implicitLE.tag(b) == tagItem
}

func (w *walker) openSequence(e Element, end int64, undefined bool) {
	enc := w.stack[len(w.stack)-1].enc
	if e.VR == VRUnknown {
		enc, e.VR = implicitLE, VRSequence
	}
	if w.depth >= w.opt.MaxDepth {
		if !undefined {
			w.h.warn(WarnDepth, e.Tag, e.Offset, "sequences more than %d deep were skipped", w.opt.MaxDepth)
			w.pos = end
			return
		}
		w.stop(WarnDepth, e.Tag, "sequences are nested more than %d deep; the rest was not read", w.opt.MaxDepth)
		return
	}
	w.depth++
	w.stack = append(w.stack, level{kind: sequenceLevel, enc: enc, end: end, undefined: undefined, owner: e})
}

// padding ends the data set at (0000,0000) with length 0: writers fill up to a block.
func (w *walker) padding(end int64) {
	if len(w.stack) > 1 {
		w.h.warn(WarnPadding, 0, w.pos, "zero bytes stand inside a sequence")
		if top := &w.stack[len(w.stack)-1]; !top.undefined {
			w.pos = end
			return
		}
		w.stopped = true
		return
	}
	w.stop(WarnPadding, 0, "zero bytes stand after the last element")
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
