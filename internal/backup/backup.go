// Package backup copies an embedded set-up, database and objects, into a folder while it is in use, and brings it back. The
// database goes first, at one moment; objects are written once and outlive their rows by the trash window, so what that copy
// refers to is still there, or was rightly erased meanwhile: then the database is copied again. It knows the database and
// the store through the small interfaces below, and otherwise only plain files.
//
// A backup folder holds one folder for each backup, named by its moment (UTC):
//
//	2026-11-26T02-00-00.000Z/caseload.db    the database
//	2026-11-26T02-00-00.000Z/objects/KEY    each object
//	2026-11-26T02-00-00.000Z/MANIFEST       what belongs to it: JSON lines with SHA-256s, and its own at the end
//	unfinished/                         one that was cut off; the next one goes on from it
//	lock
//
// Objects that the backup before holds already are hard links to it, where the file system has them.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Rows is what of a copied database says which objects belong to it.
type Rows interface {
	// FilesByObject returns at most limit files in any state whose object's key is after the given one, in byte order.
	FilesByObject(ctx context.Context, after caseload.ObjectKey, limit int) ([]caseload.File, error)
	// ErasureIsDue tells whether an open delete-intent of the file names the key.
	ErasureIsDue(ctx context.Context, file caseload.FileID, key caseload.ObjectKey) (bool, error)
	// CaseNumber returns the number of a case.
	CaseNumber(ctx context.Context, id caseload.CaseID) (string, error)
	Close() error
}

// Source is the store that objects are read from.
type Source interface {
	// Stream opens an object. NotFound when there is none.
	Stream(ctx context.Context, o caseload.Object) (io.ReadCloser, error)
	// Attributes returns what the store keeps about an object beside its bytes. NotFound when there is none.
	Attributes(key caseload.ObjectKey) (map[string][]byte, error)
}

// Target is the store that objects are brought back into.
type Target interface {
	Source
	// Place writes an object durably. Conflict when the key is taken.
	Place(ctx context.Context, key caseload.ObjectKey, body io.Reader, attributes map[string][]byte) error
	// Sync makes what was placed durable as a whole.
	Sync() error
}

// Service does the work. The fields that a verb needs are said there; Passed may be nil.
type Service struct {
	Copy    func(ctx context.Context, path string) error         // writes the live database, as it stands at one moment, into a new file
	Open    func(ctx context.Context, path string) (Rows, error) // opens such a copy, unchanged
	Objects Source
	Names   func(ctx context.Context, folder, after string) (names []string, more bool, err error) // pages of a folder's names, in byte order
	Now     func() time.Time
	Program string         // its version, for the manifest
	Said    func(Trouble)  // an object that is not what it should be
	Passed  func(Progress) // how far it is, after each object
}

// Trouble is an object that cannot be brought back as it came.
type Trouble struct {
	File   caseload.FileID    `json:"file,omitempty"`
	Case   string             `json:"case,omitempty"` // its number
	Object caseload.ObjectKey `json:"object"`
	Text   string             `json:"text"`
}

// Progress is how far a run is.
type Progress struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Copied  int64 `json:"copied"` // of Bytes, those that were not there before
}

// Report is what a run came to.
type Report struct {
	Progress
	Folder  string    `json:"folder"` // of the one backup
	Made    time.Time `json:"made"`
	Trouble int       `json:"trouble"`
}

const (
	unfinished   = "unfinished"
	databaseName = "caseload.db"
	objectsName  = "objects"
	manifestName = "MANIFEST"
	nameLayout   = "2006-01-02T15-04-05.000Z"
	pageOf       = 1000
	mostRounds   = 5
)

// Take makes one backup in dir. It needs Copy, Open, Objects, Names, Now and Said. An error leaves what was copied in
// DIR/unfinished, from where the next one goes on; backups that were there are never touched.
func (s *Service) Take(ctx context.Context, dir string) (r Report, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, folderError(err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return r, err
	}
	defer unlock()
	made := s.Now().UTC().Truncate(time.Millisecond)
	final, work := filepath.Join(dir, made.Format(nameLayout)), filepath.Join(dir, unfinished)
	if _, err := os.Lstat(final); err == nil {
		return r, caseload.Errorf(caseload.Conflict, "There is a backup of this very moment already.").WithHint("Try again.")
	}
	before, err := Latest(dir)
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		return r, err
	}
	if err := os.MkdirAll(filepath.Join(work, objectsName), 0o700); err != nil {
		return r, folderError(err)
	}
	if r, err = s.fill(ctx, work, before, made); err != nil {
		return r, err
	}
	if err := os.Rename(work, final); err != nil {
		return r, folderError(err)
	}
	r.Folder = final
	return r, syncFolder(dir)
}

