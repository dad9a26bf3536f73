package ledger

import (
	"strings"

	"dcdentals.com/caseload/internal/caseload"
)

// Why a key has a line of its own, in one sentence each.
const (
	whyStranger   = "No file of the database has this key."
	whyErased     = "It was erased once, or was to be kept no longer, and the store holds it all the same."
	whyPosted     = "It was posted for a file that does not wait for it any more."
	whyOver       = "It was put over the object that the file was verified to be."
	whyNoUpload   = "No file of the database has this upload."
	whyOther      = "The file under this key uses another upload."
	whyNotNeeded  = "The file under this key does not need this upload any more."
	whyMissing    = "The file was received, and the store does not hold its object."
	whyVersionOff = "The file was received, and the store does not hold that version of its object."
)

// explain says why the store holds an object, by what the database says of its key (nil: nothing). why is "" unless it
// is unexplained.
func explain(o caseload.Listed, row *caseload.LedgerRow) (org caseload.OrganizationID, class caseload.Class, why string) {
	switch {
	case o.Hides && row == nil:
		return "", caseload.ClassMarker, ""
	case o.Hides:
		return row.Organization, caseload.ClassMarker, ""
	case row == nil && (strings.HasPrefix(string(o.Key), caseload.TrialPrefix) || o.Key == caseload.MarkerKey):
		return "", caseload.ClassTrial, ""
	case row == nil:
		return "", caseload.ClassUnexplained, whyStranger
	case row.State.Acknowledged() && !row.Form && pinned(o, row):
		return row.Organization, live(row), ""
	case row.State.Arriving() && o.Current:
		return row.Organization, caseload.ClassInFlight, ""
	case row.Intent && (o.Current || o.ID == row.VersionID):
		return row.Organization, givenUp(row), ""
	case !o.Current:
		return row.Organization, caseload.ClassReplaced, ""
	case row.State.Acknowledged() && !row.Form:
		return row.Organization, caseload.ClassUnexplained, whyOver
	case row.Form:
		return row.Organization, caseload.ClassUnexplained, whyPosted
	default:
		return row.Organization, caseload.ClassUnexplained, whyErased
	}
}

// pinned tells whether the object is the one a received file reads: its version, or, of a file that was received before the
// bucket kept versions, the one from then. Where only current objects are listed it is that one.
func pinned(o caseload.Listed, row *caseload.LedgerRow) bool {
	switch {
	case o.Hides:
		return false
	case o.ID == "":
		return o.Current
	}
	return o.ID == version(*row, true)
}

// version is the name under which the store holds the version that the row reads; "" where it lists none.
func version(row caseload.LedgerRow, versions bool) string {
	if row.VersionID == "" && versions {
		return caseload.NullVersion
	}
	return row.VersionID
}

func live(row *caseload.LedgerRow) caseload.Class {
	if row.Superseded {
		return caseload.ClassOlder
	}
	return caseload.ClassLive
}

// givenUp is the class of what a delete-intent will erase.
func givenUp(row *caseload.LedgerRow) caseload.Class {
	if row.Form || row.State == caseload.Abandoned || !row.Stored {
		return caseload.ClassAbandoned
	}
	return caseload.ClassTrash
}

// source tells which sum an object belongs to.
func source(o caseload.Listed) caseload.Source {
	if o.Current && !o.Hides {
		return caseload.SourceObject
	}
	return caseload.SourceVersion
}
