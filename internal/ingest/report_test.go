package ingest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive/archivetest"
	"dcdentals.com/caseload/internal/caseload"
)

// Of every entry that is not read the report says why and where, and the rest of the ZIP is read.
func TestTheReportSaysWhyAndWhere(t *testing.T) {
	cut := slice(9).bytes()
	entries := []packed{
		{name: "CT/IM1", body: slice(1).bytes(), store: true},
		{name: "CT/IM2", body: slice(2).bytes(), store: true},
		{name: "CT/IM9", body: cut[:len(cut)-500], store: true},
		{name: "old.rar", body: []byte("Rar!\x1A\x07\x01\x00...."), store: true},
		{name: "disc.iso", body: append(make([]byte, 32<<10), "\x01CD001\x01\x00"...)},
		{name: "Thumbs.db", body: []byte("x")},
		{name: "a/._IM1", body: []byte("x")},
	}
	b := zipOf(t, entries...)
	at := bytes.Index(b, []byte("CT/IM2")) // the name in the entry's own header
	b[at+5] = '7'
	r := newBench(t, b).read(t)
	c := r.found.Contents
	if c.Images != 2 || c.NotRead != 3 || c.InPart != 1 || c.Ignored != 2 || fmt.Sprint(c.Junk) != "[Thumbs.db ._IM1]" || c.Others != 0 || c.Entries != 5 {
		t.Errorf("%+v", c)
	}
	want := []caseload.Unread{
		{Entry: "CT/IM2", Code: "headers-differ", Offset: int64(at - 30)},
		{Entry: "CT/IM9", Code: "pixel-size", Tag: "(7FE0,0010)", Part: true, Offset: int64(bytes.Index(b, []byte("CT/IM9")) - 30)},
		{Entry: "old.rar", Code: "other-archive", Offset: int64(bytes.Index(b, []byte("old.rar")) - 30)},
		{Entry: "disc.iso", Code: "other-archive", Offset: int64(bytes.Index(b, []byte("disc.iso")) - 30)},
	}
	if len(c.Unread) != len(want) {
		t.Fatalf("%+v", c.Unread)
	}
	for i, got := range c.Unread {
		if got.Reason == "" {
			t.Errorf("%s: no reason", got.Entry)
		}
		got.Reason = ""
		if got != want[i] && !(i == 1 && got.Part && got.Offset == want[i].Offset && got.Tag == want[i].Tag) {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
}

// However many entries are wrong, what is kept of them is bounded, and their number is true.
func TestTheReportIsBounded(t *testing.T) {
	var entries []packed
	for i := range caseload.MaxUnread + 50 {
		entries = append(entries, packed{name: fmt.Sprintf("IM%04d", i), body: []byte("short"), store: true})
	}
	b := zipOf(t, entries...)
	for rest := b; ; {
		at := bytes.Index(rest, []byte("PK\x01\x02"))
		if at < 0 {
			break
		}
		binary.LittleEndian.PutUint32(rest[at+16:], 7) // another checksum
		rest = rest[at+4:]
	}
	r := newBench(t, b).read(t)
	var all caseload.Report
	all.Join(r.found.Contents.Report)
	all.Join(r.receipt.Report)
	if all.NotRead != len(entries) || len(r.receipt.Report.Unread) > caseload.MaxUnread || len(all.Unread) != caseload.MaxUnread || all.Reasons["checksum-wrong"] != len(entries) {
		t.Errorf("%d not read, %d kept, %v", all.NotRead, len(all.Unread), all.Reasons)
	}
}

// A ZIP in the ZIP is read: in place where it is stored, by inflating it where it is compressed again. A ZIP in that one
// is not.
func TestOneLevelOfZIPInZIPIsRead(t *testing.T) {
	var slices []packed
	for n := 1; n <= 40; n++ {
		slices = append(slices, packed{name: fmt.Sprintf("IM%04d", n), body: slice(n).bytes(), store: n%2 == 0})
	}
	deepest := zipOf(t, packed{name: "never", body: slice(90).bytes()})
	inner := zipOf(t, append(slices, packed{name: "deep.zip", body: deepest, store: true}, packed{name: ".DS_Store", body: []byte("x")})...)
	for _, stored := range []bool{true, false} {
		whole := zipOf(t, packed{name: "face.jpg", body: []byte("\xFF\xD8\xFF\xE0")}, packed{name: "임대석/scan.zip", body: inner, store: stored}, packed{name: "IM0041", body: slice(41).bytes()})
		r := newBench(t, whole).read(t)
		c := r.found.Contents
		if c.Images != 41 || c.Photos != 1 || c.NotRead != 1 || c.Ignored != 1 || c.Entries != 44 || len(r.receipt.Report.Unread) > 0 {
			t.Fatalf("stored %v: %+v, then %+v", stored, c, r.receipt.Report)
		}
		if u := c.Unread[0]; u.Entry != "임대석/scan.zip/deep.zip" || u.Code != "nested" {
			t.Errorf("%+v", u)
		}
		if s := studies(r)[0].Series[0]; s.Images != 41 || !s.Complete {
			t.Errorf("%d images, complete %v: %s", s.Images, s.Complete, s.Note)
		}
		for _, f := range r.found.Found[:40] {
			ref := f.Instance.Entry
			within := whole
			if w := ref.Within; w.Size > 0 {
				within = inflate(t, whole[w.DataOffset:w.DataOffset+w.Compressed], w.Method)
			} else if !stored {
				t.Fatal("an entry of a compressed ZIP says nothing of it")
			}
			got := inflate(t, within[ref.DataOffset:ref.DataOffset+ref.Compressed], ref.Method)
			if !bytes.Equal(got, slice(f.Instance.Number).bytes()) || !strings.HasPrefix(ref.Name, "임대석/scan.zip/IM") {
				t.Fatalf("%s does not lead to its bytes", ref.Name)
			}
		}
	}
}

// What is damaged inside a ZIP inside is found in the whole pass, under its full name.
func TestDamageInsideAZIPInsideIsFound(t *testing.T) {
	inner := zipOf(t, packed{name: "IM1", body: slice(1).bytes(), store: true}, packed{name: "IM2", body: slice(2).bytes(), store: true})
	inner[len(inner)/4] ^= 1
	for _, stored := range []bool{true, false} {
		r := newBench(t, zipOf(t, packed{name: "scan.zip", body: inner, store: stored})).read(t)
		if got := r.receipt.Report; got.NotRead != 1 || got.Unread[0].Entry != "scan.zip/IM1" || got.Unread[0].Code != "checksum-wrong" {
			t.Errorf("stored %v: %+v", stored, got)
		}
	}
}

// A ZIP that was cut off in copying is read as far as it goes: the report says where it ends and what broke off.
func TestACutOffZIPIsReadAsFarAsItGoes(t *testing.T) {
	var files []archivetest.File
	for n := 1; n <= 12; n++ {
		files = append(files, archivetest.File{Name: fmt.Sprintf("CT/IM%04d", n), Body: slice(n).bytes()})
	}
	for name, layout := range archivetest.Layouts {
		b, at := archivetest.Written(layout, files...)
		r := newBench(t, b[:at[8]+300]).read(t)
		c := r.found.Contents
		if r.State != caseload.Ready || c.Images != 8 || c.Entries != 9 || c.NotRead != 1 || c.Reasons["truncated"] != 1 || r.receipt.Report.NotRead > 0 {
			t.Errorf("%s: %s, %+v, then %+v", name, r.State, c, r.receipt.Report)
		}
		if want := "The ZIP is cut off after entry 8; 8 of its files could be read."; !strings.HasPrefix(r.found.Warnings[0], want) {
			t.Errorf("%s: %q", name, r.found.Warnings)
		}
		if u := c.Unread[0]; u.Entry != "CT/IM0009" || u.Offset != int64(at[8]) {
			t.Errorf("%s: %+v", name, u)
		}
		clear(b[at[12]+10:][:40]) // in the first item of the list of contents
		r = newBench(t, b).read(t)
		if want := "The ZIP's list of contents is damaged; its entries were looked for one by one, and 12 of its files"; r.found.Contents.Images != 12 || !strings.HasPrefix(r.found.Warnings[0], want) {
			t.Errorf("%s: %d images, %q", name, r.found.Contents.Images, r.found.Warnings)
		}
	}
}

func TestACutOffZIPInsideIsReadAsFarAsItGoes(t *testing.T) {
	inner, at := archivetest.Written(archivetest.Described, archivetest.File{Name: "IM1", Body: slice(1).bytes()}, archivetest.File{Name: "IM2", Body: slice(2).bytes()}, archivetest.File{Name: "IM3", Body: slice(3).bytes()})
	for _, store := range []bool{true, false} {
		whole := archivetest.Pack(archivetest.File{Name: "scan.zip", Body: inner[:at[2]+200], Store: store}, archivetest.File{Name: "IM4", Body: slice(4).bytes()})
		c := newBench(t, whole).read(t).found.Contents
		if c.Images != 3 || c.NotRead != 1 || c.InPart != 1 || c.Unread[0].Entry != "scan.zip/IM3" || c.Unread[1].Code != "zip-cut-off" || c.Unread[1].Entry != "scan.zip" {
			t.Errorf("stored %v: %+v", store, c)
		}
	}
}