// fill copies database and objects into the folder, again when an object went between the two.
func (s *Service) fill(ctx context.Context, work, before string, made time.Time) (r Report, err error) {
	for round := 1; ; round++ {
		if err := s.copyDatabase(ctx, work); err != nil {
			return r, err
		}
		t := &take{Service: s, work: work, before: before, last: round == mostRounds, r: Report{Made: made}}
		gone, err := t.objects(ctx)
		if err != nil {
			return t.r, err
		}
		if !gone {
			return t.r, s.tidy(ctx, work)
		}
	}
}

// copyDatabase writes the database into the folder, in place of the one of an earlier round.
func (s *Service) copyDatabase(ctx context.Context, work string) error {
	path := filepath.Join(work, databaseName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return folderError(err)
	}
	return s.Copy(ctx, path)
}

// tidy removes what a cut-off run left that is not part of the backup.
func (s *Service) tidy(ctx context.Context, work string) error {
	kept, err := readManifest(filepath.Join(work, manifestName))
	if err != nil {
		return err
	}
	defer kept.close()
	objects := filepath.Join(work, objectsName)
	for after, more := "", true; more; {
		var names []string
		if names, more, err = s.Names(ctx, objects, after); err != nil {
			return err
		}
		for _, name := range names { // in the order of the manifest
			held, err := kept.find(caseload.ObjectKey(name))
			if err != nil {
				return err
			}
			if held == nil {
				if err := os.Remove(filepath.Join(objects, name)); err != nil {
					return folderError(err)
				}
			}
			after = name
		}
	}
	for _, folder := range []string{objects, work} {
		if err := syncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// Latest returns the folder of the newest backup in dir, or dir itself when it is one. NotFound when there is none.
func Latest(dir string) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		return dir, nil
	}
	all, err := list(dir)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", caseload.Errorf(caseload.NotFound, "There is no backup in %s.", dir).WithHint("Name the folder that `caseload backup` was given, or one of the folders in it.")
	}
	return all[len(all)-1], nil
}

// list returns the backups in dir, the oldest first.
func list(dir string) (all []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, folderError(err)
	}
	for _, e := range entries {
		if _, err := time.Parse(nameLayout, e.Name()); err == nil && e.IsDir() {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(all)
	return all, nil
}

// Prune removes the oldest backups in dir, so that the newest of them, keep in number, are left. It returns how many went.
func Prune(dir string, keep int) (removed int, err error) {
	unlock, err := lock(dir)
	if err != nil {
		return 0, err
	}
	defer unlock()
	all, err := list(dir)
	if err != nil || keep < 1 {
		return 0, err
	}
	for len(all) > keep {
		// Without its manifest it is no backup any more, however far the rest gets.
		if err := os.Remove(filepath.Join(all[0], manifestName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, folderError(err)
		}
		if err := os.RemoveAll(all[0]); err != nil {
			return removed, folderError(err)
		}
		removed, all = removed+1, all[1:]
	}
	return removed, nil
}

// lock keeps a second backup out of the folder; it ends with the process.
func lock(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, folderError(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, caseload.Errorf(caseload.Conflict, "Another backup is being made in this folder.").WithHint("Wait for it, or use another folder.")
		}
		return nil, folderError(err)
	}
	return func() { _ = file.Close() }, nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return folderError(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return folderError(fmt.Errorf("sync: %w", err))
	}
	return nil
}

func folderError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return caseload.Errorf(caseload.Full, "The disk of the backup folder is full.").WithHint("Make room and call it again: it goes on from where it was.")
	}
	return caseload.Errorf(caseload.Unavailable, "A folder or file cannot be used.").WithHint("Look at its owner and permissions, and whether the disk is there.").WithCause(err)
}
