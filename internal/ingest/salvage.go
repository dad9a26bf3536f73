package ingest

import (
	"fmt"

	"dcdentals.com/caseload/internal/archive"
	"dcdentals.com/caseload/internal/caseload"
)

// Codes of a ZIP inside that was read without its list of contents.
const (
	codeCut  = "zip-cut-off"
	codeList = "zip-list-damaged"
)

// lost reports the entries of a salvaged ZIP that have a header and no end.
func (r *zipReader) lost(zip *archive.Archive, outer *caseload.EntryRef) {
	for _, l := range zip.Lost {
		r.contents.Entries++
		u := caseload.Unread{Entry: within(l.Name, outer), Offset: zip.Base + l.HeaderOffset}
		if zip.Base < 0 {
			u.Offset = outer.DataOffset
		}
		r.unread(*because(u, l.Why))
	}
}

// salvaged says how much of the file's ZIP was read without its list of contents.
func (r *zipReader) salvaged(zip *archive.Archive) string {
	read := r.contents.Entries - r.contents.NotRead
	if zip.Cut {
		return fmt.Sprintf("The ZIP is cut off after entry %d; %d of its files could be read. Copy it again from where it came from and send that.", zip.CutAfter, read)
	}
	return fmt.Sprintf("The ZIP's list of contents is damaged; its entries were looked for one by one, and %d of its files could be read. Copy it again from where it came from and send that.", read)
}

// salvagedInside says the same of a ZIP inside, which u names.
func salvagedInside(u caseload.Unread, zip *archive.Archive) caseload.Unread {
	u.Part, u.Code = true, codeList
	u.Reason = "The list of contents of the ZIP inside is damaged; its entries were looked for one by one."
	if zip.Cut {
		u.Code, u.Reason = codeCut, fmt.Sprintf("The ZIP inside is cut off after entry %d.", zip.CutAfter)
	}
	return u
}
