package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// sent is one file that arrives in a case: proposed, stored and, unless kind is "", read.
type sent struct {
	name, path string
	drop       caseload.DropID // "": one of its own
	family     caseload.FileID
	kind       caseload.FileKind
	bytes      string // what tells its checksum
}

// receive brings one file to its end a second after the last one.
func (b *bench) receive(c caseload.CaseID, s sent) caseload.File {
	b.t.Helper()
	f := b.arrive(c, s)
	if s.kind != "" {
		b.read(f, s.kind)
	}
	return b.stands(f.ID)
}

func (b *bench) arrive(c caseload.CaseID, s sent) caseload.File {
	b.t.Helper()
	b.pass(time.Second)
	ctx := b.t.Context()
	drop := s.drop
	if drop == "" {
		drop = caseload.NewID[caseload.DropID](b.now())
	}
	f := b.propose(c, drop, caseload.File{
		ID: caseload.NewID[caseload.FileID](b.now()), Name: s.name, Path: s.path, Size: 1000, Route: caseload.Small, Family: s.family,
		State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
	})[0].File
	_, err := b.s.BeginSending(ctx, f.ID, string(b.admin.ID), "", b.now().Add(time.Hour))
	must(b.t, err)
	o := seen(f)
	if s.bytes != "" {
		o.CRC64NVME = caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, []byte(s.bytes)))
	}
	_, won, err := b.markStored(f, o)
	must(b.t, err)
	if !won {
		b.t.Fatal("not stored")
	}
	return f
}

func (b *bench) read(f caseload.File, kind caseload.FileKind) {
	b.t.Helper()
	ctx := b.t.Context()
	r, err := b.s.StartReading(ctx, f.ID, "worker", b.now(), b.now().Add(time.Minute))
	must(b.t, err)
	found := caseload.Findings{Kind: kind}
	if kind == caseload.KindDICOM {
		found = sliceOf("x")
	}
	if kind == caseload.KindSTL {
		found.Contents.Meshes = 1
	}
	must(b.t, b.s.SaveMetadata(ctx, f.ID, r.Attempt, found))
	must(b.t, b.s.FinishReading(ctx, f.ID, r.Attempt, caseload.Receipt{SHA256: strings.Repeat("a", 64)}))
}

// stands reads the row, whatever its state.
func (b *bench) stands(id caseload.FileID) caseload.File {
	b.t.Helper()
	f, err := scanFile(b.s.reader.QueryRowContext(b.t.Context(), `SELECT `+fileColumns+` FROM files f WHERE f.id = $1`, string(id)).Scan)
	must(b.t, err)
	return f
}

// plain are the files the case's page lists, and versions those of one of them, by what b.arrive called them.
func (b *bench) plain(c caseload.CaseID) []caseload.FileID {
	b.t.Helper()
	files, err := b.s.CaseFiles(b.t.Context(), b.admin, c)
	must(b.t, err)
	return idsOf(files)
}

func (b *bench) versions(id caseload.FileID) []caseload.FileID {
	b.t.Helper()
	files, err := b.s.FileVersions(b.t.Context(), b.admin, id)
	must(b.t, err)
	return idsOf(files)
}

func idsOf(files []caseload.File) []caseload.FileID {
	ids := make([]caseload.FileID, len(files))
	for i, f := range files {
		ids[i] = f.ID
	}
	return ids
}

