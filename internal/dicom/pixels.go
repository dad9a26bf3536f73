package dicom

// pixels records where the image lies and ends the walk there, or steps over it (PS3.5 8, A.4).
func (w *walker) pixels(e Element) error {
	size := w.in.size
	p := &PixelData{Tag: e.Tag, Offset: e.Offset, Length: e.Length, VR: e.VR, Inflated: w.inflated != nil}
	p.BigEndian = e.BigEndian || w.h.TransferSyntax == GEPrivateBigEndian
	if w.h.Pixel == nil {
		w.h.Pixel = p
	}
	if e.Length == Undefined {
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
		last = size
	}
	w.keep(e)
	w.pos = last
	w.stopped = !w.opt.PastPixelData
	return nil
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
