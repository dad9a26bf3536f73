package backup_test

import (
	"path/filepath"
	"testing"

	"dcdentals.com/caseload/internal/backup"
	"dcdentals.com/caseload/internal/store"
)

// TestABackupOfAnOlderVersionComesBack: its database is read as it is, in a copy of its own that is brought up to date and
// goes again; the backup and what is restored keep the old schema until the program starts on it.
func TestABackupOfAnOlderVersionComesBack(t *testing.T) {
	scratch := t.TempDir()
	t.Setenv("TMPDIR", scratch)
	b := newBench(t)
	b.receive()
	for _, undo := range []string{ // step 20, backwards
		`DROP INDEX previews_file`,
		`ALTER TABLE previews DROP COLUMN entry`,
		`CREATE UNIQUE INDEX previews_file ON previews (file_id) WHERE file_id <> ''`,
		`DELETE FROM schema_migrations WHERE version = 20`,
	} {
		_, err := b.db.DB().ExecContext(t.Context(), undo)
		b.must(err)
	}
	b.take()
	latest, err := backup.Latest(b.backups)
	b.must(err)
	if r, err := b.service().Verify(t.Context(), latest); err != nil || r.Trouble > 0 || r.Objects != 1 {
		t.Fatalf("verified: %+v (%v)", r, err)
	}
	data := filepath.Join(t.TempDir(), "data")
	if r, err := b.service().Restore(t.Context(), latest, data, target); err != nil || r.Trouble > 0 || r.Objects != 1 {
		t.Fatalf("restored: %+v (%v)", r, err)
	}
	if left, err := filepath.Glob(filepath.Join(scratch, "caseload-copy-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q (%v)", left, err)
	}

	db, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(data, "caseload.db")})
	b.must(err)
	defer db.Close()
	if db.CheckSchema(t.Context()) == nil {
		t.Error("the restored database is not the one that was backed up")
	}
	b.must(db.Migrate(t.Context()))
	b.must(db.CheckSchema(t.Context()))
	for key := range b.contents {
		f, err := db.FileOfObject(t.Context(), key)
		b.must(err)
		if f.Name != "scan.bin" {
			t.Errorf("the file came back as %q", f.Name)
		}
	}
}
