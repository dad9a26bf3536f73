package caseload

import "time"

// Proposal is one file of a plan: the row to make for it, unless the case has it already.
type Proposal struct {
	File            // as it would be made
	Checksum string // base64 CRC-64/NVME of the person's whole copy; "" when not known: then it is never Received
	Again    bool   // the person wants it kept even if the case has received the same bytes: never Received

	// Fresh is since when a sign of life is as good as a new one: of 1,000 files that go on soon after they stopped none
	// need be written. The zero time: every file that goes on gets a new one.
	Fresh time.Time
}

// KnownAlive tells whether the row can stay as it is when the proposal goes on with it: its last sign of life is fresh, and
// it is no row whose parts must be known to come from a second client (File.Resumed).
func (p Proposal) KnownAlive(row File) bool {
	return !p.Fresh.IsZero() && !row.ChangedAt.Before(p.Fresh) && (row.Parts() < 2 || row.Resumed)
}

// Placed is what became of a Proposal.
type Placed struct {
	File
	Match Match
	Err   error // why no row was made, an *Error; the others of the plan are not affected
}

// Match tells whether the case had a proposed file already.
type Match string

const (
	MatchNone       Match = ""           // a new row was made
	MatchUnfinished Match = "unfinished" // the row of the same file, whose upload goes on
	MatchReceived   Match = "received"   // an acknowledged file of the same size and checksum: nothing is to be sent
)

// sameModified is how far apart the times of one copy may be: FAT keeps even seconds only
// (https://learn.microsoft.com/windows/win32/sysinfo/file-times).
const sameModified = 2 * time.Second

// Resumes tells whether f, about to be sent, is the very file whose upload the unfinished row began: the same case,
// name, folder, size and fingerprint, and times of change that do not contradict each other. Without a fingerprint
// nothing resumes: a changed file must never go on where another left off.
func (f File) Resumes(row File) bool {
	if !row.State.Arriving() || f.Fingerprint == "" {
		return false
	}
	if f.Case != row.Case || f.Name != row.Name || f.Path != row.Path || f.Size != row.Size || f.Fingerprint != row.Fingerprint {
		return false
	}
	if f.ModifiedAt.IsZero() || row.ModifiedAt.IsZero() {
		return true
	}
	return f.ModifiedAt.Sub(row.ModifiedAt).Abs() <= sameModified
}
