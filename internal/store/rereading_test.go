package store

import (
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// old makes a file one that an older reader read.
func (b *bench) old(f caseload.File) {
	b.t.Helper()
	_, err := b.s.db.ExecContext(b.t.Context(), `UPDATE files SET reader = 0 WHERE id = $1`, string(f.ID))
	must(b.t, err)
}

// ask asks for files to be read again and returns how many were not asked for before.
func (b *bench) ask(r Reindex) int {
	b.t.Helper()
	n, err := b.s.AskRereadings(b.t.Context(), b.admin, r)
	must(b.t, err)
	return n
}

// again takes the lease on the next file that is due.
func (b *bench) again() caseload.File {
	b.t.Helper()
	f, err := b.s.StartRereading(b.t.Context(), b.now(), b.now().Add(20*time.Second))
	must(b.t, err)
	return f
}

func (b *bench) left() (left, failed int) {
	b.t.Helper()
	left, failed, err := b.s.RereadingsLeft(b.t.Context(), b.admin, "")
	must(b.t, err)
	return left, failed
}

// slice is what a newer reader finds in one instance of a study.
func sliceOf(patient string) caseload.Findings {
	return caseload.Findings{Kind: caseload.KindDICOM, Contents: caseload.Contents{Images: 1}, Found: []caseload.Found{{
		Study: caseload.Study{StudyInstanceUID: "2.25.1", PatientName: patient}, Series: caseload.Series{SeriesInstanceUID: "2.25.2", Modality: "CT"},
		Instance: caseload.Instance{SOPInstanceUID: "2.25.3", Entry: caseload.EntryRef{Index: -1}, PixelOffset: -1},
	}}}
}

var wholePass = caseload.Receipt{SHA256: strings.Repeat("b", 64)}

func TestOnlyFilesOfAnOlderReaderAreReadAgainAndAskingTwiceAsksOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "x").ID
		stale, current, rejected := b.as(c, caseload.Ready), b.as(c, caseload.Ready), b.as(c, caseload.Rejected)
		b.as(c, caseload.Stored)
		b.as(c, caseload.Deleted)
		elsewhere := b.as(b.newCase("2", "x").ID, caseload.Ready)
		for _, f := range []caseload.File{stale, rejected, elsewhere} {
			b.old(f)
		}
		if current.Reader != caseload.ReaderVersion || rejected.Reader != caseload.ReaderVersion {
			t.Errorf("readers %d and %d are kept, want %d", current.Reader, rejected.Reader, caseload.ReaderVersion)
		}
		if n := b.ask(Reindex{Case: c}); n != 2 {
			t.Errorf("%d files of the case asked for, want 2", n)
		}
		if n := b.ask(Reindex{Case: c}); n != 0 {
			t.Errorf("asked a second time: %d more", n)
		}
		if n := b.ask(Reindex{}); n != 1 {
			t.Errorf("every case: %d more, want 1", n)
		}
		if n := b.ask(Reindex{Current: true}); n != 1 {
			t.Errorf("those of this reader too: %d more, want 1", n)
		}
		if left, failed := b.left(); left != 4 || failed != 0 {
			t.Errorf("%d left, %d failed", left, failed)
		}
		_, err := b.s.AskRereadings(t.Context(), b.other, Reindex{Case: c})
		wantKind(t, err, caseload.NotFound)
		if n, err := b.s.AskRereadings(t.Context(), b.other, Reindex{Current: true}); err != nil || n != 0 {
			t.Errorf("another organization asked for %d files of ours (%v)", n, err)
		}
	})
}

func TestReadingAgainIsThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "x").ID
		for range 3 {
			b.old(b.as(c, caseload.Ready))
		}
		b.ask(Reindex{Every: time.Minute})
		read := map[caseload.FileID]bool{}
		for range 3 {
			f := b.again()
			read[f.ID] = true
			must(t, b.s.FinishRereading(t.Context(), f.ID, f.Attempt, sliceOf("x"), wholePass))
			_, err := b.s.StartRereading(t.Context(), b.now(), b.now().Add(time.Minute))
			wantKind(t, err, caseload.NotFound)
			b.pass(time.Minute)
		}
		if left, _ := b.left(); left != 0 || len(read) != 3 {
			t.Errorf("%d left, %d read", left, len(read))
		}
	})
}

