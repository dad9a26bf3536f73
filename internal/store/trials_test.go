package store

import (
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

func TestATrialIsKnownWhileItIsUnderWay(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			s := unmigrated(t, e.url(t))
			must(t, s.Migrate(t.Context()))
			now := time.Now()
			word, later := []byte("word"), []byte("later")
			wantKind(t, s.Trial(t.Context(), word, now), caseload.NotFound)
			must(t, s.BeginTrial(t.Context(), word, now, now.Add(time.Minute)))
			must(t, s.Trial(t.Context(), word, now))
			wantKind(t, s.Trial(t.Context(), []byte("another"), now), caseload.NotFound)
			wantKind(t, s.Trial(t.Context(), word, now.Add(time.Hour)), caseload.NotFound)

			must(t, s.BeginTrial(t.Context(), later, now.Add(time.Hour), now.Add(2*time.Hour)))
			wantKind(t, s.Trial(t.Context(), word, now), caseload.NotFound) // it had ended
			must(t, s.EndTrial(t.Context(), later))
			must(t, s.EndTrial(t.Context(), later))
			wantKind(t, s.Trial(t.Context(), later, now.Add(time.Hour)), caseload.NotFound)
		})
	}
}
