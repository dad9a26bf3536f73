package dicom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"dcdentals.com/caseload/internal/dicom"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
)

// Each target prints its executions a second as it runs; `make fuzz FUZZTIME=10000000x` runs every one ten million times.

func FuzzRead(f *testing.F) {
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE, dicomtest.Deflated} {
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4}))
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4, Tamper: dropMeta}))
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 4, BeforePixels: func(e *dicomtest.Encoder) {
			e.Sequence(0x52009230, true, func(e *dicomtest.Encoder) { e.Sequence(0x00209113, false, icon) })
		}}))
	}
	f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.JPEG, Fragments: [][]byte{{1, 2}, {3, 4}}}))
	f.Add(media())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		for _, opt := range []dicom.Options{{}, {PastPixelData: true, Window: 1 << 10, MaxValue: 100, MaxInflated: 4 << 20}} {
			h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), opt)
			if err != nil {
				if !errors.Is(err, dicom.ErrNotDICOM) {
					t.Fatal(err)
				}
				continue
			}
			in := dicom.Describe(h)
			_ = in.Name.Display()
			s := dicom.Geometry([]dicom.Slice{dicom.SliceOf(in), dicom.SliceOf(in)})
			if sum := s.Spacing + s.First + s.Last + s.Deviation; math.IsNaN(sum) || math.IsInf(sum, 0) {
				t.Errorf("no numbers: %+v", s)
			}
			if len(h.Warnings) > 100 {
				t.Errorf("%d warnings", len(h.Warnings))
			}
			if p := h.Pixel; p != nil && !p.Inflated && !p.Truncated && (p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > int64(len(b))) {
				t.Errorf("pixels at %+v of %d bytes", p, len(b))
			}
			for line := range h.Lines(40) {
				if !utf8.ValidString(line.Text) || utf8.RuneCountInString(line.Text) > 40 || strings.ContainsAny(line.Text, "\n\x00\u202e") {
					t.Errorf("line %q", line.Text)
				}
			}
			records, _ := h.Directory()
			for i, r := range records {
				if r.Parent < -1 || r.Parent >= i {
					t.Errorf("record %d belongs to %d", i, r.Parent)
				}
			}
		}
	})
}

// FuzzMeta gives the walker everything up to the data set: preamble, magic, file meta information.
func FuzzMeta(f *testing.F) {
	body := dropMeta(dicomtest.CT(dicomtest.CTOptions{Rows: 2}))
	f.Add(dicomtest.Meta(dicomtest.ExplicitLE, dicomtest.CTClass, "2.25.30.1"))
	f.Add(implicitMeta())
	f.Add(dicomtest.Meta("", "", ""))
	f.Add([]byte("DICM"))
	f.Add(dicomtest.Meta(strings.Repeat("\xdd", 300), dicomtest.CTClass, "2.25.30.1"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if len(head) > 4096 {
			return
		}
		b := append(bytes.Clone(head), body...)
		h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
		switch {
		case errors.Is(err, dicom.ErrNotDICOM):
			return
		case err != nil:
			t.Fatal(err)
		}
		if len(h.TransferSyntax) > 64 {
			t.Errorf("transfer syntax %q", h.TransferSyntax)
		}
	})
}

func FuzzCharset(f *testing.F) {
	f.Add([]byte("Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"), `\ISO 2022 IR 149`)
	f.Add([]byte("\xd4\xcf\xc0\xde^\x1b$B;3ED\x1b(J"), `ISO 2022 IR 13\ISO 2022 IR 87\ISO 2022 IR 159`)
	f.Add([]byte("\xcd\xf5\x5c"), "GBK")
	f.Add([]byte("\x1b-F\xe1"), "ISO_IR 192")
	f.Add([]byte("\xb1\xe8^\xc3\xb6\xbc\xf6"), "")
	f.Add([]byte("\x8e\x52\x93\x63^\x91\xbe\x98\x59"), "ISO_IR 100")
	f.Add([]byte("\xc8\xab\x8c\x63"), `\ISO 2022 IR 149`)
	meta := dicomtest.Meta(dicomtest.ExplicitLE, dicomtest.CTClass, "2.25.30.1")
	f.Fuzz(func(t *testing.T, value []byte, sets string) {
		if len(value) > 4096 || len(sets) > 200 {
			return
		}
		e := &dicomtest.Encoder{}
		e.Text(0x00080005, "CS", sets)
		e.Raw(0x00100010, "PN", value)
		e.Raw(0x00104000, "LT", value)
		b := append(meta[:len(meta):len(meta)], e.Bytes()...)
		h := read(t, b)
		name := h.PersonName(dicom.TagPatientName)
		for _, s := range []string{name.Display(), h.String(0x00104000)} {
			if len(s) > 6*len(value)+16 || !utf8.ValidString(s) {
				t.Errorf("%d bytes became %d: %q", len(value), len(s), s)
			}
		}
	})
}

