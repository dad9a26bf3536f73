// Package pixels turns what a file holds into small pictures to look at: one frame of a DICOM image, three planes through
// a volume, a shaded mesh, a photo. It counts the pages of a PDF. It reads a stream once and in order, holds rows rather
// than images wherever the coding allows, and believes no size before the stream itself has shown it. It knows nothing
// of networks, databases and DICOM headers: the caller says in a Job what the bytes are.
//
// Decoding is what hostile files aim at. Nothing but package child, in a process of its own, calls Run on bytes that
// came from outside.
package pixels

import "fmt"

// Refused says why there is no picture. Reason is one plain sentence for people; it quotes nothing of the file.
type Refused struct {
	Code   Code
	Reason string
}

func (r *Refused) Error() string { return "pixels: " + string(r.Code) + ": " + r.Reason }

// Code names a reason to refuse.
type Code string

// The reasons to refuse.
const (
	BadJob       Code = "bad-job"       // the job contradicts itself
	TooLarge     Code = "too-large"     // more pixels, triangles or bytes than a preview is made of
	SizeMismatch Code = "size-mismatch" // the stream's own size is not the one announced
	Damaged      Code = "damaged"       // the stream breaks its format's rules
	Truncated    Code = "truncated"     // the stream ends too early
	Unsupported  Code = "unsupported"   // a kind of coding that is not decoded here
	Empty        Code = "empty"         // nothing to show
	TooMuch      Code = "too-much"      // decoding took more memory than it may
	TooSlow      Code = "too-slow"      // decoding took more time than it may
	Crashed      Code = "crashed"       // the decoder failed
)

func refuse(code Code, format string, args ...any) *Refused {
	return &Refused{code, fmt.Sprintf(format, args...)}
}

// What a preview is made of at most.
const (
	MaxPixels   = 64 << 20  // of one frame or photo
	MaxFrames   = 512       // of one volume
	MaxCoded    = 64 << 20  // bytes of one compressed frame, photo or planar frame
	MaxSide     = 512       // pixels of a preview, either way
	MaxPicture  = 64 << 10  // bytes of a preview
	maxDecoded  = 120 << 20 // bytes that a whole decoded photo may take
	maxVertices = 4 << 20   // of a mesh whose faces name them by number
)
