package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dcdentals.com/caseload/internal/caseload"
)

// Disk is what the file system below a folder says of itself.
type Disk struct {
	Free, Size        uint64 // bytes; Free is what a user other than root can have
	FreeFiles, Files  uint64 // inodes; 0, 0 where the file system has no fixed number of them
	Kind              string // "ext4", "nfs", …; "" when it is not known
	Network           bool   // its bytes lie on another machine
	Temporary         bool   // it is gone after a restart, or lies in memory
	PerhapsOverlaying bool   // a container's own layer, which goes with the container
}

// FolderOptions says which folder is looked at.
type FolderOptions struct {
	Folder   string // the data folder; it need not be there yet
	SQLite   bool   // the embedded database lies in it
	Store    bool   // the embedded store lies in it
	Largest  int64  // largest file taken, in bytes
	LookDisk func(path string) (Disk, error)
	Write    func(folder string) error // nil: a small file is written and removed
}

// FolderChecks returns what concerns the data folder; none when nothing is kept there.
func FolderChecks(o FolderOptions) []Check {
	if !o.SQLite && !o.Store {
		return nil
	}
	if o.LookDisk == nil {
		o.LookDisk = lookDisk
	}
	if o.Write == nil {
		o.Write = writeTrial
	}
	return []Check{{Name: "database.folder", Needs: []string{"config.data"}, Run: o.folder}, {Name: "database.disk", Needs: []string{"database.folder"}, Run: o.disk}}
}

// folder looks at the folder itself: it must be ours and nobody else's.
func (o FolderOptions) folder(context.Context) []Finding {
	f := Finding{Check: "database.folder", Tried: "The data folder was looked at.", Got: "The data folder is there, and closed to others."}
	info, err := os.Stat(o.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Got = "The data folder is not there yet; the first start makes it."
		if parent, err := os.Stat(existing(o.Folder)); err != nil || !parent.IsDir() {
			f.Level, f.Got, f.Means = Failure, "The data folder cannot be made: what stands above it is no folder.", "There is no place for the data."
			f.Fix = &Fix{Say: "Set CASELOAD_DATA to a folder that can be made."}
		}
	case err != nil:
		f = failed(f, errors.New(plainCause(err)))
	case !info.IsDir():
		f.Level, f.Got, f.Means, f.Fix = Failure, "The data folder is a file.", "There is no place for the data.", &Fix{Say: "Set CASELOAD_DATA to a folder."}
	case info.Mode().Perm()&0o077 != 0:
		f.Level, f.Got = Warning, fmt.Sprintf("The data folder has the mode %04o: other users of this machine can look in.", info.Mode().Perm())
		f.Means = "Patients' files are readable for them; a start closes it again."
		folder, mode := o.Folder, os.FileMode(0o700)
		f.Fix = &Fix{Say: "Close the folder to others.", Command: "chmod 700 " + quoted(folder), Apply: func(context.Context) error { return os.Chmod(folder, mode) }}
	}
	if f.Level == Failure {
		return []Finding{f}
	}
	return append([]Finding{f}, o.writable(err == nil)...)
}

// writable tries to write where the data lies, as the user who runs this.
func (o FolderOptions) writable(isThere bool) []Finding {
	if !isThere {
		return nil // whoever starts it makes it
	}
	err := o.Write(o.Folder)
	if err == nil {
		return nil
	}
	f := Finding{Check: "database.folder.write", Level: Failure, Tried: "A file of a few bytes was written into the data folder.", Got: "It failed: " + plainCause(err) + ".", Means: "Nothing can be kept there."}
	f.Fix = &Fix{Say: "Look at the folder, its owner and its disk."}
	switch {
	case errors.Is(err, syscall.EROFS):
		f.Means = "The disk is mounted for reading only: somebody wanted that, or the kernel does it by itself when a disk fails."
		f.Fix = &Fix{Say: "Look into the kernel's log for errors of the disk, then have it mounted for writing; in a container, mount a volume at CASELOAD_DATA.", Command: "dmesg --level=err | tail; findmnt --target " + quoted(o.Folder)}
	case errors.Is(err, fs.ErrPermission):
		f.Means = "The folder belongs to another user than the one who runs this."
		f.Fix = &Fix{Say: "Run this as the user who runs Caseload (sudo -u caseload caseload doctor); if that is you, give the folder back to that user.", Command: "ls -ld " + quoted(o.Folder)}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.Means = "The disk is full, or the user's quota on it is used up: uploads are refused with 507 and the database cannot grow."
		f.Fix = &Fix{Say: "Free some space or give the folder a larger disk; deleted files take room for CASELOAD_TRASH_WINDOW."}
	}
	return []Finding{f}
}

