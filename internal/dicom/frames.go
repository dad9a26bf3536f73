package dicom

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Extent is a run of bytes in the object; of a deflated data set, in its inflated bytes.
type Extent struct{ Offset, Length int64 }

// Boundaries tells how it is known where one frame ends and the next begins.
type Boundaries string

// The kinds of Boundaries.
const (
	ByArithmetic    Boundaries = "arithmetic"            // native: every frame has the same length
	ByExtendedTable Boundaries = "extended offset table" // PS3.3 C.7.6.3.1.8, each entry found to be true
	ByBasicTable    Boundaries = "basic offset table"    // PS3.5 A.4, each entry found to be true
	ByFragments     Boundaries = "fragments"             // one fragment a frame, or all for the only one
	ByCodestream    Boundaries = "codestream"            // a frame begins where a fragment begins like an image
	ByStream        Boundaries = "stream"                // a video: one stream, no frame of which stands alone
)

// Frames says where each frame of the pixel data lies, so that one can be read without the others. Frames count from 0.
type Frames struct {
	Count      int // frames of which at least the beginning is there
	Claimed    int // what Number of Frames (0028,0008) says, at least 1
	Boundaries Boundaries
	Truncated  bool // the last frame is not whole, or frames are missing
	Warnings   []Warning

	pixel     PixelData
	frameBits int64     // native
	fragments fragments // encapsulated
	first     []int     // encapsulated: the first fragment of each frame, and one more entry that ends the last
	lengths   []int64   // extended table: bytes of each frame without padding; else nil
}

// IndexFrames finds the frames of the image whose header h is; r and size are those given to Read. Native frames cost no
// read. Of encapsulated pixel data the head of every fragment is read, and an offset table is believed as far as each
// of its entries is the beginning of a fragment (PS3.5 A.4). Without pixel data it returns nil.
//
// The error is the context's or a read error of r; damage ends up in Warnings.
func (h *Header) IndexFrames(ctx context.Context, r io.ReaderAt, size int64) (*Frames, error) {
	if h.Pixel == nil {
		return nil, nil
	}
	f := &Frames{Claimed: max(h.count(TagNumberOfFrames), 1), pixel: *h.Pixel}
	if !h.Pixel.Encapsulated {
		f.native(h)
		return f, nil
	}
	src := h.Source(ctx, r, size)
	if h.Pixel.Inflated {
		size = h.deflated.limit
	}
	var err error
	if f.fragments, err = walkFragments(ctx, src, h.Pixel.Offset, size, h.Pixel.Tag); err != nil {
		return nil, err
	}
	f.Warnings, f.Truncated = f.fragments.warnings, f.fragments.truncated
	return f, f.group(ctx, h, src)
}

// Source returns the reader that the offsets of h count in: r itself, or what a deflated data set (PS3.5 A.5) inflates
// to. The latter is read forwards and can go back by no more than 1 MiB.
func (h *Header) Source(ctx context.Context, r io.ReaderAt, size int64) io.ReaderAt {
	if h.deflated.limit == 0 {
		return r
	}
	return newInflater(ctx, r, h.deflated.offset, size, 1<<20, h.deflated.limit)
}

// deflated says where a deflated data set begins in the object and how much of it may be inflated; zero when none is.
type deflated struct{ offset, limit int64 }

// Extents returns where the bytes of frame n lie: one run, or one for each of its fragments. Native frames that do not
// begin at a whole byte (one-bit images, PS3.5 8.1.1) begin in the bit that the second result tells, 0 the lowest. It
// returns nil for a frame that is not there.
func (f *Frames) Extents(n int) (runs []Extent, bit int) {
	if n < 0 || n >= f.Count {
		return nil, 0
	}
	if f.Boundaries == ByArithmetic {
		from, to := int64(n)*f.frameBits, int64(n+1)*f.frameBits
		start, end := from/8, min((to+7)/8, f.pixel.held())
		return []Extent{{f.pixel.Offset + start, end - start}}, int(from % 8)
	}
	for i := f.first[n]; i < f.first[n+1]; i++ {
		runs = append(runs, f.fragments.extent(i))
	}
	if f.lengths != nil {
		runs[0].Length = f.lengths[n]
	}
	return runs, 0
}

