package api

import (
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Usage is what an organization keeps (GET /usage), or all of them (`caseload usage --json`). Sizes are bytes, times UTC. It
// names no patient and no file.
type Usage struct {
	At            time.Time           `json:"at"`
	Ledger        *UsageLedger        `json:"ledger,omitempty"`  // the last that was finished
	Running       *UsageLedger        `json:"running,omitempty"` // the one under way
	Bucket        *UsageBucket        `json:"bucket,omitempty"`  // as the ledger found it
	Unexplained   []UsageLine         `json:"unexplained"`
	Missing       []UsageLine         `json:"missing"`
	Classes       []UsageCount        `json:"classes"` // by the database
	Organizations []UsageOrganization `json:"organizations"`
	Kinds         []UsageCount        `json:"kinds"`
	Cases         []UsageCase         `json:"cases"`
	Recent        []UsageFile         `json:"recent"`   // received last
	Arriving      []UsageFile         `json:"arriving"` // in flight
	Days          []UsageDay          `json:"days"`
}

// UsageLedger is one comparison of database and bucket.
type UsageLedger struct {
	ID         string     `json:"id"`
	Keys       int64      `json:"keys"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// UsageBucket is what the last ledger found. Objects and Bytes are what `aws s3 ls --summarize` counts, the others come on top.
type UsageBucket struct {
	Objects      int64        `json:"objects"`
	Bytes        int64        `json:"bytes"`
	Versions     int64        `json:"versions"` // that are not current
	VersionBytes int64        `json:"version_bytes"`
	Markers      int64        `json:"delete_markers"` // which hold no bytes
	Uploads      int64        `json:"uploads"`
	UploadBytes  int64        `json:"upload_bytes"`
	Classes      []UsageCount `json:"classes"`
}

// UsageCount is how much there is of one class or kind.
type UsageCount struct {
	Name         string `json:"name"`
	Organization string `json:"organization,omitempty"`
	Source       string `json:"source,omitempty"`
	Objects      int64  `json:"objects"`
	Bytes        int64  `json:"bytes"`
}

// UsageLine is one key that nothing explains, or one file without its object.
type UsageLine struct {
	Object       string `json:"object"`
	Version      string `json:"version,omitempty"`
	Upload       string `json:"upload,omitempty"`
	Organization string `json:"organization,omitempty"`
	File         string `json:"file,omitempty"`
	Bytes        int64  `json:"bytes"`
	Why          string `json:"why"`
}

// UsageOrganization is what one organization keeps.
type UsageOrganization struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Files    int64  `json:"files"`
	Bytes    int64  `json:"bytes"`
	Arriving int64  `json:"arriving_bytes"`
	Quota    int64  `json:"quota_bytes,omitempty"` // absent: no limit
}

// UsageCase is what one case keeps.
type UsageCase struct {
	ID           string `json:"id"`
	Number       string `json:"number"`
	Organization string `json:"organization"`
	Files        int64  `json:"files"`
	Bytes        int64  `json:"bytes"`
}

// UsageFile is one file that came in last or is coming in.
type UsageFile struct {
	File         string    `json:"file"`
	Case         string    `json:"case"`
	Organization string    `json:"organization"`
	Kind         string    `json:"kind,omitempty"`
	Bytes        int64     `json:"bytes"`
	Sent         int64     `json:"sent_bytes"`
	At           time.Time `json:"at"` // received, or last heard of
}

// UsageDay is what was kept at the end of one day, by class.
type UsageDay struct {
	Day     string `json:"day"`
	Class   string `json:"class"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// UsageFrom tells the usage as the contract does.
func UsageFrom(u caseload.Usage) Usage {
	d := Usage{
		At: u.At, Ledger: ledgerJSON(u.Ledger), Running: ledgerJSON(u.Running), Unexplained: []UsageLine{}, Missing: []UsageLine{},
		Classes: []UsageCount{}, Organizations: []UsageOrganization{}, Kinds: []UsageCount{}, Cases: []UsageCase{}, Days: []UsageDay{},
	}
	if u.Ledger != nil {
		d.Bucket = bucketJSON(u.Sums)
	}
	for _, l := range u.Lines {
		line := UsageLine{string(l.Object), l.VersionID, l.UploadID, string(l.Organization), string(l.File), l.Bytes, l.Why}
		if l.Class == caseload.ClassMissing {
			d.Missing = append(d.Missing, line)
		} else {
			d.Unexplained = append(d.Unexplained, line)
		}
	}
	for _, c := range append(u.Classes, u.Previews) {
		d.Classes = append(d.Classes, UsageCount{Name: string(c.Class), Objects: c.Objects, Bytes: c.Bytes})
	}
	for _, o := range u.Organizations {
		d.Organizations = append(d.Organizations, UsageOrganization{string(o.ID), o.Name, o.Files, o.Bytes, o.Due, o.Quota})
	}
	for _, k := range u.Kinds {
		d.Kinds = append(d.Kinds, UsageCount{Name: string(k.Kind), Objects: k.Files, Bytes: k.Bytes})
	}
	for _, c := range u.Cases {
		d.Cases = append(d.Cases, UsageCase{string(c.Case), c.Number, string(c.Organization), c.Files, c.Bytes})
	}
	d.Recent, d.Arriving = usageFiles(u.Recent), usageFiles(u.Arriving)
	for _, day := range u.Days {
		d.Days = append(d.Days, UsageDay{day.Day, string(day.Class), day.Objects, day.Bytes})
	}
	return d
}

// FromQuota tells a quota as the contract does: nil without a limit.
func FromQuota(q caseload.Quota) *Quota {
	if q.Limit == 0 {
		return nil
	}
	return &Quota{Limit: q.Limit, Used: q.Used, Free: q.Free()}
}

// QuotaChange is the request of PUT /quota.
type QuotaChange struct {
	Own int64 `json:"own"` // bytes; 0: none
}

// QuotaState answers GET and PUT /quota, in bytes; 0: none.
type QuotaState struct {
	Limit   int64 `json:"limit"`   // the smaller of the two
	Ceiling int64 `json:"ceiling"` // what whoever runs the server allows
	Own     int64 `json:"own"`     // what the administrators set
	Used    int64 `json:"used"`    // received and planned together; 0 without a limit
}

// FromQuotaState tells the limits as the contract does.
func FromQuotaState(q caseload.Quota) QuotaState {
	return QuotaState{Limit: q.Limit, Ceiling: q.Ceiling, Own: q.Own, Used: q.Used}
}

func usageFiles(files []caseload.RecentFile) []UsageFile {
	out := make([]UsageFile, 0, len(files))
	for _, f := range files {
		out = append(out, UsageFile{string(f.File), string(f.Case), string(f.Organization), string(f.Kind), f.Size, f.Sent, f.At})
	}
	return out
}

func ledgerJSON(l *caseload.Ledger) *UsageLedger {
	if l == nil {
		return nil
	}
	out := &UsageLedger{ID: string(l.ID), Keys: l.Keys, StartedAt: l.StartedAt}
	if !l.FinishedAt.IsZero() {
		out.FinishedAt = &l.FinishedAt
	}
	return out
}

func bucketJSON(sums []caseload.LedgerSum) *UsageBucket {
	b := &UsageBucket{Classes: []UsageCount{}}
	for _, sum := range sums {
		b.Classes = append(b.Classes, UsageCount{string(sum.Class), string(sum.Organization), string(sum.Source), sum.Objects, sum.Bytes})
		if sum.Class == caseload.ClassMarker {
			b.Markers += sum.Objects
			continue
		}
		switch sum.Source {
		case caseload.SourceObject:
			b.Objects, b.Bytes = b.Objects+sum.Objects, b.Bytes+sum.Bytes
		case caseload.SourceVersion:
			b.Versions, b.VersionBytes = b.Versions+sum.Objects, b.VersionBytes+sum.Bytes
		case caseload.SourceUpload:
			b.Uploads, b.UploadBytes = b.Uploads+sum.Objects, b.UploadBytes+sum.Bytes
		}
	}
	return b
}
