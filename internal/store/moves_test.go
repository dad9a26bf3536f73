package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// row is what must not change when a verb is refused.
type row struct {
	file   caseload.File
	head   int64
	open   int
	queued int
}

func (b *bench) row(f caseload.File) row {
	b.t.Helper()
	ctx := b.t.Context()
	var r row
	var err error
	r.file, err = scanFile(b.s.reader.QueryRowContext(ctx, `SELECT `+fileColumns+` FROM files f WHERE f.id = $1`, string(f.ID)).Scan)
	must(b.t, err)
	heads, err := b.s.OrganizationRevision(ctx, []caseload.OrganizationID{f.Organization})
	must(b.t, err)
	r.head = heads[f.Organization]
	must(b.t, b.s.reader.QueryRowContext(ctx, `SELECT count(*) FROM intents WHERE file_id = $1`, string(f.ID)).Scan(&r.open))
	r.queued = b.enqueued()
	return r
}

func same(a, b row) bool {
	return a.head == b.head && a.open == b.open && a.queued == b.queued && a.file.State == b.file.State &&
		a.file.ChangedAt.Equal(b.file.ChangedAt) && a.file.Attempt == b.file.Attempt && a.file.UploadID == b.file.UploadID
}

// Every pair of states: the one statement that writes states moves a file exactly where CanMove allows it.
func TestStatesMoveOnlyWhereCanMoveAllows(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("2026-0001", "")
		for _, from := range caseload.States() {
			for _, to := range caseload.States() {
				if from == to {
					continue
				}
				f := b.as(c.ID, from)
				after := f
				after.State, after.Owner, after.Attempt, after.Tries = to, "w", 1, 1
				after.Deadline, after.ReadingUntil = b.now().Add(time.Hour), b.now().Add(time.Hour)
				after.CRC64NVME, after.ETag, after.StoredAt, after.SentBytes = "crc", "etag", b.now(), f.Size
				after.SHA256, after.Kind, after.MetadataAt, after.ReadyAt = string(make64()), caseload.KindZIP, b.now(), b.now()
				after.Reason = "because"
				err := b.s.write(t.Context(), func(t *tx) error { return t.saveFile(context.Background(), f, after) })
				now := b.row(f).file.State
				if caseload.CanMove(from, to) && (err != nil || now != to) {
					t.Errorf("%s to %s: refused (%v), want it done", from, to, err)
				}
				if !caseload.CanMove(from, to) && (caseload.KindOf(err) != caseload.Conflict || now != from) {
					t.Errorf("%s to %s: error %v and state %s, want Conflict and no change", from, to, err, now)
				}
			}
		}
	})
}

func make64() []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

func TestAStaleCopyIsNotWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		f := b.as(b.newCase("1", "").ID, caseload.Planned)
		after := f
		after.State = caseload.Sending
		must(t, b.s.write(t.Context(), func(t *tx) error { return t.saveFile(context.Background(), f, after) }))
		err := b.s.write(t.Context(), func(t *tx) error { return t.saveFile(context.Background(), f, after) })
		wantKind(t, err, caseload.Conflict)
	})
}

