package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/archive/archivetest"
)

func recovered(t testing.TB, b []byte) *archive.Archive {
	t.Helper()
	a, err := archive.Recover(context.Background(), bytes.NewReader(b), int64(len(b)), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// slicesOf are n entries; the third one holds what looks like the beginning of another entry.
func slicesOf(n int, store bool) []archivetest.File {
	var files []archivetest.File
	for i := range n {
		body := noise(uint64(i), 3000+700*i)
		if i == 2 {
			inner, _ := archivetest.Written(archivetest.Described, archivetest.File{Name: "inner", Body: noise(9, 500), Store: true})
			body = append(body, inner...)
		}
		files = append(files, archivetest.File{Name: fmt.Sprintf("S/IM%04d", i), Body: body, Store: store})
	}
	return files
}

// holds compares the first n entries of a with files, byte by byte, and with what the whole pass says.
func holds(t *testing.T, a *archive.Archive, b []byte, files []archivetest.File) {
	t.Helper()
	if len(a.Entries) != len(files) || !a.Salvaged {
		t.Fatalf("%d entries of %d, salvaged %v, lost %+v", len(a.Entries), len(files), a.Salvaged, a.Lost)
	}
	for i, f := range files {
		r, err := a.Content(context.Background(), a.Entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, f.Body) || a.Entries[i].Name != f.Name {
			t.Errorf("%s: %d bytes of %d, %v", a.Entries[i].Name, len(got), len(f.Body), err)
		}
	}
	verified := 0
	if err := verify(context.Background(), bytes.NewReader(b), a, func(e archive.Entry, err error) {
		if verified++; err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}); err != nil || verified != len(files) {
		t.Errorf("%d verified, %v", verified, err)
	}
}

func TestAZIPCutOffAnywhereGivesWhatIsWhole(t *testing.T) {
	for name, layout := range archivetest.Layouts {
		for _, store := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", stored ", store), func(t *testing.T) {
				files := slicesOf(6, store)
				b, at := archivetest.Written(layout, files...)
				for whole := 1; whole <= 6; whole++ {
					for _, more := range []int{0, 1, 3, 20, 40, 1500} { // nothing, within the signature, within the header, within the data
						cut := b[:at[whole]+more]
						if whole == 6 {
							cut = b[:at[6]+min(more, 100)]
						}
						a := recovered(t, cut)
						holds(t, a, cut, files[:whole])
						lost := whole < 6 && more >= 40
						if got := len(a.Lost) == 1; got != lost || lost && (a.Lost[0].Name != files[whole].Name || a.Lost[0].Why.Code != archive.Truncated || a.Lost[0].HeaderOffset != int64(at[whole])) {
							t.Errorf("%d whole and %d bytes: lost %+v", whole, more, a.Lost)
						}
						if listed := whole == 6 && more >= 20; a.Cut == listed || a.Cut && a.CutAfter != whole {
							t.Errorf("%d whole and %d bytes: cut %v after %d", whole, more, a.Cut, a.CutAfter)
						}
					}
				}
			})
		}
	}
}

func TestADamagedListOfContentsIsDoneWithout(t *testing.T) {
	files := slicesOf(5, false)
	b, at := archivetest.Written(archivetest.Sized, files...)
	for name, damage := range map[string]func(b []byte){
		"zeros":                func(b []byte) { clear(b[at[5] : at[5]+80]) },
		"an entry too few":     func(b []byte) { binary.LittleEndian.PutUint16(b[len(b)-12:], 4) },
		"a size":               func(b []byte) { binary.LittleEndian.PutUint32(b[len(b)-10:], 0x7FFFFFFF) },
		"a place outside":      func(b []byte) { binary.LittleEndian.PutUint32(b[at[5]+42:], 0x7FFFFFFF) },
		"a length of a name":   func(b []byte) { binary.LittleEndian.PutUint16(b[at[5]+28:], 0xFFFF) },
		"the end record alone": func(b []byte) { clear(b[len(b)-22:]) },
	} {
		broken := bytes.Clone(b)
		damage(broken)
		if _, err := archive.Open(context.Background(), bytes.NewReader(broken), int64(len(broken)), archive.Limits{}); err == nil {
			t.Errorf("%s: Open has nothing against it", name)
		}
		a := recovered(t, broken)
		holds(t, a, broken, files)
		if len(a.Lost) > 0 || name != "zeros" && a.Cut {
			t.Errorf("%s: lost %+v, cut %v", name, a.Lost, a.Cut)
		}
	}
	if a := recovered(t, b); a.Salvaged || a.Cut {
		t.Error("a whole archive was salvaged")
	}
}

