package pixels

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"strings"
	"testing"

	"dcdentals.com/caseload/internal/pixels/pixelstest"
)

// hostile makes every kind of file that is meant to hurt whoever draws it, by name, with the verdict it must meet.
func hostile() map[string]struct {
	Job  Job
	Data []byte
	Want Code
} {
	type file = struct {
		Job  Job
		Data []byte
		Want Code
	}
	frame := func(f Frame, coding Coding, data []byte) Job {
		f.Coding, f.Size = coding, int64(len(data))
		return Job{Frame: &f}
	}
	all := map[string]file{}
	jpeg := losslessOf(noise(64*64, 16, 1), losslessOptions{rows: 64, columns: 64, components: 1, precision: 16, predictor: 1})
	resized := func(rows, columns int) []byte {
		b := bytes.Clone(jpeg)
		at := bytes.Index(b, []byte{0xFF, 0xC3}) + 5
		binary.BigEndian.PutUint16(b[at:], uint16(rows))
		binary.BigEndian.PutUint16(b[at+2:], uint16(columns))
		return b
	}
	square := grey(64, 64, 16, 16)
	all["lossless JPEG that says 65535 × 65535"] = file{frame(square, Lossless, jpeg), resized(65535, 65535), SizeMismatch}
	all["lossless JPEG of another size"] = file{frame(square, Lossless, jpeg), resized(64, 63), SizeMismatch}
	all["header of 65535 × 65535"] = file{frame(grey(65535, 65535, 16, 16), Lossless, jpeg), jpeg, TooLarge}
	all["lossless JPEG cut in the middle"] = file{frame(square, Lossless, jpeg[:len(jpeg)/3]), jpeg[:len(jpeg)/3], Truncated}
	flipped := bytes.Clone(jpeg)
	copy(flipped[bytes.Index(flipped, []byte{0xFF, 0xC4})+5:], bytes.Repeat([]byte{255}, 16))
	all["lossless JPEG with impossible codes"] = file{frame(square, Lossless, flipped), flipped, Damaged}
	all["lossless JPEG of nothing but fill bytes"] = file{frame(square, Lossless, bytes.Repeat([]byte{0xFF}, 1<<20)), append([]byte{0xFF, 0xD8}, bytes.Repeat([]byte{0xFF}, 1<<20-2)...), Truncated}

	rle := rleOf(noise(64*64, 16, 1), 64, 1, 16)
	bomb := make([]byte, 64, 64+2<<20)
	binary.LittleEndian.PutUint32(bomb, 2)
	binary.LittleEndian.PutUint32(bomb[4:], 64)
	binary.LittleEndian.PutUint32(bomb[8:], 64+1<<20)
	bomb = append(bomb, bytes.Repeat([]byte{0x81, 0}, 1<<20)...) // each two bytes are 128: 268 million in all
	big := grey(65535, 1025, 16, 16)
	all["run lengths for 268 million pixels where 65535 × 1025 are claimed"] = file{frame(big, RLE, bomb), bomb, TooLarge}
	all["run lengths that go on for ever"] = file{frame(square, RLE, bomb), bomb, ""}
	segments := bytes.Clone(rle)
	binary.LittleEndian.PutUint32(segments, 1<<31)
	all["two thousand million segments"] = file{frame(square, RLE, segments), segments, SizeMismatch}
	outside := bytes.Clone(rle)
	binary.LittleEndian.PutUint32(outside[8:], 1<<32-16)
	all["a segment outside of the image"] = file{frame(square, RLE, outside), outside, Damaged}

	packed := func(skip int64, data []byte) file {
		f := grey(64, 64, 16, 16)
		f.Size, f.Deflated = 64*64*2, &Deflated{Size: int64(len(data)), Skip: skip}
		return file{Job{Frame: &f}, data, ""}
	}
	put := func(name string, f file, want Code) { f.Want = want; all[name] = f }
	zeros := rawDeflated(strings.Repeat("\x00", 32<<20+64*64*2))
	put("deflated file of 32 MB of zeros before the image", packed(32<<20, zeros), "")
	put("deflated file that is inflated for 2^60 bytes", packed(1<<60, zeros), TooLarge)
	put("deflated file that ends before the image", packed(33<<20, zeros), Truncated)
	put("deflated file of nothing but empty blocks", packed(1<<20, bytes.Repeat([]byte{0, 0, 0, 0xFF, 0xFF}, 4<<20)), Truncated)
	put("deflated file that is none", packed(100, bytes.Repeat([]byte{0xFF}, 1<<20)), Truncated)
	put("deflated file with its image before its beginning", packed(-1, zeros), BadJob)

	stl := stlOf(cube, "")
	binary.LittleEndian.PutUint32(stl[80:], 1<<32-1)
	twice := func(format string, b []byte) (Job, []byte) {
		return Job{Mesh: &Mesh{Format: format, Size: int64(len(b))}}, append(b[:len(b):len(b)], b...)
	}
	add := func(name, format string, b []byte, want Code) {
		job, data := twice(format, b)
		all[name] = file{job, data, want}
	}
	add("STL of 2^32 triangles", "stl", stl, SizeMismatch)
	add("STL of one endless line", "stl", append([]byte("solid"), bytes.Repeat([]byte{'x'}, 4<<20)...), Damaged)
	add("STL of no number", "stl", stlOf([][3]vertex{{{nan, nan, nan}, {nan, nan, nan}, {nan, nan, nan}}}, ""), Empty)
	add("PLY of 2^40 points", "ply", []byte("ply\nformat binary_little_endian 1.0\nelement vertex 1099511627776\nproperty float x\nend_header\n"), SizeMismatch)
	add("PLY of elements without properties", "ply", []byte("ply\nformat ascii 1.0\nelement nothing 9223372036854775807\nend_header\n"), SizeMismatch)
	add("PLY face of 2^31 corners", "ply", []byte("ply\nformat binary_little_endian 1.0\nelement face 1\nproperty list int int vertex_indices\nend_header\n\xff\xff\xff\x7f"), Damaged)
	add("PLY face of points that are not there", "ply", []byte("ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n0\n3 0 0 7\n"), Damaged)
	add("PLY header without an end", "ply", append([]byte("ply\n"), bytes.Repeat([]byte("comment\n"), 2000)...), Damaged)
	add("OBJ face of points that are not there", "obj", []byte("v 0 0 0\nf 1 2 -7\n"), Damaged)
	large := strings.Repeat("f 1 2 3\n", 10_000)
	add("OBJ that covers everything ten thousand times", "obj", []byte("v -9 -9 0\nv 9 -9 0\nv 0 9 0\n"+large), TooLarge)

	photo := func(b []byte) Job { return Job{Photo: &Photo{Size: int64(len(b))}} }
	for name, c := range map[string]struct {
		w, h uint32
		kind byte
	}{"64k × 64k": {65536, 65536, 0}, "8000 × 8000 of 16 bits and four channels": {8000, 8000, 6}} {
		b := pngHeader(c.w, c.h, c.kind)
		all["PNG of "+name] = file{photo(b), b, TooLarge}
	}
	beyond := pngHeader(1<<31-1, 1<<31-1, 6)
	all["PNG of 2^31 × 2^31"] = file{photo(beyond), beyond, Unsupported}
	forged := turnedJPEG(6, binary.LittleEndian)
	at := bytes.Index(forged, []byte{0xFF, 0xC0}) + 5
	binary.BigEndian.PutUint32(forged[at:], 0xFFFFFFFF)
	all["JPEG photo that says 65535 × 65535"] = file{photo(forged), forged, TooLarge}
	cut := turnedJPEG(6, binary.LittleEndian)[:200]
	all["JPEG photo cut in the middle"] = file{photo(cut), cut, Damaged}
	svg := []byte("<svg onload=alert(1)>")
	all["SVG for a photo"] = file{photo(svg), svg, Unsupported}

	nested := bytes.Repeat([]byte("<<"), 1<<20)
	nested = append(nested, "/Type/Pages/Count 9"...)
	all["PDF of a million open dictionaries"] = file{Job{PDF: &PDF{Size: int64(len(nested))}}, nested, Unsupported}
	bombs := "%PDF-1.5\n" + strings.Repeat("/Type/ObjStm>>stream\n"+deflated(strings.Repeat("a", 8<<20))+"\n", 20)
	all["PDF of object streams that inflate to 160 MB"] = file{Job{PDF: &PDF{Size: int64(len(bombs))}}, []byte(bombs), Unsupported}
	trees := bytes.Repeat([]byte("/Type /Pages "), 50_000)
	all["PDF of fifty thousand trees without a dictionary"] = file{Job{PDF: &PDF{Size: int64(len(trees))}}, trees, Unsupported}
	for _, h := range pixelstest.Hostiles() {
		job := photo(h.Body)
		switch h.Format {
		case "pdf":
			job = Job{PDF: &PDF{Size: int64(len(h.Body))}}
		case "stl", "ply", "obj":
			add(h.Name, h.Format, h.Body, Code(h.Verdict))
			continue
		}
		all[h.Name] = file{job, h.Body, Code(h.Verdict)}
	}
	return all
}

var nan = func() float32 { var zero float32; return zero / zero }()

// pngHeader is a PNG that ends after its header (PNG 11.2.2).
func pngHeader(w, h uint32, kind byte) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	header = append(binary.BigEndian.AppendUint32(header, h), 16, kind, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1A\n\x00\x00\x00\x0D"), header...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
	return append(b, make([]byte, 1000)...)
}

// Every hostile file meets its verdict, and no time and memory worth speaking of: allocations are counted, since the
// largest live amount is below their sum.
func TestHostileFilesMeetTheirVerdict(t *testing.T) {
	for name, c := range hostile() {
		t.Run(name, func(t *testing.T) {
			if got := codeOf(t, c.Job, bytes.NewReader(c.Data)); got != c.Want {
				t.Errorf("verdict %q, want %q", got, c.Want)
			}
			if allocated := allocatedBy(func() { codeOf(t, c.Job, bytes.NewReader(c.Data)) }); allocated > 64<<20*raced {
				t.Errorf("%d MB were allocated", allocated>>20)
			}
		})
	}
}

func allocatedBy(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// BenchmarkHostile gives the time and memory of each.
func BenchmarkHostile(b *testing.B) {
	for name, c := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Run(c.Job, bytes.NewReader(c.Data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
