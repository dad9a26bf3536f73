package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"
)

// Sizes of the fixed parts (APPNOTE 4.3).
const (
	localHeaderSize   = 30
	directoryItemSize = 46
	endSize           = 22
	end64Size         = 56
	locator64Size     = 20
	longestComment    = 1<<16 - 1
)

// General purpose bits (APPNOTE 4.4.4).
const (
	encryptedFlags = 0x2041 // traditional, strong, masked headers
	descriptorFlag = 0x0008 // sizes and checksum stand behind the data
	utf8Name       = 0x0800
)

var little = binary.LittleEndian

// directory says where the central directory lies.
type directory struct {
	offset, size int64
	base         int64 // bytes before the archive proper, as in self-extracting ones; added to every offset
	entries      uint64
	zip64        bool
}

// findDirectory reads the end of the archive and locates the central directory (APPNOTE 4.3.14 to 4.3.16). It returns
// ErrNotZip when there is no end record.
func (a *Archive) findDirectory(size int64, lim Limits) (directory, error) {
	var d directory
	end, at, err := a.findEnd(size)
	if err != nil {
		return d, err
	}
	disk, startDisk := little.Uint16(end[4:]), little.Uint16(end[6:])
	d.entries = uint64(little.Uint16(end[10:]))
	d.size, d.offset = int64(little.Uint32(end[12:])), int64(little.Uint32(end[16:]))
	stop := at
	// Some write both records and the true numbers into both: then the Zip64 one shows by the room it takes.
	if d.entries == 0xFFFF || d.size == 0xFFFFFFFF || d.offset == 0xFFFFFFFF || d.offset+d.size < at {
		if stop, err = a.findEnd64(&d, at); err != nil {
			return d, err
		}
	}
	if !d.zip64 && (disk != 0 || startDisk != 0) {
		return d, refuse(MultiDisk, "The archive is one part of several. Pack it again as one file.")
	}
	if d.entries > uint64(lim.Entries) {
		return d, refuse(TooManyEntries, "The archive holds %d entries; %d are the limit.", d.entries, lim.Entries)
	}
	if d.size < 0 || d.offset < 0 || d.size > stop || d.offset > stop-d.size {
		return d, refuse(DirectoryDamaged, "The archive's list of contents is damaged or cut off.")
	}
	if d.size > lim.Directory {
		return d, refuse(DirectoryTooLarge, "The list of contents takes %s; %s are the limit.", readable(d.size), readable(lim.Directory))
	}
	d.base = stop - d.size - d.offset
	d.offset = stop - d.size
	return d, nil
}

// findEnd searches the end record from the end backwards, behind which at most a comment stands.
func (a *Archive) findEnd(size int64) (end []byte, at int64, err error) {
	if size < endSize {
		return nil, 0, ErrNotZip
	}
	for _, n := range []int64{min(size, 1<<10), min(size, endSize+longestComment)} {
		tail := make([]byte, n)
		if err := a.readAt(tail, size-n); err != nil {
			return nil, 0, err
		}
		for i := len(tail) - endSize; i >= 0; i-- {
			if !bytes.HasPrefix(tail[i:], []byte("PK\x05\x06")) {
				continue
			}
			if comment := int(little.Uint16(tail[i+20:])); i+endSize+comment <= len(tail) {
				return tail[i : i+endSize], size - n + int64(i), nil
			}
		}
	}
	return nil, 0, ErrNotZip
}

// findEnd64 reads the Zip64 end record through its locator, which stands right before the end record at at. It returns
// where the Zip64 record begins. Without a locator the 32-bit values hold: 65,535 entries are possible without Zip64.
func (a *Archive) findEnd64(d *directory, at int64) (stop int64, err error) {
	if at < locator64Size+end64Size {
		return at, nil
	}
	locator := make([]byte, locator64Size)
	if err := a.readAt(locator, at-locator64Size); err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(locator, []byte("PK\x06\x07")) {
		return at, nil
	}
	if little.Uint32(locator[16:]) > 1 {
		return 0, refuse(MultiDisk, "The archive is one part of several. Pack it again as one file.")
	}
	record := make([]byte, end64Size)
	for _, stop := range []int64{int64(little.Uint64(locator[8:])), at - locator64Size - end64Size} {
		if stop < 0 || stop > at-locator64Size-end64Size {
			continue
		}
		if err := a.readAt(record, stop); err != nil {
			return 0, err
		}
		if bytes.HasPrefix(record, []byte("PK\x06\x06")) {
			d.zip64 = true
			d.entries = little.Uint64(record[32:])
			d.size, d.offset = int64(little.Uint64(record[40:])), int64(little.Uint64(record[48:]))
			return stop, nil
		}
	}
	return 0, refuse(DirectoryDamaged, "The archive's list of contents is damaged or cut off.")
}

