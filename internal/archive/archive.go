package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// ErrNotZip says that the bytes end without the directory of a ZIP.
var ErrNotZip = errors.New("archive: not a ZIP file")

// Refused says why an archive, or one entry of it, is not read. Reason is one plain sentence for people.
type Refused struct {
	Code   Code
	Reason string
}

func (r *Refused) Error() string { return "archive: " + string(r.Code) + ": " + r.Reason }

// Code names a reason to refuse.
type Code string

// The reasons to refuse.
const (
	TooManyEntries    Code = "too-many-entries"
	DirectoryTooLarge Code = "directory-too-large"
	DirectoryDamaged  Code = "directory-damaged"
	TooLarge          Code = "too-large"
	RatioTooHigh      Code = "ratio-too-high"
	Overlap           Code = "overlapping-entries"
	MultiDisk         Code = "multi-disk"
	EncryptedEntry    Code = "encrypted"
	UnsupportedMethod Code = "unsupported-method"
	EntryDamaged      Code = "entry-damaged"
	ChecksumWrong     Code = "checksum-wrong"
	SizeWrong         Code = "size-wrong"
	Truncated         Code = "truncated"
	HeadersDiffer     Code = "headers-differ"
	HeadTooLarge      Code = "head-too-large"
	TooCostly         Code = "too-costly"
)

func refuse(code Code, format string, args ...any) *Refused {
	return &Refused{code, fmt.Sprintf(format, args...)}
}

// Limits bounds what an archive may claim. The zero value of a field means its default.
type Limits struct {
	Entries   int   // default 20,000
	Directory int64 // bytes of the central directory; default 32 MiB
	Total     int64 // declared bytes of all entries together; default 64 GiB
	Ratio     int64 // declared bytes to bytes of the archive, once 256 MiB are declared; default 200
}

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 20_000
	}
	if l.Directory <= 0 {
		l.Directory = 32 << 20
	}
	if l.Total <= 0 {
		l.Total = 64 << 30
	}
	if l.Ratio <= 0 {
		l.Ratio = 200
	}
	return l
}

// ratioFloor is the declared total below which the ratio does not matter: it fits anywhere.
const ratioFloor = 256 << 20

// bestRatio is what the longest match over and over can give, rounded up: Deflate 258 bytes for 2 bits, Deflate64 65,538
// bytes for 18 bits.
var bestRatio = map[uint16]int64{Deflate: 1_100, Deflate64: 30_000}

// Compression methods (APPNOTE 4.4.5) this package reads.
const (
	Store     uint16 = 0
	Deflate   uint16 = 8
	Deflate64 uint16 = 9
)

// Archive is an opened ZIP: its directory, checked against the limits.
type Archive struct {
	Entries      []Entry  // in the directory's order, junk left out; folders are kept (Dir)
	Ignored      int      // junk entries that operating systems add
	IgnoredNames []string // the first of them, at most 100
	Encrypted    bool     // at least one entry is encrypted
	Nested       bool     // at least one entry is by its name an archive itself; see Inside
	Prefix       int64    // bytes before the archive proper: a self-extracting program, or another file in front
	Zip64        bool
	Declared     int64 // bytes all entries claim to inflate to
	Size         int64 // bytes of the archive
	Salvaged     bool  // the entries were found one by one, without the list of contents; see Recover
	Cut          bool  // of a salvaged archive: it ends in the middle of its entries, or right behind one
	CutAfter     int   // of a cut one: how many entries, whole and damaged ones, come before the cut
	Lost         []Lost
	Base         int64 // where the archive begins in the outermost source; −1: it lies compressed in another one

	r         io.ReaderAt
	order     []int // indexes of Entries by HeaderOffset
	bytesRead atomic.Int64
	reads     atomic.Int64
}

// Entry is one file or folder of the archive, as the directory describes it.
type Entry struct {
	Name         string // display text: decoded, "/" between folders, control characters removed; never a path
	Index        int    // in Archive.Entries
	Method       uint16
	CRC32        uint32 // IEEE, of the inflated bytes
	Compressed   int64  // bytes in the archive
	Size         int64  // bytes inflated, as claimed
	HeaderOffset int64  // of the local header, from the start of the archive
	Modified     time.Time

	Encrypted bool
	Dir       bool
	Symlink   bool // a symbolic link; its target is never followed
	Nested    bool // by its name an archive itself

	limit int64  // first byte that belongs to something else
	raw   string // the name as written
	flags uint16 // general purpose bits (APPNOTE 4.4.4)
}

// BytesRead is the number of bytes asked of the source so far.
func (a *Archive) BytesRead() int64 { return a.bytesRead.Load() }

// Reads is the number of ranged reads so far.
func (a *Archive) Reads() int64 { return a.reads.Load() }

