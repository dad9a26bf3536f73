package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
)

// Bounds of the walk, in bytes.
const (
	searchEach   = 4         // times each byte may be read or searched for ends and beginnings, and beyond that
	searchMore   = 256 << 20 // altogether: an entry without an end costs one search to the end of the file
	longestName  = 4096      // of an entry that is found by its own header
	readWalking  = 64 << 10  // read at once from header to header
	readSearched = 1 << 20   // read at once on a search
)

// Signatures (APPNOTE 4.3). What follows an entry begins with one of signsAfter.
var (
	signLocal      = []byte("PK\x03\x04")
	signItem       = []byte("PK\x01\x02")
	signDescriptor = []byte("PK\x07\x08")
	signsAfter     = [][]byte{signLocal, signItem, []byte("PK\x06\x08"), []byte("PK\x05\x06"), []byte("PK\x06\x06")}
)

// walk goes through an archive from local header to local header.
type walk struct {
	ctx    context.Context
	a      *Archive
	lim    Limits
	end    int64 // of what can be read
	budget int64 // bytes that may still be read and searched

	found     []walked
	kept      int64 // bytes of headers, names and extra fields
	directory bool  // the beginning of a list of contents was met

	headers, searched stretch // what was read last
}

// walked is an entry that was met; why says what is wrong with it, nil when it is whole.
type walked struct {
	Entry
	extra []byte
	why   *Refused
}

// through fills found. It returns a *Refused beyond a limit, the context's error, or one of the source.
func (w *walk) through() error {
	at, err := w.next(0)
	for at >= 0 && err == nil {
		var f walked
		var start int64
		if f, start, _, err = w.header(at); err != nil {
			return err
		}
		if w.kept += start - at; w.kept > w.lim.Directory {
			return refuse(DirectoryTooLarge, "The list of contents takes %s; %s are the limit.", readable(w.kept), readable(w.lim.Directory))
		}
		if at, err = w.endOf(&f, start); err != nil {
			return err
		}
		if most := bestRatio[f.Method]; f.why == nil && most > 0 && f.Compressed < f.Size/most {
			f.why = refuse(RatioTooHigh, "An entry claims to unpack to %s out of %s, which no compression can do.", readable(f.Size), readable(f.Compressed))
		}
		if w.found = append(w.found, f); len(w.found) > w.lim.Entries {
			return refuse(TooManyEntries, "The archive holds more than %d entries, the limit.", w.lim.Entries)
		}
		at, err = w.next(at)
	}
	return err
}

// next returns where the next header stands, at at or behind it; −1 when there is none.
func (w *walk) next(at int64) (int64, error) {
	found := int64(-1)
	whole, err := w.search(at, 0, func(b []byte, i int, at int64) (bool, error) {
		if bytes.HasPrefix(b[i:], signItem) {
			w.directory = true
		}
		if !bytes.HasPrefix(b[i:], signLocal) {
			return false, nil
		}
		_, _, ok, err := w.header(at)
		if ok {
			found = at
		}
		return ok, err
	})
	if last := len(w.found) - 1; !whole && err == nil && last >= 0 && w.found[last].why != nil {
		w.found[last].why = tooCostly
	}
	return found, err
}

var tooCostly = refuse(TooCostly, "The rest of the ZIP is damaged so badly that going through it takes too long.")

// header reads the local header at at and returns where the entry's data begin; ok is false where none stands that can
// be meant.
func (w *walk) header(at int64) (f walked, start int64, ok bool, err error) {
	b, err := w.window(&w.headers, at, localHeaderSize, readWalking)
	if err != nil || len(b) < localHeaderSize || !bytes.HasPrefix(b, signLocal) {
		return f, 0, false, err
	}
	nameLen, extraLen := int(little.Uint16(b[26:])), int(little.Uint16(b[28:]))
	if version, method := b[4], little.Uint16(b[8:]); nameLen == 0 || nameLen > longestName || version > 63 || method > 99 {
		return f, 0, false, nil
	}
	head := localHeaderSize + nameLen + extraLen
	if b, err = w.window(&w.headers, at, head, max(readWalking, 4*head)); err != nil || len(b) < head {
		return f, 0, false, err
	}
	flags, name := little.Uint16(b[6:]), b[localHeaderSize:localHeaderSize+nameLen]
	if bytes.IndexByte(name, 0) >= 0 {
		return f, 0, false, nil
	}
	f.Entry = Entry{
		Method: little.Uint16(b[8:]), CRC32: little.Uint32(b[14:]),
		Compressed: int64(little.Uint32(b[18:])), Size: int64(little.Uint32(b[22:])),
		Modified: dosTime(little.Uint16(b[12:]), little.Uint16(b[10:])),
		raw:      string(name), flags: flags,
	}
	f.Encrypted = flags&encryptedFlags != 0 || f.Method == 99
	f.extra = bytes.Clone(b[localHeaderSize+nameLen : head])
	ok = f.applyZip64(f.extra)
	f.HeaderOffset = at
	return f, at + int64(head), ok, nil
}