// FuzzNumbers gives dates, times, ages and numbers in text.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"20240229", "2024.02.29", "-0", "+.5", "1.", ".", "0.1234567890123", "123456789012345", "1234567890123456", "0.000000000000001", "-45.123", "-45,5", "1,000.5", "0.25\\0.3\\", "10:15:30.5", "235960", "034Y", "-1.5e3", "+040", "1e999", "0x1p4", "1_000", "NaN", " 7 ", "\\", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if day, ok := dicom.ParseDate(s); ok {
			if again, ok := dicom.ParseDate(day.Format("20060102")); !ok || !again.Equal(day) {
				t.Errorf("%q is %v, and that is %v", s, day, again)
			}
		}
		if at, ok := dicom.ParseTime(s); ok && (at < 0 || at >= 24*3600*1e9) {
			t.Errorf("%q is %v", s, at)
		}
		for _, vr := range []dicom.VR{"DS", "IS", "UN", "FD", "FL", "AT", "UV", "SV"} {
			e := &dicom.Element{VR: vr, Value: []byte(s)}
			floats := e.Floats()
			if slices.ContainsFunc(floats, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
				t.Errorf("%s %q: %v", vr, s, floats)
			}
			if n, ok := e.Int(); ok && float64(n) != floats[0] {
				t.Errorf("%s %q: %d is not %v", vr, s, n, floats[0])
			}
		}
		first, _, _ := strings.Cut(s, `\`)
		text := strings.TrimSpace(strings.Trim(strings.TrimRight(first, " \x00"), " "))
		if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
			text = strings.Replace(text, ",", ".", 1)
		}
		want, err := strconv.ParseFloat(text, 64)
		finite := err == nil && !math.IsNaN(want) && !math.IsInf(want, 0)
		if floats := (&dicom.Element{VR: "DS", Value: []byte(first)}).Floats(); finite != (len(floats) == 1) || finite && math.Float64bits(floats[0]) != math.Float64bits(want) {
			t.Errorf("%q is %v, want %v (%v)", first, floats, want, err)
		}
	})
}

// FuzzJSON: whatever the file, its JSON is JSON, each key stands once, and a limit holds.
func FuzzJSON(f *testing.F) {
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitLE, dicomtest.ExplicitBE} {
		f.Add(dicomtest.CT(dicomtest.CTOptions{Syntax: syntax, Rows: 2, Charset: []string{"ISO_IR 192"}, BeforePixels: func(e *dicomtest.Encoder) {
			e.Text(0x00281050, "DS", "+40", "1e3", "", "abc")
			e.Raw(0x00281055, "LO", []byte("\x00\x1f\"\\</\xff\xed\xa0\x80"))
			e.Sequence(0x00400555, true, func(e *dicomtest.Encoder) {
				e.FL(0x00720076, float32(math.NaN()), 1)
				e.FD(0x00720074, math.Inf(1))
				e.Sequence(0x00400555, false, icon)
			})
			e.Raw(0x00991001, "??", []byte{1})
			e.Text(0x00100010, "PN", "===", "=a=b=c")
		}}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		h, err := dicom.Read(context.Background(), bytes.NewReader(b), int64(len(b)), dicom.Options{})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := h.WriteJSON(&out, dicom.JSONOptions{Meta: true, MaxInline: 100, BulkDataURI: func(_ *dicom.Element, path string) string { return path }}); err != nil {
			t.Fatal(err)
		}
		if err := onceEach(out.Bytes()); err != nil || !utf8.Valid(out.Bytes()) {
			t.Errorf("%v: %s", err, out.Bytes())
		}
		limit := int64(out.Len() / 2)
		out.Reset()
		if err := h.WriteJSON(&out, dicom.JSONOptions{MaxBytes: max(limit, 1)}); err != nil && !errors.Is(err, dicom.ErrJSONCut) || !json.Valid(out.Bytes()) {
			t.Errorf("cut at %d: %v: %s", limit, err, out.Bytes())
		}
	})
}

// onceEach returns an error unless b is one JSON value in whose objects each key stands once.
func onceEach(b []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var keys []map[string]bool // of the open objects; nil of the open arrays
	var isKey []bool
	for {
		token, err := decoder.Token()
		if err == io.EOF && len(keys) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		last := len(keys) - 1
		switch token {
		case json.Delim('{'), json.Delim('['):
			if last >= 0 {
				isKey[last] = keys[last] != nil
			}
			seen := map[string]bool(nil)
			if token == json.Delim('{') {
				seen = map[string]bool{}
			}
			keys, isKey = append(keys, seen), append(isKey, seen != nil)
			continue
		case json.Delim('}'), json.Delim(']'):
			keys, isKey = keys[:last], isKey[:last]
			continue
		}
		if last < 0 || keys[last] == nil {
			continue
		}
		if key, ok := token.(string); ok && isKey[last] {
			if keys[last][key] {
				return fmt.Errorf("the key %q stands twice", key)
			}
			keys[last][key] = true
		}
		isKey[last] = !isKey[last]
	}
}

// FuzzFrames gives the bytes of encapsulated pixel data: offset table, fragments, and what is claimed of them.
func FuzzFrames(f *testing.F) {
	encapsulated := func(o dicomtest.CTOptions) []byte {
		o.Syntax = dicomtest.JPEG
		b := dicomtest.CT(o)
		return b[bytes.Index(b, []byte("\xE0\x7F\x10\x00OB"))+12:]
	}
	f.Add(encapsulated(dicomtest.CTOptions{Fragments: jpegParts, OffsetTable: []uint32{0, 24, 38}}), 3, []byte(nil))
	f.Add(encapsulated(dicomtest.CTOptions{Fragments: jpegParts}), 3, []byte(nil))
	f.Add(encapsulated(dicomtest.CTOptions{Fragments: jpegFrames}), 3, []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x1e\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, pixels []byte, claimed int, table []byte) {
		if len(pixels) > 64<<10 || len(table) > 1<<10 {
			return
		}
		b := dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.JPEG, NoPixels: true, Frames: claimed, BeforePixels: func(e *dicomtest.Encoder) {
			if table != nil {
				e.Raw(0x7FE00001, "OV", table)
				e.Raw(0x7FE00002, "OV", table)
			}
			e.Head(0x7FE00010, "OB", dicomtest.Undefined)
			e.Write(pixels)
		}})
		h := read(t, b)
		index, err := h.IndexFrames(context.Background(), bytes.NewReader(b), int64(len(b)))
		if err != nil || index == nil {
			t.Fatal(index, err)
		}
		last := h.Pixel.Offset
		for n := range index.Count {
			runs, _ := index.Extents(n)
			if len(runs) == 0 {
				t.Errorf("frame %d of %d has no place", n, index.Count)
			}
			for _, run := range runs {
				if run.Offset < last || run.Length < 0 || run.Offset+run.Length > int64(len(b)) {
					t.Fatalf("frame %d lies at %+v of %d bytes, after %d", n, run, len(b), last)
				}
				last = run.Offset + run.Length
			}
		}
	})
}

// BenchmarkHeaderWalk500 reads the headers of 500 slices of 526 KB, as the table in docs compares them with peers.
func BenchmarkHeaderWalk500(b *testing.B) {
	slice := dicomtest.CT(dicomtest.CTOptions{Rows: 512, Noise: 1})
	files := make([]*bytes.Reader, 500)
	for i := range files {
		files[i] = bytes.NewReader(slice)
	}
	var bytesRead, reads int64
	b.ReportAllocs()
	for b.Loop() {
		bytesRead, reads = 0, 0
		for _, r := range files {
			h, err := dicom.Read(context.Background(), r, r.Size(), dicom.Options{})
			if err != nil {
				b.Fatal(err)
			}
			in := dicom.Describe(h)
			if in.Rows != 512 {
				b.Fatal(fmt.Sprint(in.Warnings))
			}
			bytesRead += h.BytesRead
			reads += int64(h.Reads)
		}
	}
	b.ReportMetric(float64(bytesRead)/float64(500*len(slice))*100, "%read")
	b.ReportMetric(float64(reads)/500, "reads/file")
}