func TestNewResultsReplaceTheOldAtOnceAndOnlyUnderTheirAttempt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "x").ID
		first := b.as(c, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, first.ID, 1, sliceOf("Old^Name")))
		must(t, b.s.FinishReading(ctx, first.ID, 1, wholePass))
		b.old(first)
		patient := func() (string, caseload.InstanceID) {
			t.Helper()
			studies, err := b.s.CaseStudies(ctx, b.admin, c)
			must(t, err)
			if len(studies) != 1 || len(studies[0].Series) != 1 || len(studies[0].Series[0].Members) != 1 {
				t.Fatalf("studies %+v", studies)
			}
			return studies[0].PatientName, studies[0].Series[0].Members[0].ID
		}
		_, instance := patient()

		b.ask(Reindex{})
		slow := b.again()
		if name, _ := patient(); name != "Old^Name" {
			t.Errorf("while it is read again the patient is %q", name)
		}
		if f, err := b.s.File(ctx, b.admin, first.ID); err != nil || f.State != caseload.Ready {
			t.Errorf("while it is read again the file is %s (%v)", f.State, err)
		}
		b.pass(time.Minute) // the lease lapses, another process takes over
		fast := b.again()
		wantKind(t, b.s.FinishRereading(ctx, slow.ID, slow.Attempt, sliceOf("Wrong"), wholePass), caseload.Conflict)
		wantKind(t, b.s.RenewRereading(ctx, slow.ID, slow.Attempt, b.now().Add(time.Minute)), caseload.Conflict)
		if name, _ := patient(); name != "Old^Name" {
			t.Errorf("a fenced attempt left %q", name)
		}
		must(t, b.s.FinishRereading(ctx, fast.ID, fast.Attempt, sliceOf("New^Name"), wholePass))
		if name, same := patient(); name != "New^Name" || same != instance {
			t.Errorf("patient %q, instance %s, want New^Name and %s", name, same, instance)
		}
		f, err := b.s.File(ctx, b.admin, first.ID)
		must(t, err)
		if f.Reader != caseload.ReaderVersion || f.SHA256 != wholePass.SHA256 || f.Attempt != 3 {
			t.Errorf("reader %d, sha256 %s, attempt %d", f.Reader, f.SHA256, f.Attempt)
		}
		if n := b.ask(Reindex{}); n != 0 {
			t.Errorf("%d files are still those of an older reader", n)
		}
		report, err := b.s.VerifyAudit(ctx, b.admin.Organization)
		if err != nil || report.BrokenAt != 0 {
			t.Errorf("audit %+v (%v)", report, err)
		}
		events, err := b.s.Events(ctx, b.admin, EventQuery{File: first.ID})
		must(t, err)
		if events[0].Action != caseload.FileReindexed || !strings.Contains(events[0].Detail, `"from_reader":0`) {
			t.Errorf("the last event is %s %s", events[0].Action, events[0].Detail)
		}
	})
}

func TestARejectedFileThatCanBeReadNowIsReadyAndOneThatCannotKeepsWhatItHad(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "x").ID
		b.old(b.as(c, caseload.Rejected))
		b.ask(Reindex{})
		f := b.again()
		must(t, b.s.FailRereading(ctx, f.ID, f.Attempt, "It still cannot be read."))
		if left, failed := b.left(); left != 0 || failed != 1 {
			t.Errorf("%d left, %d failed", left, failed)
		}
		if stands, err := b.s.File(ctx, b.admin, f.ID); err != nil || stands.State != caseload.Rejected || stands.Reason != "It cannot be read." {
			t.Errorf("the file is %s, %q (%v)", stands.State, stands.Reason, err)
		}
		if n := b.ask(Reindex{}); n != 0 {
			t.Errorf("asked for %d more", n)
		}
		f = b.again()
		if f.Tries != 1 {
			t.Errorf("asked for anew, it is try %d", f.Tries)
		}
		must(t, b.s.ReleaseRereading(ctx, f.ID, f.Attempt))
		f = b.again()
		if f.Tries != 1 {
			t.Errorf("given back, it is try %d", f.Tries)
		}
		must(t, b.s.FinishRereading(ctx, f.ID, f.Attempt, sliceOf("x"), wholePass))
		if stands, err := b.s.File(ctx, b.admin, f.ID); err != nil || stands.State != caseload.Ready || stands.Reason != "" {
			t.Errorf("the file is %s, %q (%v)", stands.State, stands.Reason, err)
		}
	})
}

func TestWhatIsDeletedIsNotReadAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "x").ID
		gone, kept, taken := b.as(c, caseload.Ready), b.as(c, caseload.Ready), b.as(c, caseload.Ready)
		for _, f := range []caseload.File{gone, kept, taken} {
			b.old(f)
		}
		b.ask(Reindex{})
		must(t, b.s.DeleteFile(ctx, b.admin, gone.ID, b.inAnHour()))
		for range 2 {
			f := b.again()
			if f.ID == gone.ID {
				t.Fatal("a deleted file is read again")
			}
			if f.ID == taken.ID {
				must(t, b.s.DeleteFile(ctx, b.admin, taken.ID, b.inAnHour()))
				wantKind(t, b.s.FinishRereading(ctx, f.ID, f.Attempt, sliceOf("x"), wholePass), caseload.Conflict)
				continue
			}
			must(t, b.s.FinishRereading(ctx, f.ID, f.Attempt, sliceOf("x"), wholePass))
		}
		b.pass(time.Hour)
		_, err := b.s.StartRereading(ctx, b.now(), b.now().Add(time.Minute))
		wantKind(t, err, caseload.NotFound)
		if left, failed := b.left(); left != 0 || failed != 0 {
			t.Errorf("%d left, %d failed", left, failed)
		}
		studies, err := b.s.CaseStudies(ctx, b.admin, c)
		if err != nil || len(studies) != 1 || len(studies[0].Series[0].Members) != 1 {
			t.Errorf("studies %+v (%v)", studies, err)
		}
	})
}
