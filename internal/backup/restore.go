package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"dcdentals.com/caseload/internal/caseload"
)

// Verify reads one backup whole: the manifest, the database, every object, and that every acknowledged file of the
// database has an object in it. It needs Open and Said. An error means that it is no backup or could not be read; Trouble
// counts objects that are missing or differ, those that were so when the backup was made among them.
func (s *Service) Verify(ctx context.Context, folder string) (r Report, err error) {
	return s.walk(ctx, folder, func(h *held) (string, error) {
		path := filepath.Join(folder, objectsName, string(h.Key))
		if sizeOf(path) < 0 {
			return "the backup has no bytes of it", nil
		}
		file, err := os.Open(path)
		if err != nil {
			return "", folderError(err)
		}
		defer file.Close()
		return sameBytes(file, h)
	})
}

// sameBytes says what of the bytes is not as the manifest has it.
func sameBytes(from io.Reader, h *held) (string, error) {
	var s sums
	s.reset()
	if _, err := io.Copy(&s, from); err != nil {
		return "", err
	}
	if s.n != h.Size || s.sha256() != h.SHA256 {
		return "the backup's bytes are not those that were backed up", nil
	}
	return "", nil
}

// walk goes through a backup's manifest beside its database, with look for every object that has bytes.
func (s *Service) walk(ctx context.Context, folder string, look func(h *held) (string, error)) (r Report, err error) {
	m, err := readManifest(filepath.Join(folder, manifestName))
	if err != nil {
		return r, err
	}
	defer m.close()
	r = Report{Folder: folder, Made: m.Made}
	path := filepath.Join(folder, databaseName)
	if sum, _, err := sumOf(path); err != nil || sum != m.Database {
		return r, errors.Join(err, caseload.Errorf(caseload.Invalid, "The backup's database is not the one that was backed up.").WithHint("Use an older backup."))
	}
	rows, err := s.Open(ctx, path)
	if err != nil {
		return r, err
	}
	defer rows.Close()
	for after := caseload.ObjectKey(""); ; {
		files, err := rows.FilesByObject(ctx, after, pageOf)
		if err != nil {
			return r, err
		}
		for _, f := range files {
			if err := s.check(ctx, &r, rows, m, f, look); err != nil {
				return r, err
			}
			after = f.Object
		}
		if len(files) < pageOf {
			break
		}
	}
	rest, err := m.read() // to the end, whose checksum is that of all
	if err == nil && rest != nil {
		err = damagedManifest()
	}
	return r, err
}

// check looks at one file's object.
func (s *Service) check(ctx context.Context, r *Report, rows Rows, m *manifestReader, f caseload.File, look func(h *held) (string, error)) error {
	h, err := m.find(f.Object)
	if err != nil {
		return err
	}
	bad := ""
	switch {
	case h == nil && !f.State.Acknowledged():
		return nil
	case h == nil:
		bad = "the backup does not have it"
	case h.Lost:
		bad = h.Trouble
	default:
		if bad, err = look(h); err != nil {
			return err
		}
		if bad == "" {
			bad = h.Trouble
		}
		r.Objects, r.Bytes = r.Objects+1, r.Bytes+h.Size
		if s.Passed != nil {
			s.Passed(r.Progress)
		}
	}
	if bad == "" {
		return nil
	}
	number, err := rows.CaseNumber(ctx, f.Case)
	if err != nil && caseload.KindOf(err) != caseload.NotFound {
		return err
	}
	r.Trouble++
	s.Said(Trouble{File: f.ID, Case: number, Object: f.Object, Text: bad})
	return nil
}

// Restoring is the folder in a data folder that is being restored; nothing may be started there while it exists.
const Restoring = "restoring"

// Restore brings one backup back into the data folder, which must be empty or not exist. Every byte is compared with the
// manifest when it is read and again where it was written, before database and store take their places. It needs Open and
// Said, and target, which makes the store's folder. Objects that were lost or damaged when the backup was made are said
// and counted; anything else that does not fit is an error, and leaves the folder "restoring" behind.
func (s *Service) Restore(ctx context.Context, folder, data string, target func(ctx context.Context, dir string) (Target, error)) (r Report, err error) {
	if err := emptyFolder(data); err != nil {
		return r, err
	}
	work := filepath.Join(data, Restoring)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return r, folderError(err)
	}
	store, err := target(ctx, filepath.Join(work, "store"))
	if err != nil {
		return r, err
	}
	r, err = s.walk(ctx, folder, func(h *held) (string, error) { return "", s.bringBack(ctx, folder, store, h) })
	if err != nil {
		return r, err
	}
	if err := store.Sync(); err != nil {
		return r, err
	}
	if err := copyFile(filepath.Join(folder, databaseName), filepath.Join(work, databaseName)); err != nil {
		return r, err
	}
	for _, name := range []string{"store", databaseName} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(data, name)); err != nil {
			return r, folderError(err)
		}
	}
	if err := os.Remove(work); err != nil {
		return r, folderError(err)
	}
	return r, syncFolder(data)
}

// bringBack writes one object and reads it again where it was written.
func (s *Service) bringBack(ctx context.Context, folder string, store Target, h *held) error {
	file, err := os.Open(filepath.Join(folder, objectsName, string(h.Key)))
	if err != nil {
		return folderError(err)
	}
	defer file.Close()
	if err := store.Place(ctx, h.Key, file, h.Attributes); err != nil {
		return err
	}
	written, err := store.Stream(ctx, caseload.Object{Key: h.Key, Size: h.Size})
	if err != nil {
		return err
	}
	defer written.Close()
	bad, err := sameBytes(written, h)
	if err == nil && bad != "" {
		err = caseload.Errorf(caseload.Invalid, "Object %s: %s.", h.Key, bad).WithHint("Use an older backup. `caseload backup --verify` names everything that is wrong with this one.")
	}
	return err
}

// emptyFolder refuses a data folder in which there is anything.
func emptyFolder(data string) error {
	entries, err := os.ReadDir(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return folderError(err)
	}
	for _, e := range entries {
		if e.Name() != "lost+found" { // a disk of its own
			return caseload.Errorf(caseload.Conflict, "The data folder %s is not empty.", data).
				WithHint(fmt.Sprintf("A restore never mixes with what is there (%s). Move it away, or name another folder with --data.", e.Name()))
		}
	}
	return nil
}

// copyFile copies a file durably, and compares.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return folderError(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return folderError(err)
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return folderError(err)
	}
	was, _, err := sumOf(from)
	if err != nil {
		return err
	}
	if is, _, err := sumOf(to); err != nil || is != was {
		return errors.Join(err, caseload.Errorf(caseload.Unavailable, "What was written differs from what was read.").WithHint("Look at the disk."))
	}
	return nil
}
