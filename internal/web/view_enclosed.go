package web

import (
	"cmp"
	"path"
	"slices"

	"dcdentals.com/caseload/internal/caseload"
)

// enclosedView is a mesh, a photo or a document in a ZIP.
type enclosedView struct {
	Name, Folder string
	Kind         string // for data-kind
	KindText     string
	Size         string
	Preview      previewView
}

// enclosed lists what a ZIP holds that is looked at by itself, meshes first, then photos and documents, and counts what has no
// preview because there is too much of it.
func (l locale) enclosed(f caseload.File, previews []caseload.Preview, writer bool) (views []enclosedView, more int) {
	if f.Contents.Entries == 0 {
		return nil, 0
	}
	of := map[int]previewView{}
	for _, p := range previews {
		if p.File == f.ID {
			of[p.Entry] = l.preview(p, writer)
		}
	}
	order := make([]int, len(f.Contents.Enclosed))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(rank(f.Contents.Enclosed[a].Kind), rank(f.Contents.Enclosed[b].Kind))
	})
	for _, i := range order {
		e := f.Contents.Enclosed[i]
		folder, name := path.Split(e.Name)
		views = append(views, enclosedView{
			Name: name, Folder: folder, Kind: string(e.Kind), KindText: l.text("kind." + string(e.Kind)), Size: formatSize(e.Size), Preview: of[i+1],
		})
	}
	return views, max(0, f.Contents.Meshes+f.Contents.Photos+f.Contents.Documents-len(views))
}

// rank puts meshes before photos, and documents last.
func rank(k caseload.FileKind) int {
	switch {
	case k.IsMesh():
		return 0
	case k.IsPhoto():
		return 1
	}
	return 2
}
