package ingest_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/pgtest"
	"dcdentals.com/caseload/internal/store"
)

// These tests run the verb over the real database, on both engines, and the real embedded store.

// clinic is a database with one user, and the object store all clinics of a test share.
type clinic struct {
	t       *testing.T
	store   *store.Store
	objects *objectstore.Store
	user    caseload.User
	cases   int
	held    int64 // of the readers
}

func onRealParts(t *testing.T, test func(c *clinic)) {
	embedded, err := objectstore.StartEmbedded(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := embedded.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	run := func(url string) func(t *testing.T) {
		return func(t *testing.T) {
			if url == "" {
				url = pgtest.URL(t)
			}
			s, err := store.Open(t.Context(), store.Config{URL: url})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			must(t, s.Migrate(t.Context()))
			s.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return nil })
			c := &clinic{t: t, store: s, objects: embedded.Store()}
			c.user, err = s.CreateFirstAdmin(t.Context(), "Clinic", caseload.User{Email: "ada@clinic.example", Name: "Ada"}, "hash")
			must(t, err)
			test(c)
		}
	}
	t.Run("sqlite", run("sqlite:"+filepath.Join(t.TempDir(), "caseload.db")))
	t.Run("postgres", run(""))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *clinic) reader(records ingest.Records, objects ingest.Objects) *ingest.Service {
	s := &ingest.Service{Records: records, Objects: objects, Owner: "test", Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Held: c.held, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	s.SetPause(func(time.Duration) {})
	return s
}

// put puts an object into the store.
func (c *clinic) put(content []byte) caseload.Object {
	c.t.Helper()
	sum := caseload.FormatCRC64NVME(caseload.UpdateCRC64NVME(0, content))
	o := caseload.Object{Key: caseload.NewObjectKey(), Size: int64(len(content)), CRC64NVME: sum}
	must(c.t, c.objects.Put(c.t.Context(), o.Key, bytes.NewReader(content), o.Size, o.CRC64NVME))
	seen, err := c.objects.Head(c.t.Context(), o.Key, "")
	must(c.t, err)
	return seen
}

// stored opens a case with one stored file for each content.
func (c *clinic) stored(contents ...[]byte) (caseload.CaseID, []caseload.FileID) {
	c.t.Helper()
	ctx := c.t.Context()
	c.cases++
	opened, err := c.store.CreateCase(ctx, c.user, caseload.Case{Number: fmt.Sprint(c.cases), Patient: "x"})
	must(c.t, err)
	var ids []caseload.FileID
	for i, content := range contents {
		o := c.put(content)
		f := caseload.File{
			ID: caseload.NewID[caseload.FileID](time.Now()), Case: opened.ID, Name: fmt.Sprint("file", i), Size: o.Size, Route: caseload.Small,
			State: caseload.Planned, Object: o.Key, Deadline: time.Now().Add(time.Hour),
		}
		_, _, err = c.store.PlanFiles(ctx, c.user, opened.ID, "", []caseload.Proposal{{File: f}})
		must(c.t, err)
		_, err := c.store.BeginSending(ctx, f.ID, string(c.user.ID), "", time.Now().Add(time.Hour))
		must(c.t, err)
		_, err = c.store.MarkStored(ctx, caseload.SystemActor, []caseload.Seen{{File: f.ID, Object: o}})
		must(c.t, err)
		ids = append(ids, f.ID)
	}
	return opened.ID, ids
}

// picture is what the database says of a case, without what may differ between two readings: ids, times, attempts.
func (c *clinic) picture(id caseload.CaseID) string {
	c.t.Helper()
	files, err := c.store.CaseFiles(c.t.Context(), c.user, id)
	must(c.t, err)
	names := map[caseload.FileID]string{}
	var b strings.Builder
	slices.SortFunc(files, func(a, b caseload.File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		names[f.ID] = f.Name
		fmt.Fprintln(&b, f.Name, f.State, f.Kind, f.SHA256, f.Warnings, f.Contents, f.BytesRead)
	}
	all, err := c.store.CaseStudies(c.t.Context(), c.user, id)
	must(c.t, err)
	ingest.Summarize(all)
	for _, st := range all {
		fmt.Fprintln(&b, st.StudyInstanceUID, st.PatientName, st.PatientID, st.Date)
		for _, se := range st.Series {
			fmt.Fprintln(&b, se.SeriesInstanceUID, se.Number, se.Images, se.Instances, se.Rows, se.Columns, se.Spacing, se.SpacingSource, se.Complete, se.Note)
			var lines []string
			for _, m := range se.Members {
				file := names[m.File]
				m.ID, m.File = "", ""
				if m.Entry.Index < 0 {
					m.Entry.Size, m.Entry.CRC32 = 0, 0 // known of files that were held in memory
				}
				lines = append(lines, fmt.Sprintf("%s %+v", file, m))
			}
			slices.Sort(lines)
			fmt.Fprintln(&b, strings.Join(lines, "\n"))
		}
	}
	return b.String()
}

func TestOnRealPartsAZIPAMultiFrameAndAFolderAreUnderstood(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		multi := object{sop: "2.25.4", series: "2.25.5", number: 1, frames: 40, rows: 128, columns: 128, thickness: 0.25}
		id, files := c.stored(caseZIP(c.t, 300), multi.bytes(), []byte("%PDF-1.7"))
		s := c.reader(c.store, c.objects)
		for _, f := range files {
			must(c.t, s.Ingest(c.t.Context(), f))
		}
		all, err := c.store.CaseStudies(c.t.Context(), c.user, id)
		must(c.t, err)
		ingest.Summarize(all)
		if len(all) != 1 || len(all[0].Series) != 2 {
			c.t.Fatalf("%d studies:\n%s", len(all), c.picture(id))
		}
		images := []int{all[0].Series[0].Images, all[0].Series[1].Images}
		slices.Sort(images)
		if !reflect.DeepEqual(images, []int{40, 300}) {
			c.t.Errorf("images %v", images)
		}

		var slicesOf [][]byte
		for n := 1; n <= 30; n++ {
			slicesOf = append(slicesOf, slice(n).bytes())
		}
		id, files = c.stored(slicesOf...)
		var wg sync.WaitGroup
		for _, f := range files {
			wg.Go(func() {
				if err := s.Ingest(context.Background(), f); err != nil {
					c.t.Error(err)
				}
			})
		}
		wg.Wait()
		all, err = c.store.CaseStudies(c.t.Context(), c.user, id)
		must(c.t, err)
		ingest.Summarize(all)
		if len(all) != 1 || len(all[0].Series) != 1 || all[0].Series[0].Images != 30 || !all[0].Series[0].Complete {
			c.t.Errorf("the folder:\n%.1000s", c.picture(id))
		}
	})
}

