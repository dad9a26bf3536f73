package caseload

import "time"

// Trashed is a deleted file whose object is still kept: a person can have it back.
type Trashed struct {
	File     // as it is: deleted; its size and name are those it had
	Intent   IntentID
	Number   string    // of its case
	Patient  string    // of its case
	WithCase bool      // it went with its whole case, and comes back with it
	By       string    // who deleted it: a user's id or SystemActor; "" from before this was kept
	At       time.Time // when
	Until    time.Time // its object is kept at least until then
	Released bool      // the window is over, or a person said now: it can be erased at any moment from Until on
	Claimed  bool      // it is being erased: it cannot come back
	Hidden   bool      // it is behind a delete marker: its window is over, and the bucket still holds its version
	SameName bool      // the case has a file of this name and folder again
}

// TrashedCase is a deleted case that can come back, with those files that went with it.
type TrashedCase struct {
	Case
	By    string // who deleted it, as above
	Files int    // of which the objects are kept
	Bytes int64  // of these
	Until time.Time
}

// Trash is what a user may have back.
type Trash struct {
	Files []Trashed     // deleted one by one, the newest first
	Cases []TrashedCase // the newest first
	More  bool          // there is more than is told here
}

// DueTrash is what of an organization's trash is past its window and was not released.
type DueTrash struct {
	All   Tally // of it
	Rules Tally // that part of All which a rule had put there
	Deeds int   // what people had put there by hand: files and whole cases, each counted once
	Whole Tally // what the organization has, trash included
}

// DeedsAtOnce is how many files and cases that people deleted by hand go at once by themselves, however large a part of
// everything they are: a small clinic's one case is more than any share.
const DeedsAtOnce = 10

// TooMuch tells whether a person has to say so before it goes: more than most was put there by rules, or more than most in
// all and more than DeedsAtOnce by hand.
func (d DueTrash) TooMuch(most Share) bool {
	return ShareOf(d.Rules, d.Whole) > most || ShareOf(d.All, d.Whole) > most && d.Deeds > DeedsAtOnce
}

// MayRestore tells whether a user may have back what was deleted of a case that is owner's: administrators everything of
// their organization, others what is of the cases they opened.
func (u User) MayRestore(owner UserID) bool {
	return u.Role.CanAdminister() || u.Role.CanWrite() && u.ID == owner
}