// Each verb against each state: where it may not act it answers the kind and changes nothing, neither row nor log nor
// intents nor queue; where it may it writes exactly one event.
func TestEveryVerbInEveryState(t *testing.T) {
	const (
		does    = caseload.Kind(-1) // acts
		nothing = caseload.Kind(-2) // answers nil and changes nothing
		alive   = caseload.Kind(-3) // answers nil; only ChangedAt moves: a sign of life
	)
	type verb struct {
		name string
		run  func(b *bench, f caseload.File) error
		want map[caseload.State]caseload.Kind // the others: Conflict
	}
	verbs := []verb{
		{"BeginSending", func(b *bench, f caseload.File) error {
			_, err := b.s.BeginSending(b.t.Context(), f.ID, "", "", b.now().Add(time.Hour))
			return err
		}, map[caseload.State]caseload.Kind{caseload.Planned: does, caseload.Sending: nothing}},
		{"MarkStored", func(b *bench, f caseload.File) error {
			_, won, err := b.markStored(f, seen(f))
			if won != (f.State == caseload.Sending) {
				b.t.Errorf("MarkStored on %s: won is %v", f.State, won)
			}
			return err
		}, map[caseload.State]caseload.Kind{caseload.Sending: does, caseload.Stored: nothing, caseload.Reading: nothing, caseload.Ready: nothing, caseload.Rejected: nothing}},
		{"MarkAbandoned", func(b *bench, f caseload.File) error {
			o := b.abandon(f)
			if o.Won != f.State.Arriving() || o.File.ID != f.ID {
				b.t.Errorf("MarkAbandoned on %s: won is %v, file %q", f.State, o.Won, o.File.ID)
			}
			return o.Err
		}, map[caseload.State]caseload.Kind{caseload.Planned: does, caseload.Sending: does, caseload.Abandoned: nothing}},
		{"DeleteFile", func(b *bench, f caseload.File) error {
			return b.s.DeleteFile(b.t.Context(), b.admin, f.ID, b.inAnHour())
		}, map[caseload.State]caseload.Kind{
			caseload.Planned: does, caseload.Sending: does, caseload.Stored: does, caseload.Reading: does, caseload.Ready: does,
			caseload.Rejected: does, caseload.Abandoned: does, caseload.Deleted: caseload.Gone,
		}},
		{"StartReading", func(b *bench, f caseload.File) error {
			_, err := b.s.StartReading(b.t.Context(), f.ID, "second", b.now(), b.now().Add(time.Minute))
			return err
		}, map[caseload.State]caseload.Kind{caseload.Stored: does, caseload.Deleted: caseload.Gone}},
		{"SaveMetadata", func(b *bench, f caseload.File) error {
			return b.s.SaveMetadata(b.t.Context(), f.ID, 1, caseload.Findings{Kind: caseload.KindPDF})
		}, map[caseload.State]caseload.Kind{caseload.Reading: does}},
		{"Reject", func(b *bench, f caseload.File) error {
			return b.s.Reject(b.t.Context(), f.ID, 1, "It cannot be read.")
		}, map[caseload.State]caseload.Kind{caseload.Reading: does}},
		{"FinishReading before the metadata", func(b *bench, f caseload.File) error {
			return b.s.FinishReading(b.t.Context(), f.ID, 1, caseload.Receipt{SHA256: string(make64())})
		}, nil},
		{"RecordParts", func(b *bench, f caseload.File) error {
			return b.s.RecordParts(b.t.Context(), f.ID, []caseload.Part{{Number: 1, Size: 1, CRC64NVME: "x"}}, b.now().Add(time.Hour))
		}, map[caseload.State]caseload.Kind{caseload.Sending: alive}},
		{"Postpone", func(b *bench, f caseload.File) error {
			return b.s.Postpone(b.t.Context(), f.ID, b.now().Add(time.Hour))
		}, map[caseload.State]caseload.Kind{caseload.Planned: nothing, caseload.Sending: nothing}},
	}
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("2026-0001", "")
		for _, v := range verbs {
			for _, state := range caseload.States() {
				f := b.as(c.ID, state)
				before := b.row(f)
				b.pass(time.Second)
				err := v.run(b, f)
				after := b.row(f)
				want, ok := v.want[state]
				if !ok {
					want = caseload.Conflict
				}
				if want == alive {
					if after.file.ChangedAt.Equal(before.file.ChangedAt) {
						t.Errorf("%s on %s: no sign of life", v.name, state)
					}
					after.file.ChangedAt, want = before.file.ChangedAt, nothing
				}
				switch {
				case want == does && (err != nil || after.head != before.head+1 || after.file.ChangedAt.Equal(before.file.ChangedAt)):
					t.Errorf("%s on %s: error %v, %d events; want it done with one event", v.name, state, err, after.head-before.head)
				case want == nothing && (err != nil || !same(before, after)):
					t.Errorf("%s on %s: error %v; want nil and nothing changed", v.name, state, err)
				case want >= 0 && (caseload.KindOf(err) != want || err == nil || !same(before, after)):
					t.Errorf("%s on %s: error %v; want %v and nothing changed", v.name, state, err, want)
				}
			}
			missing := caseload.File{ID: caseload.NewID[caseload.FileID](b.now()), Size: 1, State: caseload.Sending}
			missing.State = "" // it is nowhere
			if v.name == "MarkStored" || v.name == "MarkAbandoned" {
				continue // asked below, they return the row
			}
			if err := v.run(b, missing); caseload.KindOf(err) != caseload.NotFound {
				t.Errorf("%s on no file: error %v, want NotFound", v.name, err)
			}
		}
	})
}