// faulty puts a failure before the calls to database and store.
type faulty struct {
	ingest.Records
	objects ingest.Objects
	n       atomic.Int64
	hook    func(n int64) error
}

func (f *faulty) fail() error { return f.hook(f.n.Add(1) - 1) }

func (f *faulty) StartReading(ctx context.Context, id caseload.FileID, owner string, now, until time.Time) (caseload.File, error) {
	if err := f.fail(); err != nil {
		return caseload.File{}, err
	}
	return f.Records.StartReading(ctx, id, owner, now, until)
}

func (f *faulty) Renew(ctx context.Context, id caseload.FileID, attempt int, until time.Time, done, total int) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Records.Renew(ctx, id, attempt, until, done, total)
}

// SaveMetadata and the two after it fail after the fact as well: the answer is lost, the change is not.
func (f *faulty) SaveMetadata(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings) error {
	return errors.Join(f.fail(), f.Records.SaveMetadata(ctx, id, attempt, found), f.fail())
}

func (f *faulty) FinishReading(ctx context.Context, id caseload.FileID, attempt int, r caseload.Receipt) error {
	if err := f.fail(); err != nil {
		return err
	}
	return errors.Join(f.Records.FinishReading(ctx, id, attempt, r), f.fail())
}

func (f *faulty) SaveRead(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, r caseload.Receipt) error {
	if err := f.fail(); err != nil {
		return err
	}
	return errors.Join(f.Records.SaveRead(ctx, id, attempt, found, r), f.fail())
}

