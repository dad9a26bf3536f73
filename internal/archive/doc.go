// Package archive reads ZIP files by range over an io.ReaderAt: the directory first, the beginnings of entries next, and
// in one sequential pass every entry's checksum. All guards stand before the bytes they guard: counts, declared sizes,
// ratio, overlap and encryption are settled from the directory alone, and each entry's own header is held against it. A ZIP
// that is an entry can be opened (Inside), in place or by inflating it a bounded number of times. Entry names are text for people, never paths:
// nothing is extracted to disk.
//
// The package knows nothing of DICOM, stores or databases. Format: PKWARE APPNOTE 6.3.10.
package archive
