package fsck_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/fsck"
)

// gone lists everything, and has nothing when it is asked for one: it went between the two looks.
type gone struct{ fsck.Objects }

func (gone) Head(context.Context, caseload.ObjectKey, string) (caseload.Object, error) {
	return caseload.Object{}, caseload.Errorf(caseload.NotFound, "gone")
}

// TestWhatWentMeanwhileIsNotMended: a leftover or a stranger that is gone at the second look is none, and nothing is asked for.
func TestWhatWentMeanwhileIsNotMended(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	b.as(caseload.Deleted)
	b.as(caseload.Abandoned)
	b.meddle(`UPDATE intents SET state = 'done'`)
	b.place("fstranger", []byte("x"))
	var found []fsck.Finding
	s := b.service(&found)
	s.Objects, s.Repair = gone{b.folder}, true
	if _, err := s.Run(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("found %q (%v)", marks(found), err)
	}
	if events := b.remembered(); events["object.leftover"] > 0 {
		t.Errorf("events: %v", events)
	}
}

// TestAFileThatNobodyReadYetHasItsCRC: without a SHA-256 the CRC-64 and the length tell, and only who asks leaves a mark.
func TestAFileThatNobodyReadYetHasItsCRC(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	flipped, short := b.as(caseload.Stored), b.as(caseload.Stored)
	b.damage(flipped, 3)
	b.must(os.Truncate(b.path(short), short.Size-1))
	var found []fsck.Finding
	if _, err := b.service(&found).ReadAgain(t.Context(), "", fsck.Report{}); err != nil || len(found) != 2 {
		t.Fatalf("found %q (%v)", marks(found), err)
	}
	if !strings.Contains(found[0].Text, "another CRC-64") || !strings.Contains(found[1].Text, "bytes, the file") {
		t.Errorf("said %q and %q", found[0].Text, found[1].Text)
	}
	for _, f := range []caseload.File{flipped, short} {
		if warned := b.stands(f).Warnings; len(warned) > 0 {
			t.Errorf("nobody asked for a mark: %q", warned)
		}
	}
}

// deleting deletes a file while it is read, which then gives other bytes.
type deleting struct {
	fsck.Objects
	do func()
}

func (d deleting) Stream(context.Context, caseload.Object) (io.ReadCloser, error) {
	d.do()
	return io.NopCloser(strings.NewReader("x")), nil
}

// TestAFileDeletedWhileItIsReadIsNoFinding, whatever came of the reading.
func TestAFileDeletedWhileItIsReadIsNoFinding(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	f := b.as(caseload.Ready)
	var found []fsck.Finding
	s := b.service(&found)
	s.Repair = true
	s.Objects = deleting{b.folder, func() {
		b.must(b.db.DeleteFile(t.Context(), b.admin, f.ID, caseload.EraseAt{Kept: b.at.Add(time.Hour), Partial: b.at}))
	}}
	if _, err := s.ReadAgain(t.Context(), "", fsck.Report{}); err != nil || len(found) > 0 || len(b.stands(f).Warnings) > 0 {
		t.Errorf("found %q (%v), warned %q", marks(found), err, b.stands(f).Warnings)
	}
}

// TestTheDatabaseRefusesWhatARepairMayNotDo, whoever asks: leftovers of live and arriving files and of other keys, twice the
// same, and objects that are not the file's.
func TestTheDatabaseRefusesWhatARepairMayNotDo(t *testing.T) {
	onBoth(t, func(b *bench) {
		ctx := b.Context()
		ready, sending, deleted := b.as(caseload.Ready), b.as(caseload.Sending), b.as(caseload.Deleted)
		for name, c := range map[string]struct {
			file caseload.File
			key  caseload.ObjectKey
			kind caseload.Kind
		}{
			"a live file":           {ready, ready.Object, caseload.Conflict},
			"an arriving file":      {sending, sending.Object, caseload.Conflict},
			"another file's object": {deleted, ready.Object, caseload.NotFound},
			"one that goes already": {deleted, deleted.Object, caseload.Conflict},
			"a file that never was": {caseload.File{ID: caseload.FileID(strings.Repeat("n", 26))}, deleted.Object, caseload.NotFound},
		} {
			err := b.db.EraseLeftover(ctx, c.file.ID, c.key, b.at)
			if err == nil || caseload.KindOf(err) != c.kind {
				b.Errorf("%s: %v, want kind %v", name, err, c.kind)
			}
		}
		right, err := b.folder.Head(ctx, ready.Object, "")
		b.must(err)
		for name, wrong := range map[string]caseload.Object{
			"another key":      {Key: deleted.Object, Size: right.Size, CRC64NVME: right.CRC64NVME, ETag: "new"},
			"another size":     {Key: right.Key, Size: right.Size + 1, CRC64NVME: right.CRC64NVME, ETag: "new"},
			"another checksum": {Key: right.Key, Size: right.Size, CRC64NVME: "AAAAAAAAAAA=", ETag: "new"},
		} {
			if err := b.db.Repin(ctx, ready.ID, wrong); caseload.KindOf(err) != caseload.Conflict {
				b.Errorf("the row names an object with %s: %v", name, err)
			}
		}
		if err := b.db.Repin(ctx, deleted.ID, caseload.Object{Key: deleted.Object, Size: deleted.Size, ETag: "new"}); caseload.KindOf(err) != caseload.Conflict {
			b.Errorf("a deleted file's row names an object: %v", err)
		}
		done := strings.Repeat("z", 26)
		b.meddle(`INSERT INTO intents (id, organization_id, file_id, object, upload_id, version_id, reason, state, due_at, created_at)
			VALUES ($1, $2, $3, $4, '', '', 'over', 'done', 1, 1)`, done, string(ready.Organization), string(ready.ID), string(ready.Object))
		mended, err := b.db.MendOddity(ctx, caseload.Oddity{Kind: caseload.IntentOfLive, Organization: ready.Organization, Case: ready.Case, File: ready.ID, ID: done})
		if mended || err != nil || b.remembered()["oddity.mended"] != 0 {
			b.Errorf("an intent that is over was cancelled (%v)", err)
		}
	})
}

// TestWhatIsArrivingIsNoLeftover: its object may lie there before its row says so, also of a file planned since the rows were read.
func TestWhatIsArrivingIsNoLeftover(t *testing.T) {
	b := newBench(t, "sqlite:"+t.TempDir()+"/caseload.db")
	arrive := func() {
		f := b.as(caseload.Sending)
		b.place(f.Object, []byte("half"))
	}
	for _, repair := range []bool{false, true} { // with a repair the database would refuse
		arrive()
		b.as(caseload.Ready)
		var found []fsck.Finding
		s := b.service(&found)
		s.Repair = repair
		s.Objects = moving{b.folder, func() {
			for range 10 {
				arrive()
			}
		}, func() {}}
		if _, err := s.Run(t.Context()); err != nil || len(found) > 0 || b.remembered()["object.leftover"] > 0 {
			t.Errorf("repair %v: found %q (%v)", repair, marks(found), err)
		}
	}
}
