package dicom

import (
	"errors"
	"fmt"
)

// ErrNotDICOM says that the bytes are no DICOM object: no "DICM" and no data set that could stand without it.
var ErrNotDICOM = errors.New("dicom: not a DICOM object")

// Options bounds the work of Read. The zero value of a field means its default.
type Options struct {
	MaxDepth    int   // sequences inside sequences; default 32
	MaxElements int   // elements walked, kept or not; default 1,000,000
	MaxValue    int64 // bytes of one value kept; longer values are skipped; default 64 KiB
	MaxKept     int64 // memory for everything kept; default 16 MiB
	MaxRead     int64 // bytes asked of the source for the header; default 64 MiB
	MaxInflated int64 // bytes inflated of a deflated data set; default 256 MiB
	Window      int   // bytes of one read; default 32 KiB, at least 1 KiB

	// PastPixelData goes on after the pixel data. Off, the walk ends there: what follows (padding, signatures) is
	// seldom wanted, and reaching it costs a read, or all of the pixels when they are compressed.
	PastPixelData bool
}

const defaultWindow = 32 << 10

func (o Options) withDefaults() Options {
	set := func(field *int64, value int64) {
		if *field <= 0 {
			*field = value
		}
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 32
	}
	if o.MaxElements <= 0 {
		o.MaxElements = 1_000_000
	}
	if o.Window <= 0 {
		o.Window = defaultWindow
	}
	o.Window = max(o.Window, 1<<10)
	set(&o.MaxValue, 64<<10)
	set(&o.MaxKept, 16<<20)
	set(&o.MaxRead, 64<<20)
	set(&o.MaxInflated, 256<<20)
	return o
}

// Header is what Read found: the data set up to the pixel data, and what was wrong with it.
type Header struct {
	TransferSyntax string // UID of (0002,0010); "" when absent or empty
	HasPreamble    bool   // 128 bytes and "DICM" (PS3.10 7.1)
	HasMeta        bool   // at least one element of group 0002
	Polyglot       string // the preamble carries another format's magic: "PE", "TIFF", …; otherwise ""
	IsDICOMDIR     bool   // a media directory (PS3.10 8.6), not an image

	Elements []Element  // file meta information and data set, top level, in the file's order
	Pixel    *PixelData // nil when absent
	Warnings []Warning  // at most maxWarnings

	BytesRead int64 // bytes asked of the source
	Reads     int   // calls of the source's ReadAt

	looked   bool        // index is made, or not needed
	index    map[Tag]int // first element of each tag; nil while the elements ascend
	names    charset     // of the top level
	deflated deflated
}

// Element is one data element (PS3.5 7.1).
type Element struct {
	Tag       Tag
	BigEndian bool   // byte order of a binary value
	VR        VR     // as written; from the dictionary when the file leaves it out; UN when nobody knows
	Offset    int64  // of the value; in a deflated data set, within the inflated bytes
	Length    int64  // of the value in bytes as claimed; Undefined when delimited
	Value     []byte // raw; nil when empty, longer than Options.MaxValue or out of budget
	Items     []Item // of a sequence
}

// Item is one item of a sequence: a data set of its own (PS3.5 7.5).
type Item struct {
	Offset   int64 // of the item's tag, counted like Element.Offset
	Elements []Element
}

// Undefined is the Length of a value that ends at a delimiter (PS3.5 7.1.1: FFFFFFFFH).
const Undefined int64 = -1

// PixelData says where the image lies.
type PixelData struct {
	Tag       Tag
	Offset    int64 // of the first byte of the value; for encapsulated data, of the Basic Offset Table's item
	Length    int64 // native: bytes, as claimed. Encapsulated: bytes to the end of the object, delimiters included
	BigEndian bool  // 16-bit words of native data are big endian
	VR        VR

	Encapsulated bool  // in fragments (PS3.5 A.4)
	Truncated    bool  // the object ends before the pixel data do
	Inflated     bool  // offsets count inflated bytes: the whole data set is deflated (PS3.5 A.5)
	DeflatedAt   int64 // where that stream (RFC 1951) begins in the file

	missing int64 // bytes that native pixel data claim and the object does not hold
}

// Code names a kind of Warning.
type Code string

