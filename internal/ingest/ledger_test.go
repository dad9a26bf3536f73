package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/ingest"
)

// ledger keeps files the way the contract of Records says, in memory, so that a failure can be put at every single call.
// The real store runs through the same tests in store_test.go.
type ledger struct {
	mu    sync.Mutex
	files map[caseload.FileID]*row
	queue []caseload.FileID // what Release enqueued
	fault func(call string) error
	shown []string // "done of total", as renewed
}

type row struct {
	caseload.File
	found    caseload.Findings
	receipt  caseload.Receipt
	saves    int
	finishes int
}

func newLedger(files ...caseload.File) *ledger {
	l := &ledger{files: map[caseload.FileID]*row{}}
	for _, f := range files {
		f.State = caseload.Stored
		l.files[f.ID] = &row{File: f}
	}
	return l
}

func (l *ledger) enter(ctx context.Context, call string) error {
	if l.fault != nil {
		if err := l.fault(call); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *ledger) StartReading(ctx context.Context, id caseload.FileID, owner string, now, until time.Time) (caseload.File, error) {
	if err := l.enter(ctx, "StartReading"); err != nil {
		return caseload.File{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.files[id]
	switch {
	case r == nil:
		return caseload.File{}, caseload.Errorf(caseload.NotFound, "no such file")
	case r.State == caseload.Deleted:
		return caseload.File{}, caseload.Errorf(caseload.Gone, "deleted")
	case r.State == caseload.Stored, r.State == caseload.Reading && !r.ReadingUntil.After(now):
		r.State, r.Owner, r.ReadingUntil = caseload.Reading, owner, until
		r.Attempt++
		r.Tries++
		return r.File, nil
	}
	return caseload.File{}, caseload.Errorf(caseload.Conflict, "taken")
}

// fenced runs fn on the row if the attempt still holds it.
func (l *ledger) fenced(ctx context.Context, call string, id caseload.FileID, attempt int, fn func(*row)) error {
	if err := l.enter(ctx, call); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.files[id]
	if r == nil || r.State != caseload.Reading || r.Attempt != attempt {
		return caseload.Errorf(caseload.Conflict, "fenced")
	}
	fn(r)
	return nil
}

func (l *ledger) Renew(ctx context.Context, id caseload.FileID, attempt int, until time.Time, done, total int) error {
	return l.fenced(ctx, "Renew", id, attempt, func(r *row) {
		r.ReadingUntil, r.EntriesDone, r.EntriesTotal = until, done, total
		l.shown = append(l.shown, fmt.Sprintf("%d of %d", done, total))
	})
}

func (l *ledger) SaveMetadata(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings) error {
	return l.fenced(ctx, "SaveMetadata", id, attempt, func(r *row) { r.found = found; r.saves++ })
}

func (l *ledger) FinishReading(ctx context.Context, id caseload.FileID, attempt int, receipt caseload.Receipt) error {
	return l.fenced(ctx, "FinishReading", id, attempt, func(r *row) {
		r.receipt, r.State = receipt, caseload.Ready
		r.finishes++
	})
}

func (l *ledger) SaveRead(ctx context.Context, id caseload.FileID, attempt int, found caseload.Findings, receipt caseload.Receipt) error {
	return l.fenced(ctx, "SaveRead", id, attempt, func(r *row) {
		r.found, r.receipt, r.State = found, receipt, caseload.Ready
		r.saves++
		r.finishes++
	})
}

func (l *ledger) Reject(ctx context.Context, id caseload.FileID, attempt int, reason string) error {
	return l.fenced(ctx, "Reject", id, attempt, func(r *row) { r.State, r.Reason = caseload.Rejected, reason })
}

func (l *ledger) Release(ctx context.Context, id caseload.FileID, attempt int) error {
	return l.fenced(ctx, "Release", id, attempt, func(r *row) {
		r.ReadingUntil = time.Time{}
		r.Tries--
		l.queue = append(l.queue, id)
	})
}

func (l *ledger) row(id caseload.FileID) row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.files[id]
}

// shelf is an object store over whatever can be read by range.
type shelf struct {
	mu      sync.Mutex
	objects map[caseload.ObjectKey]io.ReaderAt
	fault   func(call string) error
	bytes   int64 // by range
	reads   int
	gate    func(read int64) // called before each read of a stream
}

func (s *shelf) at(o caseload.Object, call string) (io.ReaderAt, error) {
	if s.fault != nil {
		if err := s.fault(call); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.objects[o.Key]
	if r == nil {
		return nil, caseload.Errorf(caseload.NotFound, "no such object")
	}
	return r, nil
}

func (s *shelf) ReadRange(ctx context.Context, o caseload.Object, p []byte, off int64) (int, error) {
	r, err := s.at(o, "ReadRange")
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.ReadAt(p, off)
	s.mu.Lock()
	s.bytes += int64(n)
	s.reads++
	s.mu.Unlock()
	return n, err
}

func (s *shelf) Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error) {
	r, err := s.at(o, "Stream")
	if err != nil {
		return nil, err
	}
	return io.NopCloser(&stream{ctx, s, io.NewSectionReader(r, 0, o.Size), 0}), nil
}

type stream struct {
	ctx   context.Context
	shelf *shelf
	r     io.Reader
	n     int64
}

func (s *stream) Read(p []byte) (int, error) {
	if s.shelf.fault != nil {
		if err := s.shelf.fault("Read"); err != nil {
			return 0, err
		}
	}
	if s.shelf.gate != nil {
		s.shelf.gate(s.n)
	}
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	return n, err
}

// bench is a service over ledger and shelf with some files on it.
type bench struct {
	*ingest.Service
	ledger *ledger
	shelf  *shelf
	ids    []caseload.FileID
	log    *lockedBuffer
}

func newBench(t testing.TB, contents ...[]byte) *bench {
	t.Helper()
	readers := make([]io.ReaderAt, len(contents))
	sizes := make([]int64, len(contents))
	for i, b := range contents {
		readers[i], sizes[i] = bytes.NewReader(b), int64(len(b))
	}
	return newBenchOf(readers, sizes)
}

func newBenchOf(readers []io.ReaderAt, sizes []int64) *bench {
	b := &bench{shelf: &shelf{objects: map[caseload.ObjectKey]io.ReaderAt{}}, log: &lockedBuffer{}}
	var files []caseload.File
	for i, r := range readers {
		f := caseload.File{ID: caseload.FileID(fmt.Sprintf("file%02d", i)), Object: caseload.ObjectKey(fmt.Sprintf("key%02d", i)), Size: sizes[i]}
		var sum caseload.CRC64NVME
		if _, err := io.CopyBuffer(&sum, struct{ io.Reader }{io.NewSectionReader(r, 0, sizes[i])}, make([]byte, 1<<20)); err != nil {
			panic(err)
		}
		f.CRC64NVME = sum.String()
		b.shelf.objects[f.Object] = r
		b.ids = append(b.ids, f.ID)
		files = append(files, f)
	}
	b.ledger = newLedger(files...)
	b.Service = &ingest.Service{
		Records: b.ledger, Objects: b.shelf, Owner: "test", Lease: ingest.DefaultLease, Tries: ingest.DefaultTries, Kills: ingest.DefaultKills, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	b.SetPause(func(time.Duration) {})
	return b
}

// read ingests the first file and returns its row.
func (b *bench) read(t testing.TB) row {
	t.Helper()
	if err := b.Ingest(context.Background(), b.ids[0]); err != nil {
		t.Fatal(err)
	}
	return b.ledger.row(b.ids[0])
}

// outcome is what of a row must not depend on how often and by whom it was read.
func outcome(r row) row {
	r.Attempt, r.Tries, r.Owner, r.ReadingUntil, r.saves, r.finishes = 0, 0, "", time.Time{}, 0, 0
	r.EntriesDone, r.EntriesTotal = 0, 0
	return r
}

func sameOutcome(t *testing.T, got, want row) {
	t.Helper()
	if !reflect.DeepEqual(outcome(got), outcome(want)) {
		t.Fatalf("the rows differ from a clean run's:\n%.2000s\nwant\n%.2000s", fmt.Sprintf("%+v", outcome(got)), fmt.Sprintf("%+v", outcome(want)))
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// studies puts what a set of files gave together the way the store does: by UID.
func studies(rows ...row) []caseload.Study {
	var all []caseload.Study
	for _, r := range rows {
		for _, f := range r.found.Found {
			i := slices.IndexFunc(all, func(s caseload.Study) bool { return s.StudyInstanceUID == f.Study.StudyInstanceUID })
			if i < 0 {
				all, i = append(all, f.Study), len(all)
			}
			s := &all[i].Series
			j := slices.IndexFunc(*s, func(s caseload.Series) bool { return s.SeriesInstanceUID == f.Series.SeriesInstanceUID })
			if j < 0 {
				*s, j = append(*s, f.Series), len(*s)
			}
			in := f.Instance
			in.File = r.ID
			(*s)[j].Members = append((*s)[j].Members, in)
		}
	}
	ingest.Summarize(all)
	return all
}
