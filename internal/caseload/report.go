package caseload

// Bounds of what is kept for each archive, whatever it holds.
const (
	MaxUnread    = 200 // entries of Report.Unread
	MaxJunkNames = 10  // names of Contents.Junk
	MaxEnclosed  = 24  // each of the meshes, the photos and the documents of Contents.Enclosed
)

// Report says which entries of an archive were not read, or not wholly: how many by reason, and the first of them.
type Report struct {
	NotRead int            `json:"not_read,omitempty"` // entries of which nothing is known
	InPart  int            `json:"in_part,omitempty"`  // entries that were read as far as they go
	Reasons map[string]int `json:"reasons,omitempty"`  // how many were not read, by Unread.Code
	Unread  []Unread       `json:"unread,omitempty"`   // the first MaxUnread of both
}

// Unread is an entry of an archive that could not be read, or not wholly, and why.
type Unread struct {
	Entry  string `json:"entry"`            // display only
	Reason string `json:"reason"`           // plain words
	Code   string `json:"code,omitempty"`   // stable, for programs and to count by; "" in reports of older versions
	Offset int64  `json:"offset,omitempty"` // where the entry's header lies, in bytes from the start of the file
	Tag    string `json:"tag,omitempty"`    // the DICOM element concerned, "(7FE0,0010)"; "" when it is not about one
	Part   bool   `json:"part,omitempty"`   // read as far as it goes
}

// Add counts an entry, and keeps it while there is room.
func (r *Report) Add(u Unread) {
	if u.Part {
		r.InPart++
	} else {
		r.NotRead++
		if r.Reasons == nil {
			r.Reasons = map[string]int{}
		}
		r.Reasons[u.Code]++
	}
	if len(r.Unread) < MaxUnread {
		r.Unread = append(r.Unread, u)
	}
}

// Join adds what another pass over the same file found.
func (r *Report) Join(other Report) {
	r.NotRead += other.NotRead
	r.InPart += other.InPart
	for code, n := range other.Reasons {
		if r.Reasons == nil {
			r.Reasons = map[string]int{}
		}
		r.Reasons[code] += n
	}
	r.Unread = append(r.Unread, other.Unread[:min(len(other.Unread), max(0, MaxUnread-len(r.Unread)))]...)
}