func TestBehindADamagedStretchTheWalkGoesOn(t *testing.T) {
	files := slicesOf(6, false)
	for name, layout := range archivetest.Layouts {
		b, at := archivetest.Written(layout, files...)
		b = b[:at[6]+10]
		clear(b[at[3]-40 : at[4]-50]) // the end of the third entry and its descriptor, the fourth but its own end
		a := recovered(t, b)
		var good []string
		if err := verify(context.Background(), bytes.NewReader(b), a, func(e archive.Entry, err error) {
			if err == nil {
				good = append(good, e.Name)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if want := "S/IM0000 S/IM0001 S/IM0004 S/IM0005"; strings.Join(good, " ") != want {
			t.Errorf("%s: %v, lost %+v", name, good, a.Lost)
		}
	}
}

func TestAWalkThroughWhatIsMadeToCostEndsInBounds(t *testing.T) {
	whole := map[string][]byte{
		"overlapping": archivetest.Overlapping(200, 1<<20), "quoted": archivetest.Quoted(250, 100_000),
		"overlapping, 16 GB": archivetest.Overlapping(16_000, 1<<20), "a number of sizes": archivetest.Sizes(0xFFFFFFF0, true),
	}
	for name, b := range archivetest.Torn(2 << 20) {
		whole[name] = b
	}
	good, at := archivetest.Written(archivetest.Sized, archivetest.File{Name: "good", Body: noise(1, 700)})
	want := map[string]archive.Code{ // of the archive, or of what broke off last
		"named empty entries": archive.TooManyEntries, "headers that reach beyond the file": archive.TooManyEntries,
		"headers without an end": archive.TooCostly, "headers without an end, far apart": archive.TooCostly,
		"4 GB out of 100 bytes, again and again": archive.RatioTooHigh, "a thousandfold": archive.RatioTooHigh, "a number of sizes": archive.RatioTooHigh,
		"PKPKPK": archive.Truncated,
	}
	for name, b := range whole {
		if i := bytes.LastIndex(b, []byte("PK\x05\x06")); i > 0 {
			b = b[:i]
		}
		b = append(bytes.Clone(good[:at[1]]), b...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := archive.Recover(context.Background(), bytes.NewReader(b), int64(len(b)), archive.Limits{})
		runtime.ReadMemStats(&after)
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
			t.Errorf("%s: %d MB allocated for %d bytes", name, used, len(b))
		}
		got := code(err)
		if a != nil && len(a.Lost) > 0 {
			got = a.Lost[len(a.Lost)-1].Why.Code
		}
		if want, ok := want[name]; ok && got != want || name[0] == '4' && err != nil {
			t.Errorf("%s: %v, %q", name, err, got)
		}
		if err != nil {
			continue
		}
		if a.Declared > 1<<30 || a.Entries[0].Name != "good" || a.BytesRead() > 4*int64(len(b))+256<<20 || name == "headers with the longest names" && a.BytesRead() > 4*int64(len(b)) {
			t.Errorf("%s: %d bytes declared, %d read of %d", name, a.Declared, a.BytesRead(), len(b))
		}
		last := int64(0)
		for _, e := range a.Entries {
			if e.HeaderOffset < last {
				t.Errorf("%s: entries share bytes", name)
			}
			last = e.HeaderOffset + 30 + e.Compressed
		}
	}
}

// What the search looks for may lie across two of its reads, and what looks like the end of an entry may be none.
func TestTheSearchMissesNothingAndBelievesLittle(t *testing.T) {
	fake := []byte("PK\x07\x08sums\x90\x01\x00\x00\x91\x01\x00\x00") // states 400 stored bytes out of 401
	body := append(append(noise(1, 400), fake...), noise(2, 50)...)
	b, at := archivetest.Written(archivetest.Described, archivetest.File{Name: "a", Body: body, Store: true}, archivetest.File{Name: "b", Body: noise(3, 90), Store: true})
	holds(t, recovered(t, b[:at[2]]), b[:at[2]], []archivetest.File{{Name: "a", Body: body}, {Name: "b", Body: noise(3, 90)}})
	for n := 64<<10 - 140; n < 64<<10+4; n++ {
		body := make([]byte, n)
		b, at := archivetest.Written(archivetest.Described, archivetest.File{Name: "a", Body: body, Store: true})
		if a := recovered(t, b[:at[1]]); len(a.Entries) != 1 || a.Entries[0].Size != int64(n) {
			t.Errorf("an entry of %d bytes is not found", n)
		}
	}
}

func TestTheGuardsHoldWithoutAListOfContents(t *testing.T) {
	many, at := archivetest.Written(archivetest.Described, slicesOf(12, false)...)
	for name, c := range map[string]struct {
		b    []byte
		lim  archive.Limits
		want archive.Code
	}{
		"entries":             {many[:at[12]], archive.Limits{Entries: 11}, archive.TooManyEntries},
		"headers":             {many[:at[12]], archive.Limits{Directory: 400}, archive.DirectoryTooLarge},
		"all that is claimed": {many[:at[12]], archive.Limits{Total: 20_000}, archive.TooLarge},
		"the ratio":           {archivetest.Torn(400 << 10)["a thousandfold"], archive.Limits{}, archive.RatioTooHigh},
	} {
		if _, err := archive.Recover(context.Background(), bytes.NewReader(c.b), int64(len(c.b)), c.lim); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"a bomb": archivetest.Overlapping(200, 1<<20), "100,000 entries": archivetest.Many(100_000)} {
		if a, err := archive.Recover(context.Background(), bytes.NewReader(b), int64(len(b)), archive.Limits{}); err == nil {
			t.Errorf("%s is not refused any more: %d entries", name, len(a.Entries))
		}
	}
}

func TestASourceThatFailsIsNoDamage(t *testing.T) {
	b, at := archivetest.Written(archivetest.Described, slicesOf(3, false)...)
	broken := errors.New("the line is down")
	for n := int64(0); n < 4; n++ {
		source := &failing{b: b[:at[3]], left: n, err: broken}
		if a, err := archive.Recover(context.Background(), source, int64(at[3]), archive.Limits{}); !errors.Is(err, broken) && source.left == 0 && source.failed {
			t.Errorf("after %d reads: %+v, %v", n, a, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := archive.Recover(ctx, bytes.NewReader(b), int64(at[3]), archive.Limits{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// failing gives left reads and then the error.
type failing struct {
	b      []byte
	left   int64
	err    error
	failed bool
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.left == 0 {
		f.failed = true
		return 0, f.err
	}
	f.left--
	return bytes.NewReader(f.b).ReadAt(p, off)
}

func TestADamagedArchiveInsideIsRecoveredToo(t *testing.T) {
	files := slicesOf(5, false)
	inner, at := archivetest.Written(archivetest.Described, files...)
	for _, store := range []bool{true, false} {
		outer := open(t, archivetest.Pack(archivetest.File{Name: "scan.zip", Body: inner[:at[4]+100], Store: store}))
		a, err := outer.Inside(context.Background(), outer.Entries[0], archive.Limits{})
		if err != nil || len(a.Entries) != 4 || !a.Cut || len(a.Lost) != 1 {
			t.Fatalf("stored %v: %+v, %v", store, a, err)
		}
		read := 0
		if err := a.Heads(context.Background(), archive.HeadOptions{Workers: 1}, func(h *archive.Head) error {
			if read++; h.Err != nil {
				t.Error(h.Err)
			}
			return nil
		}); err != nil || read != 4 {
			t.Errorf("stored %v: %d heads, %v", store, read, err)
		}
	}
}

func TestTheMarkOfSeveralPartsIsStepped(t *testing.T) {
	files := slicesOf(3, false)
	b, at := archivetest.Written(archivetest.Described, files...)
	for _, mark := range []string{"PK\x07\x08", "PK00"} {
		holds(t, recovered(t, append([]byte(mark), b[:at[3]]...)), append([]byte(mark), b[:at[3]]...), files)
	}
}

func FuzzSalvage(f *testing.F) {
	for _, layout := range archivetest.Layouts {
		b, at := archivetest.Written(layout, archivetest.File{Name: "a", Body: noise(1, 900)}, archivetest.File{Name: "b.zip", Body: pack(f, zip.Store, named{"c", noise(2, 80)}), Store: true})
		f.Add(b[:at[2]])
		f.Add(b[:at[2]-5])
		f.Add(b)
	}
	for _, b := range archivetest.Torn(4000) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		ctx := context.Background()
		a, err := archive.Recover(ctx, bytes.NewReader(b), int64(len(b)), archive.Limits{Entries: 1000, Total: 16 << 20})
		if err != nil {
			if !errors.Is(err, archive.ErrNotZip) && code(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if a.BytesRead() > 4*int64(len(b))+300<<20 {
			t.Errorf("%d bytes read of %d", a.BytesRead(), len(b))
		}
		verified := map[int]error{}
		if err := verify(ctx, bytes.NewReader(b), a, func(e archive.Entry, err error) { verified[e.Index] = err }); err != nil {
			t.Fatal(err)
		}
		for _, e := range a.Entries {
			if e.HeaderOffset < 0 || e.Compressed < 0 || e.Size < 0 || e.HeaderOffset+30+e.Compressed > int64(len(b)) {
				t.Fatalf("%+v in %d bytes", e, len(b))
			}
			if e.Dir {
				continue
			}
			r, err := a.Content(ctx, e)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if verdict, ok := verified[e.Index]; !ok || (err == nil) != (verdict == nil) {
				t.Errorf("%+v: content %v, verify %v", e, err, verdict)
			}
		}
	})
}
