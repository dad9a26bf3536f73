package ingest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/archive/archivetest"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/dicom/dicomtest"
	"dcdentals.com/caseload/internal/ingest"
)

// fieldFault is a file that the field sends though no standard allows it, or that only few programs can read, and what a
// technician is to get of it.
type fieldFault struct {
	name    string
	file    []byte
	kind    caseload.FileKind
	images  int       // found and described, with their patient
	said    string    // of the file; "": nothing
	noted   string    // of the first image; "": nothing
	spacing []float64 // mm, of the first image; nil: not compared
}

// oldTar is a tar archive of one file as UNIX V7 wrote it: without "ustar".
func oldTar(name string, body []byte) []byte {
	head := make([]byte, 512)
	copy(head, name)
	copy(head[124:], fmt.Sprintf("%011o ", len(body)))
	copy(head[148:], "        ")
	sum := 0
	for _, c := range head {
		sum += int(c)
	}
	copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
	return append(append(head, body...), make([]byte, 1024)...)
}

// restated is a slice that states its pixel spacing so (0.25\0.3 otherwise).
func restated(vr, spacing string) []byte { return rewritten(0x00280030, `0.25\0.3`, vr, spacing) }

// placed is a slice that states its position so (0\0\0.5 otherwise).
func placed(position string) []byte { return rewritten(0x00200032, `0\0\0.5`, "DS", position) }

// rewritten is a slice with another text in an element.
func rewritten(tag uint32, was, vr, text string) []byte {
	old, changed := dicomtest.NewEncoder(dicomtest.ExplicitLE), dicomtest.NewEncoder(dicomtest.ExplicitLE)
	old.Text(tag, "DS", was)
	changed.Text(tag, vr, text)
	before, after, found := bytes.Cut(dicomtest.CT(dicomtest.CTOptions{}), old.Bytes())
	if !found {
		panic("the slice does not state " + was)
	}
	return slices.Concat(before, changed.Bytes(), after)
}

// retyped is a slice whose element of the tag has another value representation.
func retyped(tag uint32, vr, as string) []byte {
	e := dicomtest.NewEncoder(dicomtest.ExplicitLE)
	e.Tag(tag)
	return bytes.Replace(dicomtest.CT(dicomtest.CTOptions{}), append(e.Bytes(), vr...), append(bytes.Clone(e.Bytes()), as...), 1)
}

// bigMeta is a slice whose meta information alone is in big endian.
func bigMeta() []byte {
	slice := dicomtest.CT(dicomtest.CTOptions{})
	e := dicomtest.NewEncoder(dicomtest.ExplicitBE)
	e.Raw(0x00020000, "UL", []byte{0, 0, 0, 28})
	e.Text(0x00020010, "UI", dicomtest.ExplicitLE)
	return slices.Concat(slice[:132], e.Bytes(), slice[len(dicomtest.Meta(dicomtest.ExplicitLE, dicomtest.CTClass, "2.25.30.1")):])
}

// nestedPrivate writes a manufacturer's sequence of undefined length under no name at all, two levels deep, with the other
// encoding inside where explicit says so (PS3.5 6.2.2 wants implicit).
func nestedPrivate(vr string, explicit bool) func(*dicomtest.Encoder) {
	return func(e *dicomtest.Encoder) {
		e.Text(0x00290010, "LO", "MAKER OF SCANNERS")
		was := e.Implicit
		e.Head(0x00291010, vr, dicomtest.Undefined)
		e.Implicit = was || !explicit
		e.Item(dicomtest.Undefined)
		e.Head(0x00291020, "SQ", dicomtest.Undefined)
		e.Item(dicomtest.Undefined)
		e.Raw(0x00291030, "OB", []byte{1, 2, 3, 4})
		for _, delimiter := range []uint32{0xFFFEE00D, 0xFFFEE0DD, 0xFFFEE00D, 0xFFFEE0DD} {
			e.Delimit(delimiter)
		}
		e.Implicit = was
	}
}

func zipped(names ...string) []byte {
	files := make([]archivetest.File, len(names))
	for i, name := range names {
		files[i] = archivetest.File{Name: name, Body: dicomtest.CT(dicomtest.CTOptions{Number: i + 1})}
	}
	return archivetest.Pack(files...)
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close() // into memory
	return out.Bytes()
}

