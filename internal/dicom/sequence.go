package dicom

import "slices"

// item reads an item head inside a sequence (PS3.5 7.5.1).
func (w *walker) item(b []byte) error {
	top := &w.stack[len(w.stack)-1]
	tag := top.enc.tag(b)
	if tag.Group() != 0xFFFE {
		// Some write the delimiters of a big endian sequence, or of one copied from elsewhere, in the other order.
		other := encoding{explicit: top.enc.explicit, bigEndian: !top.enc.bigEndian}
		if other.tag(b) == tagItem {
			w.h.warn(WarnOtherSyntax, top.owner.Tag, w.pos, "the sequence is written in %s", other)
			top.enc, tag = other, tagItem
		}
	}
	length := claimedLength(top.enc.uint32(b[4:]))
	switch tag {
	case tagItem:
		w.pos += 8
		w.openItem(length)
	case tagSequenceDelimitation:
		w.pos += 8
		if top.undefined {
			w.pop()
		} else {
			w.h.warn(WarnStray, top.owner.Tag, w.pos-8, "a sequence of stated length has a delimiter")
		}
	case tagItemDelimitation:
		w.pos += 8
		w.h.warn(WarnStray, top.owner.Tag, w.pos-8, "an item delimiter stands between items")
	default:
		w.h.warn(WarnSequence, top.owner.Tag, w.pos, "the sequence holds something else than items")
		if !top.undefined {
			w.pos = top.end
		}
		w.pop()
	}
	return nil
}

// openItem opens an item; a length beyond the sequence is clipped to it.
func (w *walker) openItem(length int64) {
	top := &w.stack[len(w.stack)-1]
	end := w.enclosingEnd()
	if length != Undefined {
		if w.pos+length > end {
			w.h.warn(WarnLength, top.owner.Tag, w.pos, "an item claims %d bytes, its sequence holds %d more", length, max(0, end-w.pos))
		} else {
			end = w.pos + length
		}
	}
	w.stack = append(w.stack, level{kind: dataSetLevel, enc: top.enc, start: w.pos - 8, end: end, undefined: length == Undefined, owner: Element{Tag: top.owner.Tag}})
}

// delimiter handles group FFFE where an element is due. A delimiter that closes an open item or sequence closes it, even
// when the writer forgot the one before; any other is stepped over.
func (w *walker) delimiter(tag Tag) {
	top := &w.stack[len(w.stack)-1]
	inside := len(w.stack) > 1
	switch {
	case tag == tagItemDelimitation && inside && top.undefined:
		w.pos += 8
		w.pop()
	case tag == tagItem && inside && top.undefined:
		w.h.warn(WarnStray, top.owner.Tag, w.pos, "an item begins before the last one was closed")
		w.pop()
	case tag == tagSequenceDelimitation && inside && w.stack[len(w.stack)-2].undefined:
		w.h.warn(WarnStray, top.owner.Tag, w.pos, "a sequence ends before its item was closed")
		w.pop()
	default:
		w.h.warn(WarnStray, tag, w.pos, "a delimiter stands where nothing is open")
		w.pos += 8
	}
}

// fragment steps over one fragment of an encapsulated value outside the pixel data.
func (w *walker) fragment(b []byte) {
	top := &w.stack[len(w.stack)-1]
	length := claimedLength(top.enc.uint32(b[4:]))
	switch tag := top.enc.tag(b); {
	case tag == tagSequenceDelimitation:
		w.pos += 8
		w.pop()
	case tag == tagItem && length != Undefined && w.pos+8+length <= w.enclosingEnd():
		w.pos += 8 + length
	default:
		w.stop(WarnSequence, top.owner.Tag, "the fragments of the value cannot be followed")
	}
}

// pop closes the innermost level and hands what it holds to the one around it.
func (w *walker) pop() {
	last := len(w.stack) - 1
	top := w.stack[last]
	w.stack[last] = level{}
	w.stack = w.stack[:last]
	parent := &w.stack[last-1]
	switch {
	case top.kind == dataSetLevel:
		if w.afford(elementCost) {
			parent.items = append(parent.items, Item{top.start, top.elements})
		}
	default:
		if top.kind == sequenceLevel {
			w.depth--
		}
		top.owner.Items = top.items
		w.keep(top.owner)
	}
}

// unwind closes whatever is open, so that a walk that stopped in the middle keeps what it has.
func (w *walker) unwind() {
	for len(w.stack) > 1 {
		w.pop()
	}
	if len(w.stack) == 1 {
		w.h.Elements = w.stack[0].elements
		if cap(w.h.Elements) == cap(w.top) { // not grown out of the walker's own room
			w.h.Elements = slices.Clone(w.h.Elements)
		}
		clear(w.top[:min(len(w.stack[0].elements), cap(w.top))])
	}
	w.h.looked = false
}

// keep appends the element to the innermost data set if the budget allows.
func (w *walker) keep(e Element) {
	if w.afford(elementCost) {
		top := &w.stack[len(w.stack)-1]
		if n := len(top.elements); n == cap(top.elements) && n >= usualElements {
			top.elements = slices.Grow(top.elements, n) // doubled: half of what append would leave behind
		}
		top.elements = append(top.elements, e)
	}
}

// afford charges n bytes of memory to the budget and reports whether they were left.
func (w *walker) afford(n int64) bool {
	if w.kept+n > w.opt.MaxKept {
		if !w.h.enough(WarnBudget) {
			w.h.warn(WarnBudget, 0, w.pos, "the header holds more than %d bytes of values; the rest was not kept", w.opt.MaxKept)
		}
		return false
	}
	w.kept += n
	return true
}
