package dicom_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// frames indexes the object and returns, beside the index, the bytes of every frame.
func frames(t *testing.T, b []byte) (*dicom.Frames, [][]byte) {
	t.Helper()
	h := read(t, b)
	f, err := h.IndexFrames(context.Background(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	src := h.Source(context.Background(), bytes.NewReader(b), int64(len(b)))
	var out [][]byte
	for n := range f.Count {
		var frame []byte
		runs, _ := f.Extents(n)
		for _, run := range runs {
			part := make([]byte, run.Length)
			if n, err := src.ReadAt(part, run.Offset); n < len(part) {
				t.Fatalf("%+v: %v", run, err)
			}
			frame = append(frame, part...)
		}
		out = append(out, frame)
	}
	if runs, _ := f.Extents(f.Count); runs != nil {
		t.Error("a frame that is not there has a place")
	}
	return f, out
}

var jpegParts = [][]byte{{0xFF, 0xD8, 0xFF, 0xE0, 1, 2}, {3, 4}, {0xFF, 0xD8, 0xFF, 0xE0, 5, 6}, {0xFF, 0xD8, 0xFF, 0xE0, 7, 8}, {9, 10}, {11, 12}}

// jpegFrames are jpegParts as the three frames they make.
var jpegFrames = [][]byte{
	slices.Concat(jpegParts[0], jpegParts[1]), jpegParts[2], slices.Concat(jpegParts[3], jpegParts[4], jpegParts[5]),
}

func TestFramesAreFoundHoweverTheyAreDelimited(t *testing.T) {
	jpeg := dicomtest.CTOptions{Syntax: dicomtest.JPEG, Frames: 3, Fragments: jpegParts}
	with := func(change func(*dicomtest.CTOptions)) []byte {
		o := jpeg
		change(&o)
		return dicomtest.CT(o)
	}
	extended := func(offsets, lengths []uint64) func(*dicomtest.CTOptions) {
		return func(o *dicomtest.CTOptions) {
			o.Fragments = jpegFrames
			o.BeforePixels = func(e *dicomtest.Encoder) {
				e.UV(0x7FE00001, offsets...)
				e.UV(0x7FE00002, lengths...)
			}
		}
	}
	cases := []struct {
		name  string
		file  []byte
		by    dicom.Boundaries
		want  [][]byte
		warns []dicom.Code
	}{
		{"a true basic offset table", with(func(o *dicomtest.CTOptions) { o.OffsetTable = []uint32{0, 24, 38} }), dicom.ByBasicTable, jpegFrames, nil},
		{"no table, images recognised", dicomtest.CT(jpeg), dicom.ByCodestream, jpegFrames, nil},
		{"a table that points into a fragment", with(func(o *dicomtest.CTOptions) { o.OffsetTable = []uint32{0, 26, 38} }), dicom.ByCodestream, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"a table that goes backwards", with(func(o *dicomtest.CTOptions) { o.OffsetTable = []uint32{0, 38, 24} }), dicom.ByCodestream, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"a table beyond the end", with(func(o *dicomtest.CTOptions) { o.OffsetTable = []uint32{0, 24, math.MaxUint32} }), dicom.ByCodestream, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"a table for two frames of three", with(func(o *dicomtest.CTOptions) { o.OffsetTable = []uint32{0, 24} }), dicom.ByCodestream, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"a true extended table", with(extended([]uint64{0, 16, 30}, []uint64{8, 5, 10})), dicom.ByExtendedTable, [][]byte{jpegFrames[0], jpegFrames[1][:5], jpegFrames[2]}, nil},
		{"an extended table with forged lengths", with(extended([]uint64{0, 16, 30}, []uint64{8, 1 << 62, 10})), dicom.ByFragments, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"an extended table with forged offsets", with(extended([]uint64{0, 1 << 63, 30}, []uint64{8, 6, 10})), dicom.ByFragments, jpegFrames, []dicom.Code{dicom.WarnOffsets}},
		{"one frame of many fragments", with(func(o *dicomtest.CTOptions) { o.Frames = 0 }), dicom.ByFragments, [][]byte{slices.Concat(jpegFrames...)}, nil},
		{"a stated length around fragments", with(func(o *dicomtest.CTOptions) {
			o.Tamper = func(b []byte) []byte {
				at := bytes.Index(b, []byte("\xE0\x7F\x10\x00OB\x00\x00\xFF\xFF\xFF\xFF")) + 8
				binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
				return b
			}
		}), dicom.ByCodestream, jpegFrames, nil},
		{"a video", with(func(o *dicomtest.CTOptions) { o.Syntax = "1.2.840.10008.1.2.4.102" }), dicom.ByStream, [][]byte{slices.Concat(jpegFrames...)}, nil},
		{"more frames claimed than fragments", with(func(o *dicomtest.CTOptions) { o.Frames, o.Syntax = 9, "1.2.840.10008.1.2.5" }), dicom.ByFragments, jpegParts, []dicom.Code{dicom.WarnFragments}},
		{"cut off in the last fragment", with(func(o *dicomtest.CTOptions) { o.Tamper = cut(9) }), dicom.ByCodestream, [][]byte{jpegFrames[0], jpegFrames[1], jpegFrames[2][:9]}, []dicom.Code{dicom.WarnTruncated}},
		{"cut off, with a table", with(func(o *dicomtest.CTOptions) { o.OffsetTable, o.Tamper = []uint32{0, 24, 38}, cut(9) }), dicom.ByBasicTable, [][]byte{jpegFrames[0], jpegFrames[1], jpegFrames[2][:9]}, []dicom.Code{dicom.WarnTruncated}},
		{"cut off before a frame of the table", with(func(o *dicomtest.CTOptions) { o.OffsetTable, o.Tamper = []uint32{0, 24, 38}, cut(8+34) }), dicom.ByBasicTable, jpegFrames[:2], []dicom.Code{dicom.WarnTruncated}},
		{"no fragments", with(func(o *dicomtest.CTOptions) { o.Fragments = [][]byte{} }), "", nil, []dicom.Code{dicom.WarnFragments}},
		{"garbage after a fragment", with(func(o *dicomtest.CTOptions) {
			o.Tamper = func(b []byte) []byte { return append(b[:len(b)-8], "not an item"...) }
		}), dicom.ByCodestream, jpegFrames, []dicom.Code{dicom.WarnFragments}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f, got := frames(t, c.file)
			if f.Boundaries != c.by || !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("by %q: % x, want % x", f.Boundaries, got, c.want)
			}
			if f.Truncated != (len(c.want) < f.Claimed && c.by != dicom.ByStream || slices.Contains(c.warns, dicom.WarnTruncated)) {
				t.Errorf("truncated is %v", f.Truncated)
			}
			for _, code := range c.warns {
				if !hasWarning(f.Warnings, code) {
					t.Errorf("no %s in %v", code, f.Warnings)
				}
			}
			if len(c.warns) == 0 && len(f.Warnings) > 0 {
				t.Errorf("warnings %v", f.Warnings)
			}
		})
	}
}

