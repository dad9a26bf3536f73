package archive_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dcdentals.com/caseload/internal/archive"
)

type named struct {
	name string
	body []byte
}

// pack writes a ZIP by the standard library.
func pack(t testing.TB, method uint16, files ...named) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		e, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		if err == nil {
			_, err = e.Write(f.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// packCopies writes n entries with the same body, compressed once.
func packCopies(t testing.TB, method uint16, body []byte, n int) []byte {
	t.Helper()
	compressed := bytes.NewBuffer(bytes.Clone(body))
	if method == zip.Deflate {
		compressed.Reset()
		w, _ := flate.NewWriter(compressed, flate.DefaultCompression)
		w.Write(body)
		w.Close()
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range n {
		e, err := w.CreateRaw(&zip.FileHeader{
			Name: fmt.Sprintf("IM%04d", i), Method: method, CRC32: crc32.ChecksumIEEE(body),
			CompressedSize64: uint64(compressed.Len()), UncompressedSize64: uint64(len(body)),
		})
		if err == nil {
			_, err = e.Write(compressed.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// noise gives bytes that hardly compress, always the same.
func noise(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32() % 97)
	}
	return b
}

func open(t testing.TB, b []byte) *archive.Archive {
	t.Helper()
	a, err := archive.Open(context.Background(), bytes.NewReader(b), int64(len(b)), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verify checks an archive that holds no other.
func verify(ctx context.Context, whole io.Reader, a *archive.Archive, each func(archive.Entry, error)) error {
	return archive.Verify(ctx, whole, archive.Check{Archive: a, Each: each})
}

func code(err error) archive.Code {
	var r *archive.Refused
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func TestEveryEntryReadsBackAndVerifies(t *testing.T) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		var files []named
		for i := range 30 {
			files = append(files, named{fmt.Sprintf("S%d/IM%04d", i%3, i), noise(uint64(i), i*7000)})
		}
		b := pack(t, method, append(files, named{"empty/", nil}, named{"__MACOSX/._x", []byte("junk")}, named{"S0/Thumbs.db", nil}, named{"a/.DS_Store", nil}, named{"desktop.ini", nil})...)
		a := open(t, b)
		if len(a.Entries) != 31 || a.Ignored != 4 || len(a.IgnoredNames) != 4 || !a.Entries[30].Dir || a.Encrypted || a.Nested {
			t.Fatalf("%d entries, %d ignored %v", len(a.Entries), a.Ignored, a.IgnoredNames)
		}
		for i, f := range files {
			if a.Entries[i].Name != f.name || a.Entries[i].Size != int64(len(f.body)) || a.Entries[i].Index != i {
				t.Errorf("entry %d: %+v", i, a.Entries[i])
			}
			r, err := a.Content(context.Background(), a.Entries[i])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, f.body) {
				t.Errorf("entry %d: %d bytes, %v", i, len(got), err)
			}
		}
		hash, verified := sha256.New(), 0
		err := verify(context.Background(), io.TeeReader(bytes.NewReader(b), hash), a, func(e archive.Entry, err error) {
			if verified++; err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		})
		if want := sha256.Sum256(b); err != nil || verified != 30 || !bytes.Equal(hash.Sum(nil), want[:]) {
			t.Errorf("verified %d, %v", verified, err)
		}
	}
}

func TestHeadsReadLessThanATenthOf500Slices(t *testing.T) {
	body := noise(1, 512<<10)
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		b := packCopies(t, method, body, 500)
		a := open(t, b)
		seen := map[int]bool{}
		var busy sync.Mutex
		err := a.Heads(context.Background(), archive.HeadOptions{}, func(h *archive.Head) error {
			busy.Lock()
			if seen[h.Entry.Index] {
				t.Errorf("%s came twice", h.Entry.Name)
			}
			seen[h.Entry.Index] = true
			busy.Unlock()
			got := make([]byte, 4096)
			if n, err := h.ReadAt(got, 0); err != nil || n != 4096 || !bytes.Equal(got, body[:4096]) {
				t.Errorf("%s: %d, %v, %v", h.Entry.Name, n, err, h.Err)
			}
			return h.Err
		})
		share := float64(a.BytesRead()) / float64(len(b)) * 100
		t.Logf("method %d: %.1f %% of %d MB in %d reads", method, share, len(b)>>20, a.Reads())
		if err != nil || len(seen) != 500 || share >= 10 {
			t.Errorf("%d heads, %.1f %% read, %v", len(seen), share, err)
		}
	}
}

func TestAHeadGrowsWhenMoreIsAsked(t *testing.T) {
	body := noise(9, 900<<10)
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		a := open(t, pack(t, method, named{"one", body}, named{"two", []byte("small")}))
		err := a.Heads(context.Background(), archive.HeadOptions{Compressed: 1 << 10}, func(h *archive.Head) error {
			if h.Entry.Name != "one" {
				return nil
			}
			if h.Ready() == 0 || h.Ready() > 10<<10 {
				t.Errorf("%d bytes were ready", h.Ready())
			}
			for _, at := range []int64{0, 5000, 300 << 10, int64(len(body)) - 10, 40} {
				got := make([]byte, 1000)
				n, err := h.ReadAt(got, at)
				want := body[at:min(int64(len(body)), at+1000)]
				if !bytes.Equal(got[:n], want) || n < 1000 && !errors.Is(err, io.EOF) || n == 1000 && err != nil {
					t.Errorf("at %d: %d, %v", at, n, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestNeighboursAreReadTogether(t *testing.T) {
	var files []named
	for i := range 1000 {
		files = append(files, named{fmt.Sprintf("IM%04d", i), noise(uint64(i), 2000)})
	}
	a := open(t, pack(t, zip.Deflate, files...))
	before := a.Reads()
	var n atomic.Int64
	if err := a.Heads(context.Background(), archive.HeadOptions{}, func(h *archive.Head) error { n.Add(1); return h.Err }); err != nil || n.Load() != 1000 {
		t.Error(n.Load(), err)
	}
	if reads := a.Reads() - before; reads > 5 {
		t.Errorf("%d reads", reads)
	}
}

func TestHeadsStopsWithTheFirstErrorAndLeavesNobodyBehind(t *testing.T) {
	var files []named
	for i := range 200 {
		files = append(files, named{fmt.Sprint(i), noise(uint64(i), 40<<10)})
	}
	a := open(t, pack(t, zip.Deflate, files...))
	stop := errors.New("enough")
	n := 0
	if err := a.Heads(context.Background(), archive.HeadOptions{Workers: 1}, func(*archive.Head) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Error(n, err)
	}
	var many atomic.Int64 // of three workers none begins another entry once one has failed
	if err := a.Heads(context.Background(), archive.HeadOptions{Workers: 3}, func(*archive.Head) error { many.Add(1); return stop }); !errors.Is(err, stop) || many.Load() > 3 {
		t.Error(many.Load(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Heads(ctx, archive.HeadOptions{}, func(*archive.Head) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDamageIsFoundAndSaid(t *testing.T) {
	body := noise(3, 100<<10)
	cases := []struct {
		name   string
		method uint16
		tamper func(b []byte)
		want   archive.Code
	}{
		{"a flipped byte, stored", zip.Store, func(b []byte) { b[5000] ^= 1 }, archive.ChecksumWrong},
		{"a wrong checksum", zip.Deflate, func(b []byte) { directory(b)[16] ^= 1 }, archive.ChecksumWrong},
		{"longer than declared", zip.Deflate, func(b []byte) { binary.LittleEndian.PutUint32(directory(b)[24:], 50<<10) }, archive.SizeWrong},
		{"shorter than declared", zip.Deflate, func(b []byte) { binary.LittleEndian.PutUint32(directory(b)[24:], 150<<10) }, archive.Truncated},
		{"no local header", zip.Deflate, func(b []byte) { b[0] = 'X' }, archive.EntryDamaged},
		{"garbage for data", zip.Deflate, func(b []byte) { copy(b[34:], bytes.Repeat([]byte{0xFF}, 64)) }, archive.EntryDamaged},
		{"another method in the local header", zip.Deflate, func(b []byte) { b[8] = 0 }, archive.EntryDamaged},
		{"a local extra field that reaches into the next entry", zip.Deflate, func(b []byte) { b[28], b[29] = 0xFF, 0xFF }, archive.Overlap},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := pack(t, c.method, named{"IM01", body}, named{"IM02", body})
			c.tamper(b)
			a := open(t, b)
			var first, second error
			if err := verify(context.Background(), bytes.NewReader(b), a, func(e archive.Entry, err error) {
				if e.Index == 0 {
					first = err
				} else {
					second = err
				}
			}); err != nil {
				t.Fatal(err)
			}
			if code(first) != c.want || second != nil {
				t.Errorf("first %v, second %v", first, second)
			}
			r, err := a.Content(context.Background(), a.Entries[0])
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if code(err) != c.want {
				t.Errorf("content: %v", err)
			}
		})
	}
}

// directory returns b from its first central directory item on.
func directory(b []byte) []byte { return b[bytes.Index(b, []byte("PK\x01\x02")):] }

func TestWhatIsNoZipIsSaidSo(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("PK"), noise(1, 100_000), pack(t, zip.Store, named{"a", noise(1, 9000)})[:5000]} {
		if _, err := archive.Open(context.Background(), bytes.NewReader(b), int64(len(b)), archive.Limits{}); !errors.Is(err, archive.ErrNotZip) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

func TestPrefixesAndCommentsDoNotMatter(t *testing.T) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	e, _ := w.Create("IM01")
	e.Write([]byte("hello"))
	w.SetComment(strings.Repeat("PK\x05\x06 comment ", 400))
	w.Close()
	for _, b := range [][]byte{out.Bytes(), append(noise(1, 777), out.Bytes()...)} {
		a := open(t, b)
		r, err := a.Content(context.Background(), a.Entries[0])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != "hello" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
}

func TestNamesOfOtherCountriesAreDecoded(t *testing.T) {
	cases := map[string]string{
		"\xc8\xab\xb1\xe6\xb5\xbf_CT/IM0001":             "홍길동_CT/IM0001",
		"\x8eR\x93c\x91\xbe\x98Y/CT\x89\xe6\x91\x9c.dcm": "山田太郎/CT画像.dcm",
		"M\x81ller_J\x81rgen/R\x94ntgen.dcm":             "Müller_Jürgen/Röntgen.dcm",
		"홍길동/IM1":                                        "홍길동/IM1",
		"a\\b\\IM1":                                      "a/b/IM1",
		"evil\u202egnp.exe\x00\n":                        "evilgnp.exe",
		"\xba\xb8\xbb\xe7\xc1\xf8.jpg":                   "보사진.jpg",
		"M\xfcller.stl":                                  "Müller.stl",
		"R\x94ntgen.dcm":                                 "Röntgen.dcm",
		"\x83J\x83\x8b\x83e.pdf":                         "カルテ.pdf",
	}
	for raw, want := range cases {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		e, _ := w.CreateHeader(&zip.FileHeader{Name: raw, NonUTF8: true})
		e.Write([]byte("x"))
		w.Close()
		if got := open(t, out.Bytes()).Entries[0].Name; got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
}

func TestEncryptedNestedAndForeignEntriesAreMarked(t *testing.T) {
	b := pack(t, zip.Deflate, named{"IM01", noise(1, 100)}, named{"inner.zip", noise(2, 100)})
	directory(b)[8] |= 1
	a := open(t, b)
	if !a.Encrypted || !a.Entries[0].Encrypted || a.Entries[1].Encrypted || !a.Nested || !a.Entries[1].Nested {
		t.Errorf("%+v", a.Entries)
	}
	if _, err := a.Content(context.Background(), a.Entries[0]); code(err) != archive.EncryptedEntry {
		t.Error(err)
	}
	b = pack(t, zip.Deflate, named{"IM01", noise(1, 100)})
	directory(b)[10] = 14
	if _, err := open(t, b).Content(context.Background(), open(t, b).Entries[0]); code(err) != archive.UnsupportedMethod || !strings.Contains(err.Error(), "LZMA") {
		t.Error(err)
	}
}
