package dicom

// elementHead is the fixed part of an element: tag, VR, length (PS3.5 7.1).
type elementHead struct {
	tag      Tag
	vr       VR
	length   int64 // Undefined for FFFFFFFFH
	size     int   // bytes of the head itself: 8 or 12
	explicit bool
	known    bool // the VR is one of PS3.5 6.2
}

const longestHead = 12

// explicitHead reads an element with explicit VR (PS3.5 7.1.2). A VR of two unknown capitals gets the 32-bit length
// the standard promises for every future VR (PS3.5 6.2, note 1). It returns false when the bytes cannot be a VR.
func explicitHead(b []byte, e encoding) (elementHead, bool) {
	head := elementHead{tag: e.tag(b), explicit: true, size: 8}
	t, known := traits.find(b[4], b[5])
	if !known {
		if !capital(b[4]) || !capital(b[5]) {
			return head, false
		}
		t = ofUnknown
	}
	head.vr, head.known = t.vr, known
	if !t.long {
		head.length = int64(e.uint16(b[6:]))
		return head, true
	}
	if len(b) < longestHead {
		return head, false
	}
	head.size = longestHead
	head.length = claimedLength(e.uint32(b[8:]))
	return head, true
}

// implicitHead reads an element with implicit VR (PS3.5 7.1.3); its VR comes from the dictionary.
func implicitHead(b []byte, e encoding) elementHead {
	head := elementHead{tag: e.tag(b), vr: VRUnknown, size: 8, length: claimedLength(e.uint32(b[4:]))}
	if entry, ok := LookUp(head.tag); ok {
		head.vr, head.known = entry.VR, true
	}
	return head
}

func claimedLength(n uint32) int64 {
	if n == 0xFFFFFFFF {
		return Undefined
	}
	return int64(n)
}

func capital(c byte) bool { return c >= 'A' && c <= 'Z' }

// fits reports whether the element ends within room, counted from its first byte.
func (h elementHead) fits(room int64) bool {
	return h.length == Undefined || int64(h.size)+h.length <= room
}

// decodeHead reads the element head at b. The level's encoding is tried first; where it makes no sense and the other
// one (explicit for implicit, or back) does, the other is taken: software that copies data sets between files leaves
// such patches. room is what encloses the element, in bytes from b[0]. A code tells what had to be tolerated.
//
// It returns false when nothing makes sense: the walk cannot go on.
func decodeHead(b []byte, e encoding, room int64) (elementHead, Code, bool) {
	if e.explicit {
		return decodeExplicit(b, e, room)
	}
	implicit := implicitHead(b, e)
	explicit, ok := explicitHead(b, e)
	if !ok || !explicit.known || !explicit.fits(room) {
		return implicit, "", true
	}
	entry, standard := LookUp(explicit.tag)
	sameVR := standard && (entry.VR == explicit.vr || traitOf(entry.VR).long && traitOf(explicit.vr).long)
	if sameVR || !implicit.fits(room) {
		return explicit, WarnMixedVR, true
	}
	return implicit, "", true
}

func decodeExplicit(b []byte, e encoding, room int64) (elementHead, Code, bool) {
	explicit, isVR := explicitHead(b, e)
	if isVR && explicit.known && explicit.fits(room) {
		return explicit, "", true
	}
	implicit := implicitHead(b, e)
	even := implicit.length == Undefined || implicit.length&1 == 0
	implicitSense := even && implicit.fits(room) && (implicit.known || implicit.tag.Private())
	switch {
	case isVR && explicit.known && explicit.size == longestHead && b[6]|b[7] != 0 && 8+int64(e.uint16(b[6:])) <= room:
		// A representation with a 32-bit length, written with a 16-bit one where the two reserved bytes belong.
		explicit.size, explicit.length = 8, int64(e.uint16(b[6:]))
		return explicit, WarnBadVR, true
	case isVR && explicit.known:
		entry, standard := LookUp(explicit.tag)
		if standard && entry.VR == explicit.vr || !implicitSense {
			return explicit, "", true
		}
		return implicit, WarnMixedVR, true
	case isVR && explicit.fits(room) && b[6] == 0 && b[7] == 0:
		return explicit, WarnBadVR, true
	case !isVR && implicitSense:
		return implicit, WarnMixedVR, true
	}
	// A VR of two wrong bytes before a 16-bit length, as some converters wrote them.
	short := elementHead{tag: explicit.tag, vr: VRUnknown, size: 8, explicit: true, length: int64(e.uint16(b[6:]))}
	if entry, ok := LookUp(short.tag); ok && !traitOf(entry.VR).long {
		short.vr = entry.VR
	}
	if short.fits(room) {
		return short, WarnBadVR, true
	}
	return explicit, WarnBadVR, false
}
