// Package dicom reads the header of a DICOM object (PS3.10 file or bare data set) out of any io.ReaderAt: iteratively,
// within budgets, and without ever trusting a number the file claims. What the field writes wrongly is read and noted
// as a Warning; a damaged object gives what was readable before the damage. Pixel data are located, never loaded.
//
// The package knows nothing of files, ZIPs, stores or databases: bytes in, facts out. References of the form
// "PS3.5 7.1" name the part and section of the DICOM standard.
package dicom
