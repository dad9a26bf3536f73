package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// storagePage is what an organization keeps, and what the last ledger found of it.
type storagePage struct {
	Quota    quotaView
	Limit    limitForm
	Kept     string // "12.4 GB"
	Files    string
	Classes  []share
	Plot     plot
	Kinds    []share
	Cases    []caseShare
	Recent   []recentRow
	Arriving []recentRow
	Ledger   ledgerView
}

// quotaView is the bar of what may be kept. Limit is "" without a quota.
type quotaView struct {
	Limit, Used, Free string
	Due               string // of Used, what is planned and on its way; "": nothing
	Percent           int
	Tight             bool // nine tenths are used
}

// limitForm is where administrators set their organization's own limit.
type limitForm struct {
	Gigabytes string // as typed, or as set; "": none
	Ceiling   string // what whoever runs the server allows; "": no limit
	Problem   *formProblem
}

// share is one part of a whole: a line with its bar.
type share struct {
	Name, Label, Help string
	Size, Count       string
	Width             int // of 1,000
	Offset            int // where it begins among those before it, of 1,000
}

type caseShare struct {
	ID, Number  string
	Size, Files string
	Width       int // of 1,000
}

type recentRow struct {
	ID, Name, Case, CaseNumber, Kind string
	Size, Sent                       string
	Percent                          int
	At                               moment
}

// ledgerView is what the ledger found, in words.
type ledgerView struct {
	At          moment
	Keys        string
	Running     string // how far the one under way is; ""
	Rows        []ledgerRow
	Total       ledgerRow
	Unexplained []ledgerLine
	Missing     []ledgerLine
	Fine        bool // every byte is explained, and no file lacks its object
}

type ledgerRow struct {
	Name, Label, Help string
	Count, Size       string
	Beside            []string // what of it is no current object, in words

	number, bytes, versions, uploads int64
}

type ledgerLine struct {
	Key, Extra, File string
	Size, Why        string
}