func areThe(t *testing.T, what string, got []caseload.FileID, want ...caseload.FileID) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestACorrectedDesignOfTheSameNameIsANewVersionAndTheLatestIsPlain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "x").ID
		one := b.receive(c, sent{name: "crown.stl", path: "design", kind: caseload.KindSTL, bytes: "1"})
		two := b.receive(c, sent{name: "crown.stl", path: "design", kind: caseload.KindSTL, bytes: "2"})
		three := b.receive(c, sent{name: "crown.stl", path: "design", kind: caseload.KindOther, bytes: "3"})
		areThe(t, "plain", b.plain(c), three.ID)
		areThe(t, "versions", b.versions(one.ID), three.ID, two.ID, one.ID)
		if older, err := b.s.OlderVersions(ctx, b.admin, c); err != nil || len(older) != 1 || older[one.ID] != 2 {
			t.Errorf("older versions %v (%v)", older, err)
		}
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{})
		must(t, err)
		if s := page.Cases[0]; s.Files != 1 || s.Meshes != 0 || s.Bytes != 3000 {
			t.Errorf("the list counts %d files, %d meshes, %d bytes", s.Files, s.Meshes, s.Bytes)
		}
		if _, err := b.s.FileVersions(ctx, b.other, one.ID); caseload.KindOf(err) != caseload.NotFound {
			t.Errorf("another organization sees versions: %v", err)
		}

		must(t, b.s.DeleteFile(ctx, b.admin, two.ID, b.inAnHour()))
		areThe(t, "plain after the middle one is deleted", b.plain(c), three.ID)
		areThe(t, "versions after that", b.versions(three.ID), three.ID, one.ID)
		must(t, b.s.DeleteFile(ctx, b.admin, three.ID, b.inAnHour()))
		areThe(t, "plain after the latest is deleted", b.plain(c), one.ID)
		four := b.receive(c, sent{name: "crown.stl", path: "design", kind: caseload.KindSTL, bytes: "4"})
		must(t, b.s.DeleteFile(ctx, b.admin, one.ID, b.inAnHour()))
		areThe(t, "plain after the first is deleted", b.plain(c), four.ID)
		five := b.receive(c, sent{name: "crown.stl", path: "design", kind: caseload.KindSTL, bytes: "5"})
		areThe(t, "plain at last", b.plain(c), five.ID)
		areThe(t, "versions at last", b.versions(five.ID), five.ID, four.ID)

		events, err := b.s.Events(ctx, b.admin, EventQuery{File: one.ID})
		must(t, err)
		var told []string
		for _, e := range events {
			told = append(told, string(e.Action))
		}
		if got := strings.Join(told, " "); !strings.HasPrefix(got, "file.deleted file.replaced file.latest file.replaced") {
			t.Errorf("of the first one the log tells %s", got)
		}
		if report, err := b.s.VerifyAudit(ctx, b.admin.Organization); err != nil || report.BrokenAt != 0 {
			t.Errorf("audit %+v (%v)", report, err)
		}
	})
}

func TestWhatIsAFileOfItsOwnInSpiteOfItsName(t *testing.T) {
	drop := caseload.NewID[caseload.DropID](time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	stl := func(change func(s *sent)) sent {
		s := sent{name: "a", path: "p", kind: caseload.KindSTL, bytes: "2"}
		change(&s)
		return s
	}
	first := stl(func(s *sent) { s.bytes = "1" })
	onBoth(t, func(t *testing.T, b *bench) {
		for i, of := range []struct {
			name          string
			first, second sent
			alone         bool
		}{
			{"the same name and folder", first, stl(func(*sent) {}), false},
			{"a document in place of an unreadable design", stl(func(s *sent) { s.kind, s.bytes = caseload.KindOther, "1" }), stl(func(s *sent) { s.kind = caseload.KindPDF }), false},
			{"another folder", first, stl(func(s *sent) { s.path = "q" }), true},
			{"another name", first, stl(func(s *sent) { s.name = "A" }), true},
			{"the same drop", stl(func(s *sent) { s.bytes, s.drop = "1", drop }), stl(func(s *sent) { s.drop = drop }), true},
			{"the same bytes", first, stl(func(s *sent) { s.bytes = "1" }), true},
			{"two slices", stl(func(s *sent) { s.kind, s.bytes = caseload.KindDICOM, "1" }), stl(func(s *sent) { s.kind = caseload.KindDICOM }), true},
			{"two ZIPs", stl(func(s *sent) { s.kind, s.bytes = caseload.KindZIP, "1" }), stl(func(s *sent) { s.kind = caseload.KindZIP }), true},
			{"two photos", stl(func(s *sent) { s.kind, s.bytes = caseload.KindJPEG, "1" }), stl(func(s *sent) { s.kind = caseload.KindJPEG }), true},
			{"a design beside a slice", stl(func(s *sent) { s.kind, s.bytes = caseload.KindDICOM, "1" }), stl(func(*sent) {}), true},
		} {
			c := b.newCase(fmt.Sprint(i), "x").ID
			one, two := b.receive(c, of.first), b.receive(c, of.second)
			want := []caseload.FileID{two.ID}
			if of.alone {
				want = []caseload.FileID{one.ID, two.ID}
			}
			areThe(t, of.name, b.plain(c), want...)
		}
	})
}

// Which of two versions is the latest is when they were received, not which was read first.
func TestTheVersionReceivedLastIsTheLatestWhicheverIsReadFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "x").ID
		one := b.arrive(c, sent{name: "a.stl", bytes: "1"})
		two := b.arrive(c, sent{name: "a.stl", bytes: "2"})
		b.read(two, caseload.KindSTL)
		areThe(t, "plain while the first is not read yet", b.plain(c), one.ID, two.ID)
		b.read(one, caseload.KindSTL)
		areThe(t, "plain", b.plain(c), two.ID)
	})
}

