package dicom

import "slices"

// pixels records where the image lies and ends the walk there, or steps over it (PS3.5 8, A.4).
func (w *walker) pixels(e Element) error {
	size := w.in.size
	p := &PixelData{Tag: e.Tag, Offset: e.Offset, Length: e.Length, VR: e.VR, Inflated: w.inflated != nil}
	if w.inflated != nil {
		p.DeflatedAt = w.inflated.start
	}
	p.BigEndian = e.BigEndian || w.h.TransferSyntax == GEPrivateBigEndian
	if w.h.Pixel == nil {
		w.h.Pixel = p
	}
	if e.Length == Undefined || w.fragmentsInside(e) {
		if e.Length == Undefined && syntaxIsNative(w.h.TransferSyntax) {
			w.h.warn(WarnOtherSyntax, e.Tag, e.Offset, "the pixel data stand in fragments although the transfer syntax has none")
		}
		p.Encapsulated = true
		p.Length = size - e.Offset
		if p.Length == 0 {
			p.Truncated = true
		}
		return w.afterFragments(e)
	}
	last := e.Offset + e.Length
	if p.Inflated && last <= size && e.Length > 0 && last <= w.opt.MaxInflated {
		if _, err := w.in.peek(last-1, 1); err != nil { // the true size shows only by inflating
			return err
		}
		size = w.in.size
	}
	if last > size {
		p.Truncated = true
		w.h.warn(WarnTruncated, e.Tag, e.Offset, "the pixel data claim %d bytes, the file holds %d", e.Length, max(0, size-e.Offset))
		p.missing = last - max(size, e.Offset)
		last = size
	}
	w.keep(e)
	w.pos = last
	w.stopped = !w.opt.PastPixelData && w.has(TagRows)
	return nil
}

// has tells whether the element stands at the top level already. Where rows and columns do not, they may follow the image,
// against the order of the standard (PS3.5 7.1): beyond a native one a look costs one read.
func (w *walker) has(tag Tag) bool {
	return slices.ContainsFunc(w.stack[0].elements, func(e Element) bool { return e.Tag == tag })
}

// fragmentsInside reports whether pixel data of stated length are fragments all the same: the transfer syntax is one of
// those that have them (PS3.5 A.4), and they begin with an item. Else that length holds a native image, which is noted.
func (w *walker) fragmentsInside(e Element) bool {
	if syntax := w.h.TransferSyntax; e.Length < 8 || syntax == "" || syntaxIsNative(syntax) {
		return false
	}
	if _, _, known := syntaxEncoding(w.h.TransferSyntax); !known {
		return false
	}
	b, err := w.in.peek(e.Offset, 8)
	if err == nil && len(b) == 8 && explicitLE.tag(b) == tagItem {
		w.h.warn(WarnLength, e.Tag, e.Offset, "the pixel data stand in fragments and state a length of %d bytes", e.Length)
		return true
	}
	w.h.warn(WarnOtherSyntax, e.Tag, e.Offset, "the pixel data are not in fragments although the transfer syntax compresses them")
	return false
}

// afterFragments steps over encapsulated pixel data when the caller wants what follows.
func (w *walker) afterFragments(e Element) error {
	if !w.opt.PastPixelData {
		w.keep(e)
		w.stopped = true
		return nil
	}
	return w.openUndefined(Element{Tag: e.Tag, VR: VROtherByte, Offset: e.Offset, Length: Undefined}, w.in.size)
}
