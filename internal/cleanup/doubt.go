package cleanup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// What is still one clock: processes of one deployment write events by their own, the store and the database have theirs,
// and S3 tells only seconds.
const (
	behindEvents = time.Minute
	apart        = 5 * time.Minute
)

// After a gap of which nobody knows whether the clock jumped or the program rested, a day goes by before anything is erased.
const (
	gap      = 7 * 24 * time.Hour
	afterGap = 24 * time.Hour
)

// youngerBy is how much older than its database a bucket's files may look: the first are sent after the first organization.
const youngerBy = time.Hour

// noteEvery is how often the bucket is told how far its database is.
const noteEvery = 10 * time.Minute

// Doubts looks at the clock, the database and the bucket's marker and returns what looks wrong; nil: all is well, and the
// bucket is told so. The error is about not being able to look, which is no better.
func (s *Service) Doubts(ctx context.Context) ([]caseload.Doubt, error) {
	marker, at, err := s.Objects.Marker(ctx) // before the facts: they only grow
	if caseload.KindOf(err) == caseload.Invalid {
		return []caseload.Doubt{caseload.DoubtUntold}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the bucket's marker: %w", err)
	}
	facts, err := s.Records.Facts(ctx, gap)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	doubts := append(aboutClock(now, at, facts), aboutDatabase(marker, facts)...)
	if marker == nil && len(doubts) == 0 {
		oldest, err := s.Objects.OldestObject(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for files older than the database: %w", err)
		}
		if !oldest.IsZero() && (facts.Begun.IsZero() || oldest.Before(facts.Begun.Add(-youngerBy))) {
			doubts = append(doubts, caseload.DoubtYoungerDatabase)
		}
	}
	if len(doubts) > 0 {
		return doubts, nil
	}
	return nil, s.note(ctx, now, marker == nil, facts)
}

// aboutClock compares our clock with every other there is. A time of zero is a clock that does not answer.
func aboutClock(now, store time.Time, facts caseload.DatabaseFacts) (doubts []caseload.Doubt) {
	if now.Add(behindEvents).Before(facts.Newest) {
		doubts = append(doubts, caseload.DoubtClockBack)
	}
	if store.IsZero() || now.Sub(store).Abs() > apart {
		doubts = append(doubts, caseload.DoubtClockStore)
	}
	if facts.Now.IsZero() || now.Sub(facts.Now).Abs() > apart {
		doubts = append(doubts, caseload.DoubtClockDatabase)
	}
	if !facts.AwakeFrom.IsZero() && now.Sub(facts.AwakeFrom) < afterGap {
		doubts = append(doubts, caseload.DoubtClockJump)
	}
	return doubts
}

// aboutDatabase compares the database with what the bucket was told of it.
func aboutDatabase(marker *caseload.Marker, facts caseload.DatabaseFacts) []caseload.Doubt {
	switch {
	case marker == nil:
		return nil
	case marker.Database != facts.Database:
		return []caseload.Doubt{caseload.DoubtOtherDatabase}
	case facts.Events < marker.Events || facts.Files < marker.Files || facts.Newest.Before(marker.Newest):
		return []caseload.Doubt{caseload.DoubtFewerRows}
	}
	return nil
}

// note tells the bucket how far the database is, now and then.
func (s *Service) note(ctx context.Context, now time.Time, must bool, facts caseload.DatabaseFacts) error {
	s.mu.Lock()
	recent := !s.noted.IsZero() && now.Sub(s.noted).Abs() < noteEvery
	s.mu.Unlock()
	if recent && !must {
		return nil
	}
	m := facts.Marker
	m.At = now.UTC()
	if err := s.Objects.WriteMarker(ctx, m); err != nil {
		return fmt.Errorf("write the bucket's marker: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = now
	return nil
}

// Accept is a person's word that this is the bucket's database, after a restore of a backup for example: the bucket is told
// anew. id is the database's own, which the person types. Invalid when it is another; the id is in the hint.
func (s *Service) Accept(ctx context.Context, id string) error {
	facts, err := s.Records.Facts(ctx, gap)
	if err != nil {
		return err
	}
	if id != facts.Database {
		return caseload.Errorf(caseload.Invalid, "This is not the id of the database.").
			WithHint("Its id is " + facts.Database + ". Accept it only when it is the newest database of this bucket: files that only a newer one knows can be lost.")
	}
	if err := s.note(ctx, s.Now(), true, facts); err != nil {
		return err
	}
	return s.Records.RecordAccepted(ctx, id)
}

// sayings are what each doubt means and what to do, for people.
var sayings = map[caseload.Doubt][2]string{
	caseload.DoubtClockBack:       {"The server's clock is behind the newest event of the database.", "Set the clock (NTP), or wait until it has passed that moment."},
	caseload.DoubtClockStore:      {"The server's clock and the store's differ by more than five minutes.", "Set the server's clock (NTP)."},
	caseload.DoubtClockDatabase:   {"The server's clock and the database's differ by more than five minutes.", "Set both clocks (NTP)."},
	caseload.DoubtClockJump:       {"Nobody has looked after this database for more than seven days, or a clock has jumped.", "Nothing is erased for a day; check the clock meanwhile."},
	caseload.DoubtOtherDatabase:   {"The bucket belongs to another database.", "Check CASELOAD_DATABASE_URL and the bucket's name. If this is the right one: caseload cleanup --accept-database."},
	caseload.DoubtFewerRows:       {"The database knew more when it was last seen: it may be an old copy.", "Use the newest database. If there is none newer: caseload cleanup --accept-database."},
	caseload.DoubtYoungerDatabase: {"The bucket holds files from before this database.", "Check CASELOAD_DATABASE_URL and the bucket's name. If this is the right one: caseload cleanup --accept-database."},
	caseload.DoubtUntold:          {"The bucket's marker, the object caseload-marker, cannot be understood.", "See who wrote it. If this is the right database: caseload cleanup --accept-database."},
	caseload.DoubtShare:           {"More would go than may go without a person's word.", "Look at the plan, then approve it on the page Clean-up or with --allow-share."},
}

// Say returns what a doubt means and what to do about it, in English.
func Say(d caseload.Doubt) (means, hint string) { return sayings[d][0], sayings[d][1] }

// Refusal is the error that carries the doubts' words.
func Refusal(doubts []caseload.Doubt) error {
	var means, hints []string
	for _, d := range doubts {
		means, hints = append(means, sayings[d][0]), append(hints, sayings[d][1])
	}
	return caseload.Errorf(caseload.Conflict, "Nothing is cleaned up. %s", strings.Join(means, " ")).WithHint(strings.Join(hints, " "))
}
