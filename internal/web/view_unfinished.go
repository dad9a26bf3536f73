package web

import (
	"cmp"
	"slices"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// silentAfter is how long nothing may have been heard of a drop until its unfinished files are shown as left lying: the
// tab was closed, the computer went to sleep, the line is down.
const silentAfter = 30 * time.Second

// A folder's unfinished files are told in one line when they are more than foldUnfinishedOver; unfinishedLines are shown.
const (
	foldUnfinishedOver = 3
	unfinishedLines    = 20
)

// unfinishedView is the uploads of a case that nobody goes on with at the moment.
type unfinishedView struct {
	Rows   []unfinishedRow
	Files  int // all of them
	Hidden int // lines that are not shown
	Again  int // seconds until an upload that is alive would be found silent; 0: none is alive
}

// unfinishedRow is one file, or a folder's.
type unfinishedRow struct {
	ID      string // of the file, or of the folder's first one
	Folder  string // key of a folder told in one line; "" for a single file
	Name    string
	Path    string // of a single file
	Files   int
	Sent    string // how much has been sent of how much
	Percent int
	By      string
	Began   moment
}

// lastSigns tells for each file that is still expected when something was last heard of its drop: a part signed, progress
// told, a file of it stored.
func lastSigns(files []caseload.File) map[caseload.FileID]time.Time {
	byDrop := map[caseload.DropID]time.Time{}
	sign := func(f caseload.File) time.Time {
		if f.State.Arriving() {
			return f.ChangedAt
		}
		return f.StoredAt
	}
	for _, f := range files {
		if at := sign(f); f.Drop != "" && at.After(byDrop[f.Drop]) {
			byDrop[f.Drop] = at
		}
	}
	last := map[caseload.FileID]time.Time{}
	for _, f := range files {
		if !f.State.Arriving() {
			continue
		}
		if last[f.ID] = f.ChangedAt; f.Drop != "" {
			last[f.ID] = byDrop[f.Drop]
		}
	}
	return last
}

// leftLying returns the unfinished files nothing was heard of for silentAfter, and in how long the next would be one.
func leftLying(files []caseload.File, now time.Time) (lying []caseload.File, next time.Duration) {
	last := lastSigns(files)
	for _, f := range files {
		at, unfinished := last[f.ID]
		if !unfinished {
			continue
		}
		left := silentAfter - now.Sub(at)
		switch {
		case left <= 0:
			lying = append(lying, f)
		case next == 0 || left < next:
			next = left
		}
	}
	return lying, next
}

// unfinished tells the uploads that were left lying, the newest first; a folder's are one line when they are many.
func (s *Server) unfinished(l locale, files []caseload.File, people map[string]string) unfinishedView {
	lying, next := leftLying(files, s.Now())
	view := unfinishedView{Files: len(lying)}
	if next > 0 {
		view.Again = int(next/time.Second) + 1
	}
	byFolder := map[string][]caseload.File{}
	var lines [][]caseload.File
	for _, f := range lying {
		byFolder[f.Path] = append(byFolder[f.Path], f)
	}
	for path, of := range byFolder {
		if path != "" && len(of) > foldUnfinishedOver {
			lines = append(lines, of)
			continue
		}
		for i := range of {
			lines = append(lines, of[i:i+1])
		}
	}
	slices.SortFunc(lines, func(x, y []caseload.File) int {
		a, b := x[0], y[0]
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), caseload.CompareNames(a.Path, b.Path), caseload.CompareNames(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	if len(lines) > unfinishedLines {
		view.Hidden = len(lines) - unfinishedLines
		lines = lines[:unfinishedLines]
	}
	for _, of := range lines {
		view.Rows = append(view.Rows, s.unfinishedRow(l, of, people))
	}
	return view
}

// unfinishedRow tells one file, or the files of one folder.
func (s *Server) unfinishedRow(l locale, files []caseload.File, people map[string]string) unfinishedRow {
	first := files[0]
	row := unfinishedRow{ID: string(first.ID), Name: first.Name, Path: first.Path, Files: len(files), By: people[string(first.CreatedBy)], Began: l.when(first.CreatedAt, s.Now())}
	if len(files) > 1 {
		row.Folder, row.Name, row.Path = folderKey(first.Path), first.Path, ""
	}
	var sent, size int64
	for _, f := range files {
		sent, size = sent+f.SentBytes, size+f.Size
	}
	row.Percent = min(percent(sent, size), 99)
	row.Sent = l.text("unfinished.sent", "sent", formatSize(sent), "size", formatSize(size), "percent", row.Percent)
	return row
}
