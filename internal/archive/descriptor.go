package archive

import "bytes"

// longestDescriptor is the length of a data descriptor with its signature and 64-bit sizes, and of the signature behind.
const longestDescriptor = 28

// descriptor is what stands behind an entry whose header was written before its sizes were known (APPNOTE 4.3.9).
type descriptor struct {
	sum              uint32
	compressed, size int64
	length           int64 // of the descriptor itself
}

// complete takes what the descriptor says; false when it cannot be this entry's.
func (e *Entry) complete(d descriptor) bool {
	if d.size < 0 || d.size >= 1<<60 || e.Method == Store && !e.Encrypted && d.size != d.compressed {
		return false
	}
	e.CRC32, e.Compressed, e.Size = d.sum, d.compressed, d.size
	return true
}

// describes tells whether b[i:], which stands length bytes behind the beginning of an entry's data, ends it: a descriptor
// that states this length, or what may follow an entry with such a descriptor, its signature left out, right before.
func describes(b []byte, i int, length int64) (descriptor, bool) {
	if d, ok := signedDescriptor(b[i:], length); ok {
		return d, true
	}
	if !follows(b[i:]) {
		return descriptor{}, false
	}
	for _, n := range []int{20, 12} {
		if i < n {
			continue
		}
		if d, ok := bareDescriptor(b[i-n:i], length-int64(n)); ok {
			return d, true
		}
	}
	return descriptor{}, length == 0 // a folder, say, that needed none
}

// signedDescriptor reads the descriptor that b begins with, when it states this compressed size. Whether its sizes have
// 32 or 64 bits stands nowhere: what follows decides.
func signedDescriptor(b []byte, compressed int64) (descriptor, bool) {
	if len(b) < 16 || !bytes.HasPrefix(b, signDescriptor) {
		return descriptor{}, false
	}
	short, isShort := bareDescriptor(b[4:16], compressed)
	if len(b) >= 24 && !follows(b[16:]) {
		if long, isLong := bareDescriptor(b[4:24], compressed); isLong {
			long.length += 4
			return long, true
		}
	}
	short.length += 4
	return short, isShort
}

// bareDescriptor reads checksum and sizes, of 32 bits out of 12 bytes or of 64 out of 20.
func bareDescriptor(b []byte, compressed int64) (descriptor, bool) {
	d := descriptor{sum: little.Uint32(b), length: int64(len(b))}
	if len(b) == 20 {
		d.compressed, d.size = int64(little.Uint64(b[4:])), int64(little.Uint64(b[12:]))
	} else {
		d.compressed, d.size = int64(little.Uint32(b[4:])), int64(little.Uint32(b[8:]))
	}
	return d, d.compressed == compressed
}

// follows tells whether b begins with what may follow an entry.
func follows(b []byte) bool {
	for _, sign := range signsAfter {
		if bytes.HasPrefix(b, sign) {
			return true
		}
	}
	return false
}
