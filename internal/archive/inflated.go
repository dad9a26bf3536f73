package archive

import "io"

// Inflated returns the inflated bytes of an entry whose directory and local header were read before: compressed gives
// exactly its compressed bytes. Size and checksum are the caller's to compare. A method that is not read is a *Refused.
func Inflated(method uint16, compressed io.Reader) (io.Reader, error) {
	return inflate(method, compressed)
}
