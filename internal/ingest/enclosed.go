package ingest

import "dcdentals.com/caseload/internal/caseload"

// enclose keeps the place of an entry that is looked at by itself: of the first caseload.MaxEnclosed meshes, photos and documents.
func (c *catalog) enclose(kind caseload.FileKind, ref caseload.EntryRef) {
	if !kind.HasPreview() {
		return
	}
	alike := 0
	for _, e := range c.contents.Enclosed {
		if e.Kind.IsMesh() == kind.IsMesh() && e.Kind.IsPhoto() == kind.IsPhoto() {
			alike++
		}
	}
	if alike < caseload.MaxEnclosed {
		c.contents.Enclosed = append(c.contents.Enclosed, caseload.Enclosed{Kind: kind, EntryRef: ref})
	}
}
