package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/caseload"
)

// TestBackupsAreWholeAndTakeOnlyWhatIsNew: three of them, each restorable by itself.
func TestBackupsAreWholeAndTakeOnlyWhatIsNew(t *testing.T) {
	b := newBench(t)
	if r := b.take(); r.Objects != 0 {
		t.Errorf("an empty set-up: %+v", r)
	}
	b.restored()
	for range 5 {
		b.receive()
	}
	first := b.take()
	if first.Objects != 5 || first.Copied != first.Bytes || first.Trouble != 0 {
		t.Errorf("the first: %+v", first)
	}
	b.restored()
	gone := b.receive()
	second := b.take()
	if second.Objects != 6 || second.Copied == 0 || second.Copied >= second.Bytes/3 {
		t.Errorf("the second copies one object of six: %+v", second)
	}
	b.erase(gone)
	if third := b.take(); third.Objects != 5 || third.Copied != 0 {
		t.Errorf("the third copies nothing: %+v", third)
	}
	b.restored()
	if n, err := backup.Prune(b.backups, 1); n != 3 || err != nil {
		t.Errorf("%d backups were removed (%v), want 3 of 4", n, err)
	}
	b.restored() // links of the others are no loss
}

// TestTrashIsBackedUp, so that what was deleted can still be brought back after a restore.
func TestTrashIsBackedUp(t *testing.T) {
	b := newBench(t)
	f := b.receive()
	b.must(b.db.DeleteFile(t.Context(), b.admin, f.ID, caseload.EraseAt{Kept: b.at.Add(time.Hour), Partial: b.at}))
	b.take()
	b.restored()
}

// TestWhatIsErasedMeanwhileDoesNotTearABackup erases a file, with no trash window, after the database was copied and before
// its object is: at each object in turn. What is left is whole.
func TestWhatIsErasedMeanwhileDoesNotTearABackup(t *testing.T) {
	for at := range 6 {
		b := newBench(t)
		files := map[caseload.ObjectKey]caseload.File{}
		for range 6 {
			f := b.receive()
			files[f.Object] = f
		}
		copies, reads := 0, 0
		s := b.service()
		s.Copy = func(ctx context.Context, path string) error {
			copies++
			return b.db.CopyTo(ctx, path)
		}
		s.Objects = source{b.folder, func(key caseload.ObjectKey) error {
			if reads++; reads == at+1 {
				b.erase(files[key])
				b.receive() // and one comes: it need not be in this backup
			}
			return nil
		}}
		b.at = b.at.Add(time.Second)
		r, err := s.Take(t.Context(), b.backups)
		if err != nil || r.Trouble != 0 || copies != 2 {
			t.Fatalf("erased at read %d: %+v, the database was copied %d times, %v", at+1, r, copies, err)
		}
		b.restored()
	}
}

// TestALostOrDamagedObjectDoesNotStopABackup: it is said, everything else is kept, and the restore says it again.
func TestALostOrDamagedObjectDoesNotStopABackup(t *testing.T) {
	b := newBench(t)
	b.receive()
	lost, damaged := b.receive(), b.receive()
	b.must(os.Remove(b.path(lost)))
	content, err := os.ReadFile(b.path(damaged))
	b.must(err)
	content[3] ^= 1
	b.must(os.WriteFile(b.path(damaged), content, 0o600)) // in place: its attributes stay
	r := b.take()
	if said := strings.Join(b.troubles, "\n"); r.Trouble != 2 || !strings.Contains(said, "no object") || !strings.Contains(said, "another CRC-64") {
		t.Errorf("%+v: %s", r, said)
	}
	data := filepath.Join(t.TempDir(), "data")
	if r, err := b.service().Restore(t.Context(), r.Folder, data, target); err != nil || r.Trouble != 2 || r.Objects != 2 {
		t.Errorf("restored %+v (%v), want two objects and two troubles", r, err)
	}
	// The next backup does not take a damaged object over from this one.
	content[3] ^= 1
	b.must(os.WriteFile(b.path(damaged), content, 0o600))
	if r := b.take(); r.Trouble != 1 {
		t.Errorf("after mending one: %+v, %q", r, b.troubles)
	}
}

// TestACutOffBackupGoesOn, after every read in turn, without copying again what it has.
func TestACutOffBackupGoesOn(t *testing.T) {
	b := newBench(t)
	for range 4 {
		b.receive()
	}
	for cut := 1; cut <= 4; cut++ {
		b.must(os.RemoveAll(b.backups))
		reads, broken := 0, errors.New("the power went")
		s := b.service()
		s.Objects = source{b.folder, func(caseload.ObjectKey) error {
			if reads++; reads == cut {
				return broken
			}
			return nil
		}}
		if _, err := s.Take(t.Context(), b.backups); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if _, err := backup.Latest(b.backups); caseload.KindOf(err) != caseload.NotFound {
			t.Errorf("half a backup is taken for one: %v", err)
		}
		// The disk lost the last of what was written: it is copied again.
		left, err := filepath.Glob(filepath.Join(b.backups, "unfinished", "objects", "*"))
		b.must(err)
		want := 5 - cut
		if len(left) > 0 {
			b.flip(left[len(left)-1])
			want++
		}
		reads = 0
		s.Objects = source{b.folder, func(caseload.ObjectKey) error { reads++; return nil }}
		r, err := s.Take(t.Context(), b.backups)
		if err != nil || r.Objects != 4 || reads != want {
			t.Errorf("cut at %d: %+v, %d objects read again, want %d (%v)", cut, r, reads, want, err)
		}
		b.restored()
		b.at = b.at.Add(time.Second)
	}
}