func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func TestNativeFramesAreArithmeticWithinWhatIsThere(t *testing.T) {
	for _, syntax := range []string{dicomtest.ExplicitLE, dicomtest.ImplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
		b := dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4, Frames: 5, Noise: 3})
		plain := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.ExplicitLE, Rows: 4, Frames: 5, Noise: 3})
		f, got := frames(t, b)
		if f.Boundaries != dicom.ByArithmetic || f.Count != 5 || f.Truncated || len(f.Warnings) > 0 {
			t.Fatalf("%s: %+v", syntax, f)
		}
		if all := slices.Concat(got...); !bytes.Equal(all, plain[len(plain)-len(all):]) || len(got[4]) != 32 {
			t.Errorf("%s: other bytes", syntax)
		}
	}
	f, got := frames(t, dicomtest.CT(dicomtest.CTOptions{Rows: 4, Frames: 5, Tamper: cut(40)}))
	if f.Count != 4 || !f.Truncated || len(got[3]) != 24 || !hasWarning(f.Warnings, dicom.WarnPixels) {
		t.Errorf("cut off: %+v", f)
	}
	enormous := dicomtest.CT(dicomtest.CTOptions{Rows: 4, Frames: 5, Tamper: func(b []byte) []byte {
		b = bytes.Replace(b, []byte("IS\x02\x005 "), []byte("IS\x0a\x002147483647"), 1)
		b = bytes.Replace(b, []byte("\x28\x00\x10\x00US\x02\x00\x04\x00"), []byte("\x28\x00\x10\x00US\x02\x00\xFF\xFF"), 1)
		return bytes.Replace(b, []byte("\x28\x00\x11\x00US\x02\x00\x04\x00"), []byte("\x28\x00\x11\x00US\x02\x00\xFF\xFF"), 1)
	}})
	if f, got := frames(t, enormous); f.Count != 1 || f.Claimed != math.MaxInt32 || len(got[0]) != 160 || !f.Truncated {
		t.Errorf("65535 × 65535 × 2^31: %+v", f)
	}
	none := read(t, dicomtest.CT(dicomtest.CTOptions{NoPixels: true}))
	if f, err := none.IndexFrames(context.Background(), bytes.NewReader(nil), 0); f != nil || err != nil {
		t.Errorf("without pixels: %+v %v", f, err)
	}
}

func TestOneBitFramesBeginWithinAByte(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Rows: 3, Frames: 4, Tamper: replace("\x28\x00\x00\x01US\x02\x00\x10\x00", "\x28\x00\x00\x01US\x02\x00\x01\x00")})
	f, _ := frames(t, b)
	runs, bit := f.Extents(3)
	if f.Count != 4 || bit != 27%8 || runs[0].Length != 2 || runs[0].Offset != read(t, b).Pixel.Offset+27/8 {
		t.Errorf("%+v %v bit %d", f, runs, bit)
	}
}

func TestAnIndexReadsHeadsOnly(t *testing.T) {
	parts := make([][]byte, 50)
	for i := range parts {
		parts[i] = make([]byte, 100<<10)
	}
	b := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.JPEG, Frames: 50, Fragments: parts})
	h := read(t, b)
	r := &counting{bytes.NewReader(b), 0}
	f, err := h.IndexFrames(context.Background(), r, int64(len(b)))
	if err != nil || f.Count != 50 || r.bytes > 52*4096 {
		t.Errorf("%d of %d bytes for %d frames, %v", r.bytes, len(b), f.Count, err)
	}
}

func TestTheSourceOfADeflatedObjectEndsAtTheLimit(t *testing.T) {
	b := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.Deflated, Rows: 1024})
	h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{MaxInflated: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	src := h.Source(context.Background(), bytes.NewReader(b), int64(len(b)))
	if n, err := src.ReadAt(make([]byte, 100), 1<<19); n != 100 || err != nil {
		t.Errorf("within the limit: %d bytes, %v", n, err)
	}
	if n, err := src.ReadAt(make([]byte, 100), 3<<19); n != 0 || err == nil {
		t.Errorf("beyond the limit: %d bytes, %v", n, err)
	}
}

type counting struct {
	*bytes.Reader
	bytes int64
}

func (c *counting) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.Reader.ReadAt(p, offset)
	c.bytes += int64(n)
	return n, err
}