func TestBeginSendingKeepsTheFirstUpload(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "")
		f := caseload.File{
			ID: caseload.NewID[caseload.FileID](b.now()), Name: "a.zip", Size: 60_000_000, Route: caseload.Direct,
			PartSize: 16 << 20, Object: caseload.NewObjectKey(), Deadline: b.now().Add(time.Hour),
		}
		b.propose(c.ID, "", f)
		_, err := b.s.BeginSending(ctx, f.ID, "", "", b.now().Add(time.Hour))
		must(t, err)
		got, err := b.s.BeginSending(ctx, f.ID, "", "first", b.now().Add(time.Hour))
		must(t, err)
		if got.UploadID != "first" || got.State != caseload.Sending {
			t.Errorf("got upload %q in state %s", got.UploadID, got.State)
		}
		got, err = b.s.BeginSending(ctx, f.ID, "", "second", b.now().Add(time.Hour))
		must(t, err)
		if got.UploadID != "first" {
			t.Errorf("the loser of the race sees upload %q, want %q", got.UploadID, "first")
		}
	})
}

// What was acknowledged stays for the trash window; what never was goes with the last address that could add to it.
func TestADeleteIntentIsDueByWhatTheFileWas(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		due := caseload.EraseAt{Kept: b.now().Add(30 * 24 * time.Hour), Partial: b.now().Add(2 * time.Hour)}
		whole := b.newCase("whole", "").ID
		for _, state := range caseload.States() {
			if state == caseload.Deleted {
				continue
			}
			want := due.Partial
			if state.Acknowledged() {
				want = due.Kept
			}
			single, along := b.as(b.newCase(string(state), "").ID, state), b.as(whole, state)
			must(t, b.s.DeleteFile(ctx, b.admin, single.ID, due))
			for id, reason := range map[caseload.FileID]string{single.ID: "the file was deleted", along.ID: "the case was deleted"} {
				if id == along.ID {
					must(t, b.s.DeleteCase(ctx, b.admin, whole, due))
					whole = b.newCase("whole after "+string(state), "").ID
				}
				var at int64
				must(t, b.s.reader.QueryRowContext(ctx, `SELECT due_at FROM intents WHERE file_id = $1 AND reason = $2`, string(id), reason).Scan(&at))
				if at != toMS(want) {
					t.Errorf("%s, it was %s: due %v, want %v", reason, state, fromMS(at), want)
				}
			}
		}
	})
}

// I2: what the store was seen to hold must be what was planned.
func TestMarkStoredBelievesOnlyWhatFits(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		f := b.as(b.newCase("1", "").ID, caseload.Sending)
		for name, spoil := range map[string]func(o *caseload.Object){
			"another size":  func(o *caseload.Object) { o.Size++ },
			"another key":   func(o *caseload.Object) { o.Key = "f0" },
			"no checksum":   func(o *caseload.Object) { o.CRC64NVME = "" },
			"no identity":   func(o *caseload.Object) { o.ETag, o.VersionID = "", "" },
			"nothing there": func(o *caseload.Object) { *o = caseload.Object{} },
		} {
			o := seen(f)
			spoil(&o)
			before := b.row(f)
			_, won, err := b.markStored(f, o)
			if caseload.KindOf(err) != caseload.Conflict || won || !same(before, b.row(f)) {
				t.Errorf("%s: error %v, won %v; want Conflict and nothing changed", name, err, won)
			}
		}
	})
}

