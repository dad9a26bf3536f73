package web

import (
	"net/http"
	"slices"
	"strconv"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/store"
)

// instancesOnPage is how many instances a file's page lists.
const instancesOnPage = 200

// filePage is everything known of one file.
type filePage struct {
	File              fileRow
	Case, CaseNumber  string
	Path, Type, Kind  string
	Bytes             string
	SizeExact         int64
	Mesh              bool // it can be looked at in 3D
	CRC64NVME, SHA256 string
	Route             string
	Created, Stored   moment
	Metadata, Ready   moment
	Modified          moment
	BytesRead         string
	BytesReadShare    string
	Warnings          []string
	Contents          []countView
	Report            string // of an archive, in one line
	Unread            []unreadView
	UnreadAll         int
	Preview           previewView
	Enclosed          []enclosedView
	EnclosedMore      int
	Studies           []studyView
	Instances         []instanceView
	InstancesHidden   int
	InstancesAll      string // how many there are
	Activity          []activityView
	CanWrite          bool
	Patient           string        // the case's label
	Versions          []versionView // nothing while there is but one
	Latest            string        // id of the latest, when this is an older one
	Live              bool          // it still moves, or may
}

// countView is one line of what a file holds.
type countView struct{ Label, Number string }

// instanceView is one line of the table of instances.
type instanceView struct {
	ID, Number, Matrix, Frames, Position, Entry, UID string
	Warnings                                         []string
}

// showFile shows one file's details.
func (s *Server) showFile(w http.ResponseWriter, r *http.Request) error {
	ctx, user, l := r.Context(), s.user(r), localeOf(r)
	id, err := fileID(r)
	if err != nil {
		return err
	}
	f, err := s.Transfer.Records.File(ctx, user, id)
	if err != nil {
		return err
	}
	c, err := s.Store.Case(ctx, user, f.Case)
	if err != nil {
		return err
	}
	studies, err := s.Store.FileStudies(ctx, user, id)
	if err != nil {
		return err
	}
	ingest.Summarize(studies)
	events, err := s.Store.Events(ctx, user, store.EventQuery{File: id, Limit: eventsTold})
	if err != nil {
		return err
	}
	people, err := s.people(r)
	if err != nil {
		return err
	}
	page := s.filePage(l, f, people)
	page.Case, page.CaseNumber, page.CanWrite = string(c.ID), c.Number, user.Role.CanWrite()
	page.Patient = c.Patient
	if f.State.Arriving() { // whether somebody goes on with it, the other files of its drop may tell
		all, err := s.Store.CaseFiles(ctx, user, f.Case)
		if err != nil {
			return err
		}
		lying, _ := leftLying(all, s.Now())
		if slices.ContainsFunc(lying, func(left caseload.File) bool { return left.ID == id }) {
			page.File.State = l.waiting(f)
		}
	}
	versions, err := s.Store.FileVersions(ctx, user, id)
	if err != nil {
		return err
	}
	page.Live = page.Live || page.CanWrite && page.File.Kept && !f.Superseded // it may be replaced from this very page
	if page.Versions = s.versions(l, versions, people, id); f.Superseded && len(versions) > 0 {
		page.Latest = string(versions[0].ID)
	}
	page.Studies = l.studies(studies, []caseload.File{f})
	previews, err := s.Store.CasePreviews(ctx, user, f.Case)
	if err != nil {
		return err
	}
	l.addPreviews(page.Studies, studies, nil, previews, page.CanWrite)
	for _, p := range previews {
		page.Live = page.Live || p.State == caseload.PreviewWaiting || p.State == caseload.PreviewBrowser // somebody's browser may draw it
		if p.File == f.ID && p.Entry == 0 {
			page.Preview = l.preview(p, page.CanWrite)
		}
	}
	page.Enclosed, page.EnclosedMore = l.enclosed(f, previews, page.CanWrite)
	for _, study := range page.Studies {
		for i := range study.Series {
			if study.Series[i].Images == "1" { // one slice says nothing of its series
				study.Series[i].Complete, study.Series[i].Remarks, study.Series[i].Planning = false, nil, planningView{}
			}
		}
	}
	page.Instances, page.InstancesHidden = instances(studies)
	page.InstancesAll = formatNumber(int64(len(page.Instances) + page.InstancesHidden))
	page.Activity = s.activity(l, events, []caseload.File{f}, people)
	return s.render(w, r, http.StatusOK, "file.html", page)
}

