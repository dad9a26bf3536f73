package pixels

// Markers (T.81 table B.1).
const (
	markSOF0 = 0xC0 // sequential DCT, baseline
	markSOF1 = 0xC1 // sequential DCT, extended
	markSOF2 = 0xC2 // progressive DCT
	markSOF3 = 0xC3 // lossless
	markDHT  = 0xC4
	markSOI  = 0xD8
	markEOI  = 0xD9
	markSOS  = 0xDA
	markDQT  = 0xDB
	markDRI  = 0xDD
)

// isSOF tells whether a marker begins a frame, of whatever kind (T.81 table B.1).
func isSOF(mark byte) bool {
	return mark >= markSOF0 && mark <= 0xCF && mark != markDHT && mark != 0xC8 && mark != 0xCC
}

// openJPEG decodes a JPEG stream by what it is, whichever process the header names (PS3.5 A.4.1, A.4.2): lossless, of 12 bits, or of
// 8 bits by the standard library.
func openJPEG(f *Frame, data []byte) (rowReader, error) {
	frame, precision := byte(0), byte(0)
	_, _ = jpegSegments(data, func(mark byte, body []byte) error { // what is damaged, the decoder tells
		if isSOF(mark) && len(body) > 0 {
			frame, precision = mark, body[0]
		}
		return nil
	})
	switch {
	case frame == markSOF3, frame == 0 && f.Coding == Lossless:
		f.Coding = Lossless
		return newLossless(f, data)
	case precision == extendedBits:
		f.Coding = Lossy
		return newExtended(f, data)
	}
	f.Coding = Lossy
	return newLossy(f, data)
}

// jpegSegments calls visit with each segment of a JPEG stream (T.81 B.1.1.4) up to the header of the first scan, and returns the
// coded bytes behind it.
func jpegSegments(data []byte, visit func(mark byte, body []byte) error) ([]byte, error) {
	if len(data) < 4 || data[0] != 0xFF || data[1] != markSOI {
		return nil, refuse(Damaged, "The image is not a JPEG stream.")
	}
	for at := 2; ; {
		for at < len(data) && data[at] == 0xFF { // fill bytes (T.81 B.1.1.2)
			at++
		}
		if at+3 > len(data) {
			return nil, refuse(Truncated, "The image ends too early.")
		}
		mark, length := data[at], int(data[at+1])<<8|int(data[at+2])
		if length < 2 || at+1+length > len(data) {
			return nil, refuse(Truncated, "The image ends too early.")
		}
		if mark == markSOI || mark == markEOI || mark == 0xCC || mark < 0xC0 {
			return nil, refuse(Damaged, "The image's JPEG segments are damaged.")
		}
		body, after := data[at+3:at+1+length], data[at+1+length:]
		if err := visit(mark, body); err != nil || mark == markSOS {
			return after, err
		}
		if at += 1 + length; at >= len(data) || data[at] != 0xFF {
			return nil, refuse(Damaged, "The image's JPEG segments are damaged.")
		}
	}
}