func TestAFileIsReplacedByChoiceWhateverItIsOnceItsNewVersionIsReceived(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "x").ID
		old := b.receive(c, sent{name: "IM0001", kind: caseload.KindDICOM, bytes: "1"})
		studies := func() int {
			t.Helper()
			all, err := b.s.CaseStudies(ctx, b.admin, c)
			must(t, err)
			return len(all)
		}
		f := b.propose(c, "", caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Name: "report.pdf", Size: 1000, Route: caseload.Small, Family: old.FamilyID(),
			State: caseload.Planned, Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		})[0].File
		if stands := b.stands(old.ID); stands.Superseded || studies() != 1 {
			t.Error("the old version is superseded before the new one is received")
		}
		must(t, b.abandon(f).Err)
		if stands := b.stands(old.ID); stands.Superseded {
			t.Error("superseded by what never arrived")
		}
		two := b.receive(c, sent{name: "other name.pdf", family: old.FamilyID(), kind: caseload.KindPDF, bytes: "2"})
		if stands := b.stands(old.ID); !stands.Superseded || studies() != 0 {
			t.Errorf("superseded: %v, %d studies", stands.Superseded, studies())
		}
		if all, err := b.s.FileStudies(ctx, b.admin, old.ID); err != nil || len(all) != 1 {
			t.Errorf("the older version itself shows %d studies (%v)", len(all), err)
		}
		must(t, b.s.DeleteFile(ctx, b.admin, two.ID, b.inAnHour()))
		if stands := b.stands(old.ID); stands.Superseded || studies() != 1 {
			t.Errorf("after the latest was deleted: superseded %v, %d studies", stands.Superseded, studies())
		}
	})
}

// Bytes that the case has received are told so, those of older versions too; only when a certain file is to be replaced does
// an older version not count, so that one can go back to it.
func TestWhatIsAlreadyReceivedAmongVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "x").ID
		one := b.receive(c, sent{name: "a.stl", kind: caseload.KindSTL, bytes: "1"})
		two := b.receive(c, sent{name: "a.stl", kind: caseload.KindSTL, bytes: "2"})
		match := func(of caseload.File, family caseload.FileID) caseload.Match {
			t.Helper()
			p := caseload.Proposal{Checksum: of.CRC64NVME, File: caseload.File{
				ID: caseload.NewID[caseload.FileID](b.now()), Name: "a.stl", Size: 1000, Route: caseload.Small, Family: family,
				Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
			}}
			placed, _, err := b.s.PlanFiles(t.Context(), b.admin, c, "", []caseload.Proposal{p})
			must(t, err)
			return placed[0].Match
		}
		for _, of := range []struct {
			name   string
			bytes  caseload.File
			family caseload.FileID
			want   caseload.Match
		}{
			{"the latest", two, "", caseload.MatchReceived},
			{"an older version", one, "", caseload.MatchReceived},
			{"the latest, to replace itself", two, one.ID, caseload.MatchReceived},
			{"an older version, to replace the latest", one, one.ID, caseload.MatchNone},
		} {
			if got := match(of.bytes, of.family); got != of.want {
				t.Errorf("%s: %q, want %q", of.name, got, of.want)
			}
		}
	})
}

// Every file that was read asks for those of its name: of a case with ten thousand slices the others are not looked through.
func TestFilesOfOneNameAreFoundByTheirName(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		explain := "EXPLAIN QUERY PLAN "
		if b.s.engine == Postgres { // which reads so few rows without an index, unless told not to
			explain = "EXPLAIN "
		}
		must(t, b.s.write(t.Context(), func(x *tx) error {
			if b.s.engine == Postgres {
				if _, err := x.ExecContext(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil {
					return err
				}
			}
			rows, err := x.QueryContext(t.Context(), explain+strings.NewReplacer("$1", "'c'", "$2", "'n'", "$3", "'p'", "$4", "'f'").Replace(sameName))
			if err != nil {
				return err
			}
			defer rows.Close()
			plan := ""
			for rows.Next() {
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				line := make([]any, len(columns))
				for i := range line {
					line[i] = new(any)
				}
				if err := rows.Scan(line...); err != nil {
					return err
				}
				plan += fmt.Sprintln(*line[len(line)-1].(*any))
			}
			if !strings.Contains(plan, "files_named") || strings.Contains(plan, "SCAN") {
				t.Errorf("the plan: %s", plan)
			}
			return rows.Err()
		}))
	})
}