// held returns the bytes of native pixel data that the object really holds.
func (p *PixelData) held() int64 { return p.Length - p.missing }

// native places the frames by arithmetic in 64 bits, and believes no more of them than there are bytes for.
func (f *Frames) native(h *Header) {
	f.Boundaries = ByArithmetic
	samples := samplesOf(h.count(TagSamplesPerPixel), h.String(TagPhotometricInterpretation))
	rows, columns, bits := int64(h.count(TagRows)), int64(h.count(TagColumns)), int64(h.count(TagBitsAllocated))
	if rows == 0 || columns == 0 || bits == 0 || rows > 1<<16 || columns > 1<<16 || samples > 1<<8 || bits > 64 {
		f.warn(WarnPixels, f.pixel.Offset, "rows, columns or bits are missing or absurd; the frames cannot be told apart")
		return
	}
	f.frameBits = rows * columns * samples * bits // below 2^48
	there := f.pixel.held()
	whole := int64(math.MaxInt32)
	if there < math.MaxInt64/8 {
		whole = there * 8 / f.frameBits
	}
	started := whole
	if there > (whole*f.frameBits+7)/8 {
		started++
	}
	f.Count = int(min(int64(f.Claimed), started))
	f.Truncated = whole < int64(f.Claimed)
	if f.Truncated {
		f.warn(WarnPixels, f.pixel.Offset, fmt.Sprintf("%d frames are claimed, the pixel data hold %d whole ones", f.Claimed, whole))
	}
}

func (f *Frames) warn(code Code, offset int64, text string) {
	f.Warnings = append(f.Warnings, Warning{code, f.pixel.Tag, offset, text})
}

// group puts the fragments together to frames.
func (f *Frames) group(ctx context.Context, h *Header, r io.ReaderAt) error {
	n := len(f.fragments.heads)
	switch {
	case n == 0:
		f.Truncated = true
		f.warn(WarnFragments, f.pixel.Offset, "the pixel data have no fragments")
		return nil
	case isVideo(h.TransferSyntax):
		f.set(ByStream, []int{0})
		return nil
	}
	for _, table := range []func(context.Context, *Header, io.ReaderAt) (bool, error){f.extendedTable, f.basicTable} {
		if done, err := table(ctx, h, r); done || err != nil {
			return err
		}
	}
	f.lengths = nil
	images := f.codestreams()
	switch {
	case f.Claimed == 1:
		f.set(ByFragments, []int{0})
	case f.Claimed == n:
		f.set(ByFragments, oneEach(n))
	case len(images) == f.Claimed || len(images) > 0 && f.Truncated:
		f.set(ByCodestream, images)
	default:
		f.set(ByFragments, oneEach(min(n, f.Claimed)))
		f.first[f.Count] = f.Count
		f.warn(WarnFragments, f.pixel.Offset, fmt.Sprintf("%d frames are claimed, the pixel data have %d fragments; one was taken for each", f.Claimed, n))
	}
	return nil
}

// set keeps the fragments at which the frames begin.
func (f *Frames) set(by Boundaries, first []int) {
	f.Boundaries, f.Count = by, min(len(first), f.Claimed)
	if by == ByStream {
		f.Count = 1
	}
	f.first = append(first, len(f.fragments.heads))
	f.Truncated = f.Truncated || by != ByStream && f.Count < f.Claimed
}

func oneEach(n int) []int {
	out := make([]int, n, n+1)
	for i := range out {
		out[i] = i
	}
	return out
}

// codestreams returns the fragments that begin like an image, empty unless the first does.
func (f *Frames) codestreams() (images []int) {
	for i, m := range f.fragments.start {
		if m != noMagic && m == f.fragments.start[0] {
			images = append(images, i)
		} else if i == 0 {
			return nil
		}
	}
	return images
}

