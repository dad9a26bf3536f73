package caseload

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MarkerKey is the one object of the bucket that is no file: by it a database knows the bucket it belongs to, and how far
// it had got (Marker). No file's key has this form.
const MarkerKey ObjectKey = "caseload-marker"

// Marker is what the bucket knows of its database.
type Marker struct {
	Database string    `json:"database"` // its id
	Events   int64     `json:"events"`   // of all audit logs together; it only grows
	Files    int64     `json:"files"`    // rows, deleted ones included; it only grows
	Newest   time.Time `json:"newest"`   // of the newest event
	At       time.Time `json:"at"`       // when this was written
}

// DatabaseFacts is what a database knows of itself.
type DatabaseFacts struct {
	Marker              // as it would be written now, without At
	Now       time.Time // the database's own clock
	Begun     time.Time // when its first organization was made; zero: there is none
	SeenAt    time.Time // when these facts were last asked for; zero: never before
	AwakeFrom time.Time // since when they have been asked for without a gap
}

// Doubt is why nothing is erased now.
type Doubt string

const (
	DoubtClockBack       Doubt = "clock.behind_events"   // the clock is behind the newest event
	DoubtClockStore      Doubt = "clock.store"           // it differs from the store's
	DoubtClockDatabase   Doubt = "clock.database"        // it differs from the database's
	DoubtClockJump       Doubt = "clock.gap"             // nobody looked for days: the clock jumped, or the program did not run
	DoubtOtherDatabase   Doubt = "database.other"        // the bucket belongs to another database
	DoubtFewerRows       Doubt = "database.fewer_rows"   // the database knew more when it was last seen
	DoubtYoungerDatabase Doubt = "database.younger"      // the bucket holds files from before this database
	DoubtShare           Doubt = "share"                 // more would go than may go without a person's word
	DoubtUntold          Doubt = "store.marker_unusable" // the bucket's marker cannot be read
)

// Tally counts objects and their bytes.
type Tally struct{ Objects, Bytes int64 }

// Add returns both together.
func (t Tally) Add(o Tally) Tally { return Tally{t.Objects + o.Objects, t.Bytes + o.Bytes} }

// Share is a part of a whole in tenths of a percent.
type Share int

// ShareOf returns which share part is of the whole, of the objects or of the bytes, whichever is more, rounded up. Of
// nothing, anything is everything.
func ShareOf(part, whole Tally) Share {
	return max(share(part.Objects, whole.Objects), share(part.Bytes, whole.Bytes))
}

func share(part, whole int64) Share {
	switch {
	case part <= 0:
		return 0
	case whole <= part:
		return 1000
	}
	return Share(math.Ceil(float64(part) / float64(whole) * 1000))
}

// String writes the share in percent: "5", "12.5".
func (s Share) String() string {
	if s%10 == 0 {
		return strconv.Itoa(int(s / 10))
	}
	return fmt.Sprintf("%d.%d", s/10, s%10)
}

// ParseShare reads what String writes, with or without a percent sign. Invalid for anything else, or outside 0 to 100.
func ParseShare(text string) (Share, error) {
	plain := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	percent, err := strconv.ParseFloat(strings.Replace(plain, ",", ".", 1), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, Errorf(Invalid, "This is no share in percent.").WithHint("Write a number from 0 to 100, such as 12.5.").WithField("share")
	}
	return Share(math.Round(percent * 10)), nil
}

// ItemKind is why something goes.
type ItemKind string

const (
	ItemUnfinished ItemKind = "unfinished" // an upload without a sign of life, not whole: it is given up
	ItemAbandoned  ItemKind = "abandoned"  // the row of an upload given up before: it leaves the case's page
	ItemTrash      ItemKind = "trash"      // a deleted file past its window: it is erased
	ItemCase       ItemKind = "case"       // a finished case: it goes into the trash
	ItemStray      ItemKind = "stray"      // an unfinished upload of the store that no row knows: its parts are thrown away
)

// ItemState is how far an item of a plan is.
type ItemState string

const (
	ItemWaiting ItemState = "waiting"
	ItemClaimed ItemState = "claimed" // a stray, re-checked and being thrown away
	ItemDone    ItemState = "done"
	ItemFell    ItemState = "fell" // it changed since the plan was made, and stays
)

// Why an item fell.
const (
	FellGone     = "gone"     // it is not there any more
	FellChanged  = "changed"  // it had a sign of life, or was changed, since
	FellBusy     = "busy"     // something of it is arriving or being read
	FellRestored = "restored" // a person took it out of the trash
	FellKnown    = "known"    // a row knows the upload after all
	FellFinished = "finished" // the upload turned out to be whole, and was completed
)

// CleanupItem is one thing of a plan.
type CleanupItem struct {
	Plan     PlanID
	N        int // from 1
	Kind     ItemKind
	Case     CaseID
	File     FileID
	Object   ObjectKey // of a stray
	UploadID string    // of a stray
	Tally              // what it holds of the organization's objects; zero for uploads
	Since    time.Time // last sign of life, end of the window, moment of finishing
	State    ItemState
	Why      string // why it fell, as a word for programs

	Name, Number string // of the file and its case, for people; read with the list, not kept
}

// PlanState is how far a plan is.
type PlanState string

const (
	PlanWaiting   PlanState = "waiting"  // for a person's word
	PlanApproved  PlanState = "approved" // being carried out, or about to be
	PlanDone      PlanState = "done"
	PlanRefused   PlanState = "refused"   // Doubts says why
	PlanDismissed PlanState = "dismissed" // a newer plan took its place, or a person said no
)

// CleanupPlan is what one clean-up of one organization would do, or did.
type CleanupPlan struct {
	ID            PlanID
	Organization  OrganizationID
	State         PlanState
	MadeAt        time.Time
	MadeBy        string    // a user's id, or SystemActor
	QuietSince    time.Time // uploads: none with a sign of life after this moment
	FinishedSince time.Time // cases: finished and unchanged after this moment; zero: cases stay
	Total         Tally     // of the organization, trash included
	Goes          Tally
	Allowed       Share // what a person typed; 0: nothing
	ApprovedBy    string
	ApprovedAt    time.Time
	EndedAt       time.Time
	Doubts        []Doubt
	UndoneAt      time.Time // a person took it back; zero: nobody did
	UndoneBy      string

	Items map[ItemKind]map[ItemState]int // counts; read with the list, not kept
}

// Share is how much of everything would go.
func (p CleanupPlan) Share() Share { return ShareOf(p.Goes, p.Total) }

// Count returns how many items are in the state, of every kind when none is named.
func (p CleanupPlan) Count(state ItemState, kinds ...ItemKind) (n int) {
	for kind, states := range p.Items {
		for _, want := range kinds {
			if want == kind {
				n += states[state]
			}
		}
		if len(kinds) == 0 {
			n += states[state]
		}
	}
	return n
}

// OpenUpload is an unfinished multipart upload as the store lists it.
type OpenUpload struct {
	Key      ObjectKey
	UploadID string
	Begun    time.Time
}

// PlanGoodFor is how long a plan waits for a person's word; after that it has to be made anew.
const PlanGoodFor = 7 * 24 * time.Hour
