package caseload

import "slices"

// FamilyID names the file that f is a version of: the first version, which may be f itself.
func (f File) FamilyID() FileID {
	if f.Family != "" {
		return f.Family
	}
	return f.ID
}

// replacedByName are the kinds whose corrected copy comes under the old name: designs, documents, and what else a program
// writes. A second DICOM object or ZIP of the same name is another slice or export, and cameras and phones give one name
// to many photos (docs/decisions/059).
var replacedByName = []FileKind{KindSTL, KindPLY, KindOBJ, KindPDF, KindOther}

// ReplacesByName tells whether f, just read, is a new version of the older file by its name and folder alone. They must
// come from two drops: what was dropped at once is meant to stand side by side. The same bytes again are a copy that
// somebody asked for, not a version. Both are acknowledged files of one case.
func (f File) ReplacesByName(older File) bool {
	sameDrop := f.Drop != "" && f.Drop == older.Drop
	unread := older.State == Rejected && older.Kind == KindUnknown
	return f.ID != older.ID && f.Case == older.Case && f.Name == older.Name && f.Path == older.Path && !sameDrop &&
		f.CRC64NVME != older.CRC64NVME && slices.Contains(replacedByName, f.Kind) && (unread || slices.Contains(replacedByName, older.Kind))
}