// Base is the last element of the entry's name.
func (e Entry) Base() string {
	name := strings.TrimSuffix(e.Name, "/")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// Supported reports whether the entry's bytes can be read; the error says in plain words why not.
func (e Entry) Supported() error {
	switch {
	case e.Encrypted:
		return refuse(EncryptedEntry, "The entry is protected by a password. Unpack it and send the files, or a ZIP without password.")
	case e.Method != Store && e.Method != Deflate && e.Method != Deflate64:
		return refuse(UnsupportedMethod, "The entry is compressed with %s, which is not read. Pack it again as an ordinary ZIP.", methodName(e.Method))
	}
	return nil
}

func methodName(method uint16) string {
	names := map[uint16]string{1: "Shrink", 6: "Implode", 12: "BZIP2", 14: "LZMA", 20: "Zstandard", 93: "Zstandard", 95: "XZ", 97: "WavPack", 98: "PPMd", 99: "AES"}
	if name, ok := names[method]; ok {
		return name
	}
	return fmt.Sprintf("method %d", method)
}

// Open reads the directory of the ZIP in r[0:size) and checks it against the limits. It returns ErrNotZip, a *Refused
// with the reason, the context's error, or a read error of r. Nothing of any entry is read.
func Open(ctx context.Context, r io.ReaderAt, size int64, lim Limits) (*Archive, error) {
	lim = lim.withDefaults()
	a := &Archive{r: r, Size: size}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := a.findDirectory(size, lim)
	if err != nil {
		return nil, err
	}
	a.Zip64, a.Prefix = dir.zip64, dir.base
	entries, err := a.readDirectory(ctx, dir, lim)
	if err != nil {
		return nil, err
	}
	if err := a.guard(entries, dir.offset, lim); err != nil {
		return nil, err
	}
	a.sortOut(entries)
	return a, nil
}

// guard refuses what the directory alone shows to be a bomb or damaged. It counts junk entries too.
func (a *Archive) guard(entries []Entry, directory int64, lim Limits) error {
	for _, e := range entries {
		if e.Size > lim.Total-a.Declared {
			return refuse(TooLarge, "The archive unpacks to more than %s, the limit.", readable(lim.Total))
		}
		a.Declared += e.Size
		if most := bestRatio[e.Method]; most > 0 && e.Compressed < e.Size/most {
			return refuse(RatioTooHigh, "An entry claims to unpack to %s out of %s, which no compression can do.", readable(e.Size), readable(e.Compressed))
		}
	}
	if a.Declared > ratioFloor && a.Declared/lim.Ratio > a.Size {
		return refuse(RatioTooHigh, "The archive of %s unpacks to %s, more than %d times its size.", readable(a.Size), readable(a.Declared), lim.Ratio)
	}
	return guardOverlap(entries, directory)
}

// guardOverlap refuses entries that share bytes with each other or with the directory, and tells each entry where the
// next one begins.
func guardOverlap(entries []Entry, directory int64) error {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(entries[a].HeaderOffset, entries[b].HeaderOffset) })
	for n, i := range order {
		e := &entries[i]
		e.limit = directory
		if n+1 < len(order) {
			e.limit = entries[order[n+1]].HeaderOffset
		}
		if e.Compressed > e.limit-e.HeaderOffset-localHeaderSize-int64(len(e.raw)) {
			return refuse(Overlap, "Entries of the archive overlap. Such a file is damaged or made to do harm.")
		}
	}
	return nil
}

// sortOut separates junk from entries and numbers the rest.
func (a *Archive) sortOut(entries []Entry) {
	for _, e := range entries {
		if junk(e.Name) {
			a.Ignored++
			if len(a.IgnoredNames) < 100 {
				a.IgnoredNames = append(a.IgnoredNames, e.Name)
			}
			continue
		}
		e.Index = len(a.Entries)
		a.Encrypted = a.Encrypted || e.Encrypted
		a.Nested = a.Nested || e.Nested
		a.Entries = append(a.Entries, e)
	}
	a.order = make([]int, len(a.Entries))
	for i := range a.order {
		a.order[i] = i
	}
	slices.SortFunc(a.order, func(x, y int) int { return compare(a.Entries[x].HeaderOffset, a.Entries[y].HeaderOffset) })
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// readable prints a number of bytes for people.
func readable(n int64) string {
	units := []string{"bytes", "KB", "MB", "GB", "TB", "PB", "EB"}
	f, unit := float64(n), 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}

// readAt reads exactly len(p) bytes and counts them. A source that ends too early makes the archive damaged.
func (a *Archive) readAt(p []byte, offset int64) error {
	n, err := a.r.ReadAt(p, offset)
	a.bytesRead.Add(int64(n))
	a.reads.Add(1)
	if n == len(p) {
		return nil
	}
	if err == io.EOF || err == nil {
		return refuse(DirectoryDamaged, "The archive ends in the middle. It was probably not copied completely.")
	}
	return err
}
