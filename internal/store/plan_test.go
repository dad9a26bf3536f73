package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// scan is a file of a person's disk as it is proposed: 1,000 bytes, small, with a fingerprint.
func (b *bench) scan(name string) caseload.File {
	return caseload.File{
		ID: caseload.NewID[caseload.FileID](b.now()), Name: name, Path: "CBCT/1", Size: 1000, Route: caseload.Small, Fingerprint: "print-of-" + name,
		ModifiedAt: time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC), Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
	}
}

func TestAFileWhoseUploadWasInterruptedGetsItsRowBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "").ID
		first := b.propose(c, "", b.scan("a"), b.scan("b"))
		_, err := b.s.BeginSending(t.Context(), first[0].ID, string(b.admin.ID), "", b.now())
		must(t, err)
		b.pass(3 * time.Hour)
		again := b.propose(c, "", b.scan("b"), b.scan("new"), b.scan("a"))
		for i, want := range []struct {
			match caseload.Match
			id    caseload.FileID
			state caseload.State
		}{{caseload.MatchUnfinished, first[1].ID, caseload.Planned}, {caseload.MatchNone, again[1].ID, caseload.Planned}, {caseload.MatchUnfinished, first[0].ID, caseload.Sending}} {
			got := again[i]
			row, err := b.s.File(t.Context(), b.admin, got.ID)
			must(t, err)
			if got.Match != want.match || got.ID != want.id || got.State != want.state || got.Drop != first[0].Drop {
				t.Errorf("file %d: %s %q, state %s, drop %s; want %+v in drop %s", i, got.ID, got.Match, got.State, got.Drop, want, first[0].Drop)
			}
			if !row.Deadline.Equal(b.now().Add(time.Hour)) || !row.ChangedAt.Equal(b.now()) {
				t.Errorf("file %d: going on is no sign of life: deadline %s, changed %s", i, row.Deadline, row.ChangedAt)
			}
		}
		if n := b.actions(c)[caseload.FilesResumed]; n != 1 {
			t.Errorf("%d events tell that uploads went on, want 1", n)
		}
	})
}

func TestAFreshSignOfLifeIsNotWrittenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "").ID
		b.propose(c, "", b.scan("a"))
		b.pass(time.Hour)
		for _, soon := range []struct {
			fresh time.Duration
			alive time.Time
		}{{2 * time.Hour, b.now().Add(-time.Hour)}, {time.Hour, b.now().Add(-time.Hour)}, {time.Hour - 1, b.now()}} {
			placed, _, err := b.s.PlanFiles(t.Context(), b.admin, c, "", []caseload.Proposal{{File: b.scan("a"), Fresh: b.now().Add(-soon.fresh)}})
			must(t, err)
			row, err := b.s.File(t.Context(), b.admin, placed[0].ID)
			must(t, err)
			if placed[0].Match != caseload.MatchUnfinished || !row.ChangedAt.Equal(soon.alive) || !row.Deadline.Equal(soon.alive.Add(time.Hour)) {
				t.Errorf("fresh for %s: %q, changed %s, deadline %s; want a sign of life at %s", soon.fresh, placed[0].Match, row.ChangedAt, row.Deadline, soon.alive)
			}
			if !placed[0].ChangedAt.Equal(row.ChangedAt) || !placed[0].Deadline.Equal(row.Deadline) {
				t.Errorf("answered %s and %s, kept %s and %s", placed[0].ChangedAt, placed[0].Deadline, row.ChangedAt, row.Deadline)
			}
		}
		if n := b.actions(c)[caseload.FilesResumed]; n != 3 {
			t.Errorf("%d events tell that uploads went on, want 3", n)
		}
	})
}

// actions counts the events of a case by what happened.
func (b *bench) actions(c caseload.CaseID) map[caseload.Action]int {
	b.t.Helper()
	events, err := b.s.Events(b.t.Context(), b.admin, EventQuery{Case: c, Limit: 500})
	must(b.t, err)
	n := map[caseload.Action]int{}
	for _, e := range events {
		n[e.Action]++
	}
	return n
}