// The kinds of Warning.
const (
	WarnNoPreamble    Code = "no-preamble"
	WarnNoMeta        Code = "no-meta"
	WarnMetaLength    Code = "meta-length"
	WarnNoSyntax      Code = "no-transfer-syntax"
	WarnUnknownSyntax Code = "unknown-transfer-syntax"
	WarnOtherSyntax   Code = "other-encoding"
	WarnPolyglot      Code = "polyglot-preamble"
	WarnBadVR         Code = "bad-vr"
	WarnMixedVR       Code = "mixed-vr"
	WarnLength        Code = "bad-length"
	WarnTruncated     Code = "truncated"
	WarnStray         Code = "stray-delimiter"
	WarnSequence      Code = "broken-sequence"
	WarnDepth         Code = "too-deep"
	WarnBudget        Code = "budget"
	WarnPadding       Code = "trailing-padding"
	WarnOrder         Code = "order"
	WarnCharset       Code = "charset"
	WarnPixels        Code = "pixel-size"
	WarnFragments     Code = "fragments"
	WarnOffsets       Code = "offset-table"
	WarnSpacing       Code = "spacing"
	WarnPlanes        Code = "planes"
	WarnUnreadable    Code = "unreadable"
	WarnIdentity      Code = "no-identity"
	WarnValue         Code = "bad-value"
	WarnGeometry      Code = "bad-geometry"
	WarnSentAsText    Code = "sent-as-text"
)

// Warning is one thing that is not as the standard wants it.
type Warning struct {
	Code   Code
	Tag    Tag   // 0 when no element is concerned
	Offset int64 // byte in the object, -1 when none is meant
	Text   string
}

func (w Warning) String() string {
	if w.Tag != 0 {
		return fmt.Sprintf("%s: %s %s", w.Code, w.Tag, w.Text)
	}
	return fmt.Sprintf("%s: %s", w.Code, w.Text)
}

// Warnings beyond the first few of a kind, or beyond maxWarnings in all, add nothing.
const (
	maxWarnings        = 100
	maxWarningsPerKind = 5
)

// warn notes a complaint unless enough of its kind stand there already.
func (h *Header) warn(code Code, tag Tag, offset int64, format string, args ...any) {
	if !h.enough(code) {
		h.Warnings = append(h.Warnings, Warning{code, tag, offset, fmt.Sprintf(format, args...)})
	}
}

// enough reports whether no more warnings of the kind are noted. Where a file can cause a million of them, it is asked
// first: arguments of warn cost memory.
func (h *Header) enough(code Code) bool {
	if len(h.Warnings) >= maxWarnings {
		return true
	}
	same := 0
	for i := range h.Warnings {
		if h.Warnings[i].Code == code {
			same++
		}
	}
	return same >= maxWarningsPerKind
}

// Find returns the first top-level element of the tag, nil when there is none.
func (h *Header) Find(tag Tag) *Element {
	if !h.looked {
		h.look()
	}
	if h.index != nil {
		if i, ok := h.index[tag]; ok {
			return &h.Elements[i]
		}
		return nil
	}
	low, high := 0, len(h.Elements)
	for low < high { // by hand: slices.BinarySearchFunc copies an element at each step
		if middle := int(uint(low+high) >> 1); h.Elements[middle].Tag < tag {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(h.Elements) || h.Elements[low].Tag != tag {
		return nil
	}
	return &h.Elements[low]
}

// look sees whether the elements ascend, as they should, and makes an index of those that do not.
func (h *Header) look() {
	h.looked, h.index = true, nil
	for i := 1; i < len(h.Elements); i++ {
		if h.Elements[i-1].Tag >= h.Elements[i].Tag {
			h.index = make(map[Tag]int, len(h.Elements))
			break
		}
	}
	for i := range h.Elements {
		if h.index == nil {
			break
		}
		if _, twice := h.index[h.Elements[i].Tag]; !twice {
			h.index[h.Elements[i].Tag] = i
		}
	}
}

// Find returns the first element of the tag in the item, nil when there is none.
func (it *Item) Find(tag Tag) *Element {
	for i := range it.Elements {
		if it.Elements[i].Tag == tag {
			return &it.Elements[i]
		}
	}
	return nil
}
