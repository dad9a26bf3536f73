package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// receiptPage is a delivery receipt to look at and to print.
type receiptPage struct {
	Organization, Case, CaseNumber string
	Drop, JSON                     string
	Complete                       bool
	Verdict                        string   // complete or not, in words
	Missing                        []string // what is missing or odd, in words
	SentBy                         string
	Began, Received, Made          moment // with date and zone: it may be read next year
	Size                           string
	Files                          []receiptRow
}

// receiptRow is one file of the receipt.
type receiptRow struct {
	ID, Name, Path, Bytes string
	State                 stateView
	Reason                string
	Stored, Ready         moment
	SHA256                [2]string // halves: between them a line may break
	CRC64NVME             string
}

// showFileReceipt shows the receipt of one file.
func (s *Server) showFileReceipt(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.fileReceipt(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "receipt.html", s.receiptPage(localeOf(r), receipt, "/api/v1"+r.URL.Path))
}

// showDropReceipt shows the receipt of everything that was dropped together.
func (s *Server) showDropReceipt(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.dropReceipt(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "receipt.html", s.receiptPage(localeOf(r), receipt, "/api/v1"+r.URL.Path))
}

func (s *Server) receiptPage(l locale, receipt api.Receipt, address string) receiptPage {
	page := receiptPage{
		Organization: receipt.Organization.Name, Case: receipt.Case.ID, CaseNumber: receipt.Case.Number, Drop: receipt.Drop,
		JSON: address, Complete: receipt.Complete, Made: l.stamp(receipt.MadeAt), Files: make([]receiptRow, 0, len(receipt.Files)),
	}
	var began, received time.Time
	var people []string
	var kept int64
	count := map[caseload.State]int{}
	for _, f := range receipt.Files {
		state := caseload.State(f.State)
		count[state]++
		if state.Acknowledged() {
			kept += f.Size
		}
		if began.IsZero() || f.CreatedAt.Before(began) {
			began = f.CreatedAt
		}
		if f.StoredAt.After(received) {
			received = f.StoredAt
		}
		if f.SentBy.Name != "" && !slices.Contains(people, f.SentBy.Name) {
			people = append(people, f.SentBy.Name)
		}
		page.Files = append(page.Files, l.receiptRow(f))
	}
	page.SentBy, page.Size = strings.Join(people, ", "), formatSize(kept)
	page.Began, page.Received = l.stamp(began), l.stamp(received)
	page.Verdict, page.Missing = l.receiptVerdict(receipt.Complete, count, kept)
	page.Missing = append(page.Missing, l.receiptDeleted(receipt.Deleted)...)
	return page
}

// receiptVerdict says whether everything was received, and what is missing or odd. It never claims more than the states do.
func (l locale) receiptVerdict(complete bool, count map[caseload.State]int, kept int64) (verdict string, missing []string) {
	here := count[caseload.Stored] + count[caseload.Reading] + count[caseload.Ready] + count[caseload.Rejected]
	verdict = l.count("receipt.partly", here, "size", formatSize(kept))
	switch {
	case complete:
		verdict = l.count("receipt.complete", here, "size", formatSize(kept))
	case here == 0:
		verdict = l.text("receipt.nothing")
	}
	for _, part := range []struct {
		key    string
		number int
	}{
		{"receipt.missing", count[caseload.Planned] + count[caseload.Sending]},
		{"receipt.abandoned", count[caseload.Abandoned]},
		{"receipt.reading", count[caseload.Stored] + count[caseload.Reading]},
		{"receipt.rejected", count[caseload.Rejected]},
	} {
		if part.number > 0 {
			missing = append(missing, l.count(part.key, part.number))
		}
	}
	return verdict, missing
}

// receiptDeleted tells how many files were deleted on which day.
func (l locale) receiptDeleted(deleted []api.ReceiptDeleted) (told []string) {
	var days []string
	count := map[string]int{}
	for _, d := range deleted {
		day := l.date(d.DeletedAt.In(l.zone))
		if count[day]++; count[day] == 1 {
			days = append(days, day)
		}
	}
	for _, day := range days {
		told = append(told, l.count("receipt.deleted", count[day], "date", day))
	}
	return told
}

func (l locale) receiptRow(f api.ReceiptFile) receiptRow {
	row := receiptRow{
		ID: f.ID, Name: f.Name, Path: f.Path, Bytes: formatNumber(f.Size), Reason: l.said(f.Reason), CRC64NVME: f.CRC64NVME,
		State:  stateView{Name: f.State, Text: l.text("receipt.state." + f.State)},
		Stored: l.stamp(f.StoredAt), Ready: l.stamp(f.ReadyAt),
	}
	if len(f.SHA256) == 64 {
		row.SHA256 = [2]string{f.SHA256[:32], f.SHA256[32:]}
	}
	return row
}

// stamp tells a time with its date and zone, for paper; the zero time is the zero moment.
func (l locale) stamp(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t = t.In(l.zone)
	full := l.date(t) + " " + t.Format("15:04:05 MST")
	return moment{ISO: t.UTC().Format(time.RFC3339), Text: l.date(t) + " " + t.Format("15:04"), Full: full}
}

// linkView is a link with its words.
type linkView struct{ Address, Label string }

// receiptsShown is how many drops of one folder or study are linked to; files of more have their receipts on their pages.
const receiptsShown = 4

// receipts links to the receipts of what the files were dropped in: one drop's is called so, several are told by date.
func (s *Server) receipts(l locale, files []caseload.File) []linkView {
	began := map[caseload.DropID]time.Time{}
	var drops []caseload.DropID
	kept := false
	for _, f := range files {
		kept = kept || f.State.Acknowledged()
		if f.Drop == "" {
			continue
		}
		if at, ok := began[f.Drop]; !ok || f.CreatedAt.Before(at) {
			if !ok {
				drops = append(drops, f.Drop)
			}
			began[f.Drop] = f.CreatedAt
		}
	}
	if !kept || len(drops) > receiptsShown {
		return nil
	}
	if len(files) == 1 {
		return []linkView{{"/files/" + string(files[0].ID) + "/receipt", l.text("receipt.title")}}
	}
	links := make([]linkView, 0, len(drops))
	for _, drop := range drops {
		label := l.text("receipt.title")
		if len(drops) > 1 {
			label = l.text("receipt.of", "when", l.when(began[drop], s.Now()).Text)
		}
		links = append(links, linkView{"/drops/" + string(drop) + "/receipt", label})
	}
	return links
}

// addReceipts links each study's card to the receipts of the files it was read out of.
func (s *Server) addReceipts(l locale, views []studyView, studies []caseload.Study, files []caseload.File) {
	byID := make(map[caseload.FileID]caseload.File, len(files))
	for _, f := range files {
		byID[f.ID] = f
	}
	for i, study := range studies {
		of := map[caseload.FileID]caseload.File{}
		for _, series := range study.Series {
			for _, id := range series.Files {
				if f, ok := byID[id]; ok {
					of[id] = f
				}
			}
		}
		views[i].Receipts = s.receipts(l, slices.SortedFunc(maps.Values(of), func(a, b caseload.File) int { return a.CreatedAt.Compare(b.CreatedAt) }))
	}
}
