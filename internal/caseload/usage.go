package caseload

import "time"

// Usage is what an organization, or all of them, keep. Figures are those of the database but for Ledger, Sums and Lines.
type Usage struct {
	At            time.Time
	Organizations []OrganizationUsage // in the order of their names
	Classes       []ClassUsage        // of files: live, older, in flight, abandoned, trash
	Kinds         []KindUsage         // of what was received, largest first
	Cases         []CaseUsage         // largest first, at most MaxUsageRows
	Recent        []RecentFile        // received last, at most MaxUsageRows
	Arriving      []RecentFile        // in flight, the largest first, at most MaxUsageRows
	Previews      ClassUsage          // pictures, which the database keeps
	Days          []UsageDay          // oldest first, all organizations of the usage together

	Ledger  *Ledger      // the last one that was finished; nil: none yet
	Running *Ledger      // the one under way; nil: none
	Sums    []LedgerSum  // of Ledger
	Lines   []LedgerLine // of Ledger, at most MaxLedgerLines of each class
}

// MaxUsageRows is how many cases and files a Usage names.
const MaxUsageRows = 20

// OrganizationUsage is what one organization keeps.
type OrganizationUsage struct {
	Organization
	Files int64
	Bytes int64 // received
	Due   int64 // bytes of what is planned or arriving, which count towards the quota as well
}

// ClassUsage is how much there is of one class.
type ClassUsage struct {
	Class   Class
	Objects int64
	Bytes   int64 // in flight: what the senders said has arrived
}

// KindUsage is how much there is of one kind of file.
type KindUsage struct {
	Kind  FileKind
	Files int64
	Bytes int64
}

// CaseUsage is what one case keeps, older versions included.
type CaseUsage struct {
	Case         CaseID
	Organization OrganizationID
	Number       string
	Files        int64
	Bytes        int64
}

// RecentFile is one line of what came in last or is coming in.
type RecentFile struct {
	File         FileID
	Name         string // as dropped; may hold patient text
	Case         CaseID
	Organization OrganizationID
	Number       string // of the case
	Kind         FileKind
	Size         int64 // bytes
	Sent         int64 // bytes
	Route        Route
	At           time.Time // received, or last heard of
}

// UsageDay is what was kept at the end of one day.
type UsageDay struct {
	Day     string // YYYY-MM-DD, UTC
	Class   Class
	Objects int64
	Bytes   int64
}

// Quota is the most an organization may keep and what it keeps, in bytes.
type Quota struct {
	Limit   int64 // the smaller of the two below; 0: no limit
	Ceiling int64 // what the operator allows; 0: no limit
	Own     int64 // what its administrators set; 0: none
	Used    int64 // received and planned together; not measured without a limit
}

// Free returns how many bytes may still be planned; without a limit there is no such number, and -1 comes back.
func (q Quota) Free() int64 {
	if q.Limit == 0 {
		return -1
	}
	return max(0, q.Limit-q.Used)
}