func TestThirtyTwoConcurrentCompletesAreOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		c := b.newCase("1", "")
		for range 3 {
			f := b.as(c.ID, caseload.Sending)
			before := b.row(f)
			var wg sync.WaitGroup
			var mu sync.Mutex
			wins := 0
			for range 32 {
				wg.Go(func() {
					stands, won, err := b.markStored(f, seen(f))
					if err != nil || stands.State != caseload.Stored || stands.ETag != "etag" {
						t.Errorf("error %v, state %s", err, stands.State)
					}
					mu.Lock()
					defer mu.Unlock()
					if won {
						wins++
					}
				})
			}
			wg.Wait()
			after := b.row(f)
			if wins != 1 || after.head != before.head+1 || after.queued != before.queued+1 {
				t.Errorf("%d wins, %d events, %d jobs; want one of each", wins, after.head-before.head, after.queued-before.queued)
			}
		}
	})
}

// The job and the state are one transaction: when the queue refuses, nothing is stored.
func TestNothingIsStoredWithoutItsJob(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		f := b.as(b.newCase("1", "").ID, caseload.Sending)
		before := b.row(f)
		working := b.s.enqueue
		b.s.SetEnqueue(func(context.Context, *sql.Conn, *sql.Tx, []caseload.FileID) error { return errors.New("no queue") })
		_, won, err := b.markStored(f, seen(f))
		if err == nil || won || !same(before, b.row(f)) {
			t.Errorf("error %v, won %v; want an error and nothing changed", err, won)
		}
		b.s.SetEnqueue(nil)
		if _, won, err := b.markStored(f, seen(f)); err == nil || won {
			t.Errorf("without a queue: error %v, won %v", err, won)
		}
		b.s.SetEnqueue(working)
		b.stored(f)
	})
}

func TestDeletingACaseTakesItsFilesAlong(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		c := b.newCase("1", "Kim")
		var files []caseload.File
		for _, state := range caseload.States() {
			files = append(files, b.as(c.ID, state))
		}
		heads, err := b.s.OrganizationRevision(ctx, []caseload.OrganizationID{b.admin.Organization})
		must(t, err)
		must(t, b.s.DeleteCase(ctx, b.admin, c.ID, b.inAnHour()))
		for _, f := range files {
			now := b.row(f)
			if now.file.State != caseload.Deleted || now.open == 0 {
				t.Errorf("a file that was %s is %s with %d intents", f.State, now.file.State, now.open)
			}
			_, err := b.s.File(ctx, b.admin, f.ID)
			wantKind(t, err, caseload.Gone)
		}
		after, err := b.s.OrganizationRevision(ctx, []caseload.OrganizationID{b.admin.Organization})
		must(t, err)
		if got, want := after[b.admin.Organization]-heads[b.admin.Organization], int64(len(files)-1+1); got != want {
			t.Errorf("%d events, want %d: the case's and one for each file that was not deleted before", got, want)
		}
		_, err = b.s.Case(ctx, b.admin, c.ID)
		wantKind(t, err, caseload.Gone)
		_, _, err = b.s.PlanFiles(ctx, b.admin, c.ID, "", []caseload.Proposal{{}})
		wantKind(t, err, caseload.Gone)
		page, err := b.s.Cases(ctx, b.admin, CaseQuery{Text: "kim"})
		must(t, err)
		if len(page.Cases) != 0 {
			t.Error("a deleted case is still found")
		}
	})
}
