package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/api"
)

func TestHoursOfTheDay(t *testing.T) {
	seoul := time.FixedZone("KST", 9*3600)
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, seoul) }
	for _, c := range []struct {
		hours string
		now   time.Time
		open  bool
		until time.Time
	}{
		{"19:00-07:00", day(25, 18, 59), false, day(25, 19, 0)},
		{"19:00-07:00", day(25, 19, 0), true, day(26, 7, 0)},
		{"19:00-07:00", day(26, 0, 30), true, day(26, 7, 0)},
		{"19:00-07:00", day(26, 7, 0), false, day(26, 19, 0)},
		{"12:30-13:15", day(25, 12, 29), false, day(25, 12, 30)},
		{"12:30-13:15", day(25, 13, 14), true, day(25, 13, 15)},
		{"12:30-13:15", day(25, 13, 15), false, day(26, 12, 30)},
	} {
		h, err := parseHours(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		if open, until := h.at(c.now); open != c.open || !until.Equal(c.until) {
			t.Errorf("%s at %s: %t until %s; want %t until %s", c.hours, c.now, open, until, c.open, c.until)
		}
	}
	for _, wrong := range []string{"19:00", "19-7", "25:00-07:00", "07:00-07:00", "19:00-07:00-08:00"} {
		if _, err := parseHours(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func TestTheNameTellsTheCase(t *testing.T) {
	for _, c := range []struct {
		from, name      string
		dir             bool
		number, patient string
	}{
		{caseFromName, "2026-118.zip", false, "2026-118", ""},
		{caseFromName, "2026-118_임대석.zip", false, "2026-118", "임대석"},
		{caseFromName, "2026-118 Kim Minsu", true, "2026-118", "Kim Minsu"},
		{caseFromName, "PH-1_Kim_Minsu_20240517", true, "PH-1", "Kim Minsu 20240517"},
		{caseFromName, "scan.2", true, "scan.2", ""},
		{caseFromFolder, "2026-118 Kim Minsu", true, "2026-118 Kim Minsu", ""},
	} {
		if number, patient := caseNamed(c.from, c.name, c.dir); number != c.number || patient != c.patient {
			t.Errorf("%s %q: %q, %q; want %q, %q", c.from, c.name, number, patient, c.number, c.patient)
		}
	}
}

// watched is a folder under test and its clock.
type watched struct {
	t *testing.T
	*folder
	now time.Time
}

func newWatched(t *testing.T) *watched {
	return &watched{t, &folder{path: t.TempDir(), settle: 10 * time.Second, entries: map[string]*entry{}}, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
}

// write puts so many bytes into a file of the folder.
func (w *watched) write(name string, bytes int) {
	w.t.Helper()
	full := filepath.Join(w.path, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, make([]byte, bytes), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// after lets time pass, looks, and tells which entries are complete.
func (w *watched) after(d time.Duration) (names []string) {
	w.t.Helper()
	w.now = w.now.Add(d)
	if err := w.look(w.now); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range w.ready(w.now) {
		names = append(names, e.name)
	}
	return names
}

func (w *watched) want(got []string, names ...string) {
	w.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(names) {
		w.t.Errorf("complete: %q; want %q", got, names)
	}
}

func TestWhatIsStillWrittenIsNotComplete(t *testing.T) {
	w := newWatched(t)
	w.write("growing.zip", 1)
	w.write("copied.zip.part", 1)
	w.write(".hidden", 1)
	w.write("Thumbs.db", 1)
	w.want(w.after(0))
	w.write("growing.zip", 2)
	w.want(w.after(9 * time.Second))
	w.write("growing.zip", 3)
	w.want(w.after(9 * time.Second))
	w.want(w.after(9 * time.Second))
	w.want(w.after(time.Second), "growing.zip")
}

func TestASubfolderIsCompleteAsAWhole(t *testing.T) {
	w := newWatched(t)
	w.write("scan/a/IM1", 1)
	w.want(w.after(0))
	w.write("scan/a/IM2", 1)
	w.want(w.after(10 * time.Second))
	w.want(w.after(10*time.Second), "scan")
	w.entries["scan"].sent = w.entries["scan"].sign
	w.want(w.after(10 * time.Second))
	w.write("scan/b/IM3", 1) // the subfolder's own date changes
	w.want(w.after(10 * time.Second))
	w.want(w.after(10*time.Second), "scan")
	w.entries["scan"].sent = w.entries["scan"].sign
	w.write("scan/b/IM4", 1) // it does not change: seen at the next thorough look
	w.want(w.after(10 * time.Second))
	w.want(w.after(lookAgain))
	w.want(w.after(10*time.Second), "scan")
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	w := newWatched(t)
	w.write("a.zip", 1)
	w.write("b.zip", 1)
	w.after(0)
	if err := os.Remove(filepath.Join(w.path, "a.zip")); err != nil {
		t.Fatal(err)
	}
	w.want(w.after(10*time.Second), "b.zip")
	if len(w.entries) != 1 {
		t.Errorf("%d entries are remembered of 1", len(w.entries))
	}
}

func TestTheNewestGoesFirstAndTheOldStays(t *testing.T) {
	w := newWatched(t)
	for name, age := range map[string]time.Duration{"old.zip": 100 * time.Hour, "today.zip": time.Hour, "now.zip": time.Minute} {
		w.write(name, 1)
		at := w.now.Add(-age)
		if err := os.Chtimes(filepath.Join(w.path, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	w.after(0)
	w.want(w.after(10*time.Second), "now.zip", "today.zip", "old.zip")
	w.newer = 48 * time.Hour
	w.want(w.after(0), "now.zip", "today.zip")
}

func TestWhatFailedIsTriedAgainLater(t *testing.T) {
	w := newWatched(t)
	w.write("a.zip", 1)
	w.after(0)
	w.want(w.after(10*time.Second), "a.zip")
	w.entries["a.zip"].again(w.now)
	w.want(w.after(59 * time.Second))
	w.want(w.after(time.Second), "a.zip")
	w.entries["a.zip"].again(w.now)
	w.want(w.after(time.Minute))
	w.write("a.zip", 2) // another file: its failures are forgotten
	w.want(w.after(0))
	w.want(w.after(10*time.Second), "a.zip")
}

func TestOnlyAnAnswerAboutTheFileIsForGood(t *testing.T) {
	for _, c := range []struct {
		err  error
		isNo bool
	}{
		{&api.Problem{Status: 400}, true},
		{&api.Problem{Status: 413}, true},
		{&api.Problem{Status: 507}, false}, // the store is full: somebody makes room
		{&api.Problem{Status: 500}, false},
		{fmt.Errorf("the line: %w", io.ErrUnexpectedEOF), false},
	} {
		if isNo(c.err) != c.isNo {
			t.Errorf("%v: for good is %t", c.err, !c.isNo)
		}
	}
}
