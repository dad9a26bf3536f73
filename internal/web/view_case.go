package web

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// stateView is where a file or a case stands, in words and as a number.
type stateView struct {
	Name    string // stable, for data-state: planned, sending, stored, reading, ready, rejected, abandoned, empty, attention, unfinished
	Text    string
	Percent int
	Moving  bool // it has a Percent that grows
}

// fileState tells where a file stands.
func (l locale) fileState(f caseload.File) stateView {
	v := stateView{Name: string(f.State), Text: l.text("state." + string(f.State))}
	switch f.State {
	case caseload.Sending:
		if f.SizeOpen {
			break
		}
		v.Moving, v.Percent = true, percent(f.SentBytes, f.Size)
		v.Text = l.text("state.sendingPercent", "percent", min(v.Percent, 99))
	case caseload.Reading:
		if f.EntriesTotal > 0 {
			v.Moving, v.Percent = true, percent(int64(f.EntriesDone), int64(f.EntriesTotal))
			v.Text = l.text("state.readingOf", "done", formatNumber(int64(f.EntriesDone)), "total", formatNumber(int64(f.EntriesTotal)))
		}
	case caseload.Ready:
		if len(f.Warnings) > 0 {
			v.Text = l.text("state.readyWarned")
		}
	}
	return v
}

// waiting tells of a file that is still expected and that nobody goes on with: what of it is here waits.
func (l locale) waiting(f caseload.File) stateView {
	v := stateView{Name: "unfinished", Text: l.text("state.waiting")}
	if p := min(percent(f.SentBytes, f.Size), 99); p > 0 && !f.SizeOpen {
		v.Text = l.text("state.waitingPercent", "percent", p)
	}
	return v
}

// fewArriving is how many files are told together in percent.
const fewArriving = 3

// caseState tells where a case stands: what moves comes first, then what needs a person. lying is how many of the arriving
// files nobody goes on with.
func (l locale) caseState(c caseload.CaseSummary, lying int) stateView {
	switch {
	case c.Arriving > lying:
		return l.arriving(c)
	case c.InWork > 0:
		return stateView{Name: "reading", Text: l.text("state.reading")}
	case lying > 0:
		return stateView{Name: "unfinished", Text: l.count("state.unfinished", lying)}
	case c.Attention > 0:
		return stateView{Name: "attention", Text: l.text("state.attention")}
	case c.Files == 0:
		return stateView{Name: "empty", Text: l.text("state.empty")}
	default:
		return stateView{Name: "ready", Text: l.text("state.ready")}
	}
}

// arriving tells how far the arriving files of a case are.
func (l locale) arriving(c caseload.CaseSummary) stateView {
	switch {
	case c.Arriving > fewArriving: // how far those few under way are says nothing of the many that wait
		return stateView{Name: "sending", Text: l.count("state.sendingMany", c.Arriving)}
	case c.DueBytes == 0: // nobody said their sizes
		return stateView{Name: "sending", Text: l.text("state.sending")}
	default:
		p := min(percent(c.SentBytes, c.DueBytes), 99)
		v := stateView{Name: "sending", Text: l.text("state.sendingPercent", "percent", p), Percent: p, Moving: true}
		if c.Arriving > 1 {
			v.Text = l.count("state.sendingFew", c.Arriving, "percent", p)
		}
		return v
	}
}

// contents tells what a case holds: "2 series · 3 meshes · 5 photos, 1.2 GB"; "" when it holds nothing.
func (l locale) contents(c caseload.CaseSummary) string {
	var kinds []string
	for _, k := range []struct {
		key    string
		number int
	}{
		{"contents.series", c.Series},
		{"contents.meshes", c.Meshes},
		{"contents.photos", c.Photos},
		{"contents.documents", c.Documents},
		{"contents.others", c.Others},
	} {
		if k.number > 0 {
			kinds = append(kinds, l.count(k.key, k.number))
		}
	}
	if len(kinds) == 0 && c.Files > 0 {
		kinds = append(kinds, l.count("contents.files", c.Files))
	}
	text := strings.Join(kinds, " · ")
	if c.Bytes > 0 && text != "" {
		text += ", " + formatSize(c.Bytes)
	}
	return text
}

// summarize counts for one case what the list counts for many.
func summarize(c caseload.Case, files []caseload.File, studies []caseload.Study) caseload.CaseSummary {
	s := caseload.CaseSummary{Case: c, Files: len(files), Studies: len(studies)}
	for _, study := range studies {
		s.Series += len(study.Series)
		for _, series := range study.Series {
			s.Images += series.Images
		}
	}
	for _, f := range files {
		s.Meshes += f.Contents.Meshes
		s.Photos += f.Contents.Photos
		s.Documents += f.Contents.Documents
		s.Others += f.Contents.Others
		if f.State.Acknowledged() {
			s.Bytes += f.Size
		}
		if f.State.Arriving() {
			s.Arriving++
			if !f.SizeOpen {
				s.SentBytes += f.SentBytes
				s.DueBytes += f.Size
			}
		}
		if f.State == caseload.Stored || f.State == caseload.Reading {
			s.InWork++
		}
		if needsAttention(f) {
			s.Attention++
		}
	}
	return s
}

