package preview_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/pixels"
	"dcdentals.com/caseload/internal/preview"
)

// desk is a database of one order and a store of its files; the decoder runs in the test's own process.
type desk struct {
	preview.Service
	order   caseload.PreviewOrder
	waiting bool
	saved   *caseload.Preview
	due     time.Time
	forgive bool

	files map[caseload.ObjectKey][]byte
	read  int64 // bytes
	fault error
	job   pixels.Job
	word  func() (pixels.Result, error) // instead of decoding
}

func newDesk(files ...[]byte) *desk {
	d := &desk{files: map[caseload.ObjectKey][]byte{}, waiting: true}
	d.order = caseload.PreviewOrder{Preview: caseload.Preview{ID: "p"}, Revision: 1, Attempt: 1, Tries: 1, Files: map[caseload.FileID]caseload.File{}}
	for i, b := range files {
		id := caseload.FileID(fmt.Sprint("f", i))
		d.order.Files[id] = caseload.File{ID: id, Size: int64(len(b)), Object: caseload.ObjectKey(id)}
		d.files[caseload.ObjectKey(id)] = b
	}
	d.Service = preview.Service{Records: d, Objects: d, Decoder: d, Owner: "test", Claim: time.Minute, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return d
}

func (d *desk) ClaimPreview(context.Context, string, time.Time, time.Time) (caseload.PreviewOrder, bool, error) {
	was := d.waiting
	d.waiting = false
	return d.order, was, nil
}

func (d *desk) SavePreview(_ context.Context, _ caseload.PreviewOrder, made caseload.Preview) error {
	d.saved = &made
	return nil
}

func (d *desk) PostponePreview(_ context.Context, _ caseload.PreviewOrder, due time.Time, forgive bool) error {
	d.due, d.forgive = due, forgive
	return nil
}

func (d *desk) ReadRange(_ context.Context, o caseload.Object, p []byte, off int64) (int, error) {
	if d.fault != nil {
		return 0, d.fault
	}
	n, err := bytes.NewReader(d.files[o.Key]).ReadAt(p, off)
	d.read += int64(n)
	return n, err
}

func (d *desk) Stream(_ context.Context, o caseload.Object) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(d.files[o.Key])), d.fault
}

func (d *desk) Run(_ context.Context, job pixels.Job, feed func(io.Writer) error) (pixels.Result, error) {
	d.job = job
	if d.word != nil {
		return d.word()
	}
	var b bytes.Buffer
	if err := feed(&b); err != nil {
		return pixels.Result{}, err
	}
	return pixels.Run(job, &b)
}

// draw makes the preview and returns it.
func (d *desk) draw(t *testing.T) caseload.Preview {
	t.Helper()
	if did, err := d.Next(t.Context()); !did || err != nil || d.saved == nil {
		t.Fatalf("nothing was made: %v %v", did, err)
	}
	return *d.saved
}

