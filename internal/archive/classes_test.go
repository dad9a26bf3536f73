package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/archive/archivetest"
)

// The generators are true: the standard library, which has no guards, unpacks each bomb to what it claims.
func TestTheBombsOfTheGeneratorsGoOff(t *testing.T) {
	for name, b := range map[string][]byte{"overlapping": archivetest.Overlapping(20, 100_000), "quoted": archivetest.Quoted(20, 100_000)} {
		r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(name, err)
		}
		var total int64
		for _, f := range r.File {
			body, err := f.Open()
			if err != nil {
				t.Fatal(name, err)
			}
			n, err := io.Copy(io.Discard, body) // compares the checksum too
			if err != nil {
				t.Fatalf("%s: %s: %v", name, f.Name, err)
			}
			total += n
		}
		if total < 20*100_000 || len(b) > 8_000 {
			t.Errorf("%s: %d bytes out of %d", name, total, len(b))
		}
	}
}

func TestEveryHostileClassIsRefusedByNameInBoundedMemory(t *testing.T) {
	good := archivetest.File{Name: "IM1", Body: noise(1, 5000)}
	for name, c := range map[string]struct {
		b    []byte
		want archive.Code // of the archive, or of its first entry
	}{
		"100,000 entries":               {archivetest.Many(100_000), archive.TooManyEntries},
		"20,001 entries":                {archivetest.Many(20_001), archive.TooManyEntries},
		"20,000 entries":                {archivetest.Many(20_000), ""},
		"overlapping, 16 GB":            {archivetest.Overlapping(16_000, 1<<20), archive.RatioTooHigh},
		"overlapping, small enough":     {archivetest.Overlapping(200, 1<<20), archive.Overlap},
		"quoted, 1 GB":                  {archivetest.Quoted(250, 4<<20), archive.RatioTooHigh},
		"quoted, small enough":          {archivetest.Quoted(250, 100_000), archive.Overlap},
		"4 GB out of nothing":           {archivetest.Sizes(0xFFFFFFF0, true), archive.RatioTooHigh},
		"two sizes":                     {archivetest.Sizes(2000, false), archive.HeadersDiffer},
		"two names":                     {archivetest.Renamed(good), archive.HeadersDiffer},
		"a password":                    {archivetest.Encrypted(good), archive.EncryptedEntry},
		"a password in the entry alone": {func() []byte { b := archivetest.Pack(good); b[6] |= 1; return b }(), archive.HeadersDiffer},
		"a checksum of its own":         {func() []byte { b := archivetest.Sizes(1024, true); b[14] = 9; return b }(), archive.HeadersDiffer},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a, err := archive.Open(context.Background(), bytes.NewReader(c.b), int64(len(c.b)), archive.Limits{})
			if err == nil && c.want != "" {
				var r io.ReadCloser
				if r, err = a.Content(context.Background(), a.Entries[0]); err == nil {
					_, err = io.Copy(io.Discard, r)
				}
				verdict := error(nil)
				if err := verify(context.Background(), bytes.NewReader(c.b), a, func(_ archive.Entry, err error) { verdict = errors.Join(verdict, err) }); err != nil {
					t.Fatal(err)
				}
				if code(verdict) != c.want {
					t.Errorf("the whole pass says %v", verdict)
				}
			}
			runtime.ReadMemStats(&after)
			if code(err) != c.want {
				t.Errorf("%v", err)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
				t.Errorf("%d MB allocated for %d bytes", used, len(c.b))
			}
		})
	}
}

// behind is a source in which bytes lie behind a hole of zeros that takes no room.
type behind struct {
	hole int64
	b    []byte
}

func (h behind) ReadAt(p []byte, off int64) (int, error) {
	if off < h.hole {
		n := min(int64(len(p)), h.hole-off)
		clear(p[:n])
		if n == int64(len(p)) {
			return len(p), nil
		}
		m, err := h.ReadAt(p[n:], h.hole)
		return int(n) + m, err
	}
	return bytes.NewReader(h.b).ReadAt(p, off-h.hole)
}