func needsAttention(f caseload.File) bool {
	return f.State == caseload.Rejected || f.State == caseload.Abandoned || len(f.Warnings) > 0
}

// fileRow is one file of a case.
type fileRow struct {
	ID, Name, Size, Kind, By string
	At                       moment
	State                    stateView
	Reason, Todo             string
	Contents                 string // of an archive
	Kept                     bool   // there is something to download
	Preview                  previewView
	Inside                   []previewView // pictures of what a ZIP holds, the first of them
	InsideMore               int
	Older                    int // versions that this one replaced
}

// groupView is a dropped folder, or the files dropped by themselves.
type groupView struct {
	Key, Path, Size string
	Count           int
	State           stateView
	Rows            []fileRow
	Hidden          int // files of the group that are not among Rows
	Receipts        []linkView
	Open            bool
}

// A folder is told in one line when it holds more files than this; files dropped by themselves are cut at more.
const (
	foldFolderOver = 12
	foldLooseOver  = 100
)

// groups sorts files by the folder they were dropped in, the newest first. open is the Key of the one shown whole.
func (s *Server) groups(l locale, files []caseload.File, people map[string]string, open string) []groupView {
	byPath := map[string][]caseload.File{}
	newest := map[string]time.Time{}
	var paths []string
	for _, f := range files {
		if byPath[f.Path] == nil {
			paths = append(paths, f.Path)
		}
		byPath[f.Path] = append(byPath[f.Path], f)
		if f.CreatedAt.After(newest[f.Path]) {
			newest[f.Path] = f.CreatedAt
		}
	}
	sort.SliceStable(paths, func(i, j int) bool { return newest[paths[i]].After(newest[paths[j]]) })
	lying, _ := leftLying(files, s.Now())
	waits := make(map[caseload.FileID]bool, len(lying))
	for _, f := range lying {
		waits[f.ID] = true
	}
	groups := make([]groupView, 0, len(paths))
	for _, path := range paths {
		groups = append(groups, s.group(l, path, byPath[path], waits, people, open))
	}
	return groups
}

func (s *Server) group(l locale, path string, files []caseload.File, waits map[caseload.FileID]bool, people map[string]string, open string) groupView {
	sort.SliceStable(files, func(i, j int) bool {
		if a, b := needsAttention(files[i]), needsAttention(files[j]); a != b {
			return a
		}
		if path == "" && !files[i].CreatedAt.Equal(files[j].CreatedAt) {
			return files[i].CreatedAt.After(files[j].CreatedAt)
		}
		return files[i].Name < files[j].Name
	})
	summary := summarize(caseload.Case{}, files, nil)
	g := groupView{Key: folderKey(path), Path: path, Count: len(files)}
	var total int64
	lying := 0
	for _, f := range files {
		if waits[f.ID] {
			lying++
		}
		if !f.SizeOpen {
			total += f.Size
		}
	}
	g.State, g.Size, g.Open = l.caseState(summary, lying), formatSize(total), g.Key == open
	if path != "" { // files dropped by themselves have theirs on their pages
		g.Receipts = s.receipts(l, files)
	}
	limit := foldLooseOver
	if path != "" {
		limit = foldFolderOver
	}
	shown := files
	if len(files) > limit && !g.Open {
		if shown = files[:0:0]; path == "" {
			shown = files[:limit]
		}
		for i := 0; path != "" && i < min(limit, summary.Attention); i++ {
			shown = append(shown, files[i])
		}
		g.Hidden = len(files) - len(shown)
	}
	for _, f := range shown {
		row := s.fileRow(l, f, people)
		if waits[f.ID] {
			row.State = l.waiting(f)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// folderKey names a folder in an address without telling its name, which may be a patient's.
func folderKey(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:6])
}

// sizeOf is the size to show; nothing while it is not known.
func sizeOf(f caseload.File) string {
	if f.SizeOpen {
		return ""
	}
	return formatSize(f.Size)
}

func (s *Server) fileRow(l locale, f caseload.File, people map[string]string) fileRow {
	row := fileRow{
		ID: string(f.ID), Name: f.Name, Size: sizeOf(f), Kind: string(f.Kind), By: people[string(f.CreatedBy)],
		At: l.when(f.CreatedAt, s.Now()), State: l.fileState(f), Kept: f.State.Acknowledged(),
	}
	switch {
	case f.State == caseload.Rejected || f.State == caseload.Abandoned:
		row.Reason, row.Todo = l.said(f.Reason), l.text("todo."+string(f.State))
	case len(f.Warnings) > 0:
		row.Reason = l.said(f.Warnings[0])
	}
	if f.Contents.Entries > 0 {
		row.Contents = l.report(f.Contents)
	}
	return row
}
