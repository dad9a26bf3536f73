package web

import (
	"net/http"
	"slices"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/transfer"
)

func (s *Server) apiListFiles(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	list := s.Store.CaseFiles
	switch r.URL.Query().Get("state") {
	case "":
	case "unfinished":
		list = s.Store.CaseUnfinished
	default:
		return caseload.Errorf(caseload.Invalid, "Files are listed by the state unfinished, or all of them.").WithField("state")
	}
	files, err := list(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	out := api.Files{Files: make([]api.File, 0, len(files))}
	for _, f := range files {
		out.Files = append(out.Files, api.FromFile(f))
	}
	return answer(w, http.StatusOK, out)
}

// maxSizes is how many sizes one match may name.
const maxSizes = 1000

func (s *Server) apiMatchFiles(w http.ResponseWriter, r *http.Request) error {
	var in api.Match
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	slices.Sort(in.Sizes)
	if in.Sizes = slices.Compact(in.Sizes); len(in.Sizes) > maxSizes {
		return caseload.Errorf(caseload.TooLarge, "At most %d sizes can be matched at once; these are %d.", maxSizes, len(in.Sizes)).
			WithHint("Ask in several batches.").WithField("sizes")
	}
	files, more, err := s.Store.CaseReceived(r.Context(), s.user(r), id, in.Sizes)
	if err != nil {
		return err
	}
	asked := make(map[string]bool, len(in.Files))
	for _, id := range in.Files {
		asked[id] = true
	}
	out := api.Matched{Received: []api.MatchedFile{}, Truncated: more}
	for _, f := range files {
		if len(asked) > 0 && !asked[string(f.ID)] {
			continue
		}
		out.Received = append(out.Received, api.MatchedFile{ID: string(f.ID), Name: f.Name, Path: f.Path, Size: f.Size, CRC64NVME: f.CRC64NVME})
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiPlanFiles(w http.ResponseWriter, r *http.Request) error {
	var in api.Plan
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	specs := make([]transfer.FileSpec, 0, len(in.Files))
	for _, f := range in.Files {
		specs = append(specs, transfer.FileSpec(f))
	}
	planned, drop, err := s.Transfer.Plan(r.Context(), s.user(r), id, caseload.DropID(in.Drop), specs)
	if err != nil {
		return err
	}
	out := api.Planned{Drop: string(drop), Files: make([]api.PlannedFile, 0, len(planned))}
	for _, p := range planned {
		out.Files = append(out.Files, s.planned(r, p))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) planned(r *http.Request, p transfer.Planned) api.PlannedFile {
	if p.Err != nil {
		problem := s.problem(r, p.Err)
		return api.PlannedFile{Error: &problem}
	}
	file := api.FromFile(p.File)
	return api.PlannedFile{File: &file, Resumed: p.Match == caseload.MatchUnfinished, Received: p.Match == caseload.MatchReceived}
}

func (s *Server) apiShowFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	f, err := s.Transfer.Records.File(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFile(f))
}

func (s *Server) apiListVersions(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	versions, err := s.Store.FileVersions(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	out := api.Files{Files: make([]api.File, 0, len(versions))}
	for _, f := range versions {
		out.Files = append(out.Files, api.FromFile(f))
	}
	return answer(w, http.StatusOK, out)
}

func (s *Server) apiDeleteFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	if err := s.Transfer.DeleteFile(r.Context(), s.user(r), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiDownloadFile(w http.ResponseWriter, r *http.Request) error {
	link, err := s.link(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, link.URL, http.StatusSeeOther)
	return nil
}

func (s *Server) apiLinkFile(w http.ResponseWriter, r *http.Request) error {
	link, err := s.link(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Link{URL: link.URL, ExpiresAt: link.ExpiresAt.UTC()})
}

// link makes the download link of the file the address names, for the browser that asks.
func (s *Server) link(r *http.Request) (transfer.Link, error) {
	id, err := fileID(r)
	if err != nil {
		return transfer.Link{}, err
	}
	return s.Transfer.Link(r.Context(), s.user(r), id, s.origin(r))
}

func (s *Server) apiCompleteFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	var in api.CompleteFile
	if err := decodeAny(r, &in); err != nil {
		return err
	}
	f, err := s.Transfer.Complete(r.Context(), s.user(r), id, in.CRC64NVME)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFile(f))
}

func (s *Server) apiAbortFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	if err := noBody(r); err != nil {
		return err
	}
	f, err := s.Transfer.Abort(r.Context(), s.user(r), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.FromFile(f))
}

func (s *Server) apiAbandonFiles(w http.ResponseWriter, r *http.Request) error {
	var in api.Abandon
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	abandoned, err := s.Transfer.AbortAll(r.Context(), s.user(r), id, idsOf(in.Files))
	if err != nil {
		return err
	}
	out := api.Abandoned{Files: make([]string, 0, len(abandoned))}
	for _, f := range abandoned {
		out.Files = append(out.Files, string(f))
	}
	return answer(w, http.StatusOK, out)
}

// idsOf returns those that can be ids of files, each once.
func idsOf(all []string) []caseload.FileID {
	ids := make([]caseload.FileID, 0, len(all))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(all))) {
		if caseload.ValidID(id) {
			ids = append(ids, caseload.FileID(id))
		}
	}
	return ids
}

func (s *Server) apiReportProgress(w http.ResponseWriter, r *http.Request) error {
	var in api.ProgressReport
	if err := decode(r, &in); err != nil {
		return err
	}
	progress := make([]caseload.Progress, 0, len(in.Files))
	for _, p := range in.Files {
		progress = append(progress, caseload.Progress{File: caseload.FileID(p.ID), Sent: p.Sent})
	}
	if err := s.Transfer.Report(r.Context(), s.user(r), progress); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