func TestAnythingElseIsANewFile(t *testing.T) {
	changes := map[string]func(f *caseload.File){
		"another name":        func(f *caseload.File) { f.Name = "b" },
		"another folder":      func(f *caseload.File) { f.Path = "CBCT/2" },
		"another size":        func(f *caseload.File) { f.Size++ },
		"another fingerprint": func(f *caseload.File) { f.Fingerprint = "other" },
		"no fingerprint":      func(f *caseload.File) { f.Fingerprint = "" },
		"changed later":       func(f *caseload.File) { f.ModifiedAt = f.ModifiedAt.Add(2001 * time.Millisecond) },
		"changed before":      func(f *caseload.File) { f.ModifiedAt = f.ModifiedAt.Add(-3 * time.Second) },
	}
	same := map[string]func(f *caseload.File){
		"the same":              func(*caseload.File) {},
		"a FAT disk's time":     func(f *caseload.File) { f.ModifiedAt = f.ModifiedAt.Add(-2 * time.Second) },
		"a time that is unsaid": func(f *caseload.File) { f.ModifiedAt = time.Time{} },
		"another type":          func(f *caseload.File) { f.ContentType = "text/plain" },
	}
	onBoth(t, func(t *testing.T, b *bench) {
		n := 0
		for want, table := range map[caseload.Match]map[string]func(f *caseload.File){caseload.MatchNone: changes, caseload.MatchUnfinished: same} {
			for name, change := range table {
				n++
				c := b.newCase(fmt.Sprint(n), "").ID
				row := b.propose(c, "", b.scan("a"))[0]
				f := b.scan("a")
				change(&f)
				if got := b.propose(c, "", f)[0]; got.Match != want || (got.ID == row.ID) != (want == caseload.MatchUnfinished) {
					t.Errorf("%s: %q, the old row: %v", name, got.Match, got.ID == row.ID)
				}
			}
		}
		c := b.newCase("none", "").ID
		unsaid := b.scan("a")
		unsaid.Fingerprint = ""
		b.propose(c, "", unsaid)
		if got := b.propose(c, "", b.scan("a"))[0]; got.Match != caseload.MatchNone {
			t.Error("a row without a fingerprint was gone on with")
		}
	})
}

func TestOnlyUnfinishedFilesOfThisCaseGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c, elsewhere := b.newCase("1", "").ID, b.newCase("2", "").ID
		row := b.propose(c, "", b.scan("a"))[0]
		if got := b.propose(elsewhere, "", b.scan("a"))[0]; got.Match != caseload.MatchNone || got.Case != elsewhere {
			t.Errorf("another case's upload was gone on with: %q in %s", got.Match, got.Case)
		}
		foreign, err := b.s.CreateCase(ctx, b.other, caseload.Case{Number: "1"})
		must(t, err)
		theirs, _, err := b.s.PlanFiles(ctx, b.other, foreign.ID, "", []caseload.Proposal{{File: b.scan("a"), Checksum: "AAAAAAAAAAA="}})
		must(t, err)
		if theirs[0].Match != caseload.MatchNone || theirs[0].Organization != b.other.Organization {
			t.Errorf("another organization's upload was gone on with: %+v", theirs[0])
		}
		_, _, err = b.s.PlanFiles(ctx, b.other, c, "", []caseload.Proposal{{File: b.scan("a")}})
		wantKind(t, err, caseload.NotFound)

		must(t, b.abandon(row.File).Err)
		second := b.propose(c, "", b.scan("a"))[0]
		if second.Match != caseload.MatchNone {
			t.Error("an abandoned upload was gone on with")
		}
		must(t, b.s.DeleteFile(ctx, b.admin, second.ID, b.inAnHour()))
		third := b.propose(c, "", b.scan("a"))[0]
		if third.Match != caseload.MatchNone {
			t.Error("a deleted upload was gone on with")
		}
		_, err = b.s.BeginSending(ctx, third.ID, "", "", b.now().Add(time.Hour))
		must(t, err)
		b.stored(third.File)
		if got := b.propose(c, "", b.scan("a"))[0]; got.Match != caseload.MatchNone {
			t.Error("a stored file without a checksum told was gone on with")
		}
	})
}

func TestWhatTheCaseHasReceivedIsNotSentAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		for _, state := range []caseload.State{caseload.Stored, caseload.Reading, caseload.Ready, caseload.Rejected} {
			c := b.newCase(string(state), "").ID
			has := b.as(c, state)
			ask := func(again bool, sum string, change func(f *caseload.File)) caseload.Placed {
				f := b.scan("otherwise named")
				change(&f)
				placed, _, err := b.s.PlanFiles(ctx, b.admin, c, "", []caseload.Proposal{{File: f, Checksum: sum, Again: again}})
				must(t, err)
				return placed[0]
			}
			as := func(*caseload.File) {}
			if got := ask(false, has.CRC64NVME, as); got.Match != caseload.MatchReceived || got.ID != has.ID || got.State != state {
				t.Errorf("%s: the same bytes are %q, %s", state, got.Match, got.ID)
			}
			for name, got := range map[string]caseload.Placed{
				"without a checksum": ask(false, "", func(f *caseload.File) { f.Fingerprint = "1" }),
				"other bytes":        ask(false, "BBBBBBBBBBA=", func(f *caseload.File) { f.Fingerprint = "2" }),
				"another size":       ask(false, has.CRC64NVME, func(f *caseload.File) { f.Fingerprint, f.Size = "3", 999 }),
				"sent all the same":  ask(true, has.CRC64NVME, func(f *caseload.File) { f.Fingerprint = "4" }),
			} {
				if got.Match != caseload.MatchNone {
					t.Errorf("%s, %s: %q", state, name, got.Match)
				}
			}
			must(t, b.s.DeleteFile(ctx, b.admin, has.ID, b.inAnHour()))
			if got := ask(false, has.CRC64NVME, func(f *caseload.File) { f.Fingerprint = "5" }); got.Match != caseload.MatchNone {
				t.Errorf("%s, then deleted: %q", state, got.Match)
			}
			elsewhere := b.newCase(string(state)+" elsewhere", "").ID
			placed, _, err := b.s.PlanFiles(ctx, b.admin, elsewhere, "", []caseload.Proposal{{File: b.scan("a"), Checksum: has.CRC64NVME}})
			must(t, err)
			if placed[0].Match != caseload.MatchNone {
				t.Errorf("%s: another case's file counts as received", state)
			}
		}
	})
}

