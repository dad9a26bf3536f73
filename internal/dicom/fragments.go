package dicom

import (
	"context"
	"io"
	"slices"
)

// maxFragments bounds the index of one object: 8 bytes are kept for each.
const maxFragments = 1 << 20

// fragmentWindow is one read of the walk over the fragments, in bytes: the head of a large fragment, several small ones.
const fragmentWindow = 4 << 10

// fragments is what an encapsulated value consists of (PS3.5 A.4): the Basic Offset Table's item, then fragments, one
// item each, without gaps.
type fragments struct {
	table Extent  // value of the Basic Offset Table's item; its Length is 0 when it is empty
	heads []int64 // offset of each fragment's item head
	end   int64   // first byte after the last fragment
	start []magic // how each fragment begins

	closed    bool // a sequence delimiter ended the value
	truncated bool // the source ends inside the last fragment, or before a delimiter
	warnings  []Warning
}

// magic is how a compressed frame begins, as far as it tells one from the middle of another.
type magic uint8

const (
	noMagic       magic = iota
	jpegMagic           // SOI and a marker: JPEG and JPEG-LS (ISO/IEC 10918-1 B.1.1.3)
	codestreamJ2K       // SOC and SIZ: JPEG 2000 and HTJ2K (ISO/IEC 15444-1 A.4)
)

func magicOf(b []byte) magic {
	switch {
	case len(b) < 4:
		return noMagic
	case b[0] == 0xFF && b[1] == 0xD8 && b[2] == 0xFF:
		return jpegMagic
	case b[0] == 0xFF && b[1] == 0x4F && b[2] == 0xFF && b[3] == 0x51:
		return codestreamJ2K
	}
	return noMagic
}

// extent returns where the bytes of fragment i lie.
func (f *fragments) extent(i int) Extent {
	end := f.end
	if i+1 < len(f.heads) {
		end = f.heads[i+1]
	}
	return Extent{f.heads[i] + 8, end - f.heads[i] - 8}
}

// walkFragments follows the items from the Basic Offset Table's item at offset to the sequence delimiter, reading only
// their heads. What cannot be followed ends the walk with a warning.
func walkFragments(ctx context.Context, r io.ReaderAt, offset, size int64, tag Tag) (fragments, error) {
	w := new(window).reset(r, size, fragmentWindow, size+fragmentWindow)
	f := fragments{end: offset}
	warn := func(code Code, at int64, text string) {
		f.warnings = append(f.warnings, Warning{code, tag, at, text})
	}
	for n := 0; ; n++ {
		if n&0xFF == 0 {
			if err := ctx.Err(); err != nil {
				return f, err
			}
		}
		b, err := w.peek(f.end, 12)
		if err != nil {
			return f, err
		}
		if len(b) < 8 {
			f.truncated = true
			warn(WarnTruncated, f.end, "the object ends before the fragments of its pixel data are closed")
			return f, nil
		}
		length := claimedLength(explicitLE.uint32(b[4:]))
		switch itemTag := explicitLE.tag(b); {
		case itemTag == tagSequenceDelimitation:
			f.closed = true
			return f, nil
		case itemTag != tagItem || length == Undefined:
			warn(WarnFragments, f.end, "the fragments of the pixel data cannot be followed beyond this point")
			return f, nil
		case len(f.heads) == maxFragments:
			warn(WarnBudget, f.end, "the pixel data have more than 1,048,576 fragments; the rest was not indexed")
			return f, nil
		}
		head, last := f.end, f.end+8+length
		if last > w.size {
			f.truncated = true
			warn(WarnTruncated, head, "the last fragment of the pixel data is cut off")
			last = w.size
		}
		if n == 0 {
			f.table = Extent{head + 8, last - head - 8}
		} else {
			if n := len(f.heads); n == cap(f.heads) {
				f.heads, f.start = slices.Grow(f.heads, max(n, 16)), slices.Grow(f.start, max(n, 16)) // doubled
			}
			f.heads = append(f.heads, head)
			f.start = append(f.start, magicOf(b[8:min(int64(len(b)), max(8, last-head))]))
		}
		if f.end = last; f.truncated {
			return f, nil
		}
	}
}