// basicTable takes the Basic Offset Table (PS3.5 A.4) if every entry is the beginning of a fragment, counted from the
// first. Entries beyond the end of a truncated object are left out.
func (f *Frames) basicTable(ctx context.Context, _ *Header, r io.ReaderAt) (bool, error) {
	offsets, err := readTable(ctx, r, f.fragments.table, 4)
	if len(offsets) == 0 || err != nil {
		return false, err
	}
	return f.believe(ByBasicTable, offsets), nil
}

// extendedTable takes the Extended Offset Table with its lengths (PS3.3 C.7.6.3.1.8) if every entry is the beginning of a
// fragment that is long enough.
func (f *Frames) extendedTable(ctx context.Context, h *Header, r io.ReaderAt) (bool, error) {
	table, lengths := h.Find(TagExtendedOffsetTable), h.Find(TagExtendedOffsetTableLengths)
	if table == nil || lengths == nil || table.Length <= 0 || lengths.Length != table.Length {
		return false, nil
	}
	offsets, err := readTable(ctx, r, Extent{table.Offset, table.Length}, 8)
	if err != nil || !f.believe(ByExtendedTable, offsets) {
		return false, err
	}
	if f.lengths, err = readTable(ctx, r, Extent{lengths.Offset, lengths.Length}, 8); err != nil {
		return false, err
	}
	for n := range f.Count {
		whole := f.fragments.extent(f.first[n])
		if n >= len(f.lengths) || f.lengths[n] < 0 || f.first[n+1] != f.first[n]+1 || f.lengths[n] > whole.Length && !f.Truncated {
			f.warn(WarnOffsets, table.Offset, "the extended offset table's lengths are not those of the fragments; it was not used")
			return false, nil
		}
		f.lengths[n] = min(f.lengths[n], whole.Length)
	}
	return true, nil
}

// believe accepts the offsets of a table, counted from the first fragment's item, if each is where a fragment begins.
func (f *Frames) believe(by Boundaries, offsets []int64) bool {
	heads := f.fragments.heads
	var first []int
	for _, offset := range offsets {
		if f.fragments.truncated && offset >= f.fragments.end-heads[0] {
			break
		}
		i, found := slices.BinarySearch(heads, heads[0]+offset)
		if !found || len(first) == 0 && i != 0 || len(first) > 0 && i <= first[len(first)-1] {
			f.warn(WarnOffsets, f.fragments.table.Offset, "the "+string(by)+" does not point at fragments; it was not used")
			return false
		}
		first = append(first, i)
	}
	if len(offsets) != f.Claimed {
		f.warn(WarnOffsets, f.fragments.table.Offset, fmt.Sprintf("the %s has %d entries for %d frames", by, len(offsets), f.Claimed))
		if len(first) < f.Claimed {
			return false
		}
		first = first[:f.Claimed]
	}
	if len(first) == 0 {
		return false
	}
	f.set(by, first)
	return true
}

// readTable reads the little-endian numbers, of width bytes each, of an offset table; nil for one that cannot be meant.
func readTable(ctx context.Context, r io.ReaderAt, at Extent, width int64) ([]int64, error) {
	if at.Length < width || at.Length > width*maxFragments {
		return nil, ctx.Err()
	}
	b := make([]byte, at.Length)
	if n, err := r.ReadAt(b, at.Offset); n < len(b) {
		if err == io.EOF {
			err = nil
		}
		return nil, err
	}
	out := make([]int64, 0, at.Length/width)
	for ; int64(len(b)) >= width; b = b[width:] {
		if width == 4 {
			out = append(out, int64(binary.LittleEndian.Uint32(b)))
		} else {
			out = append(out, int64(binary.LittleEndian.Uint64(b)))
		}
	}
	return out, nil
}

// isVideo reports whether the transfer syntax is one whose frames depend on each other: MPEG2, MPEG-4, HEVC (PS3.5 A.4.5
// to A.4.8) and the real-time ones (PS3.5 A.6).
func isVideo(syntax string) bool {
	return strings.HasPrefix(syntax, "1.2.840.10008.1.2.4.10") && len(syntax) >= len("1.2.840.10008.1.2.4.100") ||
		strings.HasPrefix(syntax, "1.2.840.10008.1.2.7.")
}