// series makes the order one of a series of these objects, each in a file of its own or all in a ZIP.
func (d *desk) series(t *testing.T, zipped bool) *desk {
	t.Helper()
	d.order.Series, d.order.Scan = "s", caseload.Series{Modality: "CT"}
	add := func(id caseload.FileID, r io.ReaderAt, size int64, entry caseload.EntryRef) {
		h, err := dicom.Read(t.Context(), r, size, dicom.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in := dicom.Describe(h)
		d.order.Members = append(d.order.Members, caseload.Instance{
			ID: caseload.InstanceID(in.SOPInstanceUID), File: id, SOPInstanceUID: in.SOPInstanceUID, TransferSyntax: in.TransferSyntax, Number: in.InstanceNumber,
			Rows: in.Rows, Columns: in.Columns, Frames: in.Frames, BitsAllocated: in.BitsAllocated, Position: in.Position, Orientation: in.Orientation,
			SliceThickness: in.SliceThickness, FramePositions: in.FramePositions, Entry: entry, SOPClassUID: in.SOPClassUID, PixelOffset: -1,
		})
		if m := &d.order.Members[len(d.order.Members)-1]; in.Pixel != nil {
			m.PixelOffset, m.PixelEncapsulated = in.Pixel.Offset, in.Pixel.Encapsulated
		}
	}
	for id, f := range d.order.Files {
		whole := bytes.NewReader(d.files[f.Object])
		if !zipped {
			add(id, whole, f.Size, caseload.EntryRef{Index: -1})
			continue
		}
		zip, err := archive.Open(t.Context(), whole, f.Size, archive.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range zip.Entries {
			offset, err := zip.DataOffset(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			content, err := zip.Content(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			add(id, bytes.NewReader(b), e.Size, caseload.EntryRef{Index: e.Index, Method: e.Method, DataOffset: offset, Compressed: e.Compressed, Size: e.Size})
		}
	}
	return d
}

// ct is n slices of 64 × 64; the pixels of slice k are all 100 × k.
func ct(n int) (files [][]byte, named []dicomtest.Named) {
	for k := 1; k <= n; k++ {
		b := dicomtest.CT(dicomtest.CTOptions{Number: k, Rows: 64, BeforePixels: func(e *dicomtest.Encoder) {
			e.DS(0x00281050, 2048)
			e.DS(0x00281051, 4096)
		}})
		for at := len(b) - 64*64*2; at < len(b); at += 2 {
			b[at], b[at+1] = byte(100*k), byte(100*k>>8)
		}
		files = append(files, b)
		named = append(named, dicomtest.Named{Name: fmt.Sprintf("IM%d", n-k), Body: b})
	}
	return files, named
}

// deflated is a file in explicit little endian as one whose data set is compressed as a whole.
func deflated(b []byte) []byte {
	const group = 128 + 4 + 8 // preamble, DICM, and up to the group's length (PS3.10 7.1)
	at := group + 4 + int(binary.LittleEndian.Uint32(b[group:]))
	return dicomtest.File(dicomtest.Deflated, dicomtest.CTClass, "1.2.3", b[at:])
}

// Of a volume in one file that is compressed as a whole the middle image is shown, of a damaged one the middle of what is there; where there is
// nothing, why.
func TestAFileThatIsCompressedAsAWhole(t *testing.T) {
	multi := dicomtest.CT(dicomtest.CTOptions{Frames: 9, Rows: 32, NoPosition: true, Noise: 5})
	d := newDesk(deflated(multi)).series(t, false)
	made := d.draw(t)
	if made.State != caseload.PreviewMade || len(made.Pictures) != 1 || made.Pictures[0].View != "image" {
		t.Fatalf("%+v", made)
	}
	plain := newDesk(multi).series(t, false)
	plain.order.Scan.Modality = "OT" // no planes
	if drawn := plain.draw(t); len(drawn.Pictures) != 1 || drawn.Pictures[0].SHA256 != made.Pictures[0].SHA256 {
		t.Error("the middle image is another one than that of the same file uncompressed")
	}
	const group = 128 + 4 + 8
	packed := deflated(multi)
	at := group + 4 + int(binary.LittleEndian.Uint32(packed[group:]))
	for name, wrapper := range map[string][2]string{ // which some writers add against PS3.5 A.5
		"gzip":             {"\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\x03", "\x01\x02\x03\x04\x05\x06\x07\x08"},
		"gzip with a name": {"\x1F\x8B\x08\x08\x00\x00\x00\x00\x00\x03IM0001\x00", "\x01\x02\x03\x04\x05\x06\x07\x08"},
		"zlib":             {"\x78\x9C", "\x01\x02\x03\x04"},
		"words behind it":  {"", "the end"},
	} {
		wrapped := slices.Concat(packed[:at], []byte(wrapper[0]), packed[at:], []byte(wrapper[1]))
		if drawn := newDesk(wrapped).series(t, false).draw(t); len(drawn.Pictures) != 1 || drawn.Pictures[0].SHA256 != made.Pictures[0].SHA256 {
			t.Errorf("%s: %s %s", name, drawn.State, drawn.Reason)
		}
	}
	for part, want := range map[int]string{3: "made ", 14: "none The image holds less than half of the pixels it claims."} { // of the file, that is whole; then nothing is
		d = newDesk(deflated(multi)).series(t, false)
		broken := d.files["f0"]
		for i := range broken[len(broken)/part : len(broken)-100] {
			broken[len(broken)/part+i] = 0xFF
		}
		if made := d.draw(t); string(made.State)+" "+made.Reason != want {
			t.Errorf("damaged behind one part in %d: %s %s", part, made.State, made.Reason)
		}
	}
}

// brightness of the middle of a picture.
func brightness(t *testing.T, p caseload.Picture, x, y int) int {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	r, _, _, _ := img.At(x, y).RGBA()
	return int(r >> 8)
}

// A series is its middle slice and two planes across it, whatever its slices lie in, and no more is read than they are.
func TestASeriesHasThreePlanes(t *testing.T) {
	files, named := ct(21)
	var whole [][]byte
	for _, b := range files {
		whole = append(whole, deflated(b))
	}
	multi := dicomtest.CT(dicomtest.CTOptions{Frames: 21, Rows: 64, NoPosition: true})
	for k := range 21 {
		for at := len(multi) - (21-k)*64*64*2; at < len(multi)-(20-k)*64*64*2; at += 2 {
			multi[at], multi[at+1] = byte(100*(k+1)), byte(100*(k+1)>>8)
		}
	}
	for name, d := range map[string]*desk{
		"loose":    newDesk(files...).series(t, false),
		"stored":   newDesk(dicomtest.ZIP(true, named...)).series(t, true),
		"deflated": newDesk(dicomtest.ZIP(false, named...)).series(t, true),
		"frames":   newDesk(multi).series(t, false),
		"whole":    newDesk(whole...).series(t, false),
	} {
		t.Run(name, func(t *testing.T) {
			made := d.draw(t)
			if made.State != caseload.PreviewMade || len(made.Pictures) != 3 {
				t.Fatalf("%+v", made)
			}
			by := map[string]caseload.Picture{}
			total := int64(0)
			for _, p := range made.Pictures {
				by[p.View] = p
			}
			for _, b := range d.files {
				total += int64(len(b))
			}
			if got := brightness(t, by["axial"], 32, 26); name != "frames" && (got < 66 || got > 70) { // 1100 of 4096
				t.Errorf("the middle slice is %d", got)
			}
			low, high := brightness(t, by["coronal"], 30, by["coronal"].Height-1), brightness(t, by["coronal"], 30, 0)
			if low >= high {
				t.Errorf("the lowest slice is %d, the highest %d: the head is not up", low, high)
			}
			if by["sagittal"].Width == 0 {
				t.Error("there is no sagittal plane")
			}
			if d.read > total+total/2 && name != "whole" { // small files, whose header and pixels come apart
				t.Errorf("%d bytes were read of %d", d.read, total)
			}
		})
	}
}

// Of a long volume only some slices are read.
func TestALongVolumeIsNotReadWhole(t *testing.T) {
	multi := dicomtest.CT(dicomtest.CTOptions{Frames: 600, Rows: 256, NoPosition: true}) // 79 MB
	d := newDesk(multi).series(t, false)
	if made := d.draw(t); made.State != caseload.PreviewMade || len(made.Pictures) != 3 {
		t.Fatalf("%+v", made)
	}
	if d.job.Volume == nil || d.job.Volume.Count != 256 || d.read > 36<<20 {
		t.Fatalf("%d bytes were read for %+v", d.read, d.job.Volume)
	}
}

// Fragments are put together whatever way they are cut.
func TestCompressedFramesAreFoundInTheirFragments(t *testing.T) {
	rle := func(value byte) []byte {
		b := make([]byte, 64)
		b[0], b[4], b[8] = 2, 64, 66
		return append(b, 0xFD, 0, 0xFD, value) // four times the upper byte, four times the lower
	}
	one, two := rle(7), rle(200)
	for name, o := range map[string]dicomtest.CTOptions{
		"a fragment a frame":      {Frames: 2, Fragments: [][]byte{one, two}},
		"by the table of offsets": {Frames: 2, OffsetTable: []uint32{0, 34 + 8 + 34 + 8}, Fragments: [][]byte{one[:34], one[34:], two}},
		"one frame in pieces":     {Fragments: [][]byte{two[:10], two[10:60], two[60:]}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Syntax, o.Rows = "1.2.840.10008.1.2.5", 2
			d := newDesk(dicomtest.CT(o)).series(t, false)
			var sent bytes.Buffer
			d.Decoder = decoderFunc(func(job pixels.Job, feed func(io.Writer) error) (pixels.Result, error) {
				err := feed(&sent)
				return pixels.Result{Refused: &pixels.Refused{Code: "seen", Reason: "Seen."}}, err
			})
			d.draw(t)
			if !bytes.Equal(sent.Bytes(), two) {
				t.Errorf("the last frame is % x", sent.Bytes())
			}
		})
	}
}

type decoderFunc func(job pixels.Job, feed func(io.Writer) error) (pixels.Result, error)

func (f decoderFunc) Run(_ context.Context, job pixels.Job, feed func(io.Writer) error) (pixels.Result, error) {
	return f(job, feed)
}

// What the server does not decode is left to browsers, and nothing is read for it.
func TestWhatIsLeftToBrowsers(t *testing.T) {
	for _, syntax := range []string{"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"} {
		d := newDesk(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Fragments: [][]byte{{1, 2}}})).series(t, false)
		if made := d.draw(t); made.State != caseload.PreviewBrowser || made.Reason == "" || d.read != 0 {
			t.Errorf("%s: %+v, %d bytes read", syntax, made, d.read)
		}
	}
}

// Compressed pixels in front of rows and columns, or without them: that is said, and not that there are none.
func TestPixelsWithoutASizeAreNamed(t *testing.T) {
	d := newDesk(dicomtest.CT(dicomtest.CTOptions{Syntax: "1.2.840.10008.1.2.4.90", Fragments: [][]byte{{1, 2}}})).series(t, false)
	m := &d.order.Members[0]
	m.Rows, m.PixelOffset = 0, 1000
	if made := d.draw(t); made.State != caseload.PreviewNone || !strings.Contains(made.Reason, "rows and columns") {
		t.Errorf("%+v", made)
	}
	d.waiting, m.PixelOffset = true, -1
	if made := d.draw(t); made.Reason != "There are no pixels to show." {
		t.Errorf("without pixels: %+v", made)
	}
}

// A reason is kept; a store that is away, a stop and a dead decoder are not the file's fault.
func TestWhoIsToBlame(t *testing.T) {
	photo := func() *desk {
		d := newDesk([]byte("\x89PNG\r\n\x1A\nnothing"))
		d.order.File = "f0"
		f := d.order.Files["f0"]
		f.Kind = caseload.KindPNG
		d.order.Files["f0"] = f
		return d
	}
	if made := photo().draw(t); made.State != caseload.PreviewNone || made.Reason != "The picture is damaged." {
		t.Errorf("a damaged photo: %+v", made)
	}
	d := photo()
	d.fault = caseload.Errorf(caseload.Unavailable, "away")
	if _, err := d.Next(t.Context()); err != nil || d.saved != nil || !d.forgive || d.due.IsZero() {
		t.Errorf("a store that is away: %v %+v %v", err, d.saved, d.due)
	}
	d = photo()
	d.fault = caseload.Errorf(caseload.Conflict, "another object")
	if made := d.draw(t); made.State != caseload.PreviewNone {
		t.Errorf("another object: %+v", made)
	}
	crashed := func() (pixels.Result, error) {
		return pixels.Result{Refused: &pixels.Refused{Code: pixels.Crashed, Reason: "The decoder failed on this file."}}, nil
	}
	d = photo()
	d.word = crashed
	if _, err := d.Next(t.Context()); err != nil || d.saved != nil || d.forgive {
		t.Errorf("a dead decoder at the first try: %v %+v", err, d.saved)
	}
	d = photo()
	d.word, d.order.Tries = crashed, 3
	if made := d.draw(t); made.State != caseload.PreviewNone || !strings.Contains(made.Reason, "decoder") {
		t.Errorf("a dead decoder at the last try: %+v", made)
	}
	d = photo()
	d.order.Tries = 4
	if made := d.draw(t); made.State != caseload.PreviewNone {
		t.Errorf("too many attempts without a word: %+v", made)
	}
	d = photo()
	d.word = func() (pixels.Result, error) { panic("of our own") }
	if made := d.draw(t); made.State != caseload.PreviewNone {
		t.Errorf("a panic: %+v", made)
	}
	stopped, cancel := context.WithCancel(t.Context())
	d = photo()
	d.word = func() (pixels.Result, error) { cancel(); return pixels.Result{}, context.Canceled }
	if _, err := d.Next(stopped); err != nil || d.saved != nil || !d.forgive {
		t.Errorf("a stop: %v %+v", err, d.saved)
	}
	d = photo()
	d.word = func() (pixels.Result, error) {
		return pixels.Result{Pictures: []pixels.Picture{{View: "image", Media: "text/html", Width: 1, Height: 1, Bytes: []byte("<script>")}}}, nil
	}
	if _, err := d.Next(t.Context()); err != nil || d.saved != nil {
		t.Errorf("a decoder that was taken over: %v %+v", err, d.saved)
	}
}
