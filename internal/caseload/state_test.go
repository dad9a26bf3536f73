package caseload

import "testing"

// The table of moves, written out once more by hand: every pair of states that is not named here must be refused.
func TestCanMoveAllowsExactlyTheProtocolsMoves(t *testing.T) {
	allowed := map[[2]State]bool{
		{Planned, Sending}: true, {Planned, Abandoned}: true, {Planned, Deleted}: true,
		{Sending, Stored}: true, {Sending, Abandoned}: true, {Sending, Deleted}: true,
		{Stored, Reading}: true, {Stored, Deleted}: true,
		{Reading, Ready}: true, {Reading, Rejected}: true, {Reading, Deleted}: true,
		{Ready, Deleted}: true, {Rejected, Ready}: true, {Rejected, Deleted}: true, {Abandoned, Deleted}: true,
	}
	for _, from := range append(States(), "", "unheard-of") {
		for _, to := range append(States(), "", "unheard-of") {
			if got, want := CanMove(from, to), allowed[[2]State{from, to}]; got != want {
				t.Errorf("CanMove(%q, %q) = %v, want %v", from, to, got, want)
			}
		}
	}
}

func TestMovesNeverFormACircle(t *testing.T) {
	var visit func(s State, path map[State]bool)
	visit = func(s State, path map[State]bool) {
		if path[s] {
			t.Fatalf("state %q can be reached from itself", s)
		}
		path[s] = true
		for _, next := range States() {
			if CanMove(s, next) {
				visit(next, path)
			}
		}
		delete(path, s)
	}
	for _, s := range States() {
		visit(s, map[State]bool{})
	}
}

func TestEveryStateBeforeTheEndCanStillEnd(t *testing.T) {
	for _, s := range States() {
		if s != Deleted && !CanMove(s, Deleted) {
			t.Errorf("a file in state %q can never be deleted", s)
		}
		if s.Arriving() && (s.Acknowledged() || s.Terminal()) {
			t.Errorf("%q cannot be arriving and acknowledged or terminal at once", s)
		}
	}
}
