package store

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// slicesOf is what reading a ZIP of n CT slices of one series finds.
func slicesOf(n int) caseload.Findings {
	found := caseload.Findings{Kind: caseload.KindZIP, Contents: caseload.Contents{Entries: n, Images: n}, BytesRead: 4096}
	for i := range n {
		found.Found = append(found.Found, caseload.Found{
			Study:  caseload.Study{StudyInstanceUID: "1.2.3", PatientName: "Kim^Chulsu=金^哲秀=김^철수", PatientID: "P-77", Date: "20260228"},
			Series: caseload.Series{SeriesInstanceUID: "1.2.3.4", Modality: "CT", Number: "2"},
			Instance: caseload.Instance{
				SOPInstanceUID: fmt.Sprintf("1.2.3.4.%d", i), SOPClassUID: "1.2.840.10008.5.1.4.1.1.2", TransferSyntax: "1.2.840.10008.1.2.1",
				Number: i + 1, Rows: 512, Columns: 512, Frames: 1, BitsAllocated: 16, Position: []float64{-1.5, 0.1, float64(i) * 0.3},
				Orientation: []float64{1, 0, 0, 0, 1, 0}, PixelSpacing: []float64{0.3, 0.3}, SliceThickness: 0.3, SpacingBetween: 0.3,
				Entry: caseload.EntryRef{
					Index: i, Name: fmt.Sprintf("임대석/IM%03d", i), Method: 8, DataOffset: int64(i) << 33, Compressed: 10, Size: 20, CRC32: 0xffffffff,
					Within: caseload.Packing{Method: 8, DataOffset: 1 << 41, Compressed: 1 << 33, Size: 1 << 34},
				},
				FramePositions: []float64{-0.1, 1e-9, 7}, Patient: caseload.Patient{Name: "Kim", ID: "P-77", BirthDate: "19800101"},
				PixelOffset: 1 << 40, PixelLength: -1, PixelEncapsulated: true, Warnings: []string{"odd"},
			},
		})
	}
	return found
}

func TestInstancesComeBackAsTheyWereSaved(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		found := slicesOf(3)
		found.Warnings = []string{"나쁜 \x00 header \xff"}
		found.Found[1].Instance.Position, found.Found[1].Instance.SliceThickness = []float64{math.Inf(1), 0, 1e-300}, math.NaN()
		found.Found[1].Study.PatientName = "Bad\x00Name\xff"
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, found))
		for name, ask := range map[string]func() ([]caseload.Study, error){
			"CaseStudies": func() ([]caseload.Study, error) { return b.s.CaseStudies(ctx, b.admin, c.ID) },
			"FileStudies": func() ([]caseload.Study, error) { return b.s.FileStudies(ctx, b.admin, f.ID) },
		} {
			studies, err := ask()
			must(t, err)
			if len(studies) != 1 || len(studies[0].Series) != 1 || len(studies[0].Series[0].Members) != 3 {
				t.Fatalf("%s: %+v", name, studies)
			}
			st, se := studies[0], studies[0].Series[0]
			if st.PatientName != "Kim^Chulsu=金^哲秀=김^철수" || st.Case != c.ID || se.Study != st.ID || !reflect.DeepEqual(se.Files, []caseload.FileID{f.ID}) {
				t.Errorf("%s: study %+v", name, st)
			}
			for i, got := range se.Members {
				want := found.Found[i].Instance
				want.ID, want.File = got.ID, f.ID
				if i == 1 {
					want.SliceThickness = 0 // NaN is no number
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: instance %d\n got %+v\nwant %+v", name, i, got, want)
				}
			}
		}
		got, err := b.s.File(ctx, b.admin, f.ID)
		must(t, err)
		if got.Kind != caseload.KindZIP || got.Contents.Images != 3 || got.MetadataAt.IsZero() || got.BytesRead != 4096 ||
			len(got.Warnings) != 1 || got.Warnings[0] != "나쁜  header \uFFFD" {
			t.Errorf("the file says %+v", got)
		}
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{})
		must(t, err)
		if s := page.Cases[0]; s.Studies != 1 || s.Series != 1 || s.Images != 3 || s.InWork != 1 || s.Attention != 1 || s.Files != 1 || s.Bytes != 1000 {
			t.Errorf("the summary says %+v", s)
		}
	})
}

func TestASecondAttemptReplacesTheFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		wrong := slicesOf(4)
		for i := range wrong.Found {
			wrong.Found[i].Study.StudyInstanceUID = "9.9"
			wrong.Found[i].Study.PatientName = "Wrong^Person"
		}
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, wrong))
		must(t, b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(2)))
		studies, err := b.s.CaseStudies(ctx, b.admin, c.ID)
		must(t, err)
		if len(studies) != 1 || studies[0].StudyInstanceUID != "1.2.3" || len(studies[0].Series[0].Members) != 2 {
			t.Errorf("after the second: %+v", studies)
		}
		for query, want := range map[string]int{"wrong": 0, "9.9": 0, "chulsu": 1, "철수": 1, "p-77": 1, "1.2.3": 1} {
			page, err := b.s.Cases(ctx, b.admin, CaseQuery{Text: query})
			must(t, err)
			if len(page.Cases) != want {
				t.Errorf("%q finds %d cases, want %d", query, len(page.Cases), want)
			}
		}
	})
}

// Two files of one case hold the same object: both rows stay, and deleting one file leaves the other's.
func TestTheSameObjectFromTwoFiles(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		first, second := b.as(c.ID, caseload.Reading), b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(ctx, first.ID, 1, slicesOf(2)))
		must(t, b.s.SaveMetadata(ctx, second.ID, 1, slicesOf(2)))
		count := func() (studies, members, files int) {
			all, err := b.s.CaseStudies(ctx, b.admin, c.ID)
			must(t, err)
			for _, st := range all {
				for _, se := range st.Series {
					members, files = members+len(se.Members), files+len(se.Files)
				}
			}
			return len(all), members, files
		}
		if s, m, f := count(); s != 1 || m != 4 || f != 2 {
			t.Errorf("%d studies, %d members, %d files; want 1, 4, 2", s, m, f)
		}
		must(t, b.s.DeleteFile(ctx, b.admin, first.ID, b.inAnHour()))
		if s, m, f := count(); s != 1 || m != 2 || f != 1 {
			t.Errorf("with one file deleted: %d studies, %d members, %d files; want 1, 2, 1", s, m, f)
		}
		must(t, b.s.DeleteFile(ctx, b.admin, second.ID, b.inAnHour()))
		if s, _, _ := count(); s != 0 {
			t.Errorf("with both deleted %d studies are left", s)
		}
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{Text: "철수"})
		must(t, err)
		if len(page.Cases) != 0 {
			t.Error("the case is still found by what was deleted")
		}
	})
}

func TestTwentyThousandInstances(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "")
		f := b.as(c.ID, caseload.Reading)
		must(t, b.s.SaveMetadata(t.Context(), f.ID, 1, slicesOf(20_000)))
		studies, err := b.s.CaseStudies(t.Context(), b.admin, c.ID)
		must(t, err)
		if n := len(studies[0].Series[0].Members); n != 20_000 {
			t.Errorf("%d instances came back", n)
		}
	})
}

// What is read in one go is saved as a whole or not at all.
func TestWhatIsReadInOneGoIsSavedWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Reading)
		print := b.fingerprint(b.admin.Organization)
		wantKind(t, b.s.SaveRead(ctx, f.ID, 1, slicesOf(2), caseload.Receipt{}), caseload.Conflict) // without a checksum
		if b.fingerprint(b.admin.Organization) != print {
			t.Error("metadata was kept of a file that did not become ready")
		}
		must(t, b.s.SaveRead(ctx, f.ID, 1, slicesOf(2), caseload.Receipt{SHA256: strings.Repeat("b", 64)}))
		if got, err := b.s.File(ctx, b.admin, f.ID); err != nil || got.State != caseload.Ready || got.Kind != slicesOf(2).Kind || got.MetadataAt.IsZero() {
			t.Errorf("%v: %s, kind %s", err, got.State, got.Kind)
		}
	})
}