func (f *faulty) Release(ctx context.Context, id caseload.FileID, attempt int) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Records.Release(ctx, id, attempt)
}

func (f *faulty) ReadRange(ctx context.Context, o caseload.Object, p []byte, off int64) (int, error) {
	if err := f.fail(); err != nil {
		return 0, err
	}
	return f.objects.ReadRange(ctx, o, p, off)
}

func (f *faulty) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.objects.Stream(ctx, o)
}

func TestOnRealPartsAKillAtAnyCallLeavesWhatACleanRunLeaves(t *testing.T) {
	for held, least := range map[int64]int64{0: 12, ingest.DefaultHeld: 8} {
		t.Run(fmt.Sprintf("%d bytes held", held), func(t *testing.T) { killedAtAnyCall(t, held, least) })
	}
}

// killedAtAnyCall does it with files up to so many bytes held in memory, in which there are at least so many calls.
func killedAtAnyCall(t *testing.T, held, least int64) {
	onRealParts(t, func(c *clinic) {
		c.held = held
		objects := [][]byte{caseZIP(c.t, 12), slice(1).bytes()}
		clean, files := c.stored(objects...)
		count := &faulty{Records: c.store, objects: c.objects, hook: func(int64) error { return nil }}
		for _, f := range files {
			must(c.t, c.reader(count, count).Ingest(c.t.Context(), f))
		}
		want, calls := c.picture(clean), count.n.Load()
		if calls < least {
			c.t.Fatalf("only %d calls", calls)
		}
		for at := range calls {
			id, files := c.stored(objects...)
			killed := &faulty{Records: c.store, objects: c.objects, hook: func(n int64) error {
				if n >= at {
					return errors.New("the process is dead")
				}
				return nil
			}}
			for _, f := range files {
				_ = c.reader(killed, killed).Ingest(c.t.Context(), f)
			}
			later := c.reader(c.store, c.objects)
			later.Now = func() time.Time { return time.Now().Add(time.Minute) } // the lease has lapsed
			for _, f := range files {
				must(c.t, later.Ingest(c.t.Context(), f))
			}
			if got := c.picture(id); got != want {
				c.t.Fatalf("killed at call %d of %d:\n%.3000s\nwant\n%.3000s", at, calls, got, want)
			}
		}
	})
}

func TestAFileHeldInMemoryIsReadAsOneThatIsNot(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		var pictures []string
		for _, held := range []int64{0, ingest.DefaultHeld} {
			c.held = held
			id, files := c.stored(caseZIP(c.t, 6), slice(1).bytes(), []byte("%PDF-1.7"))
			for _, f := range files {
				must(c.t, c.reader(c.store, c.objects).Ingest(c.t.Context(), f))
			}
			pictures = append(pictures, c.picture(id))
		}
		if pictures[0] != pictures[1] {
			c.t.Errorf("by range:\n%.3000s\nheld:\n%.3000s", pictures[0], pictures[1])
		}
	})
}

func TestOnRealPartsTheSameJobTwiceAtOnceLeavesWhatACleanRunLeaves(t *testing.T) {
	onRealParts(t, func(c *clinic) {
		o := caseZIP(c.t, 6)
		clean, files := c.stored(o)
		s := c.reader(c.store, c.objects)
		must(c.t, s.Ingest(c.t.Context(), files[0]))
		want := c.picture(clean)
		for range 30 {
			id, files := c.stored(o)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if err := s.Ingest(context.Background(), files[0]); err != nil {
						c.t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := c.picture(id); got != want {
				c.t.Fatalf("%.2000s\nwant\n%.2000s", got, want)
			}
		}
	})
}
