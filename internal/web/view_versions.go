package web

import "dcdentals.com/caseload/internal/caseload"

// versionView is one version of a file.
type versionView struct {
	ID, Name, Size, By string
	Number             int // 1 is the first that is still there
	At                 moment
	State              stateView
	Latest, Shown      bool // Shown: the page is this one's
}

// versions tells the received versions of a file, the latest first; nothing when there is but one.
func (s *Server) versions(l locale, files []caseload.File, people map[string]string, shown caseload.FileID) []versionView {
	if len(files) < 2 {
		return nil
	}
	views := make([]versionView, len(files))
	for i, f := range files {
		views[i] = versionView{
			ID: string(f.ID), Name: f.Name, Size: formatSize(f.Size), By: people[string(f.CreatedBy)], Number: len(files) - i,
			At: l.when(f.StoredAt, s.Now()), State: l.fileState(f), Latest: i == 0, Shown: f.ID == shown,
		}
	}
	return views
}

// tellOlder puts on each row how many versions it replaced. Rows of files with one version have none.
func tellOlder(groups []groupView, files []caseload.File, older map[caseload.FileID]int) {
	if len(older) == 0 {
		return
	}
	of := map[string]int{}
	for _, f := range files {
		if f.Family != "" && f.State.Acknowledged() {
			of[string(f.ID)] = older[f.Family]
		}
	}
	for g := range groups {
		for r := range groups[g].Rows {
			groups[g].Rows[r].Older = of[groups[g].Rows[r].ID]
		}
	}
}
