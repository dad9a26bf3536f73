package cleanup_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dcdentals.com/caseload/internal/caseload"
)

func encode(sum uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}

// TestOnlyWhatIsUnreferencedAndOldIsEverDeleted lets chance bring database and store into any state, with uploads, deletions,
// restores, finished cases and the store's own strays, while the clock leaps and the clean-up and the sweep run in between. A
// model that knows none of their code says after each step which objects must be there, and of each that went why it could.
func TestOnlyWhatIsUnreferencedAndOldIsEverDeleted(t *testing.T) {
	onBothEngines(t, func(t *testing.T, r *rig) { r.live(t, 12) })
}

// The same over a bucket that keeps versions, where an erasing has two steps: what is hidden comes back, and only what was
// hidden for the undo window, or what a person let go at once, loses its version.
func TestOnlyWhatIsUnreferencedAndOldIsEverDeletedOfVersions(t *testing.T) {
	onVersions(t, func(t *testing.T, r *rig) { r.live(t, 6) })
}

// live runs so many lives, or as many as -rapid.checks says, and tells how many states were judged.
func (r *rig) live(t *testing.T, lives int) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", strconv.Itoa(lives)); err != nil {
			t.Fatal(err)
		}
		defer flag.Set("rapid.checks", checks.DefValue) //nolint:errcheck // it was valid before
	}
	n, states, erased := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r.bucket.erased, r.bucket.aborted, r.bucket.open = nil, nil, nil
		m := &machine{rig: r, rt: rt}
		for range 3 {
			n++
			m.cases = append(m.cases, &modelCase{id: r.newCase(number(n)), changed: r.now()})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"receive": m.receive, "begin": m.begin, "delete": m.remove, "restore": m.restore, "delete case": m.removeCase,
			"restore case": m.restoreCase, "finish": m.finish, "purge": m.purge, "stray": m.leaveStray, "wait": m.wait,
			"plan": m.makePlan, "tend": m.tend, "sweep": m.sweepUp, "": m.compare,
		})
		states, erased = states+m.states, erased+len(r.bucket.erased)
	})
	t.Logf("%d states were judged, %d objects erased in them", states, erased)
}

// modelFile is what must be so of one file.
type modelFile struct {
	caseload.File
	c        *modelCase
	kept     bool // it was acknowledged
	deleted  bool
	with     bool      // with its case
	at       time.Time // of its deletion
	purged   time.Time // a person said now; zero: not
	abandon  bool
	lastSign time.Time
}

type modelCase struct {
	id       caseload.CaseID
	deleted  bool
	finished time.Time
	changed  time.Time
}

type machine struct {
	*rig
	rt     *rapid.T
	cases  []*modelCase
	files  []*modelFile
	strays []caseload.OpenUpload
	seen   [2]int // of what was erased and aborted, what was judged
	states int
}

func (m *machine) liveCase() *modelCase {
	var live []*modelCase
	for _, c := range m.cases {
		if !c.deleted {
			live = append(live, c)
		}
	}
	if len(live) == 0 || len(m.files) > 14 {
		m.rt.Skip("none, or enough")
	}
	return rapid.SampledFrom(live).Draw(m.rt, "case")
}