// Zip64 (APPNOTE 4.3.14, 4.5.3): offsets and the directory lie beyond 4 GiB.
func TestZip64IsReadBeyond4GiB(t *testing.T) {
	const hole = 5 << 30
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.SetOffset(hole)
	for _, name := range []string{"IM1", "IM2"} {
		e, err := w.Create(name)
		if err == nil {
			_, err = e.Write(noise(3, 9000))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	source := behind{hole, b.Bytes()}
	a, err := archive.Open(context.Background(), source, hole+int64(b.Len()), archive.Limits{})
	if err != nil || !a.Zip64 || len(a.Entries) != 2 || a.Entries[1].HeaderOffset <= hole {
		t.Fatalf("%+v, %v", a, err)
	}
	r, err := a.Content(context.Background(), a.Entries[1])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, noise(3, 9000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// withExtra packs one entry under raw name bytes with an extra field in its directory item.
func withExtra(t *testing.T, raw string, flags uint16, extra []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	e, err := w.CreateHeader(&zip.FileHeader{Name: raw, NonUTF8: true, Extra: extra})
	if err == nil {
		_, err = e.Write([]byte("x"))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for _, at := range []int{6, bytes.Index(whole, []byte("PK\x01\x02")) + 8} { // the library sets no flag for such a name
		binary.LittleEndian.PutUint16(whole[at:], binary.LittleEndian.Uint16(whole[at:])|flags)
	}
	return whole
}

// unicodePath is the Info-ZIP Unicode Path extra field (APPNOTE 4.6.9).
func unicodePath(sum uint32, name string) []byte {
	field := binary.LittleEndian.AppendUint16(nil, 0x7075)
	field = binary.LittleEndian.AppendUint16(field, uint16(5+len(name)))
	field = append(field, 1)
	return append(binary.LittleEndian.AppendUint32(field, sum), name...)
}

func TestNamesAreReadInEveryEncodingThatZIPsCarry(t *testing.T) {
	cp949, err := korean.EUCKR.NewEncoder().String("똠방각하/똠 사진.jpg") // 똠 is of CP949 alone, beyond KS X 1001
	if err != nil {
		t.Fatal(err)
	}
	sjis, err := japanese.ShiftJIS.NewEncoder().String("鈴木一郎/レントゲン.dcm")
	if err != nil {
		t.Fatal(err)
	}
	yen, err := japanese.ShiftJIS.NewEncoder().String("表示/ソ連.dcm") // the second byte of 表 and ソ is that of a backslash
	if err != nil {
		t.Fatal(err)
	}
	raw := "?????.dcm"
	sum := crc32.ChecksumIEEE([]byte(raw))
	for want, b := range map[string][]byte{
		"똠방각하/똠 사진.jpg":     withExtra(t, cp949, 0, nil),
		"鈴木一郎/レントゲン.dcm":    withExtra(t, sjis, 0, nil),
		"表示/ソ連.dcm":         withExtra(t, yen, 0, nil),
		"임대석.dcm":           withExtra(t, raw, 0, unicodePath(sum, "임대석.dcm")),
		"?????.dcm":         withExtra(t, raw, 0, unicodePath(sum+1, "임대석.dcm")), // the name was changed without the field
		"?????.dcm ":        withExtra(t, raw+" ", 0, unicodePath(crc32.ChecksumIEEE([]byte(raw+" ")), "\xff\xfe")),
		"Zähne\ufffd.stl":   withExtra(t, "Zähne\xff.stl", 0x0800, nil), // flagged as UTF-8 and is not
		"Röntgenbild 1.dcm": withExtra(t, "R\x94ntgenbild 1.dcm", 0, nil),
		"각.dcm":             withExtra(t, "\u1100\u1161\u11a8.dcm", 0x0800, nil), // decomposed, as macOS writes
	} {
		if got := open(t, b).Entries[0].Name; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatLiesInFrontOrBehindIsNoted(t *testing.T) {
	b := archivetest.Pack(archivetest.File{Name: "IM1", Body: noise(1, 5000)})
	program := append([]byte("MZ this program unpacks itself"), noise(2, 70_000)...)
	for name, c := range map[string]struct {
		b      []byte
		prefix int64
	}{
		"nothing":     {b, 0},
		"a program":   {append(bytes.Clone(program), b...), int64(len(program))},
		"some zeros":  {append(bytes.Clone(b), make([]byte, 300)...), 0},
		"another ZIP": {append(archivetest.Pack(archivetest.File{Name: "hidden", Body: []byte("x")}), b...), int64(len(archivetest.Pack(archivetest.File{Name: "hidden", Body: []byte("x")})))},
	} {
		a := open(t, c.b)
		if a.Prefix != c.prefix || len(a.Entries) != 1 || a.Entries[0].Name != "IM1" {
			t.Errorf("%s: prefix %d, entries %+v", name, a.Prefix, a.Entries)
		}
		if r, err := a.Content(context.Background(), a.Entries[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, noise(1, 5000)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A ZIP that is compressed in the ZIP is inflated at most four times, whatever is asked of it, and in bounded memory.
func TestAnArchiveInsideIsGivenUpWhenItCostsTooMuch(t *testing.T) {
	inner := archivetest.Pack(archivetest.File{Name: "first", Body: noise(1, 100), Store: true}, archivetest.File{Name: "far", Body: noise(2, 12<<20), Store: true}, archivetest.File{Name: "last", Body: noise(3, 100), Store: true})
	outer := open(t, archivetest.Pack(archivetest.File{Name: "scan.zip", Body: inner}))
	ctx := context.Background()
	a, err := outer.Inside(ctx, outer.Entries[0], archive.Limits{})
	if err != nil || a.Base != -1 || len(a.Entries) != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	var costly error
	for range 5 {
		for _, e := range []archive.Entry{a.Entries[0], a.Entries[2]} {
			if _, err := a.DataOffset(ctx, e); err != nil {
				costly = err
			}
		}
	}
	if code(costly) != archive.TooCostly || !strings.Contains(costly.Error(), "by itself") {
		t.Errorf("%v", costly)
	}
}

// Zip64 where nothing needs it (APPNOTE 4.5.3), in every form that writers give it: all entries are read, none of them is damage.
func TestZip64OfSmallThingsIsReadInEveryForm(t *testing.T) {
	for name, wide := range map[string]archivetest.Wide{
		"the end alone":                            {},
		"the end alone, and its true numbers":      {Counts: true},
		"sizes":                                    {Sizes: true},
		"sizes, in both places":                    {Sizes: true, Local: true},
		"sizes, in the entry alone":                {Local: true, Counts: true},
		"offsets":                                  {Offset: true},
		"sizes and offsets":                        {Sizes: true, Offset: true, Local: true, Counts: true},
		"offsets, the field holds all three":       {Offset: true, All: true},
		"sizes, the field holds all three":         {Sizes: true, All: true},
		"nothing asked for, and all three given":   {All: true, Counts: true},
		"a descriptor of 64 bits":                  {Descriptor: true, Local: true, Sizes: true},
		"a signed descriptor of 64 bits":           {Descriptor: true, Signed: true, Local: true},
		"a descriptor of 64 bits nobody announces": {Descriptor: true, Signed: true, Counts: true},
		"behind something else":                    {Sizes: true, Offset: true, Prefix: 77},
		"behind something else, true numbers":      {Counts: true, Prefix: 77},
		"a data sector of its own":                 {Sizes: true, Sector: 40},
		"a data sector of its own, true numbers":   {Counts: true, Sector: 40},
	} {
		t.Run(name, func(t *testing.T) {
			files := []archivetest.File{{Name: "IM1", Body: noise(1, 5000)}, {Name: "IM2", Body: noise(2, 3)}, {Name: "IM3"}}
			b := archivetest.Zip64(wide, files...)
			a := open(t, b)
			if len(a.Entries) != 3 || !a.Zip64 || a.Salvaged || a.Prefix != int64(wide.Prefix) {
				t.Fatalf("%d entries, zip64 %v, salvaged %v, prefix %d", len(a.Entries), a.Zip64, a.Salvaged, a.Prefix)
			}
			err := verify(context.Background(), bytes.NewReader(b), a, func(e archive.Entry, err error) {
				if err != nil || e.Size != int64(len(files[e.Index].Body)) || e.Name != files[e.Index].Name {
					t.Errorf("%s: %d bytes, %v", e.Name, e.Size, err)
				}
			})
			if err != nil {
				t.Error(err)
			}
			torn, err := archive.Recover(context.Background(), bytes.NewReader(b), int64(len(b)-30), archive.Limits{}) // without its end
			if err != nil || !torn.Salvaged || len(torn.Entries) != 3 {
				t.Errorf("torn: %+v, %v", torn, err)
			}
		})
	}
}