func fieldFaults() []fieldFault {
	slice := dicomtest.CT(dicomtest.CTOptions{})
	with := func(write func(*dicomtest.Encoder)) []byte {
		return dicomtest.CT(dicomtest.CTOptions{BeforePixels: write})
	}
	dicom := func(name string, file []byte, noted string) fieldFault {
		f := fieldFault{name: name, file: file, kind: caseload.KindDICOM, images: 1, noted: noted}
		if noted == "cannot be used" { // the file says that of its image too
			f.said = noted
		}
		return f
	}
	spaced := func(name string, file []byte, noted string, mm ...float64) fieldFault {
		f := dicom(name, file, noted)
		f.spacing = append([]float64{}, mm...)
		return f
	}
	long := bytes.Clone(slice)
	binary.LittleEndian.PutUint32(long[140:], 100_000)
	tar := slices.Concat([]byte("IM1"), make([]byte, 254), []byte("ustar\x0000"), make([]byte, 248), slice)
	http := "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
	part := "--b\r\nContent-Type: application/dicom\r\n\r\n"
	return []fieldFault{
		// Something stands in front: the image is read where it lies.
		dicom("a byte order mark", append([]byte("\xEF\xBB\xBF"), slice...), "behind 3 bytes"),
		dicom("a preamble of 256 bytes", append(make([]byte, 128), slice...), "behind 128 bytes"),
		dicom("a block of zeros", append(make([]byte, 512), slice...), "behind 512 bytes"),
		dicom("the lines of HTTP", append([]byte(http), slice...), "bytes of something else"),
		dicom("one part of MIME", slices.Concat([]byte(part), slice, []byte("\r\n--b--\r\n")), "behind 40 bytes"),
		{name: "the lines of HTTP, and a ZIP", file: append([]byte(http), zipped("IM1", "IM2")...), kind: caseload.KindZIP, images: 2, said: "begins behind 59 bytes"},
		{name: "a byte order mark, and a ZIP", file: append([]byte("\xEF\xBB\xBF"), zipped("IM1")...), kind: caseload.KindZIP, images: 1, said: "begins behind 3 bytes"},
		{name: "a ZIP that was to be split", file: append([]byte("PK00"), zipped("IM1")...), kind: caseload.KindZIP, images: 1, said: "begins behind 4 bytes"},
		{name: "a program that unpacks itself", file: slices.Concat([]byte("MZ"), make([]byte, 5000), zipped("IM1")), kind: caseload.KindZIP, images: 1, said: "begins behind 5002 bytes"},
		{name: "DICM in a text", file: []byte("The four letters DICM\x02 stand at 128, says PS3.10, and what follows is group 2."), kind: caseload.KindOther},

		// Something stands behind: it is no part of the image.
		dicom("another object", append(bytes.Clone(slice), slice...), ""),
		dicom("500 bytes of FF", append(bytes.Clone(slice), bytes.Repeat([]byte{0xFF}, 500)...), ""),
		dicom("the maker's name", append(bytes.Clone(slice), "Copyright, all rights reserved\r\n"...), ""),
		dicom("a whole object as pixels", append(bytes.Clone(slice[:len(slice)-512]), slice[:512]...), ""),

		// Packed otherwise: kept, with the advice to unpack.
		{name: "gzip", file: gzipped(slice), kind: caseload.KindOther, said: "gzip"},
		{name: "gzip of tar", file: gzipped(tar), kind: caseload.KindOther, said: "gzip"},
		{name: "tar", file: tar, kind: caseload.KindOther, said: "tar"},
		{name: "a page instead of a scan", file: []byte("<!DOCTYPE html><html>Your session has expired.</html>"), kind: caseload.KindOther},

		// The encoding is not what it should be.
		dicom("meta information in big endian", bigMeta(), "written in explicit big endian"),
		dicom("a group length of 100,000", long, "its group length says 100000"),
		dicom("private sequences of undefined length", with(nestedPrivate("SQ", true)), ""),
		dicom("the same, implicit", dicomtest.CT(dicomtest.CTOptions{Syntax: dicomtest.ImplicitLE, BeforePixels: nestedPrivate("SQ", true)}), ""),
		dicom("a sequence as UN, implicit inside", with(nestedPrivate("UN", false)), ""),
		dicom("a sequence as UN, explicit inside", with(nestedPrivate("UN", true)), "encoding changes"),
		dicom("a representation in small letters", retyped(0x00100020, "LO", "lo"), "value representation"),
		dicom("a representation of spaces", retyped(0x00100020, "LO", "  "), "value representation"),
		dicom("a representation of zeros", retyped(0x00100020, "LO", "\x00\x00"), "value representation"),
		dicom("rows as signed numbers", retyped(0x00280010, "US", "SS"), ""),
		dicom("an icon in front of the image", with(func(e *dicomtest.Encoder) {
			e.Sequence(0x00880200, true, func(e *dicomtest.Encoder) {
				e.US(0x00280010, 64)
				e.US(0x00280011, 64)
				e.Raw(0x7FE00010, "OW", make([]byte, 64))
			})
		}), ""),
		dicom("fragments without an end", dicomtest.CT(dicomtest.CTOptions{
			Syntax: dicomtest.JPEG, Fragments: [][]byte{{0xFF, 0xD8, 1, 2}},
			Tamper: func(b []byte) []byte { return b[:len(b)-8] },
		}), ""),

		// Numbers as they are written in the field.
		spaced("spacing with commas", restated("DS", `0,25\0,3`), "", 0.25, 0.3),
		spaced("spacing with a backslash at its end", restated("DS", `0.25\0.3\`), "", 0.25, 0.3),
		spaced("spacing of 33 digits", restated("DS", `0.250000000000000004440892098500626\0.3`), "", 0.25, 0.3),
		spaced("spacing with NULs and tabs", restated("DS", " 0.25\x00\\\t0.3\n"), "", 0.25, 0.3),
		spaced("spacing below nothing", restated("DS", `-0.25\-0.3`), "", 0.25, 0.3),
		spaced("spacing of nothing", restated("DS", `0\0`), "cannot be used"),
		spaced("spacing in one direction", restated("DS", `0.3`), "cannot be used"),
		spaced("spacing that is no number", restated("DS", `NaN\NaN`), "cannot be used"),
		spaced("spacing without an end", restated("DS", `1e999\Infinity`), "cannot be used"),
		spaced("spacing of ten thousand light years", restated("DS", `1e23\1e23`), "cannot be used"),
		spaced("spacing under the name of text", restated("LO", `0.25\0.3`), "", 0.25, 0.3),
		dicom("a position with commas", placed(`-45,5\-45,5\0,5`), ""),
		dicom("a position that is no number", placed(`nan\nan\nan`), "cannot be used"),
		dicom("a position of two numbers", placed(`1\2`), "cannot be used"),
		{name: "a tar archive of before POSIX", file: oldTar("IM1", slice), kind: caseload.KindOther, said: "This is a tar archive"},

		// Names in ZIPs: none is a path, none is lost.
		{name: "names that differ in case", file: zipped("im1.dcm", "IM1.DCM", "Im1.dcm"), kind: caseload.KindZIP, images: 3},
		{name: "names that are paths", file: zipped("/etc/passwd", `C:\Windows\x`, "../../x"), kind: caseload.KindZIP, images: 3},
		{name: "names that deceive", file: zipped("IM1\x00.exe", "a\u202emcd.exe", "\xFF\xFEI\x00M\x00"), kind: caseload.KindZIP, images: 3},
		{name: "gzip in a ZIP", file: archivetest.Pack(archivetest.File{Name: "IM1.dcm.gz", Body: gzipped(slice)}, archivetest.File{Name: "IM2", Body: slice}), kind: caseload.KindZIP, images: 1, said: "gzip"},
	}
}

func TestWhatTheFieldSendsIsReadAndNamed(t *testing.T) {
	for _, f := range fieldFaults() {
		t.Run(f.name, func(t *testing.T) {
			found, err := ingest.Look(t.Context(), bytes.NewReader(f.file), int64(len(f.file)))
			if err != nil || found.Kind != f.kind || len(found.Found) != f.images {
				t.Fatalf("%s with %d images, %v", found.Kind, len(found.Found), err)
			}
			said := found.Warnings
			for _, u := range found.Contents.Unread {
				said = append(said, u.Reason)
			}
			if text := strings.Join(said, "\n"); !strings.Contains(text, f.said) || f.said == "" && text != "" {
				t.Errorf("said: %q, want %q", text, f.said)
			}
			for i, one := range found.Found {
				if one.Study.PatientID != "PH-0001" || one.Study.PatientName != "Phantom, Jaw" || one.Instance.Rows != 16 || one.Instance.PixelOffset < 0 && one.Instance.Entry.Index < 0 {
					t.Errorf("lost: %+v", one)
				}
				if name := one.Instance.Entry.Name; strings.ContainsAny(name, "\x00\u202e\\") {
					t.Errorf("the name is %q", name)
				}
				if noted := strings.Join(one.Instance.Warnings, "\n"); i == 0 && (!strings.Contains(noted, f.noted) || f.noted == "" && noted != "") {
					t.Errorf("noted: %q, want %q", noted, f.noted)
				}
				if i == 0 && f.spacing != nil && !slices.Equal(one.Instance.PixelSpacing, f.spacing) {
					t.Errorf("spacing %v, want %v", one.Instance.PixelSpacing, f.spacing)
				}
			}
		})
	}
}
