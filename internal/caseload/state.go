package caseload

// State is where a file stands. States move one way (I4 of the upload protocol); CanMove is the only table of moves,
// and every change of state in the database is a compare-and-set against it.
type State string

const (
	Planned   State = "planned"   // a row exists, no byte has moved
	Sending   State = "sending"   // bytes are on their way
	Stored    State = "stored"    // the object is verified and kept; acknowledged to the client
	Reading   State = "reading"   // a worker holds the lease and reads it
	Ready     State = "ready"     // read whole: checksum, kind and metadata are known
	Rejected  State = "rejected"  // kept, but cannot be read; Reason says why
	Abandoned State = "abandoned" // never arrived whole; nothing is kept
	Deleted   State = "deleted"   // a person removed it; the object goes through a delete-intent
)

// States returns every state in the order of a file's life.
func States() []State {
	return []State{Planned, Sending, Stored, Reading, Ready, Rejected, Abandoned, Deleted}
}

var moves = map[State][]State{
	Planned:   {Sending, Abandoned, Deleted},
	Sending:   {Stored, Abandoned, Deleted},
	Stored:    {Reading, Deleted},
	Reading:   {Ready, Rejected, Deleted},
	Ready:     {Deleted},
	Rejected:  {Ready, Deleted}, // a newer reader can read it (caseload reindex)
	Abandoned: {Deleted},
	Deleted:   {},
}

// CanMove tells whether a file may go from one state to the other. Staying in a state is not a move.
func CanMove(from, to State) bool {
	for _, s := range moves[from] {
		if s == to {
			return true
		}
	}
	return false
}

// Acknowledged tells whether the client was told that the file is kept: invariants I1 to I3 hold from here on.
func (s State) Acknowledged() bool {
	return s == Stored || s == Reading || s == Ready || s == Rejected
}

// Terminal tells whether the file has come to rest: only a person moves it further, by deleting it or having it read again.
func (s State) Terminal() bool {
	return s == Ready || s == Rejected || s == Abandoned || s == Deleted
}

// Arriving tells whether the file's bytes are still expected.
func (s State) Arriving() bool { return s == Planned || s == Sending }