func (m *machine) file(which func(f *modelFile) bool) *modelFile {
	var some []*modelFile
	for _, f := range m.files {
		if which(f) {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		m.rt.Skip("no such file")
	}
	return rapid.SampledFrom(some).Draw(m.rt, "file")
}

func (c *modelCase) touch(now time.Time) { c.changed, c.finished = now, time.Time{} }

func (m *machine) receive(rt *rapid.T) {
	c := m.liveCase()
	f := m.received(c.id, string(caseload.NewID[caseload.FileID](m.now())), rapid.Bool().Draw(rt, "read"))
	m.files = append(m.files, &modelFile{File: f, c: c, kept: true})
	c.touch(m.now())
}

// begin plans a file and sends nothing, or all but the last word.
func (m *machine) begin(rt *rapid.T) {
	c := m.liveCase()
	f := m.plan(c.id, string(caseload.NewID[caseload.FileID](m.now())), 100)
	m.files = append(m.files, &modelFile{File: f, c: c, lastSign: m.now()})
	c.touch(m.now())
}

func (m *machine) remove(*rapid.T) {
	f := m.file(func(f *modelFile) bool { return !f.deleted })
	m.must(m.DeleteFile(context.Background(), m.admin, f.ID))
	f.deleted, f.at, f.c.changed = true, m.now(), m.now()
}

func (m *machine) restore(*rapid.T) {
	f := m.file(func(f *modelFile) bool { return f.deleted })
	_, err := m.RestoreFile(context.Background(), m.admin, f.ID)
	gone := slices.Contains(m.bucket.erased, f.Object)
	switch {
	case err == nil && (gone || !f.kept || f.c.deleted):
		m.rt.Fatalf("a file came back without its bytes (erased %v, kept %v, case deleted %v)", gone, f.kept, f.c.deleted)
	case err != nil && !gone && f.kept && !f.c.deleted:
		m.rt.Fatalf("a file of the trash did not come back: %v", err)
	case err == nil:
		f.deleted, f.with, f.purged = false, false, time.Time{}
		f.c.changed = m.now()
	}
}

func (m *machine) removeCase(*rapid.T) {
	c := m.liveCase()
	m.must(m.DeleteCase(context.Background(), m.admin, c.id))
	m.gone(c)
}

// gone is what the model says of a case that was deleted now.
func (m *machine) gone(c *modelCase) {
	c.deleted = true
	for _, f := range m.files {
		if f.c == c && !f.deleted {
			f.deleted, f.with, f.at = true, true, m.now()
		}
	}
}

func (m *machine) restoreCase(*rapid.T) {
	for _, c := range m.cases {
		if !c.deleted {
			continue
		}
		_, _, err := m.RestoreCase(context.Background(), m.admin, c.id)
		m.must(err)
		c.deleted = false
		c.touch(m.now())
		for _, f := range m.files {
			if f.c == c && f.with && f.kept && !slices.Contains(m.bucket.erased, f.Object) {
				f.deleted, f.with, f.purged = false, false, time.Time{}
			}
		}
		return
	}
	m.rt.Skip("no deleted case")
}

func (m *machine) finish(*rapid.T) {
	c := m.liveCase()
	m.must(m.records.FinishCase(context.Background(), m.admin, c.id, true))
	if c.finished.IsZero() {
		c.finished, c.changed = m.now(), m.now()
	}
}

func (m *machine) purge(*rapid.T) {
	f := m.file(func(f *modelFile) bool { return f.deleted && f.kept && f.purged.IsZero() })
	if _, err := m.records.PurgeFile(context.Background(), m.admin, f.ID); err == nil {
		f.purged = m.now()
	}
}

func (m *machine) leaveStray(rt *rapid.T) {
	key := rapid.SampledFrom([]caseload.ObjectKey{caseload.NewObjectKey(), "somebody-elses-backup"}).Draw(rt, "key")
	age := rapid.SampledFrom([]time.Duration{0, 8 * 24 * time.Hour, 100 * 24 * time.Hour}).Draw(rt, "age")
	m.strays = append(m.strays, m.stray(key, m.now().Add(-age)))
}

func (m *machine) wait(rt *rapid.T) {
	m.advance(rapid.SampledFrom([]time.Duration{time.Hour, 3 * time.Hour, 8 * 24 * time.Hour, 31 * 24 * time.Hour, 61 * 24 * time.Hour}).Draw(rt, "time"))
}

func (m *machine) makePlan(*rapid.T) { m.approve() }

func (m *machine) tend(*rapid.T) {
	m.must(m.cleaner.Tend(context.Background()))
	m.follow()
}

func (m *machine) sweepUp(*rapid.T) {
	_, err := m.Sweep(context.Background())
	m.must(err)
	m.follow()
}

// follow takes over what the clean-up and the sweep moved by themselves, if they might.
func (m *machine) follow() {
	now := m.now()
	for _, c := range m.cases {
		if _, err := m.records.Case(context.Background(), m.admin, c.id); caseload.KindOf(err) == caseload.Gone && !c.deleted {
			if c.finished.IsZero() || now.Sub(c.finished) < 60*24*time.Hour || now.Sub(c.changed) < 60*24*time.Hour {
				m.rt.Fatalf("a case went that was finished at %v and changed at %v", c.finished, c.changed)
			}
			m.gone(c)
		}
	}
	for _, f := range m.files {
		if f.kept || f.deleted {
			continue
		}
		switch state := m.row(f.ID); {
		case state == caseload.Abandoned && !f.abandon:
			if now.Sub(f.lastSign) < 7*24*time.Hour {
				m.rt.Fatalf("an upload was given up %v after its last sign of life", now.Sub(f.lastSign))
			}
			f.abandon, f.lastSign, f.c.changed = true, now, now
		case state == caseload.Deleted:
			if !f.abandon || now.Sub(f.lastSign) < 7*24*time.Hour {
				m.rt.Fatal("a row went that had not been abandoned for long")
			}
			f.deleted, f.c.changed = true, now
		}
	}
}

// compare is the oracle: what is live is held, and what went could go.
func (m *machine) compare(rt *rapid.T) {
	m.rt = rt
	m.states++
	for _, f := range m.files {
		state := m.row(f.ID)
		if f.deleted != (state == caseload.Deleted) {
			rt.Fatalf("a file is %s, the model says deleted: %v", state, f.deleted)
		}
		if f.kept && !f.deleted && !m.held(f.Object) {
			rt.Fatalf("a LIVE file (%s) lost its object", state)
		}
	}
	for _, key := range m.bucket.erased[m.seen[0]:] {
		i := slices.IndexFunc(m.files, func(f *modelFile) bool { return f.Object == key })
		if i < 0 {
			continue // of a run before
		}
		f, now := m.files[i], m.now()
		old := now.Sub(f.at) >= m.Limits.TrashWindow || !f.purged.IsZero() && now.Sub(f.at) >= caseload.LateWrites
		if f.VersionID != "" && f.purged.IsZero() { // hidden before that, and not for a moment only
			old = now.Sub(f.at) >= m.Limits.TrashWindow+m.Limits.UndoWindow
		}
		if f.kept && (!f.deleted || !old) || !f.kept && !f.deleted && !f.abandon {
			rt.Fatalf("an object went that could not: kept %v, deleted %v for %v, purged %v", f.kept, f.deleted, now.Sub(f.at), f.purged)
		}
	}
	for _, id := range m.bucket.aborted[m.seen[1]:] {
		i := slices.IndexFunc(m.strays, func(u caseload.OpenUpload) bool { return u.UploadID == id })
		if i >= 0 && (!caseload.OwnKey(m.strays[i].Key) || m.now().Sub(m.strays[i].Begun) < 7*24*time.Hour) {
			rt.Fatalf("an upload of the store went that could not: %+v", m.strays[i])
		}
	}
	m.seen = [2]int{len(m.bucket.erased), len(m.bucket.aborted)}
}