// A row is one file's: of several alike, each gets a row of its own, its own name's first.
func TestARowIsGivenToOneFileOfABatch(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "").ID
		first := b.propose(c, "", b.scan("a"), b.scan("a"))
		again := b.propose(c, "", b.scan("a"), b.scan("a"), b.scan("a"))
		ids := map[caseload.FileID]bool{first[0].ID: true, first[1].ID: true}
		for _, p := range again[:2] {
			if p.Match != caseload.MatchUnfinished || !ids[p.ID] {
				t.Errorf("%q %s", p.Match, p.ID)
			}
			delete(ids, p.ID)
		}
		if again[2].Match != caseload.MatchNone {
			t.Error("two rows were given to three files")
		}

		d := b.newCase("2", "").ID
		has := b.as(d, caseload.Ready) // "scan.zip"
		named, twin := b.scan("scan.zip"), b.scan("copy of scan.zip")
		named.Path = ""
		placed, _, err := b.s.PlanFiles(t.Context(), b.admin, d, "", []caseload.Proposal{{File: twin, Checksum: has.CRC64NVME}, {File: named, Checksum: has.CRC64NVME}})
		must(t, err)
		if placed[0].Match != caseload.MatchNone || placed[1].Match != caseload.MatchReceived || placed[1].ID != has.ID {
			t.Errorf("%q and %q, want the one of the same name to be received", placed[0].Match, placed[1].Match)
		}
	})
}

func TestADropStaysInItsCase(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c, elsewhere := b.newCase("1", "").ID, b.newCase("2", "").ID
		_, drop, err := b.s.PlanFiles(ctx, b.admin, c, "", []caseload.Proposal{{File: b.scan("a")}})
		must(t, err)
		placed, same, err := b.s.PlanFiles(ctx, b.admin, c, drop, []caseload.Proposal{{File: b.scan("b")}})
		must(t, err)
		if !caseload.ValidID(string(drop)) || same != drop || placed[0].Drop != drop {
			t.Errorf("drop %q, then %q, kept as %q", drop, same, placed[0].Drop)
		}
		_, _, err = b.s.PlanFiles(ctx, b.admin, elsewhere, drop, []caseload.Proposal{{File: b.scan("b")}})
		wantKind(t, err, caseload.Invalid)
		_, other, err := b.s.PlanFiles(ctx, b.admin, c, "", []caseload.Proposal{{File: b.scan("c")}})
		must(t, err)
		if other == drop {
			t.Error("a new drop is the old one")
		}
		own := caseload.NewID[caseload.DropID](b.now())
		placed, in, err := b.s.PlanFiles(ctx, b.admin, c, own, []caseload.Proposal{{File: b.scan("a")}, {File: b.scan("d")}})
		must(t, err)
		if in != own || placed[0].Drop != drop || placed[1].Drop != own {
			t.Errorf("a drop that was named is %s; the file that goes on is in %s, the new one in %s", in, placed[0].Drop, placed[1].Drop)
		}
	})
}

// Two tabs, two processes: whoever plans the same files at the same moment ends with the same rows.
func TestPlansAtOnceEndWithTheSameRows(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		processes := []*Store{b.s}
		for range 2 {
			other, err := Open(t.Context(), Config{URL: b.url, Now: b.now})
			must(t, err)
			t.Cleanup(func() { _ = other.Close() })
			processes = append(processes, other)
		}
		for round := range 10 {
			c := b.newCase(fmt.Sprint(round), "").ID
			ids := make([][]caseload.FileID, 6)
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() {
					placed, _, err := processes[i%len(processes)].PlanFiles(t.Context(), b.admin, c, "",
						[]caseload.Proposal{{File: b.scan("a")}, {File: b.scan("b")}, {File: b.scan("c")}})
					if err != nil {
						t.Error(err)
						return
					}
					for _, p := range placed {
						ids[i] = append(ids[i], p.ID)
					}
				})
			}
			wg.Wait()
			for _, got := range ids {
				if fmt.Sprint(got) != fmt.Sprint(ids[0]) {
					t.Fatalf("rows %v and %v", ids[0], got)
				}
			}
			rows, err := b.s.CaseFiles(t.Context(), b.admin, c)
			must(t, err)
			if len(rows) != 3 {
				t.Fatalf("%d rows of three files", len(rows))
			}
		}
	})
}