// Attempt 1 comes back after attempt 2 took over: it has no say, and nothing changes.
func TestAnEarlierAttemptIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Reading)
		_, err := b.s.StartReading(ctx, f.ID, "second", b.now(), b.now().Add(time.Minute))
		wantKind(t, err, caseload.Conflict) // the lease is alive
		b.pass(31 * time.Second)
		second, err := b.s.StartReading(ctx, f.ID, "second", b.now(), b.now().Add(30*time.Second))
		must(t, err)
		if second.Attempt != 2 || second.Tries != 2 || second.Owner != "second" {
			t.Fatalf("the second attempt is %+v", second)
		}
		must(t, b.s.SaveMetadata(ctx, f.ID, 2, slicesOf(1)))
		before, print := b.row(f), b.fingerprint(b.admin.Organization)
		b.pass(time.Second)
		for name, err := range map[string]error{
			"Renew":         b.s.Renew(ctx, f.ID, 1, b.now().Add(time.Hour), 5, 10),
			"SaveMetadata":  b.s.SaveMetadata(ctx, f.ID, 1, slicesOf(9)),
			"FinishReading": b.s.FinishReading(ctx, f.ID, 1, caseload.Receipt{SHA256: strings.Repeat("b", 64)}),
			"SaveRead":      b.s.SaveRead(ctx, f.ID, 1, slicesOf(9), caseload.Receipt{SHA256: strings.Repeat("b", 64)}),
			"Reject":        b.s.Reject(ctx, f.ID, 1, "no"),
			"Release":       b.s.Release(ctx, f.ID, 1),
		} {
			if caseload.KindOf(err) != caseload.Conflict || err == nil {
				t.Errorf("%s by the first attempt: %v, want Conflict", name, err)
			}
		}
		if !same(before, b.row(f)) || print != b.fingerprint(b.admin.Organization) {
			t.Error("the first attempt changed something")
		}
		studies, err := b.s.FileStudies(ctx, b.admin, f.ID)
		must(t, err)
		if len(studies[0].Series[0].Members) != 1 {
			t.Error("the first attempt's instances were kept")
		}
		must(t, b.s.Renew(ctx, f.ID, 2, b.now().Add(time.Hour), 5, 10))
		must(t, b.s.FinishReading(ctx, f.ID, 2, caseload.Receipt{
			SHA256: strings.Repeat("b", 64), Warnings: []string{"late"},
			Report: caseload.Report{NotRead: 1, Reasons: map[string]int{"encrypted": 1}, Unread: []caseload.Unread{{Entry: "a", Reason: "locked", Code: "encrypted", Offset: 7}}},
		}))
		done, err := b.s.File(ctx, b.admin, f.ID)
		must(t, err)
		if done.State != caseload.Ready || done.EntriesDone != 10 || len(done.Warnings) != 1 || len(done.Contents.Unread) != 1 || done.Contents.NotRead != 1 || done.Contents.Unread[0].Offset != 7 || !done.Deadline.IsZero() {
			t.Errorf("at the end: %+v", done)
		}
	})
}

func TestAnOrderlyStopCostsNoTry(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		f := b.as(b.newCase("1", "").ID, caseload.Reading)
		queued := b.enqueued()
		must(t, b.s.Release(ctx, f.ID, 1))
		if b.enqueued() != queued+1 {
			t.Error("the reading was not asked for again")
		}
		again, err := b.s.StartReading(ctx, f.ID, "next", b.now(), b.now().Add(time.Minute))
		must(t, err)
		if again.Attempt != 2 || again.Tries != 1 {
			t.Errorf("attempt %d, tries %d; want 2 and 1", again.Attempt, again.Tries)
		}
	})
}

func TestWhatLapsedIsQueuedAgainOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		stored, reading := b.as(c.ID, caseload.Stored), b.as(c.ID, caseload.Reading)
		for _, other := range []caseload.State{caseload.Planned, caseload.Sending, caseload.Ready, caseload.Rejected, caseload.Abandoned, caseload.Deleted} {
			b.as(c.ID, other)
		}
		expect := func(why string, want int) {
			t.Helper()
			queued := b.enqueued()
			n, err := b.s.RequeueLapsed(ctx, b.now(), 10)
			must(t, err)
			if n != want || b.enqueued() != queued+want {
				t.Errorf("%s: %d requeued, %d asked for; want %d", why, n, b.enqueued()-queued, want)
			}
		}
		expect("nothing has lapsed", 0)
		b.pass(31 * time.Second)
		expect("the lease has lapsed", 1)
		expect("it was asked for a moment ago", 0)
		b.pass(10 * time.Second) // 41 s since it was stored
		expect("the queue did not begin with the stored file", 1)
		_, err := b.s.StartReading(ctx, reading.ID, "second", b.now(), b.now().Add(30*time.Second))
		must(t, err) // the sweep did not push the lease
		_, err = b.s.StartReading(ctx, stored.ID, "second", b.now(), b.now().Add(30*time.Second))
		must(t, err)
		b.pass(time.Hour)
		must(t, b.s.Renew(ctx, stored.ID, 1, b.now().Add(time.Minute), 0, 0))
		expect("one renewed, one not", 1)
	})
}