// endOf returns where to look for what follows the entry whose data begin at start, and completes what the header left
// to a data descriptor. An entry without an end gets its reason, and the search goes on inside it.
func (w *walk) endOf(f *walked, start int64) (int64, error) {
	described := f.flags&descriptorFlag != 0
	if described && f.Compressed == 0 {
		return w.endByDescriptor(f, start)
	}
	end := start + f.Compressed
	if end > w.end {
		f.why = refuse(Truncated, "The ZIP ends in the middle of this entry.")
		return start, nil
	}
	if described {
		b, err := w.window(&w.headers, end, longestDescriptor, readWalking)
		if err != nil {
			return 0, err
		}
		if d, ok := signedDescriptor(b, f.Compressed); ok && f.complete(d) {
			end += d.length
		}
	}
	return end, nil
}

// endByDescriptor searches the data descriptor of an entry whose data begin at start.
func (w *walk) endByDescriptor(f *walked, start int64) (int64, error) {
	end, inside := int64(-1), int64(-1)
	whole, err := w.search(start, longestDescriptor, func(b []byte, i int, at int64) (bool, error) {
		d, ok := describes(b, i, at-start)
		if ok && f.complete(d) {
			end = start + d.compressed + d.length
			return true, nil
		}
		if inside < 0 && bytes.HasPrefix(b[i:], signLocal) {
			inside = at
		}
		return false, nil
	})
	if whole && err == nil && end < 0 {
		end, err = w.endByLastBytes(f, start)
	}
	switch {
	case err != nil:
		return 0, err
	case end >= 0:
		return end, nil
	case !whole:
		f.why = tooCostly
	case inside >= 0:
		f.why = refuse(EntryDamaged, "The entry is damaged: where it ends cannot be found.")
		return inside, nil
	default:
		f.why = refuse(Truncated, "The ZIP ends in the middle of this entry.")
	}
	return w.end, nil
}

// endByLastBytes sees whether the archive breaks off right behind the entry whose data begin at start, or within the signature
// of what follows it: then its last bytes are a descriptor without signature, which states just this length. It returns −1
// when they are not.
func (w *walk) endByLastBytes(f *walked, start int64) (int64, error) {
	for cut := range len(signLocal) {
		for _, n := range []int{20, 12} {
			at := w.end - int64(cut+n)
			if at < start {
				continue
			}
			b, err := w.window(&w.headers, at, cut+n, cut+n)
			if err != nil || len(b) < cut+n {
				return -1, err
			}
			begins := func(sign []byte) bool { return bytes.HasPrefix(sign, b[n:cut+n]) }
			if !slices.ContainsFunc(signsAfter, begins) {
				continue
			}
			if d, ok := bareDescriptor(b[:n], at-start); ok && f.complete(d) {
				return at + d.length, nil
			}
		}
	}
	return -1, nil
}

// search calls fn with every "PK" from from on: b[i:] begins with it, at is its place in the archive. From behind bytes in
// front of it (none of them before from) to longestDescriptor bytes after it are in b, as far as the archive goes. It ends
// when fn returns true; whole is false when the budget did.
func (w *walk) search(from, behind int64, fn func(b []byte, i int, at int64) (bool, error)) (whole bool, err error) {
	for at := from; at < w.end; {
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		begin := max(from, at-behind)
		b, err := w.window(&w.searched, begin, int(at-begin)+2*longestDescriptor, readSearched)
		if err != nil {
			return false, err
		}
		last := begin+int64(len(b)) >= w.end
		stop := len(b) // of what can be judged
		if !last {
			stop -= longestDescriptor
		}
		i := int(at - begin)
		for i < stop {
			k := bytes.Index(b[i:min(len(b), stop+1)], []byte("PK"))
			if k < 0 {
				k = stop - i
			}
			i += k
			if w.budget -= int64(k); w.budget < 0 {
				return false, nil
			}
			if i == stop {
				break
			}
			if done, err := fn(b, i, begin+int64(i)); done || err != nil {
				return true, err
			}
			i++
		}
		at = begin + int64(stop)
	}
	return true, nil
}

// window returns the bytes from at on: at least n, or as many as there are. They are good until the next call for the same
// stretch that has to read. The end of what can be read, be it damage of the archive around this one, becomes the
// archive's end.
func (w *walk) window(into *stretch, at int64, n, ahead int) ([]byte, error) {
	for _, s := range []*stretch{&w.headers, &w.searched} {
		if b, ok := s.from(at, n, w.end); ok {
			return b, nil
		}
	}
	want := max(0, min(int64(max(n, ahead)), w.end-at))
	into.b = slices.Grow(into.b[:0], int(want))[:want]
	into.at = at
	k, err := w.a.r.ReadAt(into.b, at)
	w.a.bytesRead.Add(int64(k))
	w.a.reads.Add(1)
	w.budget -= int64(k)
	var refused *Refused
	switch {
	case k == len(into.b):
	case err == nil, errors.Is(err, io.EOF), errors.As(err, &refused):
		w.end = at + int64(k)
	default:
		return nil, err
	}
	into.b = into.b[:k]
	return into.b, nil
}

// stretch is a piece of the archive in memory.
type stretch struct {
	b  []byte
	at int64 // where it begins
}

// from returns the bytes from at on when n of them are there, or all up to the end.
func (s *stretch) from(at int64, n int, end int64) ([]byte, bool) {
	have := s.at + int64(len(s.b))
	if at < s.at || at > have || at+int64(n) > have && have < end {
		return nil, false
	}
	return s.b[at-s.at:], true
}