// TestWhatACutOffBackupLeftGoes: an object that it had copied and whose file was erased since is not in the next backup.
func TestWhatACutOffBackupLeftGoes(t *testing.T) {
	b := newBench(t)
	gone := b.receive()
	b.receive()
	reads, broken := 0, errors.New("the power went")
	s := b.service()
	s.Objects = source{b.folder, func(caseload.ObjectKey) error {
		if reads++; reads == 2 {
			return broken
		}
		return nil
	}}
	if _, err := s.Take(t.Context(), b.backups); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	left := filepath.Join(b.backups, "unfinished", "objects")
	b.must(os.WriteFile(filepath.Join(left, string(gone.Object)), nil, 0o600)) // if it was the other's turn that ended it
	b.erase(gone)
	r := b.take()
	kept, err := os.ReadDir(filepath.Join(r.Folder, "objects"))
	b.must(err)
	if len(kept) != 1 || kept[0].Name() == string(gone.Object) {
		t.Errorf("the backup's folder holds %v", kept)
	}
	b.restored()
}

// TestVerifyNamesWhatIsWrong does to a backup what disks and people do.
func TestVerifyNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		do      func(b *bench, folder, object string)
		trouble string // said of an object; "": Verify refuses the backup as a whole
	}{
		"an object's bit":      {func(b *bench, _, object string) { b.flip(object) }, "not those that were backed up"},
		"an object is gone":    {func(b *bench, _, object string) { b.must(os.Remove(object)) }, "no bytes of it"},
		"an object is shorter": {func(b *bench, _, object string) { b.must(os.Truncate(object, 3)) }, "not those that were backed up"},
		"the database's bit":   {func(b *bench, folder, _ string) { b.flip(filepath.Join(folder, "caseload.db")) }, ""},
		"the manifest's bit":   {func(b *bench, folder, _ string) { b.flip(filepath.Join(folder, "MANIFEST")) }, ""},
		"the manifest is cut": {func(b *bench, folder, _ string) {
			path := filepath.Join(folder, "MANIFEST")
			content, err := os.ReadFile(path)
			b.must(err)
			lines := strings.SplitAfter(string(content), "\n")
			b.must(os.WriteFile(path, []byte(strings.Join(lines[:len(lines)-2], "")), 0o600))
		}, ""},
		"another backup's manifest": {func(b *bench, folder, _ string) {
			b.receive()
			content, err := os.ReadFile(filepath.Join(b.take().Folder, "MANIFEST"))
			b.must(err)
			b.must(os.WriteFile(filepath.Join(folder, "MANIFEST"), content, 0o600))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.receive()
			f := b.receive()
			folder := b.take().Folder
			if r, err := b.service().Verify(t.Context(), folder); err != nil || r.Trouble != 0 || r.Objects != 2 {
				t.Fatalf("untouched: %+v (%v)", r, err)
			}
			c.do(b, folder, filepath.Join(folder, "objects", string(f.Object)))
			r, err := b.service().Verify(t.Context(), folder)
			if c.trouble == "" && caseload.KindOf(err) != caseload.Invalid || c.trouble != "" && (err != nil || r.Trouble != 1 || !strings.Contains(b.troubles[0], c.trouble)) {
				t.Errorf("verify: %+v, %q, %v", r, b.troubles, err)
			}
			data := filepath.Join(t.TempDir(), "data")
			if _, err := b.service().Restore(t.Context(), folder, data, target); err == nil {
				t.Error("it was restored all the same")
			}
			if _, err := os.Stat(filepath.Join(data, "caseload.db")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a database stands in the data folder: %v", err)
			}
		})
	}
}

// TestRestoreNeverMixes: a folder with anything in it is refused, and left as it is.
func TestRestoreNeverMixes(t *testing.T) {
	b := newBench(t)
	b.receive()
	folder := b.take().Folder
	data := t.TempDir()
	b.must(os.WriteFile(filepath.Join(data, "notes.txt"), nil, 0o600))
	if _, err := b.service().Restore(t.Context(), folder, data, target); caseload.KindOf(err) != caseload.Conflict {
		t.Errorf("a folder with a file in it: %v", err)
	}
	entries, err := os.ReadDir(data)
	if b.must(err); len(entries) != 1 {
		t.Errorf("the folder now holds %v", entries)
	}
	b.must(os.Remove(filepath.Join(data, "notes.txt")))
	b.must(os.Mkdir(filepath.Join(data, "lost+found"), 0o700)) // a disk of its own
	if _, err := b.service().Restore(t.Context(), folder, data, target); err != nil {
		t.Errorf("a fresh disk: %v", err)
	}
}

// TestTwoBackupsAtOnce: the second is told to wait.
func TestTwoBackupsAtOnce(t *testing.T) {
	b := newBench(t)
	b.receive()
	s := b.service()
	s.Objects = source{b.folder, func(caseload.ObjectKey) error {
		if _, err := b.service().Take(t.Context(), b.backups); caseload.KindOf(err) != caseload.Conflict {
			t.Errorf("a second backup beside the first: %v", err)
		}
		return nil
	}}
	if _, err := s.Take(t.Context(), b.backups); err != nil {
		t.Error(err)
	}
}