func (s *Server) filePage(l locale, f caseload.File, people map[string]string) filePage {
	now := s.Now()
	page := filePage{
		File: s.fileRow(l, f, people), Path: f.Path, Type: f.ContentType, Kind: l.text("kind." + string(f.Kind)),
		Bytes: formatNumber(f.Size), CRC64NVME: f.CRC64NVME, SHA256: f.SHA256, Route: l.text("route." + string(f.Route)),
		Created: l.when(f.CreatedAt, now), Stored: l.when(f.StoredAt, now), Metadata: l.when(f.MetadataAt, now),
		Ready: l.when(f.ReadyAt, now), Modified: l.when(f.ModifiedAt, now), Unread: l.unread(f.Contents.Unread),
		UnreadAll: max(f.Contents.NotRead+f.Contents.InPart, len(f.Contents.Unread)),
		Live:      !f.State.Terminal(), SizeExact: f.Size,
		Mesh: f.Kind.IsMesh(),
	}
	if f.Contents.Entries > 0 {
		page.Report = l.report(f.Contents)
	}
	if f.BytesRead > 0 {
		page.BytesRead = formatSize(f.BytesRead)
		page.BytesReadShare = strconv.FormatFloat(100*float64(f.BytesRead)/float64(max(f.Size, 1)), 'f', 1, 64)
	}
	for _, warning := range f.Warnings {
		page.Warnings = append(page.Warnings, l.remark(warning))
	}
	for _, k := range []struct {
		key    string
		number int
	}{
		{"file.entries", f.Contents.Entries},
		{"file.images", f.Contents.Images},
		{"file.meshes", f.Contents.Meshes},
		{"file.photos", f.Contents.Photos},
		{"file.documents", f.Contents.Documents},
		{"file.others", f.Contents.Others},
		{"file.ignored", f.Contents.Ignored},
	} {
		if k.number > 0 {
			page.Contents = append(page.Contents, countView{l.count(k.key, k.number), formatNumber(int64(k.number))})
		}
	}
	return page
}

// instances lists the first instances of the studies and counts those left out.
func instances(studies []caseload.Study) (shown []instanceView, hidden int) {
	for _, study := range studies {
		for _, series := range study.Series {
			for _, i := range series.Members {
				if len(shown) == instancesOnPage {
					hidden++
					continue
				}
				v := instanceView{
					ID: string(i.ID), Number: strconv.Itoa(i.Number), Frames: formatNumber(int64(i.Frames)), UID: i.SOPInstanceUID,
					Matrix: strconv.Itoa(i.Columns) + " × " + strconv.Itoa(i.Rows), Warnings: i.Warnings,
				}
				if len(i.Position) == 3 {
					v.Position = formatMillimetres(i.Position[2])
				}
				if i.Entry.Index >= 0 {
					v.Entry = i.Entry.Name
				}
				shown = append(shown, v)
			}
		}
	}
	return shown, hidden
}

// deleteFile deletes the file and leads to its case.
func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	f, err := s.Transfer.Records.File(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	if err := s.Transfer.DeleteFile(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/cases/"+string(f.Case), http.StatusSeeOther)
	return nil
}

// downloadFile leads to a signed link for a short while.
func (s *Server) downloadFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	link, err := s.Transfer.Link(r.Context(), s.user(r), id, s.origin(r))
	if err != nil {
		return err
	}
	http.Redirect(w, r, link.URL, http.StatusSeeOther)
	return nil
}
