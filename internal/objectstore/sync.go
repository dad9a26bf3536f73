package objectstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"dcdentals.com/caseload/internal/caseload"
)

// sync forces objects' bytes and attributes, and the names that lead to them, to the disk: versitygw itself never does.
// Several files are forced at once, because the file system's journal then takes them in one go, and each folder once.
func (e *Embedded) sync(keys []caseload.ObjectKey) error {
	bucket := filepath.Join(e.objects, embeddedBucket)
	folders := []string{bucket, e.objects}
	if e.sidecar != "" {
		folders = append(folders, filepath.Join(e.sidecar, embeddedBucket), e.sidecar)
	}
	var files errgroup.Group
	files.SetLimit(syncsAtOnce)
	for _, key := range keys {
		name := string(key)
		if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
			return caseload.Errorf(caseload.Internal, "Not an object key of ours.")
		}
		files.Go(func() error { return syncPath(filepath.Join(bucket, name)) })
		attributes, err := e.attributesOf(name)
		if err != nil {
			return folderError(err)
		}
		folders = append(attributes, folders...)
	}
	if err := files.Wait(); errors.Is(err, fs.ErrNotExist) {
		return caseload.Errorf(caseload.NotFound, "The store does not hold this object.")
	} else if err != nil {
		return folderError(err)
	}
	for _, path := range folders {
		if err := syncPath(path); err != nil {
			return folderError(err)
		}
	}
	return nil
}

// attributesOf returns the files that hold an object's attributes where the file system cannot, and their folders.
func (e *Embedded) attributesOf(name string) (paths []string, err error) {
	if e.sidecar == "" {
		return nil, nil
	}
	err = filepath.WalkDir(filepath.Join(e.sidecar, embeddedBucket, name), func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return paths, err
}

// syncsAtOnce is how many files are forced to the disk at once.
const syncsAtOnce = 16

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