// writeTrial writes a small file into the folder, syncs and removes it.
func writeTrial(folder string) error {
	file, err := os.CreateTemp(folder, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = file.Write([]byte("Caseload tries whether it may write here.\n"))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// What must be left of the disk, as a share and in bytes.
const (
	leastShare = 20 // one part in
	leastBytes = 1 << 30
	noBytes    = 100 << 20
)

func (o FolderOptions) disk(context.Context) []Finding {
	tried := "The file system below the data folder was asked."
	disk, err := o.LookDisk(existing(o.Folder))
	if err != nil {
		return []Finding{{Check: "database.disk", Level: Note, Tried: tried, Got: "It does not say how much room there is.", Means: "Keep an eye on the disk yourself."}}
	}
	room := Finding{Check: "database.disk", Tried: tried, Got: fmt.Sprintf("%s of %s are free.", about(disk.Free), about(disk.Size))}
	more := &Fix{Say: "Free some space or give the folder a larger disk; deleted files take room for CASELOAD_TRASH_WINDOW."}
	switch {
	case disk.Free < noBytes:
		room.Level, room.Means, room.Fix = Failure, "There is no room to work: uploads are refused with 507 and the database cannot grow.", more
	case disk.Free < leastBytes || disk.Free < disk.Size/leastShare && disk.Free < 16*leastBytes:
		room.Level, room.Means, room.Fix = Warning, "It is nearly full.", more
	case o.Store && disk.Free < 2*uint64(max(o.Largest, 0)):
		room.Level, room.Fix = Warning, more
		room.Means = "One file of the largest size, " + caseload.HumanBytes(o.Largest) + ", may not fit: completing it needs its size twice."
	}
	found := []Finding{room}
	if disk.Files > 0 {
		inodes := Finding{Check: "database.inodes", Tried: tried, Got: fmt.Sprintf("%d of %d inodes are free.", disk.FreeFiles, disk.Files)}
		if disk.FreeFiles < disk.Files/leastShare && disk.FreeFiles < 1_000_000 {
			inodes.Level, inodes.Means = Warning, "No file can be made when they are used up, however much room there is; every object of the embedded store takes at least one."
			inodes.Fix = &Fix{Say: "Use a file system with more inodes (mkfs -N), or one that makes them as needed, such as XFS or Btrfs."}
		}
		found = append(found, inodes)
	}
	return append(found, o.kindOfDisk(disk, tried)...)
}

// kindOfDisk says where SQLite and the embedded store do not belong. SQLite's WAL needs memory shared by all who use the
// file, which network file systems have not (https://www.sqlite.org/wal.html), and locks, which many only pretend.
func (o FolderOptions) kindOfDisk(disk Disk, tried string) []Finding {
	f := Finding{Check: "database.filesystem", Tried: tried, Got: "The data folder lies on " + disk.Kind + ", on this machine."}
	switch {
	case disk.Kind == "":
		return nil
	case disk.Network && o.SQLite:
		f.Level, f.Got = Failure, "The data folder lies on "+disk.Kind+", a network file system."
		f.Means = "SQLite is damaged there sooner or later: its write-ahead log needs shared memory and locks that such file systems do not have."
		f.Fix = &Fix{Say: "Stop Caseload and move CASELOAD_DATA to a disk of this machine, or set CASELOAD_DATABASE_URL to a PostgreSQL."}
	case disk.Network:
		f.Level, f.Got = Warning, "The data folder lies on "+disk.Kind+", a network file system."
		f.Means = "The embedded store trusts that what is synced is kept and that a rename is whole; not every network file system keeps that."
		f.Fix = &Fix{Say: "Move CASELOAD_DATA to a disk of this machine, or use an external store."}
	case disk.Temporary:
		f.Level, f.Got = Warning, "The data folder lies on "+disk.Kind+", which is memory."
		f.Means = "Everything is gone after a restart."
		f.Fix = &Fix{Say: "Set CASELOAD_DATA to a folder on a disk."}
	case disk.Kind == "FUSE":
		f.Level, f.Got = Note, "The data folder lies on a FUSE file system; whose, it does not say."
		f.Means = "If it is another machine's (sshfs, s3fs, …), SQLite and the embedded store do not belong there."
	case disk.PerhapsOverlaying:
		f.Level, f.Got = Note, "The data folder lies on "+disk.Kind+", perhaps a container's own layer."
		f.Means = "If it is, everything is gone with the container: mount a volume at CASELOAD_DATA."
	}
	return []Finding{f}
}

// existing is the folder itself or the nearest one above it that is there.
func existing(folder string) string {
	for folder != filepath.Dir(folder) {
		if _, err := os.Stat(folder); err == nil {
			return folder
		}
		folder = filepath.Dir(folder)
	}
	return folder
}

// about writes a number of bytes in the largest binary unit that leaves at least one.
func about(n uint64) string {
	units, value, at := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"}, float64(n), 0
	for value >= 1024 && at < len(units)-1 {
		value, at = value/1024, at+1
	}
	if at == 0 || value >= 10 {
		return fmt.Sprintf("%.0f %s", value, units[at])
	}
	return fmt.Sprintf("%.1f %s", value, units[at])
}

// quoted writes a path as a shell takes it.
func quoted(path string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '-' || r == '_'
	}
	for _, r := range path {
		if !safe(r) {
			return "'" + escapeQuotes(path) + "'"
		}
	}
	return path
}

func escapeQuotes(path string) string { return strings.ReplaceAll(path, "'", `'\''`) }