// readDirectory parses the central directory (APPNOTE 4.3.12). The number of entries found counts, not the one claimed.
func (a *Archive) readDirectory(ctx context.Context, d directory, lim Limits) ([]Entry, error) {
	b := make([]byte, d.size)
	if err := a.readAt(b, d.offset); err != nil {
		return nil, err
	}
	names := newNameDecoder(b)
	entries := make([]Entry, 0, min(int64(d.entries), d.size/directoryItemSize))
	for len(b) >= directoryItemSize && bytes.HasPrefix(b, []byte("PK\x01\x02")) {
		if len(entries) >= lim.Entries {
			return nil, refuse(TooManyEntries, "The archive holds more than %d entries, the limit.", lim.Entries)
		}
		if len(entries)&0xFFF == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		nameLen, extraLen, commentLen := int(little.Uint16(b[28:])), int(little.Uint16(b[30:])), int(little.Uint16(b[32:]))
		whole := directoryItemSize + nameLen + extraLen + commentLen
		if whole > len(b) {
			return nil, refuse(DirectoryDamaged, "The archive's list of contents is damaged or cut off.")
		}
		e, err := parseEntry(b[:whole], nameLen, extraLen, names)
		if err != nil {
			return nil, err
		}
		e.HeaderOffset += d.base
		if e.HeaderOffset < 0 || e.HeaderOffset > d.offset {
			return nil, refuse(DirectoryDamaged, "An entry of the archive lies outside of it.")
		}
		entries = append(entries, e)
		b = b[whole:]
	}
	if uint64(len(entries)) != d.entries && (d.zip64 || len(entries)&0xFFFF != int(d.entries)) {
		return nil, refuse(DirectoryDamaged, "The archive's list of contents is damaged: %d entries announced, %d found.", d.entries, len(entries))
	}
	return entries, nil
}

// parseEntry reads one item of the directory.
func parseEntry(b []byte, nameLen, extraLen int, names nameDecoder) (Entry, error) {
	flags := little.Uint16(b[8:])
	rawName := b[directoryItemSize : directoryItemSize+nameLen]
	extra := b[directoryItemSize+nameLen : directoryItemSize+nameLen+extraLen]
	e := Entry{
		Method: little.Uint16(b[10:]), CRC32: little.Uint32(b[16:]),
		Compressed: int64(little.Uint32(b[20:])), Size: int64(little.Uint32(b[24:])),
		HeaderOffset: int64(little.Uint32(b[42:])),
		Modified:     dosTime(little.Uint16(b[14:]), little.Uint16(b[12:])),
		Encrypted:    flags&encryptedFlags != 0,
		raw:          string(rawName),
		flags:        flags,
	}
	if disk := little.Uint16(b[34:]); disk != 0 && disk != 0xFFFF {
		return e, refuse(MultiDisk, "The archive is one part of several. Pack it again as one file.")
	}
	if !e.applyZip64(extra) {
		return e, refuse(DirectoryDamaged, "An entry of the archive states impossible sizes.")
	}
	e.Encrypted = e.Encrypted || e.Method == 99
	e.Name = names.decode(rawName, flags&utf8Name != 0, extra)
	mode := little.Uint32(b[38:]) >> 16
	fromUnix := b[5] == 3 || b[5] == 19
	e.Symlink = fromUnix && mode&0xF000 == 0xA000
	e.Dir = len(e.Name) > 0 && e.Name[len(e.Name)-1] == '/' || fromUnix && mode&0xF000 == 0x4000
	e.Nested = !e.Dir && archiveName(e.Name)
	return e, nil
}

// applyZip64 takes 64-bit sizes and offset from the extra field, where the 32-bit ones are all ones (APPNOTE 4.5.3). Some write
// all three whichever are asked for; then each stands in its own place. It returns false when a value is missing or beyond 63 bits.
func (e *Entry) applyZip64(extra []byte) bool {
	field, _ := extraField(extra, 0x0001)
	allThree := len(field) >= 24
	for _, value := range []*int64{&e.Size, &e.Compressed, &e.HeaderOffset} {
		if *value != 0xFFFFFFFF {
			if allThree {
				field = field[8:]
			}
			continue
		}
		if len(field) < 8 {
			return false
		}
		*value = int64(little.Uint64(field))
		field = field[8:]
		if *value < 0 {
			return false
		}
	}
	const most = 1 << 60
	return e.Size < most && e.Compressed < most && e.HeaderOffset < most
}

// extraField returns the body of the extra field with the id (APPNOTE 4.5.1).
func extraField(extra []byte, id uint16) ([]byte, bool) {
	for len(extra) >= 4 {
		n := int(little.Uint16(extra[2:]))
		if n > len(extra)-4 {
			break
		}
		if little.Uint16(extra) == id {
			return extra[4 : 4+n], true
		}
		extra = extra[4+n:]
	}
	return nil, false
}

// dosTime turns MS-DOS date and time into UTC; the archive does not know its time zone. Zero when it is no date.
func dosTime(date, clock uint16) time.Time {
	month, day := time.Month(date>>5&15), int(date&31)
	if month < 1 || month > 12 || day < 1 {
		return time.Time{}
	}
	return time.Date(int(date>>9)+1980, month, day, int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC)
}