// showStorage shows what the organization keeps, to its administrators.
func (s *Server) showStorage(w http.ResponseWriter, r *http.Request) error {
	q, err := s.Store.Quota(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	form := limitForm{}
	if q.Own > 0 {
		form.Gigabytes = strconv.FormatFloat(float64(q.Own)/gigabyte, 'f', -1, 64)
	}
	return s.showStorageWith(w, r, http.StatusOK, q, form)
}

func (s *Server) showStorageWith(w http.ResponseWriter, r *http.Request, status int, q caseload.Quota, form limitForm) error {
	u, err := s.Store.Usage(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	if form.Ceiling = ""; q.Ceiling > 0 {
		form.Ceiling = formatLimit(q.Ceiling)
	}
	page := localeOf(r).storage(u, s.Now())
	page.Limit = form
	return s.render(w, r, status, "storage.html", page)
}

const gigabyte = 1e9 // bytes

// limitStorage sets the limit that the organization gives itself.
func (s *Server) limitStorage(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := limitForm{Gigabytes: field(r, "gigabytes")}
	bytes, err := gigabytes(form.Gigabytes)
	if err == nil {
		_, err = s.Store.SetOwnQuota(r.Context(), s.user(r), bytes)
	}
	if err == nil {
		http.Redirect(w, r, "/storage", http.StatusSeeOther)
		return nil
	}
	problem, ok := asFormProblem(err)
	if !ok {
		return err
	}
	q, err := s.Store.Quota(r.Context(), s.user(r))
	if err != nil {
		return err
	}
	form.Problem = problem
	return s.showStorageWith(w, r, problem.Status, q, form)
}

// gigabytes reads a number of them, with a point or a comma; "" is 0. Invalid when it is none, or no byte at all.
func gigabytes(typed string) (bytes int64, err error) {
	if typed == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.Replace(typed, ",", ".", 1), 64)
	if err != nil || !(n*gigabyte >= 1 && n <= 1e9) {
		return 0, caseload.Errorf(caseload.Invalid, "The limit is not a number of gigabytes.").WithHint("Write one such as 200 or 0.5, or nothing for no limit.").WithField("gigabytes")
	}
	return int64(n * gigabyte), nil
}

func (l locale) storage(u caseload.Usage, now time.Time) storagePage {
	page := storagePage{Plot: l.plotOf(u.Days), Ledger: l.ledgerOf(u, now)}
	var kept, files int64
	for _, o := range u.Organizations {
		kept, files = kept+o.Bytes, files+o.Files
		if o.Quota > 0 {
			q := caseload.Quota{Limit: o.Quota, Used: o.Bytes + o.Due}
			page.Quota = quotaView{
				Limit: formatLimit(q.Limit), Used: formatSize(q.Used), Free: formatSize(q.Free()),
				Percent: percent(q.Used, q.Limit), Tight: q.Used >= q.Limit/10*9,
			}
			if o.Due > 0 {
				page.Quota.Due = formatSize(o.Due)
			}
		}
	}
	page.Kept, page.Files = formatSize(kept), l.count("storage.files", int(files))
	page.Classes = l.classShares(u.Classes)
	page.Kinds = l.kindShares(u.Kinds)
	for _, c := range u.Cases {
		page.Cases = append(page.Cases, caseShare{
			string(c.Case), c.Number, formatSize(c.Bytes), l.count("storage.files", int(c.Files)), thousandths(c.Bytes, u.Cases[0].Bytes),
		})
	}
	for _, f := range u.Recent {
		page.Recent = append(page.Recent, l.recent(f, now))
	}
	for _, f := range u.Arriving {
		page.Arriving = append(page.Arriving, l.recent(f, now))
	}
	return page
}

// classShares are what the database knows of, as parts of one bar. A class of which there is nothing is left out.
func (l locale) classShares(classes []caseload.ClassUsage) (shares []share) {
	var whole int64
	for _, c := range classes {
		whole += c.Bytes
	}
	at := 0
	for _, c := range classes {
		if c.Objects == 0 && c.Class != caseload.ClassLive {
			continue
		}
		width := thousandths(c.Bytes, whole)
		shares = append(shares, share{
			Name: string(c.Class), Label: l.text("class." + string(c.Class)), Help: l.text("class." + string(c.Class) + ".help"),
			Size: formatSize(c.Bytes), Count: l.count("storage.files", int(c.Objects)), Width: width, Offset: at,
		})
		at += width
	}
	return shares
}

func (l locale) kindShares(kinds []caseload.KindUsage) (shares []share) {
	for _, k := range kinds {
		name := string(k.Kind)
		if k.Kind == caseload.KindUnknown {
			name = "unread"
		}
		shares = append(shares, share{
			Name: name, Label: l.text("kind." + name), Size: formatSize(k.Bytes), Count: l.count("storage.files", int(k.Files)),
			Width: thousandths(k.Bytes, kinds[0].Bytes),
		})
	}
	return shares
}

func (l locale) recent(f caseload.RecentFile, now time.Time) recentRow {
	row := recentRow{
		ID: string(f.File), Name: f.Name, Case: string(f.Case), CaseNumber: f.Number, Size: formatSize(f.Size), Sent: formatSize(f.Sent),
		Percent: percent(f.Sent, f.Size), At: l.when(f.At, now),
	}
	if f.Kind != caseload.KindUnknown {
		row.Kind = l.text("kind." + string(f.Kind))
	}
	return row
}

// thousandths is how much of the whole a part is; at least one, so that it can be seen, unless it is nothing.
func thousandths(part, whole int64) int {
	if part <= 0 || whole <= 0 {
		return 0
	}
	return max(1, int(float64(part)/float64(whole)*1000))
}

func (l locale) ledgerOf(u caseload.Usage, now time.Time) ledgerView {
	var v ledgerView
	if u.Running != nil {
		v.Running = l.count("storage.ledger.running", int(u.Running.Keys))
	}
	if u.Ledger == nil {
		return v
	}
	v.At, v.Keys = l.when(u.Ledger.FinishedAt, now), l.count("storage.ledger.keys", int(u.Ledger.Keys))
	sums := map[caseload.Class]*ledgerRow{}
	for _, sum := range u.Sums {
		row := sums[sum.Class]
		if row == nil {
			row = &ledgerRow{}
			sums[sum.Class] = row
		}
		row.number, row.bytes = row.number+sum.Objects, row.bytes+sum.Bytes
		switch sum.Source {
		case caseload.SourceUpload:
			row.uploads += sum.Objects
		case caseload.SourceVersion:
			row.versions += sum.Objects
		}
	}
	for _, class := range caseload.Classes() {
		row := sums[class]
		if row == nil && class != caseload.ClassUnexplained {
			continue
		}
		if row == nil {
			row = &ledgerRow{}
		}
		row.Name, row.Label, row.Help = string(class), l.text("class."+string(class)), l.text("class."+string(class)+".help")
		row.Count, row.Size = formatNumber(row.number), formatSize(row.bytes)
		if row.versions > 0 && class != caseload.ClassMarker {
			row.Beside = append(row.Beside, l.count("storage.ledger.versions", int(row.versions)))
		}
		if row.uploads > 0 {
			row.Beside = append(row.Beside, l.count("storage.ledger.uploads", int(row.uploads)))
		}
		v.Rows = append(v.Rows, *row)
		if class != caseload.ClassMissing {
			v.Total.number, v.Total.bytes = v.Total.number+row.number, v.Total.bytes+row.bytes
		}
	}
	v.Total.Count, v.Total.Size = formatNumber(v.Total.number), formatSize(v.Total.bytes)
	for _, line := range u.Lines {
		shown := ledgerLine{Key: string(line.Object), File: string(line.File), Size: formatSize(line.Bytes), Why: l.said(line.Why)}
		switch {
		case line.UploadID != "":
			shown.Extra = l.text("storage.ledger.upload", "id", line.UploadID)
		case line.VersionID != "":
			shown.Extra = l.text("storage.ledger.version", "id", line.VersionID)
		}
		if line.Class == caseload.ClassMissing {
			v.Missing = append(v.Missing, shown)
		} else {
			v.Unexplained = append(v.Unexplained, shown)
		}
	}
	v.Fine = len(v.Unexplained)+len(v.Missing) == 0
	return v
}
