package objectstore

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// fileStamp tells one file from another and from itself after a change.
type fileStamp struct {
	device, inode uint64
	size          int64
	changed       unix.Timespec
}

func stampOf(file *os.File) (fileStamp, error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &s); err != nil {
		return fileStamp{}, err
	}
	return fileStamp{device: uint64(s.Dev), inode: s.Ino, size: s.Size, changed: s.Ctim}, nil
}

// openNameless makes a file in dir that has no name and is gone when it is closed (open(2), O_TMPFILE).
func openNameless(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), dir)
	if err := file.Chmod(0o600); err != nil { // whatever the umask says
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

var errNamed = errors.New("not a file without a name")

// replaceFile makes object another name for file (dup3(2)). versitygw keeps a file without a name under the number of
// its descriptor and gives it its name by that number, /proc/self/fd/N; any other kind it knows by its path, and is left alone.
func replaceFile(object, file *os.File) error {
	number := int(object.Fd())
	if object.Name() != fmt.Sprintf("/proc/self/fd/%d", number) {
		return errNamed
	}
	theirs, err := stampOf(object)
	if err != nil {
		return err
	}
	ours, err := stampOf(file)
	if err != nil {
		return err
	}
	if theirs.device != ours.device || theirs.size != 0 {
		return errNamed
	}
	return unix.Dup3(int(file.Fd()), number, unix.O_CLOEXEC)
}

// duplicate is another descriptor of the open file (fcntl(2), F_DUPFD_CLOEXEC): as long as it is open, removing the file's name
// frees nothing.
func duplicate(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// freeBytes is the room left to us on the file's disk.
func freeBytes(file *os.File) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// startWriteOut has the disk begin to write a range of the file and does not wait for it (sync_file_range(2)). It makes
// nothing durable; it only leaves less to do for the fsync that does, so a failure means nothing.
func startWriteOut(file *os.File, from, length int64) {
	_ = unix.SyncFileRange(int(file.Fd()), from, length, unix.SYNC_FILE_RANGE_WRITE)
}
